"""Idle topics, late events and bad ones, on Kafka: what becomes final, and what is counted."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections.abc import Callable, Mapping
from typing import Any
from unittest import mock

import pytest
from confluent_kafka import Consumer, Message, TopicPartition

from steamlab import topics
from steamlab.metrics import read_lines
from steamlab.pipeline.counts import read_counts
from steamlab.pipeline.first import First
from steamlab.pipeline.places import PARTITIONS, Places
from steamlab.pipeline.supervisor import Supervisor
from steamlab.pipeline.task import Task
from steamlab.settings import data_path
from tests.pipelines import GRACE_MS, Sent, log, published, send, until
from tests.processing import message, oracle_of
from tests.stream import Event, buy, look

DIRTY = data_path("golden/dirty.jsonl").read_text().splitlines()
OUTCOME: dict[str, str] = json.loads(data_path("golden/expected.json").read_text())["dirty"][
    "outcome"
]
MINUTE = "revenue_per_minute|2025-11-21T10:04:00Z|"


def sent(*events: Event) -> list[Sent]:
    """Make events ready to be sent."""
    return [Sent(each.topic, each.key, each.value) for each in map(message, events)]


@pytest.mark.broker
def test_what_is_idle_lets_records_become_final(kafka: dict[str, Any]) -> None:
    """A minute of sales is final when the purchases fall silent; what still comes is counted.

    Four of the topics and five of the partitions have no event at all.
    """
    places = Places("92a.")
    with Supervisor(kafka, prefix=places.prefix, idle_s=2.0) as processor:
        send(kafka, places, sent(look("09:00:00")))
        processor.wait_for(events=1, timeout=40)  # both stages are there, to see what comes first
        send(kafka, places, sent(buy("10:04:00"), look("10:30:00")))
        until(lambda: published(kafka, places).get(MINUTE, {}).get("final"), "a final minute")
        send(kafka, places, sent(buy("10:04:30", order="late"), buy("10:30:00", order="in time")))
        processor.wait_for(events=5, timeout=40)
    found = [json.loads(each.value()) for each in log(kafka, places.metrics)
             if each.key() == MINUTE.encode()]  # fmt: skip
    assert [False, True] == [each["final"] for each in found]
    assert ["10.00", "10.00"] == [each["value"] for each in found]
    assert (5, 1) == tuple(
        read_counts(kafka, places)[name] for name in ("accepted", "late orders_minute")
    )


class Unread(First):
    """A first stage that does not come to read the purchases before it is told to."""

    def _assigned(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        super()._assigned(consumer, partitions)
        consumer.pause(self.purchases)

    @property
    def purchases(self) -> list[TopicPartition]:
        """The partitions of the purchases."""
        return [TopicPartition(self._places.inputs[3], number) for number in range(PARTITIONS)]

    def resume(self) -> None:
        """Read them."""
        self._consumer.resume(self.purchases)


def _silence_alone(task: Task) -> set[str]:
    """Take for idle what was not heard of, whether or not it was read to its end."""
    return {topic for topic, silent_s in task._silent_s.items() if silent_s >= task._idle_s}  # noqa: SLF001


@pytest.mark.broker
@pytest.mark.parametrize("is_ours", [True, False])
def test_what_is_not_read_to_its_end_holds(kafka: dict[str, Any], is_ours: bool) -> None:
    """A purchase that waits to be read is in time, however long it waits.

    It is late by a rule that looks at silence alone.
    """
    places = Places("92b." if is_ours else "92c.")
    topics.create(kafka, places.specs())
    send(kafka, places, sent(look("10:00:00"), look("10:30:00"), buy("10:04:00")))
    first = Unread(kafka, places, f"{places.prefix}unread", idle_s=0.5)
    stops: list[Callable[[], bool]] = [
        lambda: sum(task.counts["accepted"] for task in first.tasks.values()) >= 2,
        lambda: any(len(task._told_idle) >= 4 for task in first.tasks.values()),  # noqa: SLF001
        lambda: sum(task.counts["accepted"] for task in first.tasks.values()) >= 3,
    ]
    rule = Task._idle if is_ours else _silence_alone  # noqa: SLF001
    try:
        with mock.patch.object(Task, "_idle", rule):
            for number, stop in enumerate(stops):
                ends_s = time.monotonic() + 30
                if number == 2:
                    first.resume()
                first.run(lambda: stop() or time.monotonic() > ends_s)  # noqa: B023
                assert stop(), f"step {number} was not reached"
    finally:
        first.close()
    assert (0 if is_ours else 1) == read_counts(kafka, places)["late orders_minute"]


def dirty() -> list[Sent]:
    """Read the dirty stream, as its producers would have sent it."""
    found = []
    for line in map(json.loads, DIRTY):
        value = None if line["raw"] is None else line["raw"].encode()
        headers = [("ce_arrived", line["arrivedAt"].encode()), ("n", line["n"].encode())]
        found.append(Sent(line["topic"], line["key"].encode(), value, headers))
    return found


def _header(message: Message, name: str) -> str:
    return dict(message.headers() or [])[name].decode()  # type: ignore[union-attr]


@pytest.mark.broker
def test_each_bad_event_is_a_dead_letter_once(kafka: dict[str, Any]) -> None:
    """Fifteen of the golden stream, and one as large as Kafka takes, through two kills.

    The first kill comes when the dead letters are written and not committed, the second when they
    are. The rest of the stream is what the oracle says.
    """
    places, events = Places("92d."), dirty()
    large = random.Random(7).randbytes(1_048_400)  # noqa: S311 - noise: it does not become smaller
    events.append(Sent("store.searches", b"user_1", large, [("n", b"large")]))
    environment = dict(os.environ) | {"STEAMLAB_CRASH": "first:offsets:1"}
    topics.create(kafka, places.specs())
    send(kafka, places, events)
    config: dict[str, Any] = {"prefix": places.prefix, "grace_ms": GRACE_MS}
    with Supervisor(kafka, environment=environment, **config) as processor:
        until(lambda: processor.processes["first"].poll() is not None, "a crash")
        environment.pop("STEAMLAB_CRASH")
        processor.wait_for(events=len(events), timeout=60)
        os.kill(processor.processes["first"].pid, signal.SIGKILL)
        processor.processes["first"].wait(10)
        again = events[5:8]  # a duplicate, a conflict, a search: none is new
        send(kafka, places, again)
        processor.wait_for(events=len(events) + len(again), timeout=60)
    letters = log(kafka, places.dead_letters)
    refused = {n: code.removeprefix("dlq:") for n, code in OUTCOME.items() if "dlq:" in code}
    refused["large"] = "bad_encoding"
    assert sorted([*refused.items(), ("d02", "order_id_conflict")]) == sorted(
        (_header(each, "n"), _header(each, "dlq.reason")) for each in letters
    )
    _check_coordinates(kafka, places, letters)
    assert len(log(kafka, places.dead_letters, isolation="read_uncommitted")) > len(letters)
    found = read_counts(kafka, places)
    assert (22, 3, 1) == tuple(found[name] for name in ("accepted", "duplicates", "tombstones"))
    assert 17 == sum(number for name, number in found.items() if name.startswith("refused "))
    expected = oracle_of(read_lines([line.encode() for line in DIRTY]).accepted)
    plain = {
        name: {field: value for field, value in record.items() if field != "final"}
        for name, record in published(kafka, places).items()
    }
    assert json.loads(json.dumps(expected)) == plain


def _check_coordinates(kafka: Mapping[str, Any], places: Places, letters: list[Message]) -> None:
    """Find each dead letter's original where its headers say that it stands, byte by byte."""
    originals = {
        (each.topic(), each.partition(), each.offset()): each
        for topic in places.inputs
        for each in log(kafka, topic)
    }
    for letter in letters:
        topic, partition, offset = (
            _header(letter, f"dlq.original.{name}") for name in ("topic", "partition", "offset")
        )
        original = originals[topic, int(partition), int(offset)]
        assert (original.key(), original.value()) == (letter.key(), letter.value())
        assert original.headers() == (letter.headers() or [])[: len(original.headers() or [])]
