"""Planned events reach Kafka at their time, counted, and none that was acked is lost."""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import pytest
from confluent_kafka import Consumer, KafkaError, Message, TopicPartition
from numpy.typing import NDArray

from steamlab import topics
from steamlab.client import client_config
from steamlab.errors import BrokerError, LessonError, TopicError
from steamlab.kafka.cluster import Cluster
from steamlab.replay.clock import Clock, duration_ms
from steamlab.replay.replayer import PRODUCER, Replayer
from steamlab.replay.stretch import Record, ahead

_START = 1_000_000


class FakeChunk:
    """Events 0, 1, 2 …, one each `step_ms`, kinds taking turns, users by their number's digit."""

    def __init__(self, count: int, *, step_ms: int = 1000, kinds: int = 1, first: int = 0) -> None:
        numbers = np.arange(first, first + count)
        self._numbers: list[int] = numbers.tolist()
        self.arrival_ms: NDArray[np.int64] = _START + numbers * step_ms
        self.kind: NDArray[np.uint8] = (numbers % kinds).astype(np.uint8)
        self.admit: NDArray[np.float64] = (numbers % 10) / 10

    def __len__(self) -> int:
        return len(self._numbers)

    def encode(self, lo: int, hi: int, only: set[int] | None) -> list[Record]:
        """Each value is its event's number."""
        rows = zip(self.kind[lo:hi].tolist(), self._numbers[lo:hi], strict=True)
        return [
            (kind, b"user_%d" % (number % 10), b"%d" % number, [("ce_id", b"e%d" % number)])
            for kind, number in rows
            if only is None or kind in only
        ]


def wait_until(holds: Callable[[], bool], timeout: float = 30) -> None:
    """Poll until it holds; fail at the deadline."""
    deadline = time.monotonic() + timeout
    while not holds():
        assert time.monotonic() < deadline, "did not come true in time"
        time.sleep(0.01)


def stored(kafka: dict[str, Any], topic: str) -> list[tuple[int, int]]:
    """Return partition and number of every record in a topic, in the order of offsets."""
    ends = topics.offsets(kafka, topic)
    wanted = int((ends["end"] - ends["begin"]).sum())
    found = []
    with Consumer(kafka | {"group.id": "reads", "enable.auto.commit": False}) as consumer:
        consumer.assign([TopicPartition(topic, p, 0) for p in ends["partition"].tolist()])
        deadline = time.monotonic() + 60
        while len(found) < wanted:
            assert time.monotonic() < deadline, f"{len(found)} of {wanted} read"
            for message in consumer.consume(5000, 0.5):
                assert message.error() is None
                found.append((int(message.partition() or 0), int(message.value() or b"")))
    return sorted(found, key=lambda at: at[0])


def thread_of(replayer: Replayer, chunks: Iterable[FakeChunk]) -> threading.Thread:
    """Run a replayer in the background; what it raises is kept in `error`."""

    def run() -> None:
        try:
            replayer.run(chunks)
        except Exception as error:
            thread.error = error  # type: ignore[attr-defined]

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


def test_clock_runs_at_its_speed() -> None:
    """Two seconds at speed 60 are two minutes of store time."""
    wall = [100.0]
    clock = Clock(_START, 60, wall=lambda: wall[0])
    wall[0] += 2
    assert _START + 120_000 == clock.now_ms()


def test_clock_anchors_at_each_change() -> None:
    """A new speed counts from now on; what has passed keeps the old one."""
    wall = [0.0]
    clock = Clock(0, 10, wall=lambda: wall[0])
    wall[0] = 1
    clock.change(0, speed=1000)
    assert 10_000 == clock.now_ms()
    wall[0] = 2
    assert 1_010_000 == clock.now_ms()


def test_clock_stands_while_any_reason_holds_it() -> None:
    """A pause that ends while Kafka is away does not start the clock."""
    wall = [0.0]
    clock = Clock(0, 10, wall=lambda: wall[0])
    clock.change(0, paused=True)
    clock.change(0, away=True)
    wall[0] = 5
    clock.change(0, paused=False)
    wall[0] = 6
    assert 0 == clock.now_ms()
    clock.change(0, away=False)
    wall[0] = 7
    assert 10_000 == clock.now_ms()


def test_clock_without_bound_goes_on_from_where_the_store_stands() -> None:
    """After full speed the clock starts at the last event that was sent."""
    clock = Clock(0, math.inf, wall=lambda: 0.0)
    assert math.inf == clock.now_ms()
    clock.change(5_000, speed=1)
    assert 5_000 == clock.now_ms()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90 minutes", 5_400_000),
        ("1 hour", 3_600_000),
        ("1 day", 86_400_000),
        ("2 weeks", 1_209_600_000),
        ("1.5 days", 129_600_000),
    ],
)
def test_durations_in_words(text: str, expected: int) -> None:
    """Minutes, hours, days and weeks, singular or plural, also in parts."""
    assert expected == duration_ms(text)


@pytest.mark.parametrize(
    "text", ["", "day", "1day", "-1 day", "0 days", "1 month", "٣ days", "1e3 days"]
)
def test_other_durations_are_refused(text: str) -> None:
    """The refusal shows what would be understood."""
    with pytest.raises(LessonError, match='"90 minutes"'):
        duration_ms(text)


def test_planning_ahead_keeps_the_order_and_its_errors() -> None:
    """The next chunk is planned while this one leaves; what planning raises arrives in turn."""

    def plan() -> Iterator[FakeChunk]:
        yield FakeChunk(1)
        yield FakeChunk(2)
        raise LessonError("No more.", repair="Stop here.")

    lengths = []
    with pytest.raises(LessonError, match="No more"):
        for chunk in ahead(plan()):
            if chunk is not None:
                lengths.append(len(chunk))
    assert [1, 2] == lengths


def test_planning_ahead_ends_with_its_reader() -> None:
    """Who stops reading leaves no planning thread behind."""
    chunks = ahead(FakeChunk(1) for _ in range(10**9))
    next(chunk for chunk in chunks if chunk is not None)
    chunks.close()
    names = "steamlab-planner"
    wait_until(lambda: names not in {thread.name for thread in threading.enumerate()})


def test_the_producer_is_safe() -> None:
    """Every replica confirms, no retry duplicates, and nothing times out behind our back."""
    assert ("all", True, 0) == tuple(
        PRODUCER[name] for name in ("acks", "enable.idempotence", "message.timeout.ms")
    )


def test_no_kafka_is_said_at_once() -> None:
    """Without a broker the first sentence says so, and names the repair."""
    replayer = Replayer(client_config("127.0.0.1:1"), ["x"], Clock(_START, math.inf))
    with pytest.raises(BrokerError, match=r"Kafka at 127\.0\.0\.1:1 does not answer.*steamlab up"):
        replayer.run([])


@pytest.mark.broker
def test_a_missing_topic_is_said_at_once(kafka: dict[str, Any]) -> None:
    """librdkafka would wait half a minute for a topic that is not there."""
    replayer = Replayer(kafka, ["test-not-there"], Clock(_START, math.inf))
    with pytest.raises(TopicError, match="no topic test-not-there"):
        replayer.run([FakeChunk(1)])


@pytest.mark.broker
def test_everything_arrives_in_order(kafka: dict[str, Any], topic: str) -> None:
    """Full speed, several chunks: each event once, in order of arrival in its partition."""
    replayer = Replayer(kafka, [topic], Clock(_START, math.inf))
    replayer.run([FakeChunk(25_000), FakeChunk(5, first=25_000)])
    found = stored(kafka, topic)
    assert (25_005, 25_005, 0) == (replayer.sent, replayer.acked, replayer.failed)
    assert list(range(25_005)) == sorted(number for _, number in found)
    for partition in range(3):
        numbers = [number for at, number in found if at == partition]
        assert sorted(numbers) == numbers


@pytest.mark.broker
def test_records_carry_headers_and_the_producers_own_timestamp(
    kafka: dict[str, Any], topic: str
) -> None:
    """Simulated time never becomes the record's: retention would delete it."""
    before_ms = time.time() * 1000 - 1000
    Replayer(kafka, [topic], Clock(_START, math.inf)).run([FakeChunk(1)])
    with Consumer(kafka | {"group.id": "one", "auto.offset.reset": "earliest"}) as consumer:
        consumer.assign([TopicPartition(topic, p, 0) for p in range(3)])
        message = consumer.poll(20)
    assert message is not None
    assert [("ce_id", b"e0")] == message.headers()
    assert before_ms < message.timestamp()[1]


@pytest.mark.broker
def test_it_ends_after_a_count_of_the_chosen_kinds(kafka: dict[str, Any], topic: str) -> None:
    """`events` counts what is sent: kinds without a topic do not count."""
    replayer = Replayer(kafka, [None, topic, None], Clock(_START, math.inf), events=4)
    replayer.run([FakeChunk(1000, kinds=3)])
    assert [1, 4, 7, 10] == sorted(number for _, number in stored(kafka, topic))


@pytest.mark.broker
def test_a_share_of_the_users_is_admitted(kafka: dict[str, Any], topic: str) -> None:
    """At a share of 0.3 the users whose hash is below it come, with all their events."""
    replayer = Replayer(kafka, [None, topic], Clock(_START, math.inf), share=0.3)
    replayer.run([FakeChunk(40, kinds=2)])
    assert [1, 11, 21, 31] == sorted(number for _, number in stored(kafka, topic))


@pytest.mark.broker
def test_events_wait_for_their_time(kafka: dict[str, Any], topic: str) -> None:
    """The event of the next store hour is sent when the wall clock says so, at this speed."""
    wall = [0.0]
    replayer = Replayer(kafka, [topic], Clock(_START, 60, wall=lambda: wall[0]))
    thread = thread_of(replayer, [FakeChunk(3, step_ms=3_600_000)])
    for passed, expected in ((0, 1), (59, 1), (60, 2), (119, 2), (120, 3)):
        wall[0] = passed
        wait_until(lambda: replayer.acked >= expected)  # noqa: B023 - runs within the loop
        thread.join(0.2)
        assert expected == replayer.sent
    thread.join(30)
    assert not thread.is_alive()


@pytest.mark.broker
def test_a_new_speed_counts_at_once(kafka: dict[str, Any], topic: str) -> None:
    """A store that waits for its next hour hears that it is to run faster."""
    replayer = Replayer(kafka, [topic], Clock(_START, 1))
    thread = thread_of(replayer, [FakeChunk(3, step_ms=3_600_000)])
    wait_until(lambda: replayer.acked == 1)
    replayer.set(speed=100_000)
    thread.join(30)
    assert (False, 3) == (thread.is_alive(), replayer.acked)


@pytest.mark.broker
def test_the_clock_stands_while_events_are_planned(kafka: dict[str, Any], topic: str) -> None:
    """Slow planning causes no rush: the store's day begins when its events are there."""
    wall, planned = [0.0], threading.Event()
    clock = Clock(_START, 60, wall=lambda: wall[0])

    def plan() -> Iterator[FakeChunk]:
        planned.wait(30)
        yield FakeChunk(2, step_ms=3_600_000)

    replayer = Replayer(kafka, [topic], clock)
    thread = thread_of(replayer, plan())
    wait_until(lambda: clock.is_stopped)
    wall[0] = 1_000
    planned.set()
    wait_until(lambda: replayer.acked == 1)
    thread.join(0.2)
    assert 1 == replayer.sent
    wall[0] = 1_060
    thread.join(30)
    assert (False, 2) == (thread.is_alive(), replayer.acked)


@pytest.mark.broker
def test_a_pause_holds_and_releases(kafka: dict[str, Any], topic: str) -> None:
    """Paused, not even full speed sends anything; released, it goes on where it stood."""
    replayer = Replayer(kafka, [topic], Clock(_START, math.inf))
    replayer.set(paused=True)
    thread = thread_of(replayer, [FakeChunk(10)])
    thread.join(0.5)
    assert (True, 0) == (thread.is_alive(), replayer.sent)
    replayer.set(paused=False)
    thread.join(30)
    assert (False, 10) == (thread.is_alive(), replayer.acked)


@pytest.mark.broker
def test_stop_ends_a_waiting_store(kafka: dict[str, Any], topic: str) -> None:
    """An hour before the next event, stop is heard, and all that was sent is acked."""
    replayer = Replayer(kafka, [topic], Clock(_START, 1))
    thread = thread_of(replayer, [FakeChunk(3, step_ms=3_600_000)])
    wait_until(lambda: replayer.sent == 1)
    replayer.stop()
    thread.join(20)
    assert (False, 1) == (thread.is_alive(), replayer.acked)
    assert not hasattr(thread, "error")


@pytest.mark.broker
def test_a_full_queue_loses_nothing(kafka: dict[str, Any], topic: str) -> None:
    """With room for ten messages the client says no thousands of times; all arrive in order."""
    small = kafka | {"queue.buffering.max.messages": 10}
    replayer = Replayer(small, [topic], Clock(_START, math.inf))
    replayer.run([FakeChunk(3000)])
    assert list(range(3000)) == sorted(number for _, number in stored(kafka, topic))


@pytest.mark.broker
def test_what_kafka_refuses_is_an_error(kafka: dict[str, Any], topic: str) -> None:
    """A failed delivery is counted as failed, and the run says how many and why."""
    chunk = FakeChunk(5)
    chunk.encode = lambda *_: [(0, b"k", os.urandom(2_000_000), [])]  # type: ignore[method-assign]
    replayer = Replayer(kafka | {"message.max.bytes": 4_000_000}, [topic], Clock(_START, math.inf))
    with pytest.raises(BrokerError, match=r"did not acknowledge 1 of 1 events: .*too large"):
        replayer.run([chunk])
    assert (1, 0, 1) == (replayer.sent, replayer.acked, replayer.failed)


@pytest.fixture(scope="module")
def victim() -> Iterator[Cluster]:
    """A Kafka of these tests' own, to be killed."""
    with Cluster() as started:
        yield started


@pytest.fixture
def cluster(victim: Cluster) -> Cluster:
    """The victim, alive, with an empty topic `events`."""
    if not victim.running(1):
        victim.start_node(1)
    topics.recreate(victim.kafka, topics.TopicSpec("events", 3))
    return victim


class Witness(Replayer):
    """A replayer that also keeps the number of every event that was acked."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.numbers: list[int] = []

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        super()._delivered(error, message)
        if error is None:
            self.numbers.append(int(message.value() or b""))


@pytest.mark.broker
def test_kill_9_loses_and_doubles_nothing(cluster: Cluster) -> None:
    """The broker dies mid-replay: one line, a wait, one line, and every event stored once."""
    said: list[str] = []
    count = 30_000
    replayer = Witness(cluster.kafka, ["events"], Clock(_START, 5_000), status=said.append)
    thread = thread_of(replayer, [FakeChunk(count)])
    wait_until(lambda: replayer.acked > 2_000)
    cluster.kill()
    wait_until(lambda: len(said) == 1)
    waiting = replayer.unacked
    assert (True, True) == (waiting > 0, replayer.sent < count)
    cluster.start_node(1)
    thread.join(120)
    assert not hasattr(thread, "error")
    assert [
        f"Kafka at {cluster.bootstrap} does not answer; waiting, "
        f"{waiting:,} events not yet acknowledged.",
        f"Kafka at {cluster.bootstrap} answers again; the store goes on.",
    ] == said
    assert list(range(count)) == sorted(replayer.numbers)
    found = stored(cluster.kafka, "events")
    assert list(range(count)) == sorted(number for _, number in found)
    for partition in range(3):
        numbers = [number for at, number in found if at == partition]
        assert sorted(numbers) == numbers


@pytest.mark.broker
def test_patience_ends_and_what_was_acked_is_stored(cluster: Cluster) -> None:
    """A Kafka that stays away ends the run; the count of acked events is what the disk holds."""
    replayer = Witness(cluster.kafka, ["events"], Clock(_START, 5_000_000), patience=1)
    thread = thread_of(replayer, [FakeChunk(100_000)])
    wait_until(lambda: replayer.acked > 2_000)
    cluster.kill()
    thread.join(60)
    assert not thread.is_alive()
    with pytest.raises(BrokerError, match=r"did not acknowledge .* events: no answer"):
        raise thread.error  # type: ignore[attr-defined]
    assert replayer.sent == replayer.acked + replayer.failed
    cluster.start_node(1)
    found = [number for _, number in stored(cluster.kafka, "events")]
    assert set(replayer.numbers) <= set(found)
    assert len(set(found)) == len(found)


@pytest.mark.broker
def test_stop_while_kafka_is_away_ends_at_its_deadline(cluster: Cluster) -> None:
    """Asked to stop, the store does not wait for a Kafka that may never come back."""
    said: list[str] = []
    replayer = Replayer(cluster.kafka, ["events"], Clock(_START, 5_000_000), status=said.append)
    thread = thread_of(replayer, [FakeChunk(100_000)])
    wait_until(lambda: replayer.acked > 2_000)
    cluster.kill()
    wait_until(lambda: len(said) == 1)
    replayer.stop(timeout=0.5)
    thread.join(20)
    assert not thread.is_alive()
    with pytest.raises(BrokerError, match="did not acknowledge"):
        raise thread.error  # type: ignore[attr-defined]
