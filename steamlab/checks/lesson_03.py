"""Lesson 03: consuming, positions, time, and a group of one."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, Consumer, Producer, TopicPartition

from steamlab.checks import Verdict, call, call_within, exercise, ground, not_yet, ok

if TYPE_CHECKING:
    from steamlab.lesson import Lesson

__all__: list[str] = []

_HOUR_MS = 3600 * 1000
_MIDNIGHT_MS = 1_764_115_200_000  # 2025-11-26T00:00:00Z


@exercise("03.1")
def at_the_end(lesson: Lesson, answer: str) -> Verdict:
    """Do it once more on the lesson's topic: assign the end, poll, and see."""
    topic = f"{lesson.prefix}.store.purchases"
    held = ground.records(lesson, topic)
    with Consumer(lesson.kafka | {"group.id": f"{lesson.prefix}.check"}) as consumer:
        consumer.assign([TopicPartition(topic, 0, OFFSET_END)])
        message = consumer.poll(1)
    if answer == "nothing" and message is None:
        return ok(f"the topic holds {held} records, and at its end there is nothing to read yet.")
    return not_yet(
        f"the topic holds {held} records, and the consumer got nothing. `OFFSET_END`, like "
        "`latest`, does not mean the newest record: it is the place where the next one will be "
        "written."
    )


@exercise("03.2")
def empty_poll(lesson: Lesson, answer: str) -> Verdict:
    """Poll a full topic with no patience, and then with some."""
    topic = ground.fresh(lesson, "full", partitions=1)
    ground.fill(lesson, topic, ground.some_orders(20))
    with Consumer(lesson.kafka | {"group.id": f"{lesson.prefix}.check"}) as consumer:
        consumer.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
        at_once, later = consumer.poll(0), consumer.consume(20, timeout=10)
    if answer.startswith("no record came") and at_once is None and later:
        return ok(
            f"a topic of 20 records: poll(0) gave None, and a moment later {len(later)} came."
        )
    if answer.startswith("the end"):
        return not_yet(
            "an empty poll is not the end. The check asked a topic of 20 records: poll(0) gave "
            f"None, and a moment later {len(later)} records came."
        )
    return not_yet(
        "it may be, but `None` does not say so: this time the second poll had records. An idle "
        "topic and a dead broker look the same from here; nothing came in time, no more."
    )


@exercise("03.3")
def revenue_per_minute(lesson: Lesson, answer: Callable[[pd.DataFrame], pd.DataFrame]) -> Verdict:
    """Hold the chart's data against sums in whole cents, on two evenings of the check's own."""
    for seed, count in ((21, 400), (22, 90)):
        orders = ground.some_orders(count, seed=seed)
        orders[count // 2] |= {"totalAmount": 0.0, "timestamp": "2025-11-22T23:59:07Z"}
        topic = ground.fresh(lesson, "evening", partitions=3)
        ground.fill(
            lesson, topic, np.random.default_rng(seed).permutation(np.array(orders)).tolist()
        )
        given = call(answer, lesson.read(topic))
        wanted = _revenue(orders)
        if problem := _why_not_revenue(given, wanted):
            return not_yet(problem)
    return ok(f"{len(wanted)} minutes of an evening you had not seen, to the cent and in order.")


def _revenue(orders: list[dict[str, Any]]) -> dict[str, float]:
    cents: dict[str, int] = {}
    for order in orders:
        minute = order["timestamp"][:16]
        cents[minute] = cents.get(minute, 0) + round(order["totalAmount"] * 100)
    return {minute: cents[minute] / 100 for minute in sorted(cents)}


def _why_not_revenue(given: object, wanted: dict[str, float]) -> str:
    if not isinstance(given, pd.DataFrame) or list(given.columns) != ["minute", "revenue"]:
        columns = list(given.columns) if isinstance(given, pd.DataFrame) else type(given).__name__
        return f"a DataFrame with the columns minute and revenue was expected, and {columns} came."
    minutes, revenue = given["minute"].astype(str).tolist(), given["revenue"].tolist()
    if sorted(minutes) == sorted(wanted) and minutes != list(wanted):
        return (
            "the minutes are right, and not in order. Records arrive as they like: sort by minute."
        )
    if len(minutes) > len(set(minutes)):
        twice = next(minute for minute in minutes if minutes.count(minute) > 1)
        return f"the minute {twice} is there more than once: add up what belongs together."
    if set(minutes) != set(wanted):
        missing = sorted(set(wanted) - set(minutes))
        return (
            f"{len(wanted)} minutes had a purchase, and you have {len(minutes)}. "
            + (f"Missing, for example: {missing[0]}. " if missing else "")
            + "A minute reads like 2025-11-17T20:05, and a free order is a purchase too."
        )
    wrong = [m for m, r in zip(minutes, revenue, strict=True) if abs(float(r) - wanted[m]) > 1e-9]
    if wrong:
        return (
            f"in the minute {wrong[0]} the purchases add up to {wanted[wrong[0]]:.2f}, and you "
            f"have {dict(zip(minutes, revenue, strict=True))[wrong[0]]}. Sum `totalAmount`, round "
            "to cents."
        )
    return ""


@exercise("03.4")
def read_until(
    lesson: Lesson, answer: Callable[[Consumer, int, float], tuple[list[Any], str]]
) -> Verdict:
    """Let records trickle in: enough, too many, and too few in the time."""
    for stored, trickle, count, seconds, why in (
        (30, 0, 12, 20.0, "count"),
        (6, 4, 10, 20.0, "count"),
        (7, 0, 50, 3.0, "deadline"),
    ):
        given, took = _read(lesson, answer, stored, trickle, count, seconds)
        got = min(count, stored + trickle)
        if problem := _why_not_read(given, took, got, count, seconds, why):
            return not_yet(problem)
    return ok("12 of 30 records, 10 of which four came after a pause, and 7 of 50 by the deadline.")


def _read(
    lesson: Lesson,
    answer: Callable[..., Any],
    stored: int,
    trickle: int,
    count: int,
    seconds: float,
) -> tuple[object, float]:
    topic = ground.fresh(lesson, "trickle", partitions=1)
    ground.fill(lesson, topic, ground.some_orders(stored, seed=stored))
    with Consumer(lesson.kafka | {"group.id": f"{lesson.prefix}.check"}) as consumer:
        consumer.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
        later = threading.Timer(
            3, ground.fill, [lesson, topic, ground.some_orders(trickle, seed=4)]
        )
        if trickle:
            later.start()
        began = time.monotonic()
        try:
            given = call_within(seconds + 10, answer, consumer, count, seconds)
        finally:
            if trickle:
                later.join()
    return given, time.monotonic() - began


def _why_not_read(
    given: object, took: float, got: int, count: int, seconds: float, why: str
) -> str:
    if not (isinstance(given, tuple) and len(given) == 2 and isinstance(given[0], list)):
        return f"a pair (messages, why) was expected, and `{type(given).__name__}` came."
    messages, said = given
    if len(messages) < got:
        return (
            f"{got} records came within the time, and you gave back {len(messages)}. An empty poll "
            "is not the end: go on until the count is reached or the time is up."
        )
    if len(messages) > got:
        return f"at most {count} messages were asked for, and you gave back {len(messages)}."
    if said != why:
        return (
            f"you read {len(messages)} of {count} and said {said!r}; it was the {why} that ended "
            "it."
        )
    offsets = [getattr(message, "offset", lambda: None)() for message in messages]
    if offsets != list(range(got)):
        return f"offsets 0 to {got - 1} were expected, each once, and {offsets[:5]} … came."
    if why == "deadline" and took < seconds * 0.9:
        return (
            f"you gave up after {took:.1f} s; {seconds:g} s were allowed. A record could still "
            "come."
        )
    if took > seconds + 3:
        return f"{seconds:g} s were allowed, and you took {took:.0f}. Give each poll what is left."
    if why == "count" and took > seconds * 0.9:
        return (
            "you had the count early, and went on waiting for the deadline. The first bound ends "
            "it."
        )
    return ""


@exercise("03.5")
def start_offsets(lesson: Lesson, answer: Callable[..., dict[int, int]]) -> Verdict:
    """Hold the offsets against the timestamps of every record, on two unseen topics."""
    for hours in _DAYS:
        topic, stamps = _days(lesson, hours)
        since = _MIDNIGHT_MS
        wanted = {p: _first_since(times, since) for p, times in stamps.items()}
        given = call(answer, lesson.kafka, topic, len(stamps), since)
        if given != wanted:
            return not_yet(_why_not_start(given, wanted, stamps, since))
    return ok("two topics of four partitions, late records and empty partitions among them.")


# Hours from midnight, by partition: in order, with a late record, all old, empty.
_DAYS: tuple[dict[int, list[int]], ...] = (
    {0: [-9, -5, -1, 2, 6, 9], 1: [-8, 3, -6, -2, 8, 11], 2: [-20, -15, -10], 3: []},
    {0: [-7, -6, 4], 1: [], 2: [5, -3, 6, -1], 3: [-30, -29, -4, 0, 1]},
)


def _days(lesson: Lesson, hours: dict[int, list[int]]) -> tuple[str, dict[int, list[int]]]:
    topic = ground.fresh(lesson, "days", partitions=4, config={"retention.ms": "-1"})
    stamps = {
        partition: [_MIDNIGHT_MS + hour * _HOUR_MS for hour in its_hours]
        for partition, its_hours in hours.items()
    }
    with Producer(lesson.kafka) as producer:
        for partition, times in stamps.items():
            for at in times:
                value = json.dumps({"at": at})
                producer.produce(topic, value=value, partition=partition, timestamp=at)
    return topic, stamps


def _first_since(times: list[int], since: int) -> int:
    return next((offset for offset, at in enumerate(times) if at >= since), len(times))


def _why_not_start(
    given: object, wanted: Mapping[int, int], stamps: Mapping[int, list[int]], since: int
) -> str:
    if not isinstance(given, dict) or set(given) != set(wanted):
        return f"a dictionary for the partitions {list(wanted)} was expected, and `{given!r}` came."
    if any(not isinstance(offset, (int, np.integer)) for offset in given.values()):
        return f"an offset is a whole number, and {given} came."
    wrong = next(p for p in wanted if given[p] != wanted[p])
    older = sum(at < since for at in stamps[wrong])
    if given[wrong] < 0:
        return (
            f"partition {wrong} has no record since then, and you said {given[wrong]}. That is the "
            "client's sign for *the end*; ask the broker which offset that is."
        )
    if given[wrong] == older and older != wanted[wrong]:
        return (
            f"partition {wrong}: you begin at {older}, the number of older records. But timestamp "
            "order is not offset order: a late record lies behind younger ones, and you would miss "
            f"the record at offset {wanted[wrong]}."
        )
    if given[wrong] > wanted[wrong]:
        return (
            f"partition {wrong}: beginning at {given[wrong]} misses the record at {wanted[wrong]}."
        )
    return (
        f"partition {wrong}: beginning at {given[wrong]} reads what is older without need; "
        f"the first record since then is at {wanted[wrong]}."
    )


@exercise("03.6")
def second_start(lesson: Lesson, answer: str) -> Verdict:
    """Hold the prediction against the offsets that the group has committed."""
    topic, group = f"{lesson.prefix}.store.purchases", f"{lesson.prefix}.ledger"
    ends = lesson.offsets(topic)["end"].tolist()
    with Consumer(lesson.kafka | {"group.id": group}) as consumer:
        asked = [TopicPartition(topic, partition) for partition in range(len(ends))]
        committed = [place.offset for place in consumer.committed(asked, timeout=10)]
    if committed != ends:
        return not_yet("the group `ledger` has not read to the end. Run the cell above first.")
    if answer == "nothing":
        return ok(
            f"the broker has {committed} written down for the group: the end of each partition."
        )
    if answer == "everything again":
        return not_yet(
            f"`earliest` does not reread at each start. The broker has {committed} written down "
            "for the group, the end of each partition, and there it went on."
        )
    return not_yet(f"no error came. The group went on at {committed}, where nothing was left.")
