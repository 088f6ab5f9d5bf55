"""A small group that works with a learner's callbacks: a join, a leave, and a kill."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from confluent_kafka import Consumer, Message, Producer, TopicPartition

from steamlab import groups
from steamlab.checks.callbacks import Make, callbacks_of
from steamlab.checks.twins import CLASSIC, some_group
from steamlab.members.member import Member

if TYPE_CHECKING:
    from steamlab.lesson import Lesson

__all__ = ["Crew", "try_callbacks"]

_LONG_S = 30.0


@dataclass
class Crew:
    """What came of a group: repetitions before and after the kill, missing ones, an error."""

    orders: int = 120
    before: int = 0
    after: int = 0
    missing: int = 0
    error: str = ""


def try_callbacks(lesson: Lesson, topic: str, make: Make) -> Crew:
    """Let one join and leave; let another join, and kill it once it has booked thirty."""
    group, crew = some_group(lesson), Crew()
    config = CLASSIC | {"group.id": group}
    booked: list[int] = []
    with ExitStack() as ending:
        a = _Hand(lesson.kafka | config, topic, make, booked)
        ending.callback(a.close)
        _fill(lesson, topic, range(60))
        _work([a], lambda: len(booked) >= 12)
        b = _Hand(lesson.kafka | config, topic, make, booked)
        ending.callback(b.close)
        a.pace = 0  # its hands stay full until the other one is there
        _work([a, b], lambda: b.count >= 4)
        a.pace = b.pace
        b.close()
        _work([a], lambda: a.is_through(60))
        killed = Member(lesson.kafka, "K", _clerk(), group, topic, make, config)
        ending.callback(killed.stop)
        _work([a], lambda: _has(lesson, group, "K", 2) and len(a.consumer.assignment()) == 2)
        _fill(lesson, topic, range(60, 120))
        _work([a], lambda: len(_notes(killed)) >= 30)
        killed.kill()
        of_killed = _notes(killed)
        crew.before = _repeats(booked + of_killed)
        _work([a], lambda: a.is_through(120))
        crew.after = _repeats(booked + of_killed) - crew.before
        crew.missing = crew.orders - len({*booked, *of_killed})
        crew.error = a.error or b.error
    return crew


@dataclass
class _Hand:
    """A member in this process: it books a few at a time, and holds the rest in its hands."""

    config: dict[str, Any]
    topic: str
    make: Make
    booked: list[int]
    done: dict[Any, int] = field(default_factory=dict)
    in_hand: list[Message] = field(default_factory=list)
    count: int = 0
    pace: int = 4
    error: str = ""

    def __post_init__(self) -> None:
        given = callbacks_of(self.make, self.done)
        self.consumer = Consumer(self.config)
        self.consumer.subscribe([self.topic], **{name: self._wrap(given, name) for name in given})

    def work(self) -> None:
        """Poll, and book a few of the records in hand."""
        # First poll, then look at what is in hand: a callback in the poll takes some of it away.
        came = [m for m in self.consumer.consume(10, timeout=0.02) if m.error() is None]
        self.in_hand += came
        for message in self.in_hand[: self.pace]:
            self.booked.append(int(message.value() or b"0"))
            self.done[message.topic(), message.partition()] = int(message.offset() or 0) + 1
            self.count += 1
        del self.in_hand[: self.pace]

    def is_through(self, orders: int) -> bool:
        """Tell whether it has all four partitions and has nothing left to read or to book."""
        mine = self.consumer.assignment()
        if len(mine) < 4 or self.in_hand:
            return False
        # Without a position it has read nothing of a partition yet, and begins at the commit.
        known = zip(self.consumer.position(mine), self.consumer.committed(mine), strict=True)
        reached = [at.offset if at.offset >= 0 else max(0, noted.offset) for at, noted in known]
        return sum(reached) == orders

    def close(self) -> None:
        """Leave the group; the callbacks are called once more."""
        self.consumer.close()

    def _wrap(
        self, given: Mapping[str, Callable[..., object]], name: str
    ) -> Callable[[Consumer, list[TopicPartition]], None]:
        def callback(consumer: Consumer, partitions: list[TopicPartition]) -> None:
            try:
                given[name](consumer, partitions)
            except Exception as error:  # an exception would go up through `consume`
                self.error = f"{type(error).__name__}: {error}"
            gone = {(at.topic, at.partition) for at in partitions if name != "on_assign"}
            self.in_hand = [m for m in self.in_hand if (m.topic(), m.partition()) not in gone]

        return callback


def _clerk() -> Callable[..., None]:
    """Return the function of the member that is killed; an inner one travels by value."""

    def clerk(me: Any, group: str, topic: str, make: Make, config: dict[str, Any]) -> None:
        done: dict[Any, int] = {}
        with Consumer(me.kafka | config) as consumer:
            consumer.subscribe([topic], **make(done))
            while me.stays():
                for message in consumer.consume(4, timeout=0.05):
                    if message.error() is None:
                        me.note("booked", order=int(message.value() or b"0"))
                        done[message.topic(), message.partition()] = int(message.offset() or 0) + 1

    return clerk


def _notes(member: Member) -> list[int]:
    return [entry["order"] for entry in member.entries() if entry["what"] == "booked"]


def _work(hands: Iterable[_Hand], is_done: Callable[[], bool]) -> None:
    """Let members work until something is so; too late is for the count of the missing to say."""
    crew, deadline = list(hands), time.monotonic() + _LONG_S
    while not is_done() and time.monotonic() < deadline:
        for hand in crew:
            hand.work()


def _has(lesson: Lesson, group: str, name: str, count: int) -> bool:
    return len(groups.look_at(lesson.kafka, group).members.get(name, ())) == count


def _fill(lesson: Lesson, topic: str, numbers: range) -> None:
    with Producer(lesson.kafka) as producer:
        for number in numbers:
            producer.produce(topic, value=str(number), partition=number % 4)


def _repeats(booked: list[int]) -> int:
    return len(booked) - len(set(booked))
