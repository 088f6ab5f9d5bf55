"""The store from a terminal: the same events into Kafka or a file, keys, and a clean end."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import queue
import signal
import subprocess
import sys
import termios
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition

from steamlab import topics
from steamlab.decoding.envelopes import envelope, target
from steamlab.decoding.timestamps import event_ms
from steamlab.errors import LabError, LessonError, SetupError
from steamlab.events import decode
from steamlab.kafka.cluster import Cluster
from steamlab.replay.control import Follower, Value
from steamlab.replay.keys import Keys
from steamlab.replay.simulate import simulate

NAMES = [spec.name for spec in topics.STORE_TOPICS]
SMALL: dict[str, Any] = {"scale": 0.001, "days": 0.5}
RUN = """
import sys
from steamlab.client import client_config
from steamlab.errors import LabError
from steamlab.replay.simulate import simulate
kafka = client_config(sys.argv[1]) if sys.argv[1] else None
try:
    simulate(kafka, **eval(sys.argv[2]))
except LabError as error:
    sys.exit(str(error))
"""
# The terminal becomes this process's own, as it is where somebody types.
ON_TERMINAL = "import fcntl, termios\nfcntl.ioctl(0, termios.TIOCSCTTY, 0)\n" + RUN


@pytest.fixture(autouse=True)
def _own_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run at the speed that a test says: a whole run may turn the store's clock up."""
    monkeypatch.delenv("STEAMLAB_SPEED", raising=False)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A Kafka of these tests' own: `simulate` fills the store's real topics."""
    with Cluster() as started:
        yield started


@pytest.fixture
def empty(cluster: Cluster) -> dict[str, Any]:
    """That Kafka without any topic of the store."""
    topics.delete(cluster.kafka, [*NAMES, topics.CONTROL_TOPIC.name])
    return cluster.kafka


def command(bootstrap: str, code: str = RUN, **options: Any) -> list[str]:
    """Return the command that simulates in a process of its own."""
    return [sys.executable, "-c", code, bootstrap, repr(options)]


def wait_until(holds: Callable[[], bool], timeout: float = 60) -> None:
    """Poll until it holds; fail at the deadline."""
    deadline = time.monotonic() + timeout
    while not holds():
        assert time.monotonic() < deadline, "did not come true in time"
        time.sleep(0.05)


def count(kafka: dict[str, Any]) -> int:
    """Return how many events the store's topics hold."""
    return sum(int(topics.offsets(kafka, name)["end"].sum()) for name in NAMES)


def is_filled(kafka: dict[str, Any], more_than: int) -> bool:
    """Whether the topics exist and hold more events than that."""
    try:
        return count(kafka) > more_than
    except LabError:  # they are being created
        return False


@contextlib.contextmanager
def running(
    kafka: dict[str, Any], code: str = RUN, *, speed: float, **popen: Any
) -> Iterator[subprocess.Popen[str]]:
    """Simulate in another process, which does not outlive the block."""
    process = subprocess.Popen(
        command(kafka["bootstrap.servers"], code, scale=0.01, speed=speed), **popen
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def event_ids(kafka: dict[str, Any]) -> Counter[tuple[str, str]]:
    """Return topic and event id of everything in the store's topics, with how often it is there."""
    wanted, found = count(kafka), Counter[tuple[str, str]]()
    with Consumer(kafka | {"group.id": "reads", "enable.auto.commit": False}) as consumer:
        consumer.assign([TopicPartition(name, number, 0) for name in NAMES for number in range(6)])
        deadline = time.monotonic() + 60
        while found.total() < wanted:
            assert time.monotonic() < deadline, f"{found.total()} of {wanted} read"
            for message in consumer.consume(5000, 0.5):
                headers: Any = dict(message.headers() or [])
                found[str(message.topic()), headers["ce_id"].decode()] += 1
    return found


def test_the_same_seed_writes_the_same_bytes(tmp_path: Path) -> None:
    """A file is a fact that two people can compare; another seed is another store."""
    texts = []
    for name, seed in (("a", 7), ("b", 7), ("c", 8)):
        simulate(out=tmp_path / name, seed=seed, **SMALL)
        texts.append((tmp_path / name).read_bytes())
    assert texts[0] == texts[1]
    assert texts[0] != texts[2]


def test_every_line_is_a_good_event_in_order_of_arrival(tmp_path: Path) -> None:
    """Each envelope names topic, key, headers and arrival; its value passes the store's checks."""
    file = tmp_path / "events.jsonl"
    report = simulate(out=file, start="2025-11-21T10:00:00Z", **SMALL)
    lines = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    assert report.sent == len(lines) > 100
    assert {"topic", "key", "headers", "arrivedAt", "value"} == {name for e in lines for name in e}
    arrivals = [event_ms(line["arrivedAt"]) for line in lines]
    assert sorted(arrivals) == arrivals
    assert event_ms("2025-11-21T10:00:00Z") <= arrivals[0]
    for line, arrived in zip(lines, arrivals, strict=True):
        value = json.dumps(line["value"], ensure_ascii=False).encode()
        seen = decode(value, key=line["key"].encode(), topic=line["topic"], arrived_ms=arrived)
        assert (None, line["headers"]["ce_arrived"]) == (seen.code, line["arrivedAt"])


@pytest.mark.parametrize("value", [b'{"a":NaN}', b"[1]", b"\xff\xfe", b'{"a":1', b""])
def test_what_is_no_object_is_kept_as_it_is(value: bytes) -> None:
    """A broken event stays one line of good JSON: its exact text stands in `raw`."""
    headers = [("ce_id", b"e1"), ("ce_arrived", b"2025-11-21T10:00:00.000Z")]
    line = envelope((0, b"user_1", value, headers))
    assert (1, b"\n") == (line.count(b"\n"), line[-1:])
    found = json.loads(line)
    assert "value" not in found
    assert value.decode("utf-8", "replace") == found["raw"]


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    """What breaks off in the middle leaves the old file and no leftovers."""
    file = tmp_path / "events.jsonl"
    file.write_text("old")
    with pytest.raises(RuntimeError), target(str(file)) as handle:
        handle.write(b"half")
        raise RuntimeError
    assert (["events.jsonl"], "old") == (os.listdir(tmp_path), file.read_text())


def test_a_file_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    """No trace: the name, the reason, and the option to change."""
    with pytest.raises(SetupError, match=r"Cannot write .*no such file or directory.*--out"):
        simulate(out=tmp_path / "no" / "events.jsonl", **SMALL)


@pytest.mark.parametrize(
    "options", [{"days": 0}, {"scale": 0}, {"scale": 2}, {"speed": -1}, {"scale": float("nan")}]
)
def test_nonsense_is_refused(options: dict[str, float]) -> None:
    """The refusal gives a command that works."""
    with pytest.raises(LessonError, match="Try `steamlab simulate"):
        simulate(out="-", **options)


def test_stdout_gets_the_events_and_nothing_else(tmp_path: Path) -> None:
    """`--out -` can be piped: the bar and the last line go to stderr."""
    simulate(out=tmp_path / "file", **SMALL)
    done = subprocess.run(command("", out="-", **SMALL), capture_output=True, timeout=120)
    assert (tmp_path / "file").read_bytes() == done.stdout
    assert b"events written" in done.stderr


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    """`| head -1` ends the run without a trace."""
    with subprocess.Popen(
        command("", out="-", days=30), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        assert 0 == process.wait(60)
        assert process.stderr is not None
        assert b"Traceback" not in process.stderr.read()


def test_without_a_terminal_there_are_no_keys() -> None:
    """In a pipe, a test or CI nothing is read, and nothing is changed."""
    with open(os.devnull) as nothing, Keys(nothing) as keys:
        assert (False, "") == (keys.are_there, keys.read(0.01))


@pytest.mark.broker
def test_kafka_gets_the_events_of_the_file(empty: dict[str, Any], tmp_path: Path) -> None:
    """Flat out into topics that it creates: the same events, as often, in the same topics."""
    report = simulate(empty, speed=0, **SMALL)
    simulate(out=tmp_path / "file", **SMALL)
    lines = [json.loads(line) for line in (tmp_path / "file").read_text("utf-8").splitlines()]
    written = Counter((line["topic"], line["headers"]["ce_id"]) for line in lines)
    assert written == event_ids(empty)
    assert (len(lines), len(lines), True) == (report.sent, report.acked, report.is_complete)


@pytest.mark.broker
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_it_with_everything_stored(
    empty: dict[str, Any], number: signal.Signals
) -> None:
    """After Ctrl-C the last line says how many were sent, and Kafka holds exactly those."""
    with running(empty, speed=20_000, stderr=subprocess.PIPE, text=True) as process:
        wait_until(lambda: is_filled(empty, 200))
        process.send_signal(number)
        said = process.communicate(timeout=60)[1]
    stored = count(empty)
    assert 0 == process.returncode
    assert f": {stored:,} events sent, all {stored:,} acknowledged." in said
    assert "Stopped at store time 2025-11-17T" in said
    assert "Traceback" not in said


@pytest.mark.broker
def test_keys_steer_through_the_control_topic(empty: dict[str, Any]) -> None:
    """Plus, space and s send records, q ends it, and the terminal is as it was before."""
    topics.create(empty, [topics.CONTROL_TOPIC])
    heard: queue.Queue[tuple[str, Value]] = queue.Queue()
    follower = Follower(
        empty, topics.CONTROL_TOPIC.name, lambda *change: heard.put(change), lambda line: None
    ).start()
    ours, theirs = pty.openpty()
    before = termios.tcgetattr(theirs)
    quiet: dict[str, Any] = {"stderr": subprocess.DEVNULL, "start_new_session": True}
    with running(empty, ON_TERMINAL, speed=100, stdin=theirs, **quiet) as process:
        for expected in (("speed", 100.0), ("scale", 0.01), ("paused", False)):
            assert expected == heard.get(timeout=60)
        wait_until(lambda: is_filled(empty, 0))
        for key, expected in (
            (b"+", ("speed", 200.0)),
            (b" ", ("paused", True)),
            (b"s", ("scale", 0.005)),
        ):
            os.write(ours, key)
            assert expected == heard.get(timeout=60)
        os.write(ours, b"q")
        assert 0 == process.wait(60)
    assert before == termios.tcgetattr(theirs)
    follower.stop()
    os.close(ours)
    os.close(theirs)
