"""The verbs `steamlab process` and `steamlab store`, as a person types them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer

from steamlab import topics
from steamlab.metrics import key
from steamlab.pipeline.places import Places

pytestmark = pytest.mark.broker

PLACES = Places("61.")


@pytest.fixture(scope="module")
def day(kafka: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Part of a seeded day as a file, and the same events in topics of this module."""
    file = tmp_path_factory.mktemp("day") / "day.jsonl"
    steamlab("simulate", "--scale", "0.01", "--days", "0.15", "--out", str(file))
    topics.create(kafka, PLACES.specs())
    with Producer(kafka | {"partitioner": "murmur2_random"}) as producer:
        for line in file.read_text(encoding="utf-8").splitlines():
            each = json.loads(line)
            value = each["raw"] if "raw" in each else json.dumps(each["value"])
            topic = PLACES.prefix + each["topic"]
            producer.produce(topic, value, each["key"], headers=each["headers"])
        assert 0 == producer.flush(30)
    yield file
    topics.delete(kafka, [spec.name for spec in PLACES.specs()])


def steamlab(*words: str) -> subprocess.CompletedProcess[str]:
    """Run the command line; it must end well."""
    command = [sys.executable, "-m", "steamlab", *words]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=240)


def records(said: str) -> dict[str, Any]:
    """Return the records of lines of JSON, by their keys, without what time has made final."""
    found = [json.loads(line) for line in said.splitlines()]
    for each in found:
        del each["final"]
    return {key(each): each for each in found}


def test_stream_and_batch_give_the_same_files(day: Path) -> None:
    """The processor's records of a seeded day are those of the batch, line by line."""
    batch = steamlab("metrics", str(day), "--json").stdout
    count = len(day.read_text(encoding="utf-8").splitlines())
    asked = ["--prefix", PLACES.prefix, "--until", str(count), "--grace", "4320"]
    stream = steamlab("process", *asked, "--timeout", "180", "--json")
    assert f"{count:,} events are processed, exactly once." in stream.stderr
    assert records(batch) == records(stream.stdout)
    assert [key(json.loads(line)) for line in batch.splitlines()] == list(records(stream.stdout))


def test_the_store_runs_to_its_end(kafka: dict[str, Any]) -> None:
    """Shoppers, processor and view end together; the view's last table has all sixteen metrics."""
    prefix = "62."
    said = steamlab("store", "--days", "0.1", "--speed", "0", "--prefix", prefix).stdout
    topics.delete(kafka, [spec.name for spec in Places(prefix).specs()])
    title = said.splitlines()[0]
    assert "events sent in this run" in said
    sent, done, there = (
        title.split(word)[0].split()[-1] for word in (" events sent", " of ", " processed")
    )
    assert int(sent.replace(",", "")) > 500
    assert sent == done == there
    assert "revenue_per_minute" in said
    assert "time_to_purchase" in said
