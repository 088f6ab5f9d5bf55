"""Lesson 02: producing, and knowing what arrived."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pandas as pd
from confluent_kafka import Producer

from steamlab import frames
from steamlab.checks import Verdict, call, call_within, exercise, ground, not_yet, ok
from steamlab.errors import TopicError
from steamlab.kafka.cluster import Cluster

if TYPE_CHECKING:
    from steamlab.lesson import Lesson

__all__: list[str] = []

ORDERS, AFTER_THE_KILL = 500, 8  # few, so that one flush per order still ends in time
_Prove = Callable[[dict[str, Any], str, Any], tuple[set[str], set[str]]]


@exercise("02.1")
def reports_without_poll(lesson: Lesson, answer: str) -> Verdict:
    """Send twenty records, wait until the broker has them, and count the reports."""
    topic = ground.fresh(lesson, "silent", partitions=1)
    reports: list[object] = []
    with Producer(lesson.kafka) as producer:
        for _ in range(20):
            producer.produce(topic, value=b"{}", on_delivery=lambda *report: reports.append(report))
        lesson.read(topic, until=20)
        heard = len(reports)
    if answer == str(heard):
        return ok(
            f"twenty more just now: the broker had all of them, and {heard} reports had come. "
            "After `flush` there were twenty."
        )
    return not_yet(
        f"the check sent twenty more. The broker had them all, and {heard} reports had come. They "
        "are handed out by `poll` and `flush` only, in your own thread: arriving is not being told."
    )


@exercise("02.2")
def without_flush(lesson: Lesson, answer: str) -> Verdict:
    """Hold the prediction against the topic that the program wrote to."""
    held = ground.records(lesson, f"{lesson.prefix}.store.purchases")
    if held >= 50:
        return not_yet(f"the topic holds {held} records. Run the program in the cell above first.")
    if answer == str(held):
        return ok(f"the broker holds {held} of the fifty. They died in the program's queue.")
    return not_yet(
        f"the broker holds {held} of the fifty. `produce()` does not send, it queues; "
        "the program ended before its client had sent anything."
    )


@exercise("02.3")
def without_key(lesson: Lesson, answer: str) -> Verdict:
    """Hold the prediction against the largest share of one partition."""
    ends = lesson.offsets(f"{lesson.prefix}.store.searches")["end"]
    if ends.sum() < 1000:
        return not_yet("the thousand records are not there yet. Run the cell above first.")
    share = ends.max() / ends.sum()
    if answer.startswith("all or nearly") and share > 0.9:
        return ok("all, or all but a few, are in one partition.")
    return not_yet(
        f"{share:.0%} of them are in one partition. No key does not mean one after the other in "
        "turn: the client sticks to a partition for a moment, so that its batches are full."
    )


@exercise("02.4")
def send_all(lesson: Lesson, answer: Callable[[Producer, str, Any], int]) -> Verdict:
    """Send through a queue of fifty, then with three records that the broker must refuse."""
    said, held, orders = _send_all(lesson, answer, ground.some_orders(1500))
    if said != held or held != orders:
        return not_yet(_why_not_all(said, held, orders))
    big = ground.some_orders(200, seed=3)
    for order in big[::80]:
        order["note"] = "x" * 5000
    said, held, orders = _send_all(lesson, answer, big)
    if said == orders:
        return not_yet(
            f"you said {said} of {orders}, and the broker refused {orders - held}: they were too "
            "large for the topic. An empty queue is not a proof; only a report without an error is."
        )
    if said != held:
        return not_yet(f"of {orders} records {held} are stored, and you said {said}.")
    return ok("1,500 orders through a queue of fifty, and three refused ones not counted.")


def _send_all(
    lesson: Lesson, answer: Callable[[Producer, str, Any], int], orders: list[dict[str, Any]]
) -> tuple[int, int, int]:
    topic = ground.fresh(lesson, "full-queue", partitions=2, config={"max.message.bytes": "2000"})
    small = {"queue.buffering.max.messages": 50, "message.timeout.ms": 20_000}
    with Producer(lesson.kafka | small | {"batch.num.messages": 1}) as producer:
        said = call_within(40, answer, producer, topic, list(orders))
    return said, ground.records(lesson, topic), len(orders)


def _why_not_all(said: object, held: int, orders: int) -> str:
    if held < orders:
        return (
            f"of {orders} orders only {held} are on the broker. A `BufferError` means that the "
            "record was not taken: wait with `poll`, and produce the same one again."
        )
    if held > orders:
        return f"{orders} orders were to be sent, and the broker holds {held}: some went out twice."
    return (
        f"all {orders} orders are stored, and you said {said}. Count the reports without an error, "
        "after `flush` has handed out the last of them."
    )


@exercise("02.5")
def acks_and_duplicates(lesson: Lesson, answer: str) -> Verdict:
    """Hold the prediction against what the broker that hung holds."""
    cluster = lesson.own_cluster
    if cluster is None or not cluster.running(1):
        return not_yet("the broker of this section is not running. Run its cells from the start.")
    try:
        numbers = lesson.read(f"{lesson.prefix}.default", kafka=cluster.kafka)["n"]
    except (TopicError, KeyError):
        return not_yet("the 4,000 orders are not there yet. Run the cell above first.")
    twice = int(numbers.duplicated().sum())
    if answer == "some orders more than once" and twice:
        return ok("some orders are there twice or more, and none is missing.")
    if not twice:
        return not_yet(
            "nothing was stored twice: the follower was back before the leader gave up on it. "
            "Let `watch` thaw it only after `txmsgs` has passed 4,000, and run the cell again."
        )
    return not_yet(
        f"the topic holds {len(numbers)} records, and {twice} of them are repetitions. `acks=all` "
        "says how many brokers must have a record, not how often one of them may take it."
    )


@exercise("02.6")
def send_and_prove(lesson: Lesson, answer: _Prove) -> Verdict:
    """Compare both sets with the broker: refused records first, then a kill in the middle."""
    for seed in (11, 12):
        verdict = _with_refused_records(lesson, answer, seed)
        if verdict is not None:
            return verdict
    return _with_a_kill(lesson, answer)


def _with_refused_records(lesson: Lesson, answer: _Prove, seed: int) -> Verdict | None:
    topic = ground.fresh(lesson, "proof", partitions=2, config={"max.message.bytes": "2000"})
    orders = ground.some_orders(300, seed=seed)
    for number, order in enumerate(orders):
        order["orderId"] = f"order_{seed}_{number}"
    for order in orders[:: 100 - seed]:
        order["note"] = "x" * 3000
    careful = lesson.kafka | {"message.timeout.ms": 3000, "batch.num.messages": 1}
    stored, failed = _sets(call_within(40, answer, careful, topic, list(orders)))
    held = _order_ids(lesson.read(topic))
    return _judge_sets(stored, failed, held, {order["orderId"] for order in orders})


def _with_a_kill(lesson: Lesson, answer: _Prove) -> Verdict:
    with Cluster() as cluster:
        return _kill_and_compare(lesson, answer, cluster)


def _kill_and_compare(lesson: Lesson, answer: _Prove, cluster: Cluster) -> Verdict:
    topic = lesson.topic("check.kill", partitions=2, cluster=cluster)
    orders = [{"orderId": f"order_kill_{n}", "userId": f"user_{n % 50}"} for n in range(ORDERS)]
    short = cluster.kafka | {"message.timeout.ms": 3000}
    stored, failed = _sets(call_within(40, answer, short, topic, _killing(cluster, topic, orders)))
    if not cluster.running(1):
        cluster.start_node(1)
    held = _order_ids(frames.read(cluster.kafka, topic))
    verdict = _judge_sets(stored, failed, held, {order["orderId"] for order in orders})
    if verdict is not None:
        return verdict
    if not failed:
        return not_yet("the broker was dead for the last orders, and you reported no failure.")
    if not stored:
        return not_yet("you proved none. Send each event as it comes: the kill comes near the end.")
    return ok(
        "the broker died in the middle: every order that you call proven is there, "
        "the others are reported as failed, and nobody is in neither set."
    )


def _killing(
    cluster: Cluster, topic: str, orders: list[dict[str, Any]]
) -> Iterator[dict[str, Any]]:
    """Hand out orders; near the end, once the broker holds some of them, kill it."""
    for number, order in enumerate(orders):
        if number == ORDERS - AFTER_THE_KILL:
            _wait_for_some(cluster, topic)
            cluster.kill(1)
        yield order


def _wait_for_some(cluster: Cluster, topic: str) -> None:
    end = time.monotonic() + 5
    while time.monotonic() < end and not ground.held(cluster.kafka, topic):
        time.sleep(0.05)


def _order_ids(records: pd.DataFrame) -> set[str]:
    return set(records["orderId"]) if len(records) else set()


def _sets(result: object) -> tuple[set[str], set[str]]:
    pair = result if isinstance(result, tuple) and len(result) == 2 else (None, None)
    stored, failed = pair
    if not isinstance(stored, (set, frozenset)) or not isinstance(failed, (set, frozenset)):
        return {"(two sets were expected)"}, set()
    return set(stored), set(failed)


def _judge_sets(
    stored: set[str], failed: set[str], held: set[str], sent: set[str]
) -> Verdict | None:
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
    if len(stored) < len(held) / 2:
        return not_yet(f"the broker holds {len(held)} orders, and you proved {len(stored)}.")
    return None


@exercise("02.7")
def hottest(lesson: Lesson, answer: Callable[[pd.DataFrame], tuple[int, str]]) -> Verdict:
    """Send two unseen loads keyed by game; in one, the top game is not in the hottest partition."""
    for load in (_GAMES_OF_MANY, _GAMES_OF_ONE):
        topic = ground.fresh(lesson, "hot")
        events = [{"gameId": game, "n": n} for game, count in load.items() for n in range(count)]
        frames.send(lesson.kafka, topic, events, key="gameId")
        records = lesson.read(topic)
        given = call(answer, records)
        hot = int(records["partition"].mode()[0])
        games = records[records["partition"] == hot].groupby("gameId").size()
        if not isinstance(given, tuple) or given != (hot, games.idxmax()):
            return not_yet(_why_not_hot(given, hot, str(games.idxmax()), load))
    return ok(
        f"twice right, also where the most viewed game was elsewhere: {hot}, {games.idxmax()}."
    )


# By CRC32 over six partitions: 101, 102 and 103 share partition 1, 100 is in 5, 120 in 3.
_GAMES_OF_MANY = {
    f"game_{n}": count
    for n, count in {
        100: 150,
        101: 90,
        102: 80,
        103: 70,
        104: 40,
        105: 50,
        107: 60,
        109: 30,
    }.items()
}
_GAMES_OF_ONE = {
    f"game_{n}": count
    for n, count in {120: 200, 101: 60, 104: 50, 105: 40, 102: 30, 100: 20, 107: 10}.items()
}


def _why_not_hot(given: object, hot: int, game: str, load: dict[str, int]) -> str:
    if not (isinstance(given, tuple) and len(given) == 2):
        return f"a pair (partition, gameId) was expected, and `{given!r}` came."
    top = max(load, key=lambda name: load[name])
    if given[0] == hot and given[1] == top:
        return (
            f"{top} has the most views of all, but it is not in partition {hot}. "
            f"Look only at the records of the hottest partition: there it is {game}."
        )
    if given[0] != hot:
        return f"the broker has the most records in partition {hot}, and you said {given[0]}."
    return (
        f"partition {hot} is right; the most records in it are of {game}, and you said {given[1]}."
    )
