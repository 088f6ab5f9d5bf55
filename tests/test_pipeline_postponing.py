"""The second stage has committed what it read only when all that follows from it is published."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import pytest
from confluent_kafka import Producer

from steamlab import groups, topics
from steamlab.pipeline import second as stage
from steamlab.pipeline.partials import partials
from steamlab.pipeline.places import Places
from steamlab.pipeline.second import Second
from steamlab.processor.first_stage import FirstStage, Message
from tests.pipelines import GRACE_MS, Sent, of_all, planned, wrong

pytestmark = pytest.mark.broker

_PLACES = Places("86.")
_FIRST, _ALL = 100, 8_000


class Watch:
    """Sends the first stage's output in two parts, and looks at each batch of the second's.

    `reads` says, when at most one record of a chapter is left, how many are, and whether records
    differ from the oracle's. It ends when none is left.
    """

    def __init__(self, kafka: dict[str, Any], events: Sequence[Sent]) -> None:
        self._kafka, self._first = kafka, FirstStage(grace_ms=GRACE_MS)
        self._parts = [events[:_FIRST], events[_FIRST:]]
        self._expected = of_all(events)
        self._deadline_s = time.monotonic() + 60
        self._known: list[int] = []
        self.reads: list[tuple[int, bool]] = []

    def send(self) -> None:
        """Send the output of the next events; it comes in one piece, as that of a transaction."""
        part = self._parts.pop(0)
        messages = [Message(each.topic, each.key, each.value, each.headers) for each in part]
        output = self._first.process(messages)
        with Producer(self._kafka | {"linger.ms": 50}) as producer:
            for chapter, key, value in partials(0, output, is_idle=False):
                producer.produce(_PLACES.partials, value, key, chapter)
            assert 0 == producer.flush(30)

    def look(self) -> bool:
        """Look before each batch, and say whether it was the last one."""
        assert time.monotonic() < self._deadline_s, self.reads
        table = groups.lag(self._kafka, _PLACES.group("second"), _PLACES.partials)
        if table["committed"].isna().any() or table["committed"].tolist() == self._known:
            return False
        self._known = table["committed"].tolist()
        if self._parts:
            self.send()
            return False
        left = int(table["lag"].max())
        if left <= 1:
            self.reads.append((left, bool(wrong(self._kafka, _PLACES, self._expected))))
        return left == 0


def test_what_is_postponed_is_not_committed(
    kafka: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Behind, it is one record short of what it read; when it is not, nothing is missing."""
    monkeypatch.setattr(stage, "_MANY", -1)  # it always is behind
    monkeypatch.setattr(stage, "_POSTPONED_S", 5.0)
    topics.create(kafka, _PLACES.specs())
    watch = Watch(kafka, planned(_ALL))
    watch.send()
    second = Second(kafka, _PLACES, "86.second", grace_ms=GRACE_MS)
    try:
        second.run(watch.look)
    finally:
        second.close()
        topics.delete(kafka, [spec.name for spec in _PLACES.specs()])
    assert (1, True) in watch.reads
    assert (0, False) == watch.reads[-1]
