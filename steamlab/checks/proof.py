"""The proof of lesson 02: claimed orders are stored, and every order is stored or reported."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pandas as pd

from steamlab import frames
from steamlab.checks import AnswerError, Verdict, call_within, ground, not_yet, ok
from steamlab.kafka.cluster import Cluster

if TYPE_CHECKING:
    from steamlab.lesson import Lesson

__all__ = ["Prove", "judge_proof", "judge_sets", "judge_with_a_kill"]

ORDERS, AFTER_THE_KILL = 500, 8  # few, so that one flush per order still ends in time
Prove = Callable[[dict[str, Any], str, Any], tuple[set[str], set[str]]]


def judge_proof(lesson: Lesson, answer: Prove) -> Verdict:
    """Compare both sets with the broker: refused records first, then a kill in the middle."""
    for seed in (11, 12):
        verdict = _with_refused_records(lesson, answer, seed)
        if verdict is not None:
            return verdict
    return judge_with_a_kill(lesson, answer)


def _with_refused_records(lesson: Lesson, answer: Prove, seed: int) -> Verdict | None:
    topic = ground.fresh(lesson, "proof", partitions=2, config={"max.message.bytes": "2000"})
    orders = ground.some_orders(300, seed=seed)
    for number, order in enumerate(orders):
        order["orderId"] = f"order_{seed}_{number}"
    for order in orders[:: 100 - seed]:
        order["note"] = "x" * 3000
    careful = lesson.kafka | {"message.timeout.ms": 3000, "batch.num.messages": 1}
    stored, failed = _sets(call_within(40, answer, careful, topic, list(orders)))
    held = _order_ids(lesson.read(topic))
    verdict = judge_sets(stored, failed, held, {order["orderId"] for order in orders})
    if verdict is None and len(stored) < len(held) / 2:
        return not_yet(f"the broker holds {len(held)} orders, and you proved {len(stored)}.")
    return verdict


def judge_with_a_kill(lesson: Lesson, answer: Prove) -> Verdict:
    """Kill a broker while the answer sends to it; judge both sets against what it then holds."""
    for _ in range(2):  # a broker may die before its first answer is out: then none can be proven
        with Cluster() as cluster:
            verdict = _kill_and_compare(lesson, answer, cluster)
        if verdict is not None:
            return verdict
    return not_yet("you proved none. Send each event as it comes: the kill comes near the end.")


def _kill_and_compare(lesson: Lesson, answer: Prove, cluster: Cluster) -> Verdict | None:
    topic = lesson.topic("check.kill", partitions=2, cluster=cluster)
    orders = [{"orderId": f"order_kill_{n}", "userId": f"user_{n % 50}"} for n in range(ORDERS)]
    short = cluster.kafka | {"message.timeout.ms": 3000}
    stored, failed = _sets(call_within(40, answer, short, topic, _killing(cluster, topic, orders)))
    if not cluster.running(1):
        cluster.start_node(1)
    held = _order_ids(frames.read(cluster.kafka, topic))
    verdict = judge_sets(stored, failed, held, {order["orderId"] for order in orders})
    if verdict is not None:
        return verdict
    if not failed:
        return not_yet("the broker was dead for the last orders, and you reported no failure.")
    if not stored:
        return None
    return ok(
        "the broker died in the middle: every order that you call proven is there, "
        "the others are reported as failed, and nobody is in neither set."
    )


def _killing(
    cluster: Cluster, topic: str, orders: list[dict[str, Any]]
) -> Iterator[dict[str, Any]]:
    """Hand out orders; near the end, once the broker holds those before, kill it."""
    for number, order in enumerate(orders):
        if number == ORDERS - AFTER_THE_KILL:
            _wait_for(cluster, topic, number)
            cluster.kill(1)
        yield order


def _wait_for(cluster: Cluster, topic: str, orders: int) -> None:
    end = time.monotonic() + 5
    while time.monotonic() < end and ground.held(cluster.kafka, topic) < orders:
        time.sleep(0.05)


def _order_ids(records: pd.DataFrame) -> set[str]:
    if len(records) and "orderId" not in records:
        raise AnswerError(
            "the broker has records of yours without an `orderId`. Send each event as JSON: "
            "`json.dumps(event)`."
        )
    return set(records["orderId"].dropna()) if len(records) else set()


def _sets(result: object) -> tuple[set[str], set[str]]:
    pair = result if isinstance(result, tuple) and len(result) == 2 else (None, None)
    stored, failed = pair
    if not isinstance(stored, (set, frozenset)) or not isinstance(failed, (set, frozenset)):
        return {"(two sets were expected)"}, set()
    return set(stored), set(failed)


def judge_sets(
    stored: set[str], failed: set[str], held: set[str], sent: set[str]
) -> Verdict | None:
    """Return what is wrong with two sets of ids, given those on the broker and those sent."""
    if stored == {"(two sets were expected)"}:
        return not_yet("two sets of `orderId` were expected: `return stored, failed`.")
    if both := stored & failed:
        return not_yet(f"{len(both)} orders are in both sets, and a record has one fate.")
    if unknown := failed - sent:
        return not_yet(f"{len(unknown)} of your ids were never an order of this run.")
    if untrue := stored - held:
        return not_yet(
            f"you claim {len(untrue)} orders that the broker does not have. `produce()` is not "
            "sent, and `flush() == 0` is not stored: claim only what a report without an error "
            "names."
        )
    if missing := sent - stored - failed:
        return not_yet(
            f"{len(missing)} of {len(sent)} orders are in neither set. Wait for the last reports "
            "(`flush`, or leaving `with`) before you answer, and keep the failures too."
        )
    return None
