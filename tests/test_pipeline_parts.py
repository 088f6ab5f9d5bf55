"""The parts of the pipeline, each for itself: names, records, logs, transactions, idleness."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from steamlab import topics
from steamlab.errors import DeadlineError
from steamlab.events import TOPIC_OF
from steamlab.pipeline import partials
from steamlab.pipeline.logs import read_log
from steamlab.pipeline.places import SESSION_MS, TRANSACTION_MS, Places, reading, writing
from steamlab.pipeline.task import Task
from steamlab.pipeline.transactions import AbortedError, Transactions, _repeat
from steamlab.processor.chapters import CHAPTERS, GROUP_OF
from steamlab.processor.first_stage import Output
from steamlab.topics import base_name
from tests.stream import Event, buy, look

PLACES = Places("24b.")

# --- places


def test_places_have_their_prefix() -> None:
    """All nine names begin with the lesson's, and are the store's own without it."""
    names = [spec.name for spec in PLACES.specs()]
    assert 9 == len(names) == len(set(names))
    assert [spec.name for spec in Places().specs()] == [base_name(name) for name in names]
    assert "24b.steamlab.process.first" == PLACES.group("first")


def test_partition_numbers_fit_together() -> None:
    """Six for each input and for the state, one for each chapter of the partial cells."""
    partitions = {spec.name: spec.partitions for spec in PLACES.specs()}
    assert {6} == {partitions[name] for name in [*PLACES.inputs, PLACES.changelog]}
    assert len(CHAPTERS) == partitions[PLACES.partials]


def test_state_is_compacted_and_events_are_not() -> None:
    """Only the last record of a key is needed of cells and state; metrics are compacted too."""
    compacted = {
        spec.name for spec in PLACES.specs() if "compact" in spec.config.get("cleanup.policy", "")
    }
    assert {PLACES.partials, PLACES.changelog, PLACES.metrics} == compacted


def test_a_session_ends_before_a_transaction_does() -> None:
    """Else a process would be fenced while its partitions are still its own."""
    assert SESSION_MS < TRANSACTION_MS


def test_the_clients_are_those_of_exactly_once() -> None:
    """Readers see committed records and commit nothing themselves; the name is the writer's."""
    reads, writes = reading({"x": "1"}, "g"), writing({"x": "1"}, "n")
    assert ("1", "g", "range") == (reads["x"], reads["group.id"], reads["group.remote.assignor"])
    assert ("read_committed", False) == (reads["isolation.level"], reads["enable.auto.commit"])
    assert ("1", "n", 8000) == (
        writes["x"],
        writes["transactional.id"],
        writes["transaction.timeout.ms"],
    )


# --- partials

_NAMES = st.sampled_from(sorted(name for chapter in CHAPTERS for name in chapter.families))
_BUCKETS = st.integers(-(2**62), 2**62)
_COUNTS = st.dictionaries(
    st.one_of(st.integers(-(2**63), 2**64 - 1), st.text(max_size=8)), st.integers(), max_size=4
)


@given(st.integers(0, 99), _NAMES, _BUCKETS)
def test_a_key_names_its_cell(partition: int, family: str, bucket: int) -> None:
    """What is written of a cell's place is read again, years before 1970 too."""
    found = partials.read_key(partials.bucket_key((partition, family, bucket)))
    assert (partition, GROUP_OF[family][0], bucket) == found


def test_keys_of_clocks_and_of_what_is_closed() -> None:
    """A clock has no bucket; what is closed belongs to a day, and to no partition."""
    assert (3, "clock", None) == partials.read_key(partials.clock_key(3))
    closed = partials.closed_key("orders_minute", 20413)
    assert (None, "orders_minute", 20413) == partials.read_key(closed)


@given(_COUNTS)
def test_a_cell_keeps_its_numbers(counts: dict[int | str, int]) -> None:
    """Any text and any whole number come back as they were, beyond 64 bits too."""
    closed = partials.read_closed(partials.closed_value((7, counts)))
    assert (7, counts) == closed
    cells = {("revenue_minute", 60_000): {"": 5}, ("orders_minute", 60_000): counts}
    (record,) = (
        each
        for each in partials.partials(4, Output(cells=cells), is_idle=False)
        if b"clock" not in each[1]
    )
    assert b"4|revenue_minute|60000" == record[1]
    assert cells == partials.read_cells("revenue_minute", 60_000, record[2])


def test_big_numbers_are_not_rounded() -> None:
    """2**53 + 1 is no float; a text of digits is no number."""
    value = json.dumps([[[2**53 + 1, 2**70], ["9007199254740993", -1]]]).encode()
    (counts,) = partials.read_cells("terms", 0, value).values()
    assert {2**53 + 1: 2**70, "9007199254740993": -1} == counts


def test_the_clock_is_the_last_of_each_chapter() -> None:
    """Each chapter has its cells, then how far the partition is: as many clocks as chapters."""
    cells = {(family, 0): {"": 1} for chapter in CHAPTERS for family in chapter.families}
    written = list(partials.partials(2, Output(cells, {"store.searches": 5}), is_idle=True))
    for number in range(len(CHAPTERS)):
        keys = [key for chapter, key, _ in written if chapter == number]
        assert [b"2|clock"] == [key for key in keys if b"clock" in key] == keys[-1:]
        told = [name for key in keys[:-1] for name in GROUP_OF[partials.read_key(key)[1]]]
        assert sorted(CHAPTERS[number].families) == sorted(told)
    clock = json.loads(written[-1][2])
    assert {"topics": {"store.searches": 5}, "is_idle": True} == clock


def test_cells_of_a_partition_are_its_own() -> None:
    """Partition 1's are not 11's; clocks and what is closed are no cells."""
    value = b'[[],[["US",2]]]'
    records = {
        partials.bucket_key((1, "orders_minute", 0)): value,
        partials.bucket_key((11, "orders_minute", 0)): value,
        partials.clock_key(1): b'{"topics":{}}',
        partials.closed_key("orders_minute", 0): b'{"until":1,"counts":[]}',
    }
    expected = {("revenue_minute", 0): {}, ("orders_minute", 0): {"US": 2}}
    assert expected == partials.cells_of(1, records)


# --- idleness


def record(event: Event, offset: int) -> Message:
    """Make a record of an input topic as the client hands it out."""
    return Message(
        topic=PLACES.prefix + TOPIC_OF[event["eventType"]], partition=0, offset=offset,
        key=event["userId"].encode(), value=json.dumps(event).encode(), timestamp=(1, 2**50),
    )  # fmt: skip


def task_at_its_ends() -> Task:
    """Make a task that has read all five topics to their ends, which are empty."""
    task = Task(0, PLACES, grace_ms=300_000, idle_s=5)
    for topic in PLACES.inputs:
        task.reach_end(topic, 0)
    return task


def written(task: Task) -> list[tuple[str, bytes | None]]:
    """Process the batch, and return topics and keys of what is written."""
    return [(topic, key) for topic, key, _, _, _ in task.process()]


def test_silence_at_the_end_is_idle() -> None:
    """All five topics, read to their ends, after five seconds and not before; said once."""
    task = task_at_its_ends()
    task.listen(4.9)
    assert not task.has_work
    task.listen(0.2)
    assert task.has_work
    clocks = [value for _, key, value, _, _ in task.process() if key == b"0|clock"]
    assert {True} == {json.loads(value or b"")["is_idle"] for value in clocks}
    assert not task.has_work


def test_silence_before_the_end_is_not_idle() -> None:
    """Four topics are idle; the fifth, of which the end is not known, never is."""
    task = task_at_its_ends()
    del task._ends[PLACES.inputs[3]]  # noqa: SLF001 - as if the broker had more
    task.listen(1000)
    clocks = [value for _, key, value, _, _ in task.process() if key == b"0|clock"]
    assert {False} == {json.loads(value or b"").get("is_idle", False) for value in clocks}


def test_a_record_behind_the_end_wakes_its_topic() -> None:
    """What comes behind the end is the end of silence; then the new end has to be reached."""
    task = task_at_its_ends()
    task.listen(6)
    written(task)
    task.take([record(look("10:30:00"), 0)])
    task.take([record(buy("10:04:00"), 0)])
    written(task)
    task.listen(1000)
    assert {PLACES.inputs[1], PLACES.inputs[2], PLACES.inputs[4]} == task._idle()  # noqa: SLF001
    task.reach_end(PLACES.inputs[0], 1)
    assert PLACES.inputs[0] in task._idle()  # noqa: SLF001


def test_standing_still_is_not_silence() -> None:
    """A process that hears nothing for long, for it did not listen, takes nobody for idle.

    Half an hour of page views come first when it goes on; the purchases that were there meanwhile
    are not late.
    """
    task = task_at_its_ends()
    task.take([record(look("10:00:00"), 0)])
    written(task)
    task.listen(0.04)  # all that passes, by its own ears, in an hour of standing still
    task.take([record(look("10:30:00"), 1)])
    written(task)
    task.take([record(buy("10:04:00"), 0)])
    written(task)
    assert {"accepted": 3} == dict(task.counts)
    heard = task_at_its_ends()  # the other way round: who has listened, and heard nothing
    heard.listen(6)
    heard.take([record(look("10:30:00"), 0)])
    written(heard)
    heard.take([record(buy("10:04:00"), 0)])
    written(heard)
    assert 1 == heard.counts["late orders_minute"]


# --- logs


def _values(found: Iterator[Message]) -> list[bytes]:
    return sorted(bytes(message.value() or b"") for message in found)


@pytest.fixture
def writer(kafka: dict[str, Any], topic: str) -> Iterator[Producer]:
    """A producer with a committed record and an open transaction, in partition 0."""
    with Producer(writing(kafka, f"writer-{topic}")) as producer:
        producer.init_transactions(30)
        producer.begin_transaction()
        producer.produce(topic, b"one", partition=0)
        producer.commit_transaction(30)
        producer.begin_transaction()
        producer.produce(topic, b"two", partition=0)
        assert 0 == producer.flush(30)
        yield producer


@pytest.mark.broker
@pytest.mark.parametrize("is_committed", [True, False])
def test_a_log_waits_for_an_open_transaction(
    kafka: dict[str, Any], topic: str, writer: Producer, is_committed: bool
) -> None:
    """What is open when the reading begins is read if it is committed, and left out if aborted."""
    found = read_log(kafka, topic, [0, 1, 2], timeout=30)
    first = next(found)
    assert b"one" == first.value()
    end = writer.commit_transaction if is_committed else writer.abort_transaction
    timer = threading.Timer(0.3, end, [30])
    timer.start()
    try:
        assert ([b"two"] if is_committed else []) == _values(found)
    finally:
        timer.join()


@pytest.mark.broker
def test_a_log_gives_up(kafka: dict[str, Any], topic: str, writer: Producer) -> None:
    """A transaction that stays open is an error in time, with what was expected."""
    found: list[bytes | None] = []
    with pytest.raises(DeadlineError, match=rf"Expected {topic} to be committed up to \{{0: \d\}}"):
        for message in read_log(kafka, topic, [0], timeout=3):
            found.append(message.value())
    assert [b"one"] == found
    writer.abort_transaction(30)


@pytest.mark.broker
def test_an_empty_log_ends_at_once(kafka: dict[str, Any], topic: str) -> None:
    """No record, no wait: the ends are known before the reading begins."""
    assert [] == list(read_log(kafka, topic, [0, 1, 2], timeout=0.1))


# --- transactions


def test_what_may_be_repeated_is() -> None:
    """A call that says so of its error is made again, up to twenty times; any other is not."""
    for is_retriable, expected in ((True, 20), (False, 1)):
        calls: list[int] = []

        def call(calls: list[int] = calls, is_retriable: bool = is_retriable) -> None:
            calls.append(1)
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT, "no", False, is_retriable))  # noqa: SLF001

        with pytest.raises(KafkaException):
            _repeat(call)
        assert expected == len(calls)
    answers = iter([KafkaError(KafkaError._TIMED_OUT, "no", False, True), None])  # noqa: SLF001

    def second_time() -> None:
        if (error := next(answers)) is not None:
            raise KafkaException(error)

    _repeat(second_time)
    assert [] == list(answers)


class Gone:
    """What a stage sends offsets with: the membership of a consumer that has left since."""

    def __init__(self, kafka: dict[str, Any], topic: str) -> None:
        with Consumer(reading(kafka, f"gone-{topic}")) as consumer:
            consumer.subscribe([topic])
            while not consumer.assignment():
                consumer.consume(1, 0.1)
            self._metadata = consumer.consumer_group_metadata()

    def consumer_group_metadata(self) -> Any:
        """Return it."""
        return self._metadata


class Alone:
    """The membership of nobody: what a group without members takes from a client by itself."""

    def __init__(self, kafka: dict[str, Any], topic: str) -> None:
        self.consumer = Consumer(dict(kafka) | {"group.id": f"alone-{topic}"})

    def consumer_group_metadata(self) -> Any:
        """Return it."""
        return self.consumer.consumer_group_metadata()


@pytest.mark.broker
def test_a_transaction_of_one_who_has_left_is_given_up(kafka: dict[str, Any], topic: str) -> None:
    """The group has moved on: nothing of it is seen, and the next one is as good as ever."""
    transactions = Transactions("first", writing(kafka, f"left-{topic}"))
    gone, alone = Gone(kafka, topic), Alone(kafka, topic)
    offsets = [TopicPartition(topic, 0, 7)]
    with pytest.raises(AbortedError):
        transactions.write([(topic, b"k", b"aborted", 0, None)], offsets, gone)  # type: ignore[arg-type]
    transactions.write([(topic, b"k", b"kept", 0, [("h", b"1")])], offsets, alone)  # type: ignore[arg-type]
    (kept,) = read_log(kafka, topic, [0])
    assert (b"k", b"kept", [("h", b"1")]) == (kept.key(), kept.value(), kept.headers())
    assert [7] == [each.offset for each in alone.consumer.committed(offsets, 10)]
    alone.consumer.close()
    transactions.close()


@pytest.mark.broker
def test_a_second_of_the_same_name_fences_the_first(kafka: dict[str, Any], topic: str) -> None:
    """The first one's error is final, and no `AbortedError`: its process must end."""
    alone, offsets = Alone(kafka, topic), [TopicPartition(topic, 0, 1)]
    old = Transactions("first", writing(kafka, f"twice-{topic}"))
    old.write([(topic, None, b"before", 0, None)], offsets, alone)  # type: ignore[arg-type]
    new = Transactions("first", writing(kafka, f"twice-{topic}"))
    with pytest.raises(KafkaException) as caught:
        old.write([(topic, None, b"zombie", 0, None)], offsets, alone)  # type: ignore[arg-type]
    assert caught.value.args[0].fatal()
    new.write([(topic, None, b"after", 0, None)], offsets, alone)  # type: ignore[arg-type]
    assert [b"after", b"before"] == _values(read_log(kafka, topic, [0]))
    alone.consumer.close()
    new.close()


@pytest.mark.broker
def test_a_record_too_large_is_no_abort(kafka: dict[str, Any], topic: str) -> None:
    """An error of what is written, not of the group, ends the process; nothing of it is seen."""
    transactions = Transactions("first", writing(kafka, f"large-{topic}"))
    large = bytes(9 * 1024 * 1024)
    alone = Alone(kafka, topic)
    with pytest.raises(KafkaException, match="too large"):
        transactions.write(
            [(topic, None, b"small", 0, None), (topic, None, large, 0, None)],
            [TopicPartition(topic, 0, 0)],
            alone,  # type: ignore[arg-type]
        )
    Transactions("first", writing(kafka, f"large-{topic}")).close()  # aborts what is open
    assert [] == list(read_log(kafka, topic, [0]))
    alone.consumer.close()


@pytest.mark.broker
def test_a_transaction_has_an_offset(kafka: dict[str, Any], topic: str) -> None:
    """Without one the group does not see who writes: it is refused before it begins."""
    transactions, alone = (
        Transactions("first", writing(kafka, f"none-{topic}")),
        Alone(kafka, topic),
    )
    with pytest.raises(ValueError, match="expected an offset"):
        transactions.write([(topic, None, b"x", 0, None)], [], alone)  # type: ignore[arg-type]
    transactions.close()
    alone.consumer.close()


@pytest.mark.broker
def test_topics_are_as_the_places_say(kafka: dict[str, Any]) -> None:
    """Kafka takes all nine, with their settings."""
    places = Places("91z.")
    topics.create(kafka, places.specs())
    assert 6 == len(topics.offsets(kafka, places.changelog))
    topics.delete(kafka, [spec.name for spec in places.specs()])
