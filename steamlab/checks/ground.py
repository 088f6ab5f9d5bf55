"""Ground for a check to stand on: topics and events that the notebook has not shown."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition
from confluent_kafka.admin import AdminClient

from steamlab import frames, topics
from steamlab.errors import DeadlineError
from steamlab.groups import look_at

if TYPE_CHECKING:
    from steamlab.lesson import Lesson

__all__ = [
    "dealt",
    "delete_until",
    "fill",
    "fresh",
    "held",
    "outlived_its_leader",
    "records",
    "some_orders",
]

SEED = 20_251_121  # not the seed of any notebook
_SHOPPERS = [f"user_{n}" for n in range(40, 70)]

Dealt = dict[str, list[tuple[str, int]]]
_dealt: dict[object, Dealt] = {}


def fresh(
    lesson: Lesson, name: str, *, partitions: int = 6, config: Mapping[str, str] | None = None
) -> str:
    """Create an empty topic for a check; its name begins with the lesson's number and `check`."""
    spec = topics.TopicSpec(f"{lesson.prefix}.check.{name}", partitions, dict(config or {}))
    topics.recreate(lesson.kafka, spec)
    return spec.name


def fill(lesson: Lesson, topic: str, events: Iterable[Mapping[str, Any]]) -> int:
    """Send events with their `userId` as the key, and return how many the broker acknowledged."""
    return frames.send(lesson.kafka, topic, events)


def records(lesson: Lesson, topic: str) -> int:
    """Return end minus begin over all partitions."""
    return held(lesson.kafka, topic)


def held(kafka: Mapping[str, Any], topic: str) -> int:
    """Return end minus begin over all partitions, on any cluster."""
    frame = topics.offsets(kafka, topic)
    return int((frame["end"] - frame["begin"]).sum())


def outlived_its_leader(kafka: Mapping[str, Any], topic: str, *, timeout: float = 20) -> bool:
    """Tell whether a partition got records both before and after its leader went away.

    Each record carries the epoch of the leader that wrote it; a restart begins a new one.
    """
    left = held(kafka, topic)
    epochs: dict[int | None, set[int | None]] = {}
    deadline = time.monotonic() + timeout
    config = {"group.id": f"{topic}.epochs", "enable.auto.commit": False}
    with Consumer(dict(kafka) | config) as consumer:
        numbers = topics.offsets(kafka, topic)["partition"].tolist()
        consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in numbers])
        while left > 0 and time.monotonic() < deadline:
            for message in consumer.consume(1000, timeout=0.1):
                epochs.setdefault(message.partition(), set()).add(message.leader_epoch())
                left -= 1
    return any(len(known) > 1 for known in epochs.values())


def delete_until(lesson: Lesson, topic: str, partition: int, offset: int) -> None:
    """Delete a partition's records before an offset, so that its log no longer begins at 0."""
    with AdminClient(lesson.kafka) as admin:
        for future in admin.delete_records([TopicPartition(topic, partition, offset)]).values():
            future.result(10)


def dealt(
    lesson: Lesson,
    partitions: Mapping[str, int],
    members: Sequence[str],
    assignor: str,
    *,
    timeout: float = 60,
) -> Dealt:
    """Start a real group, and return what the broker says each member has; once a process.

    All members subscribe to all topics, of so many partitions. What they are called is their
    `client.id`; they live in a process of their own.
    """
    asked = (lesson.prefix, *partitions.items(), *members, assignor)
    if asked not in _dealt:
        names = {fresh(lesson, name, partitions=n): name for name, n in partitions.items()}
        found = _deal(lesson, list(names), members, assignor, timeout)
        _dealt[asked] = {
            member: sorted((names[topic], partition) for topic, partition in places)
            for member, places in found.items()
        }
    return _dealt[asked]


def _deal(
    lesson: Lesson, names: list[str], members: Sequence[str], assignor: str, timeout: float
) -> Mapping[str, Iterable[tuple[str, int]]]:
    """Try again with a new group where one does not settle soon: members may be slow to meet."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        until = min(deadline, time.monotonic() + timeout / 4)
        found = _deal_once(lesson, names, members, assignor, until)
        if found is not None:
            return found
    raise DeadlineError(
        f"The check's group of {len(members)} members did not settle in {timeout:g} s.",
        repair="Run the check again when the computer is less busy.",
    )


def _deal_once(
    lesson: Lesson, names: list[str], members: Sequence[str], assignor: str, deadline: float
) -> Mapping[str, Iterable[tuple[str, int]]] | None:
    group = f"{lesson.prefix}.check.{assignor}.{uuid.uuid4().hex[:8]}"
    wanted = {(name, p) for name in names for p in topics.offsets(lesson.kafka, name)["partition"]}
    asked = {"bootstrap": lesson.kafka["bootstrap.servers"], "group": group, "topics": names}
    asked |= {"assignor": assignor, "members": list(members), "parent": os.getpid()}
    command = [sys.executable, "-m", "steamlab.crowd", json.dumps(asked)]
    crowd = subprocess.Popen(command)  # noqa: S603 - our own module
    try:
        while time.monotonic() < deadline:
            seen = look_at(lesson.kafka, group)
            if seen.state == "stable" and len(seen.members) == len(members):
                if set().union(*seen.members.values()) == wanted:
                    return seen.members
            time.sleep(0.05)
        return None
    finally:
        crowd.kill()
        crowd.wait()


def some_orders(count: int, *, seed: int = SEED) -> list[dict[str, Any]]:
    """Return made-up purchases over one evening, in order of event time."""
    random = np.random.default_rng(seed)
    seconds = np.sort(random.integers(0, 3 * 3600, count))
    orders = []
    for number, second in enumerate(seconds.tolist()):
        price = round(float(random.choice([4.99, 9.99, 14.99, 24.99, 39.99, 59.99])), 2)
        clock = f"{18 + second // 3600:02d}:{second % 3600 // 60:02d}:{second % 60:02d}"
        orders.append(
            {
                "eventType": "purchase",
                "timestamp": f"2025-11-22T{clock}Z",
                "userId": str(random.choice(_SHOPPERS)),
                "orderId": f"order_c{number:04d}",
                "games": [{"gameId": f"game_{int(random.integers(1, 60)):03d}", "price": price}],
                "totalAmount": price,
                "paymentMethod": "paypal",
                "region": "SE",
            }
        )
    return orders
