"""Lesson 00: the first order, and a broker without power."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from steamlab import topics
from steamlab.checks import Verdict, call, exercise, ground, not_yet, ok

if TYPE_CHECKING:
    from steamlab.lesson import Lesson

__all__: list[str] = []


@exercise("00.1")
def count_records(lesson: Lesson, answer: Callable[[str], int]) -> Verdict:
    """Hold the count against the broker's offsets: fresh, grown, and with its beginning gone."""
    topic = ground.fresh(lesson, "orders")
    ground.fill(lesson, topic, ground.some_orders(137))
    first = call(answer, topic)
    if isinstance(first, bool) or not isinstance(first, (int, np.integer)):
        return not_yet(f"a whole number was expected, and `{first!r}` came.")
    if first != (held := ground.records(lesson, topic)):
        return not_yet(_why(int(first), held))
    ground.fill(lesson, topic, ground.some_orders(25))
    if (again := call(answer, topic)) == first:
        return not_yet(
            f"your answer stayed {first} when 25 more orders arrived. "
            "Ask the broker inside the function, each time it is called."
        )
    partition, end = _longest(lesson, topic)
    ground.delete_until(lesson, topic, partition, end // 2)
    if again != held + 25:
        return not_yet(
            f"25 more orders arrived, the broker holds {held + 25}, and you said {again}."
        )
    last, left = call(answer, topic), ground.records(lesson, topic)
    if last != left:
        return not_yet(
            f"the broker then deleted the oldest records of partition {partition}: it holds "
            f"{left}, and you said {last}. A log need not begin at offset 0; subtract `begin`."
        )
    return ok(
        f"{held} orders, {held + 25} after more arrived, {left} after the oldest were deleted: "
        "each time your number was the broker's."
    )


def _why(claimed: int, held: int) -> str:
    if claimed >= 300:
        return (
            f"you said {claimed}, and the check's topic holds {held}. Is that what the chart had "
            "drawn? Counting what you have seen counts something else: ask the broker about "
            "`topic`."
        )
    if claimed < held / 2:
        return (
            f"you said {claimed}, and the broker holds {held}. Is that one partition of six? "
            "Go through all of them and add up."
        )
    return (
        f"you said {claimed}, and the broker holds {held}. Add up end - begin over the partitions."
    )


def _longest(lesson: Lesson, topic: str) -> tuple[int, int]:
    frame = topics.offsets(lesson.kafka, topic)
    row = frame.sort_values("end").iloc[-1]
    return int(row["partition"]), int(row["end"])


@exercise("00.2")
def after_the_plug(lesson: Lesson, answer: str) -> Verdict:
    """Hold the prediction against a broker that died and came back while the shop was selling."""
    cluster, shop = lesson.own_cluster, lesson.last_store
    if cluster is None or shop is None or not cluster.running(1):
        return not_yet(
            "the second broker is not running. Run the cells from *Pull the plug* again."
        )
    topic = f"{lesson.prefix}.store.purchases"
    held = ground.held(cluster.kafka, topic)
    if shop.running or shop.acked == 0 or held < shop.acked:
        return not_yet(f"the shop is not closed: {held} orders so far. Run the cell above first.")
    if not ground.outlived_its_leader(cluster.kafka, topic):
        return not_yet(
            f"the shop sold {held} orders in peace: the plug was not pulled while it was selling. "
            "Run the shop's cell again, and pull the plug before the chart ends."
        )
    if answer.startswith("has everything"):
        return ok(
            "every order that the shop was told is safe is there. The old ones were in the log, "
            "and the producer kept the others until the broker was back."
        )
    if answer.startswith("starts"):
        return not_yet(
            f"the broker holds {held} orders, those from before the kill too: "
            "it had written them to its log, and read the log when it started."
        )
    return not_yet(
        f"the broker holds {held} orders, and the shop had sold {shop.acked}. Nothing sold "
        "meanwhile is missing: the producer kept it in memory, and tried until the broker answered."
    )
