"""Logs with prices in them, for the checks of lesson 04: in memory, and on the broker."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from confluent_kafka import Message, Producer

from steamlab import topics
from steamlab.checks import Verdict, ground, not_yet, ok
from steamlab.errors import DeadlineError, TopicError

if TYPE_CHECKING:
    from steamlab.lesson import Lesson

__all__ = [
    "HOUR_MS",
    "PriceChanges",
    "compacted_topic",
    "judge_compaction",
    "messages",
    "price_changes",
    "settled_span",
    "sold_topic",
]

HOUR_MS = 60 * 60 * 1000
_DAY_MS = 24 * HOUR_MS
PriceChanges = list[tuple[str, float | None]]


def price_changes(seed: int, games: int) -> PriceChanges:
    """Return price changes in order; None ends a game. Some come back, some are free."""
    chance = np.random.default_rng(seed)
    names = [f"game_{number}" for number in chance.permutation(range(100, 100 + games)).tolist()]
    changes: PriceChanges = [(name, float(chance.integers(5, 60))) for name in names]
    for name in chance.permutation(names)[: games // 2].tolist():
        changes.append((name, None if chance.random() < 0.3 else float(chance.integers(5, 60))))
    gone, back, free, fell, rose = chance.permutation(names)[:5].tolist()
    changes += [(gone, None), (back, None), (back, 14.99), (free, 0.0), ("game_999", None)]
    return [*changes, (fell, 99.0), (rose, 1.0), (fell, 1.5), (rose, 98.0)]


def messages(seed: int, changes: PriceChanges, partitions: int) -> list[Message]:
    """Return the changes as messages: in order within a partition, the partitions mixed."""
    logs: list[PriceChanges] = [[] for _ in range(partitions)]
    for game, price in changes:
        logs[sum(game.encode()) % partitions].append((game, price))
    turns = [number for number, log in enumerate(logs) for _ in log]
    read = [0] * partitions
    found = []
    for number in np.random.default_rng(seed).permutation(turns).tolist():
        game, price = logs[number][read[number]]
        place = {"topic": "store.prices", "partition": number, "offset": read[number]}
        found.append(Message(**place, key=game.encode(), value=_value(price)))
        read[number] += 1
    return found


def _value(price: float | None) -> bytes | None:
    return None if price is None else json.dumps({"price": price}).encode()


def judge_compaction(lesson: Lesson, topic: str, *, timeout: float = 10) -> Verdict:
    """Fill the topic with prices of several days, and look at what the cleaner leaves."""
    numbers = np.random.default_rng(ground.SEED).permutation(range(100, 500))[:40]
    games = [f"game_{number}" for number in numbers.tolist()]
    gone, changed = games[:3], games[3:7]
    _send(lesson, topic, [(game, 19.99, 90) for game in games])
    _send(lesson, topic, [(game, 9.99, 80) for game in games])
    if not _holds(
        lesson, topic, lambda keys: keys.count(games[-1]) == 1, closing=70, timeout=timeout
    ):
        return not_yet(_still(topic, "a price that was superseded long ago"))
    _send(lesson, topic, [(game, None, 60) for game in gone])
    _send(lesson, topic, [(game, 4.99, 50) for game in changed])
    if not _holds(
        lesson,
        topic,
        lambda keys: all(keys.count(g) == 1 for g in changed),
        closing=40,
        timeout=timeout,
    ):
        return not_yet(_still(topic, "the old prices of four games out of forty"))
    if not _holds(
        lesson, topic, lambda keys: not set(gone) & set(keys), closing=30, timeout=timeout
    ):
        return not_yet(_still(topic, "the tombstone of a delisted game"))
    records = lesson.read(topic)
    left = {game: price for game, price in zip(records["key"], records["price"], strict=True)}
    wanted = {game: 4.99 if game in changed else 9.99 for game in games[3:]}
    if {game: left.get(game) for game in wanted} != wanted:
        return not_yet(f"of {len(wanted)} games the broker holds {len(left)} newest prices.")
    return ok(
        f"{len(wanted)} games have their newest price, up to eighty days old, and of three "
        "delisted ones not even a tombstone is left."
    )


def _holds(
    lesson: Lesson,
    topic: str,
    enough: Callable[[list[str]], bool],
    *,
    closing: float,
    timeout: float,
) -> bool:
    """Close the active segment again and again, and wait until the keys left are as wanted."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        _send(lesson, topic, [("game_closing", 1.0, closing)])
        closing -= 0.1  # days: younger by more than an hour
        pause = time.monotonic() + 1.2
        while time.monotonic() < min(pause, deadline):
            if enough(lesson.read(topic)["key"].tolist()):
                return True
            time.sleep(0.1)
    return False


def _still(topic: str, what: str) -> str:
    return (
        f"several closed segments and seconds later, {topic} still held {what}. "
        "One of your settings keeps the cleaner away; look at those that you need not set."
    )


def _send(lesson: Lesson, topic: str, prices: Iterable[tuple[str, float | None, float]]) -> None:
    now = int(time.time() * 1000)
    with Producer(lesson.kafka) as producer:
        for game, price, days in prices:
            producer.produce(topic, _value(price), game, timestamp=int(now - days * _DAY_MS))
        producer.flush(10)


def settled_span(kafka: Mapping[str, Any], topic: str, wanted: int) -> int:
    """Return the records' span; markers are written a moment after the client's commit."""
    deadline = time.monotonic() + 10
    while (span := ground.held(kafka, topic)) < wanted and time.monotonic() < deadline:
        time.sleep(0.05)
    return span


def compacted_topic(lesson: Lesson) -> tuple[str, int]:
    """Return a topic of three partitions with gaps, made once, and its number of records."""
    topic = f"{lesson.prefix}.check.compacted"
    if _ends(lesson, topic) == [41, 21, 0] and len(lesson.read(topic)) == 22:
        return topic, 22
    config = {"cleanup.policy": "compact", "segment.ms": str(HOUR_MS)}
    config |= {"min.cleanable.dirty.ratio": "0.01"}
    ground.fresh(lesson, "compacted", partitions=3, config=config)
    now = int(time.time() * 1000)
    with Producer(lesson.kafka) as producer:
        for partition, keys, times in ((0, 10, 4), (1, 10, 2)):
            for number in range(keys * times):
                key, at = f"game_{number % keys}", now - 2 * _DAY_MS
                producer.produce(topic, "{}", key, partition=partition, timestamp=at)
        producer.flush(10)
        for partition in (0, 1):  # closes the segment
            producer.produce(topic, "{}", "game_x", partition=partition, timestamp=now)
        producer.flush(10)
    deadline = time.monotonic() + 30
    while len(lesson.read(topic)) != 22:
        if time.monotonic() > deadline:
            raise DeadlineError(
                f"The broker did not compact {topic} within 30 s.", repair="Run the check again."
            )
    return topic, 22


def sold_topic(lesson: Lesson) -> tuple[str, int]:
    """Return a topic with transactions and a deleted beginning, made once, and its records."""
    topic = f"{lesson.prefix}.check.sold"
    if _ends(lesson, topic) == [15, 6, 0]:
        return topic, 10
    ground.fresh(lesson, "sold", partitions=3)
    with Producer(lesson.kafka | {"transactional.id": topic}) as producer:
        producer.init_transactions(30)
        for partition, count, finish in (
            (0, 8, producer.commit_transaction),
            (0, 4, producer.abort_transaction),
            (1, 5, producer.commit_transaction),
        ):
            producer.begin_transaction()
            for _ in range(count):
                producer.produce(topic, "{}", partition=partition)
            producer.flush(10)
            finish(30)
    with Producer(lesson.kafka) as producer:
        producer.produce(topic, "{}", partition=0)
        producer.flush(10)
    settled_span(lesson.kafka, topic, 21)
    ground.delete_until(lesson, topic, 0, 4)
    return topic, 10


def _ends(lesson: Lesson, topic: str) -> list[int]:
    try:
        return [int(end) for end in topics.offsets(lesson.kafka, topic)["end"]]
    except TopicError:
        return []
