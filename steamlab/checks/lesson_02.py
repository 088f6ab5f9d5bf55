"""Lesson 02: producing, and knowing what arrived."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pandas as pd
from confluent_kafka import Producer

from steamlab import frames
from steamlab.checks import Verdict, call, call_within, exercise, ground, not_yet, ok, proof
from steamlab.errors import TopicError

if TYPE_CHECKING:
    from steamlab.lesson import Lesson

__all__: list[str] = []


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
def who_chooses(lesson: Lesson, answer: str) -> Verdict:
    """Send thirty unseen keys with two partitioners, and count those in two partitions."""
    topic = ground.fresh(lesson, "two-clients")
    for partitioner in ("consistent_random", "murmur2_random"):
        config = lesson.kafka | {"partitioner": partitioner}
        frames.send(config, topic, [{"userId": f"user_{n}"} for n in range(70, 100)])
    places = lesson.read(topic).groupby("key")["partition"].nunique()
    apart = int((places > 1).sum())
    found = f"of {len(places)} other shoppers, {apart} have records in two partitions"
    if answer.startswith("in two partitions") and apart > len(places) / 2:
        return ok(f"{found}. The same broker took both; each client chose for itself.")
    if "broker" in answer:
        return not_yet(
            f"{found}. The broker does not decide, it does not even look at the key: a record goes "
            "into the partition that the client names."
        )
    return not_yet(
        f"{found}. A key has a checksum for each way to compute one: CRC32 in this client, murmur2 "
        "in the Java client."
    )


@exercise("02.5")
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


@exercise("02.6")
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


@exercise("02.7")
def send_and_prove(lesson: Lesson, answer: proof.Prove) -> Verdict:
    """Compare both sets with the broker: refused records first, then a kill in the middle."""
    return proof.judge_proof(lesson, answer)


@exercise("02.8")
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
