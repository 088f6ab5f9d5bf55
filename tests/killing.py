"""The processor on the simulator's stream, to be killed, and the oracle's word on its output."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition

from steamlab.events import decode
from steamlab.metrics import Record
from steamlab.pipeline import supervisor
from steamlab.pipeline.logs import read_log
from steamlab.pipeline.places import PARTITIONS, Places
from steamlab.pipeline.progress import Progress
from steamlab.pipeline.supervisor import Supervisor
from steamlab.pipeline.worker import STAGES
from steamlab.processor.chapters import CHAPTERS
from steamlab.processor.families import DAY
from steamlab.simulator.planner import Plan
from steamlab.topics import METRICS_TOPIC
from tests.processing import oracle_of, plain

__all__ = [
    "CRASH", "Scene", "differences", "environment", "published", "record_count", "running", "true",
]  # fmt: skip

CRASH = "STEAMLAB_CRASH"
GRACE_MS = 2 * DAY  # covers the planner's largest delay, a day and a little: nothing is late
_ROOT = Path(__file__).resolve().parent.parent
_SCALE = 0.003  # some 6,000 events a day: cells are closed and swept while processes die
_EVENTS_PER_S = 300
_TICK_S = 0.01
_IDLE_S = 1.0
_QUIET_S = 1.5 * _IDLE_S


class Feed:
    """The simulator's stream, sent at a rate; `sent` counts."""

    def __init__(self, kafka: Mapping[str, Any], places: Places) -> None:
        self._inputs, self.sent = places.inputs, 0
        self._records = (
            record for chunk in Plan(scale=_SCALE, days=365).chunks() for record in chunk.encode()
        )
        self._producer = Producer(
            dict(kafka) | {"enable.idempotence": True, "partitioner": "murmur2_random"}
        )
        self._last_s = time.monotonic()

    def send(self, count: int) -> None:
        """Send the next events."""
        for _ in range(count):
            kind, key, value, headers = next(self._records)
            self._producer.produce(self._inputs[kind], value, key, headers=headers)
        self.sent += count
        self._producer.poll(0)

    def go_on(self) -> None:
        """Send what is due since the last call; a pause is not made up for."""
        now = time.monotonic()
        due = round(min(now - self._last_s, 0.2) * _EVENTS_PER_S)
        if due:
            self._last_s = now
            self.send(due)

    def flush(self) -> None:
        """Wait until all that was sent is there."""
        assert 0 == self._producer.flush(60)

    def close(self) -> None:
        """Close the producer."""
        self._producer.close()


class Outputs:
    """Counts each stage's output as a reader of committed records sees it."""

    def __init__(self, kafka: Mapping[str, Any], places: Places) -> None:
        self.counts = dict.fromkeys(STAGES, 0)
        self._stage_of = {places.changelog: "first", places.metrics: "second"}
        self._consumer = _reader(kafka, "read_committed")
        numbers = {places.changelog: PARTITIONS, places.metrics: METRICS_TOPIC.partitions}
        _assign(self._consumer, numbers)

    def look(self) -> None:
        """Count what came since the last look."""
        for message in self._consumer.consume(10_000, 0):
            if message.error() is None:
                self.counts[self._stage_of[str(message.topic())]] += 1

    def close(self) -> None:
        """Close the consumer."""
        self._consumer.close()


class Scene:
    """Supervisors, the stream that goes on, and the output."""

    def __init__(
        self, kafka: Mapping[str, Any], places: Places, supervisors: Sequence[Supervisor]
    ) -> None:
        self.places, self.supervisors = places, supervisors
        self.feed, self.outputs = Feed(kafka, places), Outputs(kafka, places)
        self._kafka = kafka

    def supervisor(self, stage: str) -> Supervisor:
        """Return the one that has this stage."""
        return next(each for each in self.supervisors if stage in each.starts)

    def go_on(self, seconds: float = _TICK_S) -> None:
        """Let the stream and the processor go on for a while."""
        deadline = time.monotonic() + seconds
        while True:
            self.feed.go_on()
            self.outputs.look()
            if time.monotonic() >= deadline:
                return
            time.sleep(min(_TICK_S, seconds))

    def look(self) -> None:
        """Start again what has died."""
        for each in self.supervisors:
            each.look()

    def wait_until(self, holds: Callable[[], bool], what: str, timeout: float = 60) -> None:
        """Let it go on until something holds; it is asked before anything is started again."""
        deadline = time.monotonic() + timeout
        while not holds():
            assert time.monotonic() < deadline, f"never: {what}"
            self.look()
            self.go_on()

    def finish(self, timeout: float = 90) -> None:
        """End the stream, wait until all of it is processed and nothing more comes; stop."""
        self.feed.flush()
        with Progress(self._kafka, self.places) as progress:
            done = lambda: progress.events()[0] >= self.feed.sent and progress.is_drained()  # noqa: E731
            _wait_until(done, self.look, f"{self.feed.sent} events processed", timeout)
        self._last = dict(self.outputs.counts), time.monotonic()
        _wait_until(self._is_quiet, self.look, "silence", timeout)
        for each in self.supervisors:
            each.stop()

    def _is_quiet(self) -> bool:
        """Whether nothing was committed for longer than a topic takes to be idle."""
        self.outputs.look()
        if self.outputs.counts != self._last[0]:
            self._last = dict(self.outputs.counts), time.monotonic()
        return time.monotonic() - self._last[1] > _QUIET_S


def _wait_until(
    holds: Callable[[], bool], meanwhile: Callable[[], Any], what: str, timeout: float
) -> None:
    deadline = time.monotonic() + timeout
    while not holds():
        assert time.monotonic() < deadline, f"never: {what}"
        meanwhile()
        time.sleep(0.05)


@contextmanager
def running(
    kafka: Mapping[str, Any],
    prefix: str,
    *,
    groups: Sequence[Sequence[str]] = (STAGES,),
    environments: Sequence[Mapping[str, str] | None] = (None,),
    module: str = "steamlab.pipeline.worker",
) -> Iterator[Scene]:
    """Run the processor, a supervisor for each group of stages, and a stream for it."""
    with ExitStack() as stack:
        # Killed by a test, a process need not wait before it starts again.
        stack.enter_context(pytest.MonkeyPatch.context()).setattr(supervisor, "_PAUSES_S", (0.0,))
        supervisors = [
            stack.enter_context(
                Supervisor(kafka, prefix=prefix, stages=stages, grace_ms=GRACE_MS, idle_s=_IDLE_S,
                           environment=environment, module=module)
            )
            for stages, environment in zip(groups, environments, strict=True)
        ]  # fmt: skip
        places = Places(prefix)
        scene = Scene(kafka, places, supervisors)
        stack.callback(scene.feed.close)
        stack.callback(scene.outputs.close)
        yield scene


def environment(**more: str) -> dict[str, str]:
    """Return ours, in which workers find the tests' own modules, and more."""
    return os.environ | {"PYTHONPATH": str(_ROOT)} | more


def true(kafka: Mapping[str, Any], places: Places) -> dict[str, Record]:
    """Ask the oracle about all events of the topics; by key, as JSON has it, without `final`."""
    accepted = {}
    for topic in places.inputs:
        for message in read_log(kafka, topic, range(PARTITIONS)):
            found = decode(
                message.value(),
                key=message.key(),
                topic=topic,
                headers=message.headers(),
                arrived_ms=message.timestamp()[1],
            )
            assert found.event is not None, found
            accepted.setdefault(found.event_id, found)
    records: dict[str, Record] = json.loads(json.dumps(oracle_of(list(accepted.values()))))
    return records


def published(kafka: Mapping[str, Any], places: Places) -> dict[str, Record | None]:
    """Return the last record of each key."""
    found: dict[str, Record | None] = {}
    for message in read_log(kafka, places.metrics, range(METRICS_TOPIC.partitions)):
        value = message.value()
        found[bytes(message.key() or b"").decode()] = None if value is None else json.loads(value)
    return found


def differences(want: Mapping[str, Record], found: Mapping[str, Record | None]) -> list[str]:
    """Return a line about each record that is not the oracle's."""
    seen = plain(dict(found))
    return [
        f"{key}: expected {want.get(key)}, found {seen.get(key)}"
        for key in sorted(want.keys() | seen.keys())
        if want.get(key) != seen.get(key)
    ]


def record_count(kafka: Mapping[str, Any], places: Places, isolation: str) -> Counter[str]:
    """Count the records of each output topic, with or without what was aborted."""
    numbers = {
        places.changelog: PARTITIONS,
        places.partials: len(CHAPTERS),
        places.metrics: METRICS_TOPIC.partitions,
    }
    counts: Counter[str] = Counter()
    left = sum(numbers.values())
    deadline = time.monotonic() + 60
    consumer = _reader(kafka, isolation)
    with consumer:
        _assign(consumer, numbers)
        while left:
            assert time.monotonic() < deadline, "an end was never reached"
            for message in consumer.consume(10_000, 0.1):
                if message.error() is None:
                    counts[str(message.topic())] += 1
                else:
                    left -= 1
    return counts


def _reader(kafka: Mapping[str, Any], isolation: str) -> Consumer:
    return Consumer(
        dict(kafka) | {
            "group.id": "steamlab-test",  # never joined
            "enable.auto.commit": False,
            "isolation.level": isolation,
            "enable.partition.eof": True,
        }
    )  # fmt: skip


def _assign(consumer: Consumer, numbers: Mapping[str, int]) -> None:
    consumer.assign([
        TopicPartition(topic, number, OFFSET_BEGINNING)
        for topic, count in numbers.items()
        for number in range(count)
    ])  # fmt: skip
