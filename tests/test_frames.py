"""Records become rows whatever their bytes are; reading and sending are bounded and honest."""

from __future__ import annotations

import json
import threading
from contextlib import suppress
from typing import Any

import pandas as pd
import pytest
from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition
from hostile import ACCEPTED, HOSTILE, VIEW
from hypothesis import given, settings
from hypothesis import strategies as st

from steamlab.client import client_config
from steamlab.errors import BrokerError, DeadlineError, TopicError
from steamlab.events import decode
from steamlab.frames import RECORD_COLUMNS, read, row, send, to_frame


class Message:
    """What frames needs of a confluent_kafka.Message."""

    def __init__(self, value: bytes | None, key: bytes | None = b"k", at: Any = ("t", 0, 0)):
        self._value, self._key, self._at = value, key, at

    def value(self) -> bytes | None:
        """The record's value."""
        return self._value

    def key(self) -> bytes | None:
        """The record's key."""
        return self._key

    def topic(self) -> str:
        """The record's topic."""
        return str(self._at[0])

    def partition(self) -> int:
        """The record's partition."""
        return int(self._at[1])

    def offset(self) -> int:
        """The record's offset."""
        return int(self._at[2])


def _row(value: bytes | None) -> dict[str, Any]:
    """Make a row of this value, and hold it to be the record it came with."""
    found = row(Message(value))  # type: ignore[arg-type]
    assert ["t", 0, 0, "k"] == [found.pop(name) for name in RECORD_COLUMNS]
    return found


def _frame(*messages: Message) -> pd.DataFrame:
    return to_frame(messages)  # type: ignore[arg-type]


def test_row_has_record_columns_then_fields() -> None:
    """A row begins with the four record columns; the event's fields follow in their order."""
    found = row(Message(b'{"b": 1, "a": [true, null]}', b"user_1", ("t", 2, 7)))  # type: ignore[arg-type]
    expected = {
        "topic": "t",
        "partition": 2,
        "offset": 7,
        "key": "user_1",
        "b": 1,
        "a": [True, None],
    }
    assert list(expected.items()) == list(found.items())


def test_tombstone_and_null_key_are_none() -> None:
    """A null value stands under `value` as None, a null key is None."""
    assert {"value": None} == _row(None)
    assert row(Message(b"{}", None))["key"] is None  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b"", ""),
        (b"hello", "hello"),
        (b"[1, 2]", "[1, 2]"),
        (b"null", "null"),
        (b'{"a": NaN}', '{"a": NaN}'),
        (b'{"a": 1e400}', '{"a": 1e400}'),
        (b'{"a": "\xff"}', '{"a": "\\xff"}'),
        (b'{"a": "\\ud800"}', '{"a": "\\ud800"}'),
        (b"\xff\xfe", "\\xff\\xfe"),
        (b'{"a": ' + b"9" * 5000 + b"}", '{"a": ' + "9" * 5000 + "}"),
    ],
)
def test_what_is_no_json_object_stays_text(value: bytes, text: str) -> None:
    """Text, lists, numbers and broken JSON stand under `value`, byte for byte readable."""
    assert {"value": text} == _row(value)


def test_fields_cannot_overwrite_the_record_columns() -> None:
    """An event's own topic, partition, offset and key go under `value.<name>`."""
    fields = {"topic": "x", "partition": 9, "offset": -1, "key": None, "value": 5}
    expected = {"value.topic": "x", "value.partition": 9, "value.offset": -1, "value.key": None}
    assert expected | {"value": 5} == _row(json.dumps(fields).encode())


@pytest.mark.parametrize(
    "deep", [b'{"a":' + b"[" * 32 + b"]" * 32 + b"}", b'{"a":' * 40 + b"1" + b"}" * 40]
)
def test_deep_objects_stay_text(deep: bytes) -> None:
    """What is nested beyond 32 stays text: showing it could exhaust the stack."""
    assert {"value": deep.decode()} == _row(deep)


def test_many_brackets_are_not_deep() -> None:
    """Forty flat lists, or lists nested 31 deep, are fields as any others."""
    assert {"a": [[]] * 40} == _row(json.dumps({"a": [[]] * 40}).encode())
    assert ["a"] == list(_row(b'{"a":' + b"[" * 31 + b"]" * 31 + b"}"))


def test_too_many_fields_stay_text() -> None:
    """A record of 65 fields does not make 65 columns."""
    value = json.dumps({f"f{n}": n for n in range(65)}).encode()
    assert {"value": value.decode()} == _row(value)
    assert 64 == len(_row(json.dumps({f"f{n}": n for n in range(64)}).encode()))


@settings(deadline=None)
@given(st.none() | st.binary(), st.none() | st.binary())
def test_row_never_raises(value: bytes | None, key: bytes | None) -> None:
    """No bytes make row or to_frame raise, nor the frame's own display."""
    repr(_frame(Message(value, key)))


def test_all_hostile_cases_make_one_frame() -> None:
    """Every hostile case of the validation table finds its place in one DataFrame."""
    records = [record for _, _, record in [*HOSTILE, *ACCEPTED]]
    frame = _frame(*(Message(each.value, each.key, ("t", 0, n)) for n, each in enumerate(records)))
    assert len(records) == len(frame)
    assert list(range(len(records))) == frame["offset"].tolist()
    assert list(RECORD_COLUMNS) == frame.columns[:4].tolist()
    repr(frame)
    frame.to_html()


def test_to_frame_sorts_by_topic_partition_offset() -> None:
    """Rows are ordered by topic, partition and offset, numbers as numbers."""
    places = [("b", 0, 0), ("a", 10, 1), ("a", 2, 10), ("a", 2, 9)]
    frame = _frame(*(Message(b"{}", at=place) for place in places))
    expected = [["a", 2, 9], ["a", 2, 10], ["a", 10, 1], ["b", 0, 0]]
    assert expected == frame[["topic", "partition", "offset"]].to_numpy().tolist()
    assert [0, 1, 2, 3] == frame.index.tolist()


def test_no_records_are_an_empty_frame() -> None:
    """Without records there is a frame without rows that still has the record columns."""
    assert list(RECORD_COLUMNS) == to_frame([]).columns.tolist()
    assert to_frame([]).empty


@pytest.mark.broker
def test_what_is_sent_is_read(kafka: dict[str, Any], topic: str) -> None:
    """Sent events come back with their keys, and one key stays in one partition, in order."""
    events = [{"userId": f"user_{n % 5}", "n": n} for n in range(100)]
    assert 100 == send(kafka, topic, events)
    frame = read(kafka, topic)
    assert sorted(range(100)) == sorted(frame["n"])
    assert frame["userId"].tolist() == frame["key"].tolist()
    assert {1} == set(frame.groupby("key")["partition"].nunique())
    assert list(range(1, 100, 5)) == frame[frame["key"] == "user_1"]["n"].tolist()


@pytest.mark.broker
def test_a_frame_can_be_sent_again(kafka: dict[str, Any], topic: str) -> None:
    """What was read is sent again as the same events: empty cells are absent, counts whole."""
    cart = {"eventType": "cart_action", "timestamp": "2025-11-21T10:30:45Z", "userId": "user_1",
            "gameId": "game_001", "action": "added", "currentCartValue": 60.0,
            "itemsInCart": 1}  # fmt: skip
    assert 2 == send(kafka, topic, [cart, VIEW])
    assert 2 == send(kafka, topic, read(kafka, topic))
    frame = read(kafka, topic)
    assert 4 == len(frame)
    assert ["user_1"] * 4 == frame["key"].tolist()
    again = read_values(kafka, topic)[2:]
    assert [cart, VIEW] == [json.loads(value) for value in again]
    for value in again:
        assert decode(value, key=b"user_1", topic=None, arrived_ms=2**50).notes == ()
        assert decode(value, key=b"user_1", topic=None, arrived_ms=2**50).code is None


def read_values(kafka: dict[str, Any], topic: str) -> list[bytes]:
    """Read the raw values of one user's records with a stock consumer."""
    with Consumer(kafka | {"group.id": "values", "enable.auto.commit": False}) as consumer:
        consumer.assign([TopicPartition(topic, p, 0) for p in range(3)])
        return [message.value() for message in consumer.consume(4, 20)]  # type: ignore[misc]


@pytest.mark.broker
def test_send_keys(kafka: dict[str, Any], topic: str) -> None:
    """The key is the named field, as text; a missing field or no name gives a null key."""
    send(kafka, topic, [{"game": 7}], key="game")
    send(kafka, topic, [{"game": 8}])
    send(kafka, topic, [{"userId": "user_1", "game": 9}], key=None)
    keys = read(kafka, topic).set_index("game")["key"]
    assert "7" == keys[7]
    assert pd.isna(keys[8]) and pd.isna(keys[9])


@pytest.mark.broker
def test_read_stops_at_the_end_it_found(kafka: dict[str, Any], topic: str) -> None:
    """Records that come while reading are not waited for: the end is that of the start."""
    send(kafka, topic, [{"n": n} for n in range(2000)])
    stop = threading.Event()

    def go_on() -> None:
        with Producer(kafka) as producer:
            while not stop.is_set():
                with suppress(BufferError):  # where the client cannot send as fast, it waits
                    producer.produce(topic, b'{"n": -1}')
                producer.poll(0.0005)

    writer = threading.Thread(target=go_on)
    writer.start()
    try:
        frame = read(kafka, topic, timeout=20)
    finally:
        stop.set()
        writer.join(10)
    assert 2000 == (frame["n"] >= 0).sum()
    assert len(frame) < len(read(kafka, topic))


@pytest.mark.broker
def test_read_until_takes_exactly_so_many(kafka: dict[str, Any], topic: str) -> None:
    """`until` bounds the rows, and waits for records that are not there yet."""
    send(kafka, topic, [{"n": n} for n in range(10)])
    assert 4 == len(read(kafka, topic, until=4))
    assert 0 == len(read(kafka, topic, until=0))
    later = threading.Timer(0.3, send, (kafka, topic, [{"n": n} for n in range(10, 15)]))
    later.start()
    frame = read(kafka, topic, until=15)
    later.join(10)
    assert list(range(15)) == sorted(frame["n"])


@pytest.mark.broker
def test_read_passes_over_what_transactions_leave(kafka: dict[str, Any], topic: str) -> None:
    """Control records and aborted ones are never rows, and do not keep the end away."""
    with Producer(kafka | {"transactional.id": f"{topic}-tx"}) as producer:
        producer.init_transactions(20)
        for n, ending in enumerate((producer.commit_transaction, producer.abort_transaction)):
            producer.begin_transaction()
            producer.produce(topic, json.dumps({"n": n}), partition=0)
            producer.flush(10)
            ending(20)
    assert [0] == read(kafka, topic, timeout=20)["n"].tolist()


@pytest.mark.broker
def test_read_of_nothing_is_empty(kafka: dict[str, Any], topic: str) -> None:
    """An empty topic is an empty frame at once, and no topics are none."""
    assert read(kafka, topic).empty
    assert read(kafka, []).empty


@pytest.mark.broker
def test_deadline_says_expected_seen_and_next(kafka: dict[str, Any], topic: str) -> None:
    """Too few records in time: the error says how many were expected and seen, and what to run."""
    send(kafka, topic, [{"n": 1}, {"n": 2}])
    with pytest.raises(DeadlineError) as caught:
        read(kafka, topic, until=3, timeout=1)
    assert f"Expected 3 records of {topic}, and saw 2 before the deadline." == caught.value.sentence
    assert f"Run `steamlab watch {topic}` to see what arrives." == caught.value.repair


@pytest.mark.broker
def test_unknown_topic_is_named(kafka: dict[str, Any]) -> None:
    """Reading a topic that does not exist raises TopicError with its name."""
    with pytest.raises(TopicError, match="no-such-topic"):
        read(kafka, "no-such-topic", timeout=10)


@pytest.mark.broker
def test_send_counts_what_failed(kafka: dict[str, Any], topic: str) -> None:
    """An event too large for Kafka fails the call, which says how many and why."""
    events = [{"n": 1}, {"n": "x" * 3_000_000}, {"n": 3}]
    with pytest.raises(BrokerError, match=r"1 of 3 events .* Message size too large"):
        send(kafka, topic, events)
    assert 2 == len(read(kafka, topic))


def test_send_without_kafka_ends_in_time() -> None:
    """Where no Kafka answers, nothing counts as sent, and the call ends."""
    with pytest.raises(BrokerError, match="1 of 1 events were not acknowledged"):
        send(client_config("127.0.0.1:1"), "t", [{"n": 1}], timeout=0.5)


def test_read_without_kafka_says_so() -> None:
    """Where no Kafka answers, reading raises BrokerError in time."""
    with pytest.raises(BrokerError, match="does not answer"):
        read(client_config("127.0.0.1:1"), "t", timeout=0.5)


def test_send_refuses_what_json_cannot_say() -> None:
    """NaN is not JSON: it is an error, never sent as text that no parser takes."""
    with pytest.raises(ValueError, match="JSON"):
        send(client_config("127.0.0.1:1"), "t", [{"n": float("nan")}], timeout=0.5)


def test_the_end_of_a_partition_has_librdkafkas_code() -> None:
    """The private name that read relies on is still the client's end of a partition."""
    assert -191 == KafkaError._PARTITION_EOF  # noqa: SLF001 - the fact under test
