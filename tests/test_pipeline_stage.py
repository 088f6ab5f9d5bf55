"""What counts as waiting: for records, however fast they come, and not for anything else."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from confluent_kafka import Producer, TopicPartition

from steamlab import topics
from steamlab.pipeline import stage as stages
from steamlab.pipeline.first import First
from steamlab.pipeline.places import Places
from steamlab.pipeline.stage import Stage

pytestmark = pytest.mark.broker

_PLACES = Places("88.")
_PER_S, _ALL = 10_000, 20_000


class Counting(Stage):
    """A stage that only counts: `batches` are how many records each had."""

    stage = "first"

    def __init__(self, kafka: dict[str, Any], topic: str) -> None:
        super().__init__(kafka, _PLACES, f"88.{topic}", grace_ms=0)
        self.batches: list[int] = []
        self._topic = topic

    def is_done(self) -> bool:
        """Whether all records came."""
        return sum(self.batches) >= _ALL

    def _inputs(self) -> list[str]:
        return [self._topic]

    def _gather(self) -> None:
        self.batches.append(sum(len(records) for records, _ in self._arriving(self._wait_s)))

    def _process(self) -> None:
        """Do nothing."""

    def _open(self, partitions: list[TopicPartition]) -> list[TopicPartition]:
        return partitions

    def _drop(self, partition: int) -> None:
        """Forget nothing."""


def batches(kafka: dict[str, Any], topic: str) -> list[int]:
    """Send records at a pace to a stage that counts; return the sizes of its batches."""
    stage = Counting(kafka, topic)
    sender = threading.Thread(target=_send, args=(kafka, topic), daemon=True)
    deadline_s = time.monotonic() + 60
    try:
        stage.run(lambda: bool(stage.batches))  # it has its partitions before the first record
        sender.start()
        stage.run(lambda: stage.is_done() or time.monotonic() > deadline_s)
    finally:
        sender.join(60)
        stage.close()
    assert stage.is_done(), stage.batches
    return [size for size in stage.batches if size]


def _send(kafka: dict[str, Any], topic: str) -> None:
    begin_s, sent = time.monotonic(), 0
    with Producer(kafka | {"linger.ms": 1}) as producer:
        while sent < _ALL:
            due = min(_ALL, int((time.monotonic() - begin_s) * _PER_S))
            for number in range(sent, due):
                producer.produce(topic, b"x", partition=number % 3)
            sent = due
            producer.poll(0.005)
        assert 0 == producer.flush(30)


def test_a_steady_stream_does_not_keep_a_batch_open(kafka: dict[str, Any], topic: str) -> None:
    """Of 20,000 records at 10,000 a second no batch takes the most that it may."""
    sizes = batches(kafka, topic)
    assert 10 < len(sizes)


def test_full_handfuls_that_were_waited_for_would(
    kafka: dict[str, Any], topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: where such waiting does not count, a batch takes all there is to come."""
    monkeypatch.setattr(stages, "_AT_HAND_S", 1.0)
    assert 10 >= len(batches(kafka, topic))


class Slow(First):
    """A first stage whose state takes two seconds to be put back; `rounds` count from then on."""

    def __init__(self, kafka: dict[str, Any], name: str) -> None:
        super().__init__(kafka, _PLACES, name, idle_s=1.0)
        self.rounds = 0

    def is_idle(self) -> bool:
        """Whether a task has something to tell, which without events is idleness."""
        return any(task.has_work for task in self.tasks.values())

    def _open(self, partitions: list[TopicPartition]) -> list[TopicPartition]:
        found = super()._open(partitions)
        time.sleep(2)
        return found

    def _process(self) -> None:
        self.rounds += bool(self.tasks)


def test_putting_state_back_is_no_silence(kafka: dict[str, Any]) -> None:
    """A second of silence is waited for after it, in rounds of 30 milliseconds."""
    topics.create(kafka, _PLACES.specs())
    stage, deadline_s = Slow(kafka, "88.slow"), time.monotonic() + 60
    try:
        stage.run(lambda: stage.is_idle() or time.monotonic() > deadline_s)
    finally:
        stage.close()
        topics.delete(kafka, [spec.name for spec in _PLACES.specs()])
    assert time.monotonic() < deadline_s, "it never was idle"
    assert 30 <= stage.rounds
