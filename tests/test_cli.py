"""The command line: what it prints, where errors go, what it exits with."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from steamlab.__main__ import app
from steamlab.settings import data_path
from steamlab.topics import ALL_TOPICS, TopicSpec, create, delete

VERBS = ["doctor", "down", "lab", "metrics", "process", "progress", "reset", "simulate"]
VERBS += ["status", "store", "topics", "up", "watch"]


def steamlab(*words: str, **surroundings: str) -> subprocess.CompletedProcess[str]:
    """Run the command line as a person does, apart from the terminal."""
    return subprocess.run(
        [sys.executable, "-m", "steamlab", *words],
        env=os.environ | {"COLUMNS": "200"} | surroundings,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_the_verbs() -> None:
    """These verbs exist, and no other."""
    assert VERBS == sorted(get_command(app).commands)  # type: ignore[attr-defined]


def test_no_verb_shows_help() -> None:
    """Without a verb the help is shown, with every verb in it."""
    said = steamlab()
    assert [] == [verb for verb in VERBS if f" {verb} " not in said.stdout + said.stderr]


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_and_option_explains_itself(verb: str) -> None:
    """Each verb has a sentence, and each of its options and arguments a text."""
    command: Any = get_command(app).commands[verb]  # type: ignore[attr-defined]
    assert command.help.split("\n")[0].endswith(".")
    texts = {each.name: each.help for each in command.params if each.name != "help"}
    assert [] == [name for name, text in texts.items() if not text]


def test_an_error_is_one_line() -> None:
    """An error goes to stderr, in one line that ends with the repair; the exit code is 1."""
    said = steamlab("status", STEAMLAB_PORT="ninety")
    assert (1, "") == (said.returncode, said.stdout)
    assert (
        "steamlab: STEAMLAB_PORT must be a number from 1024 to 65535, and is 'ninety'. "
        "Set it again, or `unset STEAMLAB_PORT`.\n"
    ) == said.stderr


@pytest.mark.parametrize("words", [("--debug", "status"), ("status", "--debug")])
def test_debug_shows_the_trace(words: tuple[str, ...]) -> None:
    """With --debug, before or after the verb, the same error comes with its trace."""
    said = steamlab(*words, STEAMLAB_PORT="ninety")
    assert 1 == said.returncode
    assert said.stderr.startswith("Traceback (most recent call last):")
    assert "steamlab.errors.SetupError: STEAMLAB_PORT must be a number" in said.stderr


def test_a_wrong_option_is_usage() -> None:
    """A misspelled option is answered with the usage and exit code 2, not with a trace."""
    said = steamlab("up", "--borkers", "3")
    assert 2 == said.returncode
    assert "No such option: --borkers" in said.stderr
    assert "Traceback" not in said.stderr


@pytest.mark.parametrize(
    "words",
    [
        *("process --until 0", "process --grace -1", "process --grace nan"),
        *("process --grace 1e300", "process --idle -1", "process --idle nan"),
        *("process --timeout 3", "process --until 1 --timeout -4"),
        *("process --until 1 --timeout inf", "watch store.searches --until 0", "up --timeout 0"),
        *("reset --brokers 0", "lab --port 99999"),
    ],
)
def test_numbers_out_of_range_are_usage(words: str) -> None:
    """What no run could mean is refused before anything is started: exit code 2."""
    said = CliRunner().invoke(app, words.split())
    assert (2, "") == (said.exit_code, said.stdout)
    assert "Invalid value" in said.stderr


def test_unreachable_kafka_is_one_line(tmp_path: Path) -> None:
    """A cluster named by STEAMLAB_BOOTSTRAP that does not answer is one line with its address."""
    said = steamlab("topics", STEAMLAB_BOOTSTRAP="127.0.0.1:9", STEAMLAB_HOME=str(tmp_path))
    assert 1 == said.returncode
    assert said.stderr.startswith("steamlab: ")
    assert "127.0.0.1:9" in said.stderr
    assert 1 == len(said.stderr.splitlines())


@pytest.mark.slow
def test_nothing_runs(tmp_path: Path) -> None:
    """Where nothing runs, status and down say so and change nothing; the doctor exits with 1."""
    nowhere = {"STEAMLAB_HOME": str(tmp_path), "STEAMLAB_PORT": "21987"}
    assert "Kafka does not run. `steamlab up` starts it.\n" == steamlab("status", **nowhere).stdout
    assert json.loads(steamlab("status", "--json", **nowhere).stdout)["kafka"] is None
    assert "Nothing of ours was running.\n" == steamlab("down", **nowhere).stdout
    said = steamlab("doctor", **nowhere)
    assert 1 == said.returncode
    assert "FAIL  kafka: does not run; port 21987 is free. Run `steamlab up`." in said.stdout


@pytest.mark.broker
def test_up_and_status(kafka: dict[str, Any]) -> None:
    """`up` finds what runs and says where; `status` says the same, for people and as JSON."""
    address = kafka["bootstrap.servers"]
    said = steamlab("up")
    assert said.stdout.startswith(f"Kafka answers at {address} (1 broker, ")
    assert said.stdout.splitlines()[0] == steamlab("status").stdout.splitlines()[0]
    assert address == json.loads(steamlab("status", "--json").stdout)["kafka"]["bootstrap"]


@pytest.mark.broker
def test_topics_counts(kafka: dict[str, Any]) -> None:
    """`topics` lists names, partitions and records; Kafka's own topics are left out."""
    from confluent_kafka import Producer

    create(kafka, [TopicSpec("test-cli", 2)])
    try:
        producer = Producer(kafka)
        for number in range(3):
            producer.produce("test-cli", str(number), partition=number % 2)
        assert 0 == producer.flush(10)
        rows = json.loads(steamlab("topics", "--json").stdout)
        assert {"topic": "test-cli", "partitions": 2, "records": 3} in rows
        assert [] == [row for row in rows if row["topic"].startswith("__")]
        assert ["test-cli", "2", "3"] in [
            line.split() for line in steamlab("topics").stdout.splitlines()
        ]
    finally:
        delete(kafka, ["test-cli"])


@pytest.mark.broker
def test_topics_creates_the_stores(kafka: dict[str, Any]) -> None:
    """`topics --create` makes every topic of the store, twice without complaint."""
    for _ in range(2):
        rows = json.loads(steamlab("topics", "--create", "--json").stdout)
        assert {spec.name for spec in ALL_TOPICS} <= {row["topic"] for row in rows}


@pytest.mark.broker
def test_simulate_and_watch(kafka: dict[str, Any]) -> None:
    """What `simulate` says it sent, `watch` reads: good events, counted."""
    said = steamlab("simulate", "--days", "0.05", "--speed", "0", "--seed", "3")
    assert 0 == said.returncode, said.stderr
    watched = steamlab("watch", "store.game-views", "--until", "5", "--timeout", "30", "--json")
    assert 0 == watched.returncode, watched.stderr
    lines = [json.loads(line) for line in watched.stdout.splitlines()]
    assert 6 == len(lines)
    assert 5 == lines[-1]["tally"]["records"]
    assert {} == lines[-1]["tally"]["bad"]


@pytest.mark.slow
def test_simulate_into_a_file(tmp_path: Path) -> None:
    """`simulate --out` needs no Kafka, and the same seed gives the same bytes."""
    nowhere = {"STEAMLAB_BOOTSTRAP": "127.0.0.1:9", "STEAMLAB_HOME": str(tmp_path)}
    for name in ("a", "b"):
        out = str(tmp_path / f"{name}.jsonl")
        said = steamlab("simulate", "--days", "0.1", "--seed", "3", "--out", out, **nowhere)
        assert 0 == said.returncode, said.stderr
    assert (tmp_path / "a.jsonl").read_bytes() == (tmp_path / "b.jsonl").read_bytes()
    assert 0 < (tmp_path / "a.jsonl").stat().st_size


@pytest.mark.slow
def test_metrics_of_a_file() -> None:
    """`metrics` needs no Kafka: a table for people, records for programs, also from stdin."""
    golden = data_path("golden/golden.jsonl")
    said = steamlab("metrics", str(golden), STEAMLAB_BOOTSTRAP="127.0.0.1:9")
    assert (0, "20 records: 20 accepted, 0 duplicates, 0 tombstones, 0 refused.\n") == (
        said.returncode,
        said.stderr,
    )
    assert "7.85 = 54.97/7" in said.stdout
    piped = subprocess.run(
        [sys.executable, "-m", "steamlab", "metrics", "-", "--json", "--at=2025-11-21T10:50:00Z"],
        input=golden.read_text(encoding="utf-8"),
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    records = {each["metric"]: each for each in map(json.loads, piped.stdout.splitlines())}
    expected = [{"gameId": "game_003", "lines": 1, "revenue": "14.99"}]
    assert expected == records["hot_purchases"]["items"]


def test_metrics_of_a_missing_file(tmp_path: Path) -> None:
    """A missing file is told in one line, with the exit code 1."""
    said = steamlab("metrics", str(tmp_path / "none.jsonl"))
    assert (1, "", 1) == (said.returncode, said.stdout, len(said.stderr.splitlines()))
    assert said.stderr.startswith("steamlab: Cannot read ")


def test_metrics_load_no_kafka() -> None:
    """The metrics and the windows are computed without a Kafka client in the process."""
    code = "import steamlab.metrics.printing, sys; print('confluent_kafka' in sys.modules)"
    command = [sys.executable, "-c", code]
    assert "False\n" == subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize(
    ("module", "expected"), [("process", False), ("second", False), ("first", True)]
)
def test_who_makes_no_frames_does_not_wait_for_pandas(module: str, expected: bool) -> None:
    """The verb `process` and the second stage start without it; the first stage needs it."""
    code = f"import steamlab.pipeline.{module}, sys; print('pandas' in sys.modules)"
    command = [sys.executable, "-c", code]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert f"{expected}\n" == said
