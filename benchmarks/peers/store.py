"""The events that all engines read: planned once, sent once, added up once by a plain loop."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from peers.minutes import CLOSING, Minutes, added_up
from steamlab import topics
from steamlab.simulator import Faults, Plan

__all__ = ["EMPTY", "EVENTS", "PARTITIONS", "SHORT", "STORE", "Store", "clean", "fill", "values"]

PARTITIONS = 6
STORE = tuple(spec.name for spec in topics.STORE_TOPICS)
EVENTS, SHORT, EMPTY = "peers.events", "peers.short", "peers.empty"
_OURS = {*STORE, EVENTS, SHORT, EMPTY}
_PRODUCER = {"acks": "all", "enable.idempotence": True, "compression.type": "zstd", "linger.ms": 20}

Record = tuple[int, bytes, bytes, list[tuple[str, bytes]]]


@dataclass(frozen=True)
class Store:
    """What was sent, and what a plain loop says of it.

    `counts`: the records of each topic, closing ones too. `expected`: the minutes of the one
    topic with all events, and of the short one; `orders`: of the purchases alone.
    """

    counts: Mapping[str, int]
    expected: Mapping[str, Minutes]
    orders: Minutes
    bytes_an_event: float
    days: float


def fill(kafka: Mapping[str, Any], count: int, short: int, scale: float) -> Store:
    """Send the events into the five topics, all of them into one more, the first into a short one.

    No event is late or repeated, so that no engine pays for waiting; each partition of the
    peers' topics ends with a closing event, which lets them close their last windows.
    """
    for name in sorted(_OURS):
        topics.recreate(kafka, topics.TopicSpec(name, PARTITIONS, {"retention.ms": "-1"}))
    records = list(itertools.islice(_planned(scale), count))
    streams = {EVENTS: records, SHORT: records[:short], EMPTY: []}
    counts = dict.fromkeys(STORE, 0)
    with Producer(dict(kafka) | _PRODUCER) as producer:
        for record in records:
            _send(producer, STORE[record[0]], record)
            counts[STORE[record[0]]] += 1
        for name, sent in streams.items():
            counts[name] = len(sent) + PARTITIONS
            for record in sent:
                _send(producer, name, record)
            _close(producer, name)
    last = json.loads(records[-1][2])["timestamp"]
    return Store(
        counts,
        {name: added_up(value for _, _, value, _ in sent) for name, sent in streams.items()},
        added_up(value for kind, _, value, _ in records if STORE[kind] == "store.purchases"),
        sum(len(value) for _, _, value, _ in records) / len(records),
        _days(json.loads(records[0][2])["timestamp"], last),
    )


def values(kafka: Mapping[str, Any], topic: str) -> Iterator[bytes]:
    """Yield what is committed in a topic, from its beginning to its present end."""
    config = {"group.id": "peers", "enable.auto.commit": False, "enable.partition.eof": True}
    with Consumer(dict(kafka) | config | {"isolation.level": "read_committed"}) as consumer:
        known = consumer.list_topics(topic, timeout=10).topics[topic].partitions
        consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in known])
        deadline, open_partitions = time.monotonic() + 60, set(known)
        while open_partitions and time.monotonic() < deadline:
            for message in consumer.consume(1000, 0.2):
                error = message.error()
                if error is None:
                    yield message.value()
                else:
                    assert error.code() == KafkaError._PARTITION_EOF, error  # noqa: SLF001
                    open_partitions.discard(message.partition())
        assert not open_partitions, f"the end of {topic} did not come"


def clean(kafka: Mapping[str, Any]) -> None:
    """Delete what an engine left behind: its topics and its groups."""
    with AdminClient(dict(kafka)) as admin:
        names = admin.list_topics(timeout=10).topics.keys()
        left = [name for name in names if name not in _OURS and not name.startswith("__")]
        groups = [group.group_id for group in admin.list_consumer_groups().result(10).valid]
        if groups:
            for done in admin.delete_consumer_groups(groups).values():
                done.exception(10)  # one that still waits for a dead member goes by itself
    if left:
        topics.delete(kafka, left)


def _planned(scale: float) -> Iterator[Record]:
    for chunk in Plan(scale=scale, days=180, faults=Faults.none()).chunks():
        yield from chunk.encode(0, len(chunk), None)


def _send(producer: Producer, topic: str, record: Record) -> None:
    _, key, value, headers = record
    while True:
        try:
            return producer.produce(topic, value, key, headers=headers)
        except BufferError:
            producer.poll(0.02)


def _close(producer: Producer, topic: str) -> None:
    assert producer.flush(120) == 0, "not everything was sent"
    value = json.dumps({"eventType": "closing", "timestamp": CLOSING}).encode()
    for number in range(PARTITIONS):
        producer.produce(topic, value, b"closing", partition=number)
    assert producer.flush(60) == 0, "not everything was sent"


def _days(first: str, last: str) -> float:
    span = datetime.fromisoformat(last) - datetime.fromisoformat(first)
    return span.total_seconds() / 86_400
