"""Records to DataFrame and back: bounded by count and deadline, hostile bytes included."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
import pandas as pd
from confluent_kafka import (
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)

from steamlab.errors import BrokerError, DeadlineError
from steamlab.topics import offsets

__all__ = ["RECORD_COLUMNS", "read", "row", "send", "to_frame"]

RECORD_COLUMNS = ("topic", "partition", "offset", "key")
_MAX_DEPTH = 32
_MAX_FIELDS = 64
_COUNTS = ("currentWishlistSize", "itemsInCart", "resultsCount")

_END_OF_FILE = KafkaError._PARTITION_EOF  # noqa: SLF001 - the client's own name for it

_parse = msgspec.json.Decoder().decode
_Place = tuple[str, int]


def row(message: Message) -> dict[str, Any]:
    """Return a record as one flat dict: topic, partition, offset, key, then the event's fields.

    A value that is no JSON object stands under `value` as text, a tombstone as None. An event
    field named like a record column goes under `value.<name>`.
    """
    record: dict[str, Any] = {
        "topic": message.topic(),
        "partition": message.partition(),
        "offset": message.offset(),
        "key": _text(message.key()),
    }
    fields = _fields(message.value())
    for name in RECORD_COLUMNS:
        if name in fields:
            fields[f"value.{name}"] = fields.pop(name)
    return record | fields


def to_frame(messages: Iterable[Message]) -> pd.DataFrame:
    """Return the records as a DataFrame, sorted by topic, partition and offset."""
    rows = [row(message) for message in messages]
    names = dict.fromkeys((*RECORD_COLUMNS, *(name for each in rows for name in each)))
    frame = pd.DataFrame(rows, columns=list(names))
    return frame.sort_values(["topic", "partition", "offset"], ignore_index=True)


def read(
    kafka: Mapping[str, Any],
    topics: str | Sequence[str],
    *,
    until: int | None = None,
    timeout: float = 30,
) -> pd.DataFrame:
    """Read topics from their beginning into a DataFrame, one row a record (see `row`).

    Stops after `until` records; without it, at the ends that the topics had at the start.
    Raises `DeadlineError` if that takes too long, `TopicError` for an unknown topic.
    """
    deadline = time.monotonic() + timeout
    names = [topics] if isinstance(topics, str) else list(topics)
    spans = {
        (name, int(partition)): (int(begin), int(end))
        for name in names
        for partition, begin, end in offsets(kafka, name, timeout=timeout).itertuples(index=False)
        if until is not None or end > begin
    }
    return to_frame(_collect(kafka, spans, until, deadline) if spans else [])


def send(
    kafka: Mapping[str, Any],
    topic: str,
    events: Iterable[Mapping[str, Any]] | pd.DataFrame,
    *,
    key: str | None = "userId",
    timeout: float = 30,
) -> int:
    """Send events as JSON, keyed by one of their fields; return how many Kafka acknowledged.

    A DataFrame's record columns and empty cells are left out. Raises `BrokerError` if an event
    was not acknowledged in time, ValueError for what JSON cannot say.
    """
    rows = _records(events) if isinstance(events, pd.DataFrame) else iter(events)
    deadline = time.monotonic() + timeout
    config = {"linger.ms": 5, "message.timeout.ms": max(1, int(timeout * 1000))}
    acked, errors = 0, list[KafkaError]()

    def report(error: KafkaError | None, _message: Message) -> None:
        nonlocal acked
        if error is None:
            acked += 1
        else:
            errors.append(error)

    with Producer(dict(kafka) | config) as producer:
        for event in rows:
            name = None if key is None else event.get(key)
            value = json.dumps(event, allow_nan=False).encode()
            _produce(producer, topic, None if name is None else str(name), value, report, deadline)
        producer.flush(timeout + 5)
    if errors:
        raise BrokerError(
            f"{len(errors)} of {acked + len(errors)} events were not acknowledged: "
            f"{errors[0].str()}.",
            repair="Run `steamlab status` to see whether Kafka is well.",
        )
    return acked


def _produce(
    producer: Producer, topic: str, key: str | None, value: bytes, report: Any, deadline: float
) -> None:
    while True:
        try:
            producer.produce(topic, value, key, on_delivery=report)
            producer.poll(0)
            return
        except BufferError:
            if time.monotonic() > deadline:
                report(KafkaError(KafkaError._QUEUE_FULL), None)  # noqa: SLF001 - librdkafka's name
                return
            producer.poll(0.1)
        except KafkaException as error:
            report(error.args[0], None)
            return


def _collect(
    kafka: Mapping[str, Any],
    spans: Mapping[_Place, tuple[int, int]],
    until: int | None,
    deadline: float,
) -> list[Message]:
    found: list[Message] = []
    unread = set(spans)
    config = {
        "group.id": f"steamlab-read-{uuid.uuid4().hex[:8]}",  # never joined, never committed
        "enable.auto.commit": False,
        "auto.offset.reset": "earliest",
        "enable.partition.eof": True,
        "fetch.wait.max.ms": 50,
    }
    with Consumer(dict(kafka) | config) as consumer:
        # An offset that is known starts at once; looking up OFFSET_BEGINNING takes half a second.
        consumer.assign([TopicPartition(*place, begin) for place, (begin, _) in spans.items()])
        while len(found) < until if until is not None else unread:
            if time.monotonic() > deadline:
                raise _too_late(spans, until, len(found))
            for message in consumer.consume(_room(until, found), 0.1):
                place = (str(message.topic()), int(message.partition() or 0))
                error, offset, end = message.error(), int(message.offset() or 0), spans[place][1]
                if error is None and (until is not None or offset < end):
                    found.append(message)
                # Control records of transactions are never shown: the end of file tells of them.
                if offset + 1 >= end if error is None else error.code() == _END_OF_FILE:
                    unread.discard(place)
    return found


def _room(until: int | None, found: list[Message]) -> int:
    return 1000 if until is None else min(1000, until - len(found))


def _too_late(places: Iterable[_Place], until: int | None, seen: int) -> DeadlineError:
    names = " ".join(sorted({name for name, _ in places}))
    expected = "all records" if until is None else f"{until} records"
    return DeadlineError(
        f"Expected {expected} of {names}, and saw {seen} before the deadline.",
        repair=f"Run `steamlab watch {names}` to see what arrives.",
    )


def _records(frame: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """A DataFrame's empty cells are fields that an event does not have."""
    fields = frame.drop(columns=list(RECORD_COLUMNS), errors="ignore")
    for values in fields.itertuples(index=False, name=None):
        event = dict(zip(map(str, fields.columns), map(_plain, values), strict=True))
        for name in _COUNTS:  # pandas makes whole numbers floats beside an empty cell
            if isinstance(count := event.get(name), float) and count.is_integer():
                event[name] = int(count)
        yield {name: value for name, value in event.items() if value is not None}


def _plain(value: Any) -> Any:
    if isinstance(value, (list, dict, str)):
        return value
    if pd.isna(value):
        return None
    return value.item() if hasattr(value, "item") else value


def _text(data: bytes | str | None) -> str | None:
    return data.decode("utf-8", "backslashreplace") if isinstance(data, bytes) else data


def _fields(value: bytes | str | None) -> dict[str, Any]:
    if value is None:
        return {"value": None}
    data = value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value
    try:
        parsed = _parse(data)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        parsed = None
    if isinstance(parsed, dict) and len(parsed) <= _MAX_FIELDS:
        if data.count(b"{") + data.count(b"[") <= _MAX_DEPTH or not _is_deep(parsed):
            return parsed
    return {"value": _text(data)}


def _is_deep(parsed: object) -> bool:
    """Deeper values cannot be shown: their repr() alone exhausts the stack."""
    level: list[Any] = [parsed]
    for _ in range(_MAX_DEPTH):
        level = [
            child
            for each in level
            for child in (each.values() if isinstance(each, dict) else each)
            if isinstance(child, (dict, list))
        ]
        if not level:
            return False
    return True
