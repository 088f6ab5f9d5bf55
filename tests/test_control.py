"""The running store is steered by records on a compacted topic."""

from __future__ import annotations

import math
import queue
import threading
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from confluent_kafka import Producer

from steamlab import topics
from steamlab.errors import LessonError, TopicError
from steamlab.replay.control import Follower, Value, parse, set_control


@pytest.fixture
def control(kafka: dict[str, Any]) -> Iterator[str]:
    """A control topic of this test's own, deleted at the end."""
    name = f"test-control-{uuid.uuid4().hex[:10]}"
    topics.recreate(kafka, topics.TopicSpec(name, 1, {"cleanup.policy": "compact"}))
    yield name
    topics.delete(kafka, [name])


class Heard:
    """Collects what a follower calls back."""

    def __init__(self) -> None:
        self.changes: queue.Queue[tuple[str, Value]] = queue.Queue()
        self.refused: queue.Queue[str] = queue.Queue()

    def changed(self, name: str, value: Value) -> None:
        """Keep one change."""
        self.changes.put((name, value))


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        (b"speed", b"60", ("speed", 60.0)),
        (b"speed", b'"max"', ("speed", math.inf)),
        (b"scale", b"0.05", ("scale", 0.05)),
        (b"scale", b"1", ("scale", 1.0)),
        (b"paused", b"true", ("paused", True)),
        (b"paused", b"false", ("paused", False)),
    ],
)
def test_good_records_are_understood(key: bytes, value: bytes, expected: tuple[str, Value]) -> None:
    """Each key has its own kind of value, written as JSON."""
    assert expected == parse(key, value)


@pytest.mark.parametrize(
    ("key", "value", "named"),
    [
        (None, b"60", "control ''"),
        (b"sped", b"60", "control 'sped'"),
        (b"\xff\x1b[2J", b"60", "control '\\ufffd\\x1b[2J'"),
        (b"speed", None, "speed cannot be ''"),
        (b"speed", b"", "speed cannot be ''"),
        (b"speed", b"0", "speed cannot be '0'"),
        (b"speed", b"-5", "speed cannot be '-5'"),
        (b"speed", b"true", "speed cannot be 'true'"),
        (b"speed", b"NaN", "speed cannot be 'NaN'"),
        (b"speed", b"1e400", "speed cannot be '1e400'"),
        (b"speed", b"1" + b"0" * 400, "speed cannot be '1000"),
        (b"speed", b'"60"', "speed cannot be '\"60\"'"),
        (b"speed", b"[60]", "speed cannot be '[60]'"),
        (b"speed", b"\xff\xfe", "speed cannot be '\\ufffd\\ufffd'"),
        (b"speed", b"[" * 100_000, "speed cannot be '[[[["),
        (b"scale", b"0", "scale cannot be '0'"),
        (b"scale", b"1.01", "scale cannot be '1.01'"),
        (b"scale", b'"max"', "scale cannot be '\"max\"'"),
        (b"paused", b"1", "paused cannot be '1'"),
        (b"paused", b'"yes\\u001b"', "paused cannot be '\"yes\\\\u001b\"'"),
    ],
)
def test_bad_records_are_named(key: bytes | None, value: bytes | None, named: str) -> None:
    """Whatever stands in a record, the answer is one short, printable sentence."""
    with pytest.raises(LessonError) as caught:
        parse(key, value)
    assert named in str(caught.value)
    assert str(caught.value).isprintable()
    assert 200 > len(str(caught.value))


def test_set_control_refuses_nonsense_before_it_sends() -> None:
    """A wrong value is an error for who asks, and needs no Kafka to be seen."""
    nowhere = {"bootstrap.servers": "127.0.0.1:1"}
    with pytest.raises(LessonError, match="speed cannot be '-1"):
        set_control(nowhere, speed=-1)


@pytest.mark.broker
def test_the_topic_must_exist(kafka: dict[str, Any]) -> None:
    """Without its topic a control is refused at once."""
    with pytest.raises(TopicError, match=r"no control topic 'test-nowhere'"):
        set_control(kafka, "test-nowhere", speed=2)


@pytest.mark.broker
def test_a_follower_hears_the_last_values_then_each_change(
    kafka: dict[str, Any], control: str
) -> None:
    """What was overwritten before the start is never called back; what comes later is."""
    set_control(kafka, control, speed=10, scale=0.02)
    set_control(kafka, control, speed=20)
    heard = Heard()
    follower = Follower(kafka, control, heard.changed, heard.refused.put).start()
    before = {heard.changes.get_nowait(), heard.changes.get_nowait()}
    assert {("speed", 20.0), ("scale", 0.02)} == before
    assert heard.changes.empty()
    set_control(kafka, control, paused=True)
    assert ("paused", True) == heard.changes.get(timeout=10)
    follower.stop()


@pytest.mark.broker
def test_a_bad_record_is_named_and_the_next_one_heard(kafka: dict[str, Any], control: str) -> None:
    """A stranger's record changes nothing and ends nothing."""
    heard = Heard()
    follower = Follower(kafka, control, heard.changed, heard.refused.put).start()
    with Producer(kafka) as producer:
        producer.produce(control, b"fast", b"speed")
    set_control(kafka, control, speed=math.inf)
    assert ("speed", math.inf) == heard.changes.get(timeout=10)
    assert heard.refused.get_nowait().startswith(
        "Ignored a control record: The speed cannot be 'fast'."
    )
    follower.stop()


@pytest.mark.broker
def test_a_stopped_follower_leaves_no_thread(kafka: dict[str, Any], control: str) -> None:
    """The thread ends with the follower, so reruns do not pile up."""
    heard = Heard()
    Follower(kafka, control, heard.changed, heard.refused.put).start().stop()
    assert [] == [t.name for t in threading.enumerate() if t.name == "steamlab-control"]
