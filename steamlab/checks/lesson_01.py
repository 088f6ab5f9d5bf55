"""Lesson 01: topics, partitions, order."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # re-exported there
    AdminClient,
    ConfigResource,
    NewPartitions,
    NewTopic,
)

from steamlab import topics
from steamlab.checks import Verdict, call, exercise, ground, not_yet, ok
from steamlab.errors import TopicError

if TYPE_CHECKING:
    from steamlab.lesson import Lesson

__all__: list[str] = []

_WEEK_MS = 7 * 24 * 3600 * 1000


@exercise("01.1")
def same_key(lesson: Lesson, answer: str) -> Verdict:
    """Hold the prediction against where the broker has user_ada's records."""
    records = lesson.read(f"{lesson.prefix}.store.game-views")
    hers = records[records["key"] == "user_ada"]
    seen = hers["partition"].nunique()
    if answer == str(seen):
        return ok(f"her {len(hers)} records are all in partition {hers['partition'].iloc[0]}.")
    if answer == "it depends":
        return not_yet(
            "it depends on her key and the number of partitions, and neither has changed: all "
            f"{len(hers)} records are in {seen} partition. Only a record without a key may go "
            "anywhere."
        )
    return not_yet(
        f"her {len(hers)} records are in {seen} partition. Records are not dealt out in turn: "
        "the key chooses the partition, and her key is always the same."
    )


@exercise("01.2")
def reading_removes(lesson: Lesson, answer: str) -> Verdict:
    """Hold the prediction against the broker's offsets, after one more reading."""
    topic = f"{lesson.prefix}.store.game-views"
    before = len(lesson.read(topic))
    held = ground.records(lesson, topic)
    if answer == "as many as before" and held == before:
        return ok(f"{held} records are still there, and a third reader got them too just now.")
    if answer == "nothing":
        return not_yet(
            f"{held} records are there, after a third reading too. Reading removes nothing: "
            "Kafka is a log, not a queue. Only retention, compaction or a delete request takes "
            "records away."
        )
    return not_yet(
        f"{held} records are there. Reading copies records to the reader, not to the log."
    )


@exercise("01.3")
def order_within(lesson: Lesson, answer: str) -> Verdict:
    """Hold the prediction against the order in which the broker holds the steps."""
    records = lesson.read(f"{lesson.prefix}.store.cart-events")
    per_partition = records.groupby("partition")["step"].agg(list)
    if not all(steps == sorted(steps) for steps in per_partition):
        return not_yet(
            "the cart events are not those of this lesson; run the cell that sends them."
        )
    lists = "; ".join(f"partition {p}: {steps}" for p, steps in per_partition.items())
    if answer.endswith("within each partition"):
        return ok(f"{lists}. Each list rises, and nothing puts the lists in order.")
    if answer.startswith("in the order sent, 1"):
        return not_yet(
            f"there is no order over the whole topic. The broker holds {lists}, "
            "and a reader may get any partition first. Order is a matter of one partition."
        )
    return not_yet(f"there is order, where it counts. The broker holds {lists}: each list rises.")


@exercise("01.4")
def growing(lesson: Lesson, answer: str) -> Verdict:
    """Hold the prediction against the partitions before and after the topic grew."""
    records = lesson.read(f"{lesson.prefix}.store.journeys")
    where = records.pivot_table(index="key", columns="did", values="partition", aggfunc="last")
    if not {"view", "cart", "buy"} <= set(where.columns):
        return not_yet("the journeys are not there yet. Run the cell that sends them first.")
    stayed, moved = where[where["cart"] == where["buy"]], where[where["cart"] != where["buy"]]
    if answer.startswith("old events stay"):
        return ok(
            f"the old events of all {len(where)} shoppers stayed; the new ones of {len(moved)} "
            f"went to another partition, those of {len(stayed)} did not."
        )
    if answer.startswith("every shopper"):
        return not_yet(
            f"more partitions later are not harmless: {len(moved)} of {len(where)} shoppers now "
            "have events in two partitions. The remainder changes when the divisor does."
        )
    return not_yet(
        f"a record never moves. The old events are where they were; the new ones of {len(moved)} "
        "shoppers went elsewhere."
    )


@exercise("01.5")
def broken_keys(lesson: Lesson, answer: Callable[[pd.DataFrame], list[str]]) -> Verdict:
    """Grow an unseen topic, and compare the answer with the keys that the broker has twice."""
    for seed, size in ((5, 40), (6, 12)):
        records, moved = _grown_topic(lesson, seed, size)
        given = call(answer, records)
        if not isinstance(given, list):
            return not_yet(f"a list of keys was expected, and `{type(given).__name__}` came.")
        if given != moved:
            return not_yet(_why_not_broken(given, moved, records))
    return ok(f"your function named all {len(moved)} keys of a topic that you had not seen.")


def _grown_topic(lesson: Lesson, seed: int, size: int) -> tuple[pd.DataFrame, list[str]]:
    """Return a topic that grew between two rounds of events, and the keys in two partitions."""
    topic = ground.fresh(lesson, "grown", partitions=2)
    users = [f"user_{n}" for n in np.random.default_rng(seed).integers(100, 999, size).tolist()]
    once = [f"user_once_{n}" for n in range(3)]
    ground.fill(lesson, topic, [{"userId": user} for user in users])
    with AdminClient(lesson.kafka) as admin:
        admin.create_partitions([NewPartitions(topic, 5)])[topic].result(10)
    lesson.wait_for_partitions(topic, 5)
    ground.fill(lesson, topic, [{"userId": user} for user in users + once])
    records = lesson.read(topic)
    places: dict[str, set[int]] = {}
    for key, partition in zip(records["key"], records["partition"], strict=True):
        places.setdefault(key, set()).add(partition)
    return records, sorted(key for key, partitions in places.items() if len(partitions) > 1)


def _why_not_broken(given: list[str], moved: list[str], records: pd.DataFrame) -> str:
    if sorted(given) == moved:
        return "the keys are right and their order is not: give them back sorted."
    if len(given) == records["key"].nunique():
        return (
            f"you named all {len(given)} keys. Only {len(moved)} of them have records in more than "
            "one partition; the others stayed where they were, and their order holds."
        )
    if not given:
        return (
            f"you named no key, and the broker has {len(moved)} keys in two partitions. "
            "Count the different partitions of each key."
        )
    missing, extra = sorted(set(moved) - set(given))[:2], sorted(set(given) - set(moved))[:2]
    return (
        f"you named {len(given)} keys, and the broker has {len(moved)} in more than one partition. "
        f"Missing, for example: {missing or 'none'}; too many: {extra or 'none'}."
    )


@exercise("01.6")
def partitions_for(lesson: Lesson, answer: Callable[[float, float, float], int]) -> Verdict:
    """Hold the function against loads that the notebook has not shown."""
    for load in ((2400, 500, 3), (1000, 250, 1), (10, 5000, 2), (999, 100, 1.5), (7777, 1000, 4)):
        given = call(answer, *load)
        enough = max(1, math.ceil(load[0] * load[2] / load[1]))
        if isinstance(given, bool) or not isinstance(given, (int, np.integer)):
            return not_yet(f"a topic has a whole number of partitions, and `{given!r}` came.")
        if given != enough:
            return not_yet(_why_not_enough(int(given), enough, load))
    return ok("five loads, from 10 to 7,777 events a second: each number carries the load, barely.")


def _why_not_enough(given: int, enough: int, load: tuple[float, float, float]) -> str:
    said = f"for {load[0]:g} events a second, {load[1]:g} a consumer and a growth of {load[2]:g}"
    if given == max(1, math.ceil(load[0] / load[1])) and load[2] != 1:
        return (
            f"{said}, {given} partitions are enough today, not for the load to come. More "
            "partitions later are not harmless: keys move, as you saw. Count the growth in from "
            "the start."
        )
    if given < enough:
        each = load[0] * load[2] / max(given, 1)
        return (
            f"{said}, {given} partitions leave {each:,.0f} events a second for each consumer, more "
            "than it manages. Round up, and keep at least one."
        )
    return f"{said}, {enough} partitions are enough, and you said {given}."


@exercise("01.7")
def refunds_topic(lesson: Lesson, answer: NewTopic) -> Verdict:
    """Create the topic on the broker, and judge what the broker says of it."""
    if not isinstance(answer, NewTopic):
        return not_yet(f"a `NewTopic(...)` was expected, and `{type(answer).__name__}` came.")
    name = answer.topic
    if not name.startswith("store.") or name != name.lower() or "_" in name or " " in name:
        return not_yet(
            f"the store's topics are named like `store.game-views`, and yours is `{name}`: "
            "`store.`, then lower case words joined by hyphens."
        )
    if "refund" not in name or name in {spec.name for spec in topics.STORE_TOPICS}:
        return not_yet(
            f"a reader should see from the name what is inside, and `{name}` says no refund."
        )
    try:
        held = _create(lesson, answer)
    except TopicError as error:
        return not_yet(f"the broker refused: {error.sentence}")
    return _judge_refunds(answer, held)


def _create(lesson: Lesson, wanted: NewTopic) -> dict[str, str]:
    spec = topics.TopicSpec(
        f"{lesson.prefix}.check.{wanted.topic}", wanted.num_partitions, dict(wanted.config or {})
    )
    topics.recreate(lesson.kafka, spec)
    resource = ConfigResource("topic", spec.name)
    with AdminClient(lesson.kafka) as admin:
        configs = admin.describe_configs([resource])[resource].result(10)
    topics.delete(lesson.kafka, [spec.name])
    return {name: str(entry.value) for name, entry in configs.items()}


def _judge_refunds(answer: NewTopic, held: dict[str, Any]) -> Verdict:
    retention, policy = int(held["retention.ms"]), held["cleanup.policy"]
    if answer.num_partitions == -1:
        return not_yet("it names no number of partitions, and the broker's default is its own.")
    if answer.num_partitions != 6:
        return not_yet(
            f"the topic has {answer.num_partitions} partitions, and store.purchases has 6. With "
            "another number, a shopper's refunds and purchases have different partition numbers, "
            "and no single reader has both."
        )
    if retention == 7 * 24 * 3600:
        return not_yet(
            f"the broker understood {retention} milliseconds, ten minutes. "
            "`retention.ms` is in milliseconds; seven days are 604800000."
        )
    if retention != _WEEK_MS or "retention.ms" not in (answer.config or {}):
        return not_yet(
            f"the broker would keep a refund for {retention / 86_400_000:.3g} days because of its "
            "own default or yours. Seven days are wanted: write `retention.ms` down, in "
            "milliseconds."
        )
    if held["retention.bytes"] != "-1":
        return not_yet(
            f"with `retention.bytes={held['retention.bytes']}` the broker drops refunds before "
            "their seven days are over. Leave it out."
        )
    if policy != "delete":
        return not_yet(
            f"with `cleanup.policy={policy}` the broker keeps the newest record of each key: of a "
            "shopper's two refunds one would vanish. Each refund is a fact of its own: `delete`."
        )
    return ok("six partitions beside the purchases' six, seven days, and every refund is kept.")
