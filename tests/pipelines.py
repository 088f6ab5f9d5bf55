"""The processor on Kafka, for its tests: what to send, what must come out, who has what.

As a program it is a supervisor in a process of its own: `python -m tests.pipelines 91a. 400`.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import psutil
from confluent_kafka import Consumer, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from steamlab import topics
from steamlab.client import client_config
from steamlab.events import decode
from steamlab.metrics import Record
from steamlab.pipeline.places import Places
from steamlab.pipeline.supervisor import Supervisor
from steamlab.processor.families import DAY
from steamlab.simulator.planner import Plan
from steamlab.topics import STORE_TOPICS
from tests.processing import message as record_of
from tests.processing import oracle_of
from tests.stream import add, buy, look, search, wish

__all__ = [
    "GRACE_MS", "Sent", "another", "is_frozen", "log", "newest", "of_all", "places_of", "planned",
    "published", "send", "shares", "shoppers", "until", "wrong",
]  # fmt: skip

ROOT = Path(__file__).resolve().parent.parent
_VISIT: list[tuple[Any, dict[str, str]]] = [
    (search, {}), (look, {"source": "search"}), (wish, {}), (add, {}), (buy, {}),
]  # fmt: skip

GRACE_MS = 3 * DAY  # covers the planner's largest delay


class Sent(NamedTuple):
    """An event as it is sent: `topic` is the store's own, without a prefix."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Any = None


def planned(count: int) -> list[Sent]:
    """Return the simulator's first events, in the order of their arrival."""
    chunk = next(iter(Plan(scale=0.02, days=1.0).chunks()))
    return [Sent(STORE_TOPICS[kind].name, *rest) for kind, *rest in chunk.encode(0, count, None)]


def shoppers(count: int) -> list[Sent]:
    """Return the events of users each of whom has one of each kind, in the order of a visit.

    Whoever does not see all five topics of a user's gets a ratio wrong.
    """
    events = [
        make("10:00:00", f"u{number}", **more) for number in range(count) for make, more in _VISIT
    ]
    return [Sent(each.topic, each.key, each.value) for each in map(record_of, events)]


def send(kafka: Mapping[str, Any], places: Places, events: Sequence[Sent]) -> None:
    """Append events to the topics, each user's to one partition number."""
    config = {"partitioner": "murmur2_random", "linger.ms": 5, "message.max.bytes": 2_000_000}
    with Producer(dict(kafka) | config) as producer:
        for topic, key, value, headers in events:
            producer.produce(places.prefix + topic, value, key, headers=headers)
        assert 0 == producer.flush(30)


def of_all(events: Sequence[Sent]) -> dict[str, Record]:
    """Compute the records of events, each once, by their keys; a hostile one is left out."""
    accepted = {}
    for number, (topic, key, value, headers) in enumerate(events):
        found = decode(value, key=key, topic=topic, headers=headers, arrived_ms=2**50)
        if found.event is not None:
            accepted.setdefault(found.event_id or str(number), found)
    found: dict[str, Record] = json.loads(json.dumps(oracle_of(list(accepted.values()))))
    return found


def log(
    kafka: Mapping[str, Any], topic: str, *, isolation: str = "read_committed"
) -> list[Message]:
    """Return a topic's records as far as such a reader sees them now; it waits for nobody."""
    ends = topics.offsets(kafka, topic).set_index("partition")["end"]
    config = dict(kafka) | {"group.id": "log", "enable.auto.commit": False}
    config |= {"isolation.level": isolation, "enable.partition.eof": True}
    found, left = [], set(ends.index[ends > 0])
    with Consumer(config) as consumer:
        consumer.assign([TopicPartition(topic, number, 0) for number in left])
        ends_s = time.monotonic() + 30
        while left:
            assert time.monotonic() < ends_s, f"expected the ends of {topic}: {left}"
            for message in consumer.consume(1000, 0.1):
                if message.error() is None:
                    found.append(message)
                else:
                    left.discard(message.partition())
    return found


def places_of(messages: Sequence[Message]) -> set[tuple[int | None, int | None]]:
    """Return where records stand: partitions and offsets."""
    return {(message.partition(), message.offset()) for message in messages}


def newest(messages: Sequence[Message]) -> dict[str, Any]:
    """Return the newest value of each key, as compaction would leave it."""
    found: dict[str, Any] = {}
    for message in messages:
        name = bytes(message.key() or b"").decode()
        found.pop(name, None)
        if message.value() is not None:
            found[name] = json.loads(message.value())
    return found


def published(kafka: Mapping[str, Any], places: Places) -> dict[str, Record]:
    """Return the records of the metrics as a reader of committed ones sees them."""
    return newest(log(kafka, places.metrics))


def wrong(kafka: Mapping[str, Any], places: Places, expected: Mapping[str, Record]) -> list[str]:
    """Return the keys of records that are not as the oracle has them; `final` is left out."""
    found = {
        name: {field: value for field, value in record.items() if field != "final"}
        for name, record in published(kafka, places).items()
    }
    return sorted(
        name for name in found.keys() | expected.keys() if found.get(name) != expected.get(name)
    )


def shares(kafka: Mapping[str, Any], places: Places, stage: str) -> list[dict[str, set[int]]]:
    """Ask the broker what each member of a stage's group has: partition numbers by topic."""
    group = places.group(stage)
    with AdminClient(dict(kafka)) as admin:
        try:
            futures = admin.describe_consumer_groups([group], request_timeout=5)
            described = futures[group].result(10)
        except KafkaException:  # it is not there yet, or nobody knows yet who coordinates it
            return []
    found = []
    for member in described.members:
        has: dict[str, set[int]] = {}
        for each in member.assignment.topic_partitions if member.assignment else []:
            has.setdefault(each.topic, set()).add(each.partition)
        found.append(has)
    return found


def until(holds: Callable[[], Any], what: str, timeout: float = 40) -> Any:
    """Wait until something holds, and return it."""
    ends_s = time.monotonic() + timeout
    while not (found := holds()):
        assert time.monotonic() < ends_s, f"expected {what} within {timeout} s"
        time.sleep(0.05)
    return found


def is_frozen(pid: int) -> bool:
    """Whether a process is stopped."""
    return psutil.Process(pid).status() == psutil.STATUS_STOPPED


@contextmanager
def another(kafka: Mapping[str, Any], prefix: str) -> Iterator[psutil.Process]:
    """Run a supervisor in a process of its own; afterwards neither it nor a worker is left."""
    bootstrap = str(kafka["bootstrap.servers"])
    command = [sys.executable, "-m", "tests.pipelines", bootstrap, prefix, str(GRACE_MS)]
    with subprocess.Popen(command, cwd=ROOT) as process:
        tree = psutil.Process(process.pid)
        try:
            yield tree
        finally:
            if process.poll() is None:
                for each in [tree, *tree.children()]:
                    os.kill(each.pid, signal.SIGKILL)


def main(bootstrap: str, prefix: str, grace_ms: str) -> None:
    """Supervise for ever."""
    with Supervisor(client_config(bootstrap), prefix=prefix, grace_ms=int(grace_ms)) as supervisor:
        supervisor.wait_for()


if __name__ == "__main__":
    main(*sys.argv[1:])
