"""Lesson 04: retention, compaction, and what offsets do not count."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from confluent_kafka import Consumer, Message, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # re-exported there
    AdminClient,
    ConfigResource,
)

from steamlab import topics
from steamlab.checks import Verdict, call, call_within, exercise, ground, not_yet, ok, price_logs
from steamlab.checks.price_logs import HOUR_MS, PriceChanges
from steamlab.errors import TopicError

if TYPE_CHECKING:
    from steamlab.lesson import Lesson

__all__: list[str] = []


@exercise("04.1")
def flushed(lesson: Lesson, answer: str) -> Verdict:
    """Hold the prediction against the records that the broker stored."""
    held = ground.records(lesson, f"{lesson.prefix}.recall.searches")
    if answer == str(held):
        return ok(f"the broker holds {held}. A flush that gives back 0 says that nothing waits.")
    if answer == "4":
        return not_yet(
            f"`flush() == 0` is not success: it says that nothing waits any more. The broker "
            f"refused the record of 9,000 bytes and holds {held}; only a delivery report tells."
        )
    return not_yet(f"a refused record does not take the others with it: the broker holds {held}.")


@exercise("04.2")
def position(lesson: Lesson, answer: str) -> Verdict:
    """Read five of the records, and ask the consumer where it is."""
    place = TopicPartition(f"{lesson.prefix}.recall.wishlist-events", 0, 3)
    with Consumer(lesson.kafka | {"group.id": "04.check", "enable.auto.commit": False}) as consumer:
        consumer.assign([place])
        read = [message.offset() for message in consumer.consume(5, timeout=10)]
        at = consumer.position([place])[0].offset
    if answer == str(at):
        return ok(f"it read the offsets {read}, and its position is {at}: one past the last.")
    if answer == "5":
        return not_yet(
            f"a position is an offset, not a count. It read {read}, and goes on at {at}."
        )
    return not_yet(f"{answer} was the last that it read, of {read}. It reads {at} next.")


@exercise("04.3")
def seven_days(lesson: Lesson, answer: str) -> Verdict:
    """Hold the prediction against both topics, once the broker has looked."""
    held = {
        name: lesson.read(f"{lesson.prefix}.store.purchases-{name}")
        for name in ("default", "short")
    }
    if len(held["short"]) != 1:
        return not_yet("the broker has not looked yet. Run the cell above first.")
    days = [order.removeprefix("order_") for order in held["default"]["orderId"]]
    if answer == "all four orders" and len(days) == 4:
        return ok(f"the orders of {', '.join(days)} days ago are all there. The broker did look.")
    if answer == "only the order of 6 days ago":
        return not_yet(
            f"seven days of retention do not mean gone after seven days: the orders of "
            f"{', '.join(days)} days ago are all there. Only the topic with short segments lost "
            "its three oldest."
        )
    return not_yet(
        f"nothing is thrown away too early: the orders of {', '.join(days)} days ago are there."
    )


@exercise("04.4")
def one_per_key(lesson: Lesson, answer: str) -> Verdict:
    """Hold the prediction against the records that the cleaner left."""
    records = lesson.read(f"{lesson.prefix}.store.prices")
    offsets = records["offset"].tolist()
    if 6 in offsets or 11 not in offsets or 12 in offsets:
        return not_yet("the twelve prices are not compacted yet. Run the cell above first.")
    twice = sorted(records["key"][records["key"].duplicated()])
    if answer == f"{len(records)} records":
        return ok(f"{len(records)} are left; of {' and '.join(twice)} there are still two each.")
    if answer == "6 records":
        return not_yet(
            f"compaction does not leave one record per key: {len(records)} are left, and of "
            f"{' and '.join(twice)} there are two each. Look where their newest prices lie."
        )
    return not_yet(f"the cleaner was there: {12 - len(records)} prices had a newer one and went.")


@exercise("04.5")
def what_ends_a_key(lesson: Lesson, answer: str) -> Verdict:
    """Hold the prediction against what the topic holds of the game."""
    records = lesson.read(f"{lesson.prefix}.store.prices")
    hers = records[records["key"] == "game_003"]
    if hers.empty or hers["price"].notna().any():
        return not_yet("the tombstone is not there, or the cleaner was not. Run the cell above.")
    at = hers["offset"].tolist()[-1]
    if answer == "the tombstone":
        return ok(f"one record is left, at offset {at}, and it has no value.")
    if answer == "nothing":
        return not_yet(
            f"the tombstone itself is there, at offset {at}: a reader who was away has to learn "
            "that the game is gone."
        )
    return not_yet(f"a tombstone is a newer record of its key: the price went, offset {at} stays.")


@exercise("04.6")
def table_from_log(lesson: Lesson, answer: Callable[[list[Message]], dict[str, float]]) -> Verdict:
    """Replay three logs in memory: tombstones, returns, free games, several partitions."""
    delisted = 0
    for seed, games, partitions in ((3, 8, 1), (4, 30, 3), (5, 60, 6)):
        changes = price_logs.price_changes(seed, games)
        table = {game: price for game, price in dict(changes).items() if price is not None}
        given = call(answer, price_logs.messages(seed, changes, partitions))
        if not isinstance(given, dict):
            return not_yet(f"a dictionary was expected, and `{type(given).__name__}` came.")
        if given != table:
            return not_yet(_why_not_table(given, table, changes))
        delisted += len(dict(changes)) - len(table)
    return ok(f"three logs, up to six partitions, {delisted} delisted games, each price right.")


def _why_not_table(given: dict[Any, Any], table: Mapping[str, float], changes: PriceChanges) -> str:
    if any(isinstance(key, bytes) for key in given):
        return "keys are bytes in a message, and text in the table: `message.key().decode()`."
    newest = dict(changes)
    if dead := sorted(str(game) for game in given.keys() - table.keys()):
        if dead[0] in newest:
            return (
                f"`{dead[0]}` is in your table with {given[dead[0]]}, and its last record is a "
                "tombstone: the game is no longer sold. Take it out of the table."
            )
        return f"`{dead[0]}` is in your table, and no message has that key."
    if missing := sorted(table.keys() - given.keys()):
        if not any(table[game] for game in missing):
            return f"`{missing[0]}` costs 0.0, which is a price. A tombstone has *no value at all*."
        return (
            f"`{missing[0]}` is missing: {len(missing)} of {len(table)} games. One that comes back "
            "after its tombstone is sold again."
        )
    wrong = next(game for game in table if given[game] != table[game])
    seen = [price for game, price in changes if game == wrong]
    return (
        f"`{wrong}` had the prices {seen}, in this order, and you say {given[wrong]}. The *last* "
        f"record of a key counts: {table[wrong]}."
    )


@exercise("04.7")
def settings_of_a_table(lesson: Lesson, answer: Mapping[str, str]) -> Verdict:
    """Read the settings back from the broker; then fill a topic, and see what is left."""
    if not isinstance(answer, dict) or not all(isinstance(v, str) for v in answer.values()):
        return not_yet('a dictionary of strings was expected, as in `{"segment.ms": "1000"}`.')
    try:
        topic = ground.fresh(lesson, "table", partitions=1, config=answer)
    except TopicError as error:
        return not_yet(f"the broker refused: {error.sentence}")
    if reason := _why_not_settings(_understood(lesson, topic)):
        return not_yet(reason)
    return price_logs.judge_compaction(lesson, topic)


def _understood(lesson: Lesson, topic: str) -> dict[str, str]:
    resource = ConfigResource("topic", topic)
    with AdminClient(lesson.kafka) as admin:
        entries = admin.describe_configs([resource])[resource].result(10)
    return {name: str(entry.value) for name, entry in entries.items()}


def _why_not_settings(held: Mapping[str, str]) -> str:
    """Return what the broker's own reading of the settings rules out, or ""."""
    policy = set(held["cleanup.policy"].split(","))
    latest = int(held["max.compaction.lag.ms"])  # closes and cleans a segment by itself
    if "compact" not in policy:
        return (
            f"with `cleanup.policy={held['cleanup.policy']}` the broker looks at age alone, not at "
            "keys: superseded prices stay until they are old, and then the newest go as well."
        )
    if "delete" in policy and (held["retention.ms"], held["retention.bytes"]) != ("-1", "-1"):
        days = int(held["retention.ms"]) / (24 * HOUR_MS)
        return (
            f"with `delete` as well, a price that has not changed for {days:g} days vanishes, and "
            "it may be the newest there is. A table forgets by key, not by age."
        )
    if int(held["segment.ms"]) > HOUR_MS and latest > HOUR_MS:
        hours = int(held["segment.ms"]) / HOUR_MS
        return (
            f"a segment may stay active for {hours:g} hours, and the cleaner never touches the "
            "active segment. Close it after one hour at most, 3600000 ms."
        )
    if float(held["min.cleanable.dirty.ratio"]) > 0.05 and latest > HOUR_MS:
        return (
            f"the cleaner waits until {float(held['min.cleanable.dirty.ratio']):.0%} of the log is "
            "new: with many games and few changes that is long. A twentieth is wanted."
        )
    if int(held["delete.retention.ms"]) > 1000:
        return (
            f"a delisted game's tombstone stays for {held['delete.retention.ms']} ms after its "
            "first cleaning. One second is wanted, 1000 ms; the default is a day."
        )
    if int(held["min.compaction.lag.ms"]) > HOUR_MS:
        return (
            f"`min.compaction.lag.ms={held['min.compaction.lag.ms']}` keeps the cleaner away from "
            "every price that is younger than that. Leave it at its default, 0."
        )
    if held["message.timestamp.type"] != "CreateTime":
        return (
            "with `message.timestamp.type=LogAppendTime` the check cannot send prices of earlier "
            "days, which it needs. Leave that setting out here."
        )
    return ""


@exercise("04.8")
def span_of_a_transaction(lesson: Lesson, answer: str) -> Verdict:
    """Hold the prediction against the broker's offsets, and against what a reader gets."""
    topic = f"{lesson.prefix}.store.sales"
    span = price_logs.settled_span(lesson.kafka, topic, 7)
    given = len(lesson.read(topic))
    if (span, given) != (7, 3):
        return not_yet("the two transactions are not there. Run the cell above first.")
    if answer == str(span):
        return ok(f"the log is {span} offsets long, and a reader gets {given} records.")
    if answer == "3":
        return not_yet(
            f"end minus begin is not the number of records: a reader gets {given}, and the log is "
            f"{span} offsets long. What was aborted is in it, and something more."
        )
    return not_yet(
        f"five orders were sent, and the log is {span} offsets long: each transaction "
        "took one more."
    )


@exercise("04.9")
def how_many(lesson: Lesson, answer: Callable[[Mapping[str, Any], str], int]) -> Verdict:
    """Count two topics that the broker holds: one compacted, one full of transactions."""
    kafka = lesson.kafka | {"fetch.wait.max.ms": 50}  # an end is told that much sooner
    for topic, right in (price_logs.compacted_topic(lesson), price_logs.sold_topic(lesson)):
        given = call_within(60, answer, dict(kafka), topic)
        if isinstance(given, bool) or not isinstance(given, (int, np.integer)):
            return not_yet(f"a whole number was expected, and `{given!r}` came.")
        if given != right:
            return not_yet(_why_not_count(lesson, topic, int(given), right))
    return ok("a compacted topic, and one with transactions and without its beginning: both right.")


def _why_not_count(lesson: Lesson, topic: str, given: int, right: int) -> str:
    offsets = topics.offsets(lesson.kafka, topic)
    begin, end = int(offsets["begin"].sum()), int(offsets["end"].sum())
    if given == end - begin:
        return (
            f"{topic}: {given} is end minus begin, which is not the number of records: a reader "
            f"gets {right}. Compaction leaves gaps, and markers take offsets."
        )
    if given == end:
        return (
            f"{topic}: {given} is the sum of the ends, and the log begins at {begin}. "
            f"A reader gets {right}."
        )
    if given < right:
        return (
            f"{topic}: you counted {given}, and a reader gets {right}. Did you stop at the first "
            "empty poll, or in one partition?"
        )
    return (
        f"{topic}: you counted {given}, and a reader gets {right}. With the client's default, "
        "`isolation.level=read_committed`, aborted records are not handed out."
    )
