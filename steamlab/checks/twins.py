"""Two members of a small group in this process, for the checks of lesson 06."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from confluent_kafka import Consumer, Message, TopicPartition

from steamlab import topics

if TYPE_CHECKING:
    from steamlab.lesson import Lesson

__all__ = ["CLASSIC", "Twins", "restart_each", "some_group"]

CLASSIC = {
    "auto.offset.reset": "earliest",
    "session.timeout.ms": 3000,
    "heartbeat.interval.ms": 500,
    # While one closes, nobody polls the other: the broker must not wait for it for minutes.
    "max.poll.interval.ms": 6000,
    "enable.auto.commit": False,
}
_LONG_S = 30.0


def some_group(lesson: Lesson) -> str:
    """Return a name that nobody used: static members stay in their group after they closed."""
    return f"{lesson.prefix}.check.{uuid.uuid4().hex[:8]}"


class Twins:
    """Two members of a classic, eager group in this process."""

    def __init__(self, lesson: Lesson, topic: str) -> None:
        self._topic = topic
        self._config = lesson.kafka | CLASSIC | {"group.id": some_group(lesson)}

    def book_through_a_join(self, *, read: int, booked: int, commit: int) -> list[int]:
        """Return the offsets that were booked while a second member joined."""
        with Consumer(self._config) as old, Consumer(self._config) as new:

            def give_away(consumer: Consumer, partitions: list[TopicPartition]) -> None:
                if partitions:
                    at = TopicPartition(self._topic, 0, commit)
                    consumer.commit(offsets=[at], asynchronous=False)
                    consumer.resume(partitions)  # a pause outlives the rebalance

            old.subscribe([self._topic], on_revoke=give_away)
            found = _offsets(old.consume(read, timeout=10))[:booked]
            old.pause(old.assignment())
            new.subscribe([self._topic])
            end, deadline = _end(self._config, self._topic), time.monotonic() + _LONG_S
            while found[-1] < end - 1 and time.monotonic() < deadline:
                found += _offsets([*old.consume(500, timeout=0.1), *new.consume(500, timeout=0.1)])
        return found

    def who_stops(self) -> str | None:
        """Give both one `group.instance.id`; return "old" or "new", whose client failed."""
        config = self._config | {"group.instance.id": "one"}
        deadline = time.monotonic() + _LONG_S
        with Consumer(config) as old, Consumer(config) as new:
            old.subscribe([self._topic])
            while not old.assignment() and time.monotonic() < deadline:
                old.poll(0.1)
            new.subscribe([self._topic])
            while time.monotonic() < deadline:
                for name, consumer in (("old", old), ("new", new)):
                    if any(message.error() for message in consumer.consume(500, timeout=0.1)):
                        return name
        return None


def restart_each(
    lesson: Lesson, topic: str, settings: Mapping[str, Mapping[str, Any]]
) -> int | None:
    """Restart the members one after the other; return how often the others were told of it.

    None if they do not share the topic's four partitions in time.
    """
    config = lesson.kafka | {"group.id": some_group(lesson), "heartbeat.interval.ms": 500}
    told = dict.fromkeys(settings, 0)
    members: dict[str, Consumer] = {}
    with ExitStack() as ending:

        def join(name: str) -> None:
            def count(_consumer: Consumer, _partitions: object) -> None:
                told[name] += 1

            session_ms = int(settings[name].get("session.timeout.ms", 45_000))
            brief = {"max.poll.interval.ms": max(6000, session_ms)}  # as in CLASSIC
            members[name] = Consumer(config | brief | dict(settings[name]))
            ending.callback(members[name].close)
            members[name].subscribe([topic], on_assign=count, on_revoke=count, on_lost=count)

        for name in settings:
            join(name)
        if not _poll(members, _LONG_S / 2):
            return None
        heard = 0
        for name in settings:
            members.pop(name).close()
            before = {other: told[other] for other in members}
            _poll(members, 0.7)
            join(name)
            if not _poll(members, _LONG_S / 2):
                return None
            heard += sum(told[other] - count for other, count in before.items())
    return heard


def _poll(members: Mapping[str, Consumer], seconds: float) -> bool:
    """Poll until two members share four partitions; return whether they do in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        for consumer in members.values():
            consumer.consume(500, timeout=0.05)
        sizes = [len(consumer.assignment()) for consumer in members.values()]
        if sizes == [2, 2]:
            return True
    return False


def _offsets(messages: Iterable[Message]) -> list[int]:
    return [int(m.offset() or 0) for m in messages if m.error() is None]


def _end(kafka: Mapping[str, Any], topic: str) -> int:
    asked = {name: kafka[name] for name in ("bootstrap.servers", "logger", "log_level")}
    return int(topics.offsets(asked, topic)["end"].sum())
