"""The verbs `steamlab process` and `steamlab store`, as a person types them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer

from steamlab import topics
from steamlab.metrics import key
from steamlab.options import MetricChapter
from steamlab.pipeline.places import Places
from steamlab.processor.chapters import CHAPTERS, chapters_of
from tests.pipelines import of_all, planned, send

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
    done = steamlab("metrics", str(day), "--json")
    batch = done.stdout
    count = len(day.read_text(encoding="utf-8").splitlines())
    asked = ["--prefix", PLACES.prefix, "--until", str(count), "--grace", "4320"]
    stream = steamlab("process", *asked, "--timeout", "180", "--json")
    assert f"{count:,} events are processed, exactly once." in stream.stderr
    fates = r"([0-9,]+) accepted, ([0-9,]+) duplicates?, ([0-9,]+) tombstones?, ([0-9,]+) refused"
    (one,) = re.findall(fates, done.stderr)
    assert (one,) == tuple(re.findall(fates, stream.stderr))
    assert int(one[0].replace(",", "")) > 0 < int(one[1].replace(",", ""))
    assert records(batch) == records(stream.stdout)
    assert [key(json.loads(line)) for line in batch.splitlines()] == list(records(stream.stdout))


def test_some_chapters_alone(kafka: dict[str, Any]) -> None:
    """Two of the four are what the batch says; who asks for all after that is told why not."""
    places = Places("63.")
    events = planned(2_000)
    topics.create(kafka, places.specs())
    send(kafka, places, events)
    asked = ["--prefix", places.prefix, "--grace", "4320", "--timeout", "180"]
    only = ["--only", "sales", "--only", "products", "--until", "2000", "--json"]
    found = records(steamlab("process", *asked, *only).stdout)
    metrics = {name for each in chapters_of({"sales", "products"}) for name in each.names}
    expected = {name: each for name, each in of_all(events).items() if each["metric"] in metrics}
    assert expected == found
    with pytest.raises(subprocess.CalledProcessError) as refused:
        steamlab("process", *asked, "--until", "2001")
    topics.delete(kafka, [spec.name for spec in places.specs()])
    said = refused.value.stderr
    assert "it is that of sales, products. Facts that were not kept cannot be made up" in said
    assert "The first stage cannot go on with what is in its topics." in said


def test_the_chapters_of_the_command_line_are_those_there_are() -> None:
    """They are written out there, so that --help answers at once."""
    assert [each.name for each in CHAPTERS] == list(MetricChapter)


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
