"""How far the processor is, as the broker knows it: what its groups have committed."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, TypeAlias

from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # re-exported there
    AdminClient,
    OffsetSpec,
)

from steamlab.errors import BrokerError
from steamlab.pipeline.places import PARTITIONS, Places
from steamlab.processor.chapters import CHAPTERS

__all__ = ["Progress"]

_Place: TypeAlias = tuple[str, int]
_TIMEOUT_S = 10.0
_LEADERS_S = 30.0  # a new topic's leaders need a moment, as do those of a broker that comes back
_EARLIEST: OffsetSpec = OffsetSpec.earliest()  # type: ignore[no-untyped-call]
_LATEST: OffsetSpec = OffsetSpec.latest()  # type: ignore[no-untyped-call]


class Progress:
    """Ask the broker, beside the groups: nothing joins, nothing is committed."""

    def __init__(self, kafka: Mapping[str, Any], places: Places) -> None:
        self._inputs = [(topic, number) for topic in places.inputs for number in range(PARTITIONS)]
        self._partials = [(places.partials, number) for number in range(len(CHAPTERS))]
        self._admin = AdminClient(dict(kafka))
        self._first, self._second = (
            Consumer(dict(kafka) | {"group.id": places.group(stage), "enable.auto.commit": False})
            for stage in ("first", "second")
        )

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._first.close()
        self._second.close()

    def events(self) -> tuple[int, int]:
        """Return how many events the first stage has committed, and how many there are.

        Raises `BrokerError` where Kafka does not come back within half a minute.
        """
        committed = self._committed(self._first, self._inputs)
        begins = self._offsets(self._inputs, _EARLIEST)
        ends = self._offsets(self._inputs, _LATEST)
        done = sum(max(committed.get(each, 0) - begins[each], 0) for each in begins)
        return done, sum(ends.values()) - sum(begins.values())

    def is_drained(self) -> bool:
        """Whether the second stage has committed all that the first has written."""
        ends = self._offsets(self._partials, _LATEST)
        committed = self._committed(self._second, self._partials)
        return all(committed.get(each, 0) >= end for each, end in ends.items())

    def _offsets(self, places: Sequence[_Place], which: Any) -> dict[_Place, int]:
        asked = {TopicPartition(*each): which for each in places}
        deadline = time.monotonic() + _LEADERS_S
        while True:
            futures = self._admin.list_offsets(asked)
            try:
                return {
                    (each.topic, each.partition): int(future.result(_TIMEOUT_S).offset)
                    for each, future in futures.items()
                }
            except (KafkaException, TimeoutError) as error:
                if time.monotonic() > deadline:
                    raise BrokerError(
                        f"Kafka has not answered for {_LEADERS_S:g} s.",
                        repair="Run `steamlab up`, then this again: it goes on where it was.",
                    ) from error
                time.sleep(0.1)
                with suppress(KafkaException):  # who leads now: it does not ask by itself
                    self._admin.list_topics(timeout=1)

    @staticmethod
    def _committed(consumer: Consumer, places: Sequence[_Place]) -> dict[_Place, int]:
        asked = [TopicPartition(*each) for each in places]
        try:
            found = consumer.committed(asked, _TIMEOUT_S)
        except KafkaException:  # the group is new, or its coordinator moves
            return {}
        return {(each.topic, each.partition): each.offset for each in found if each.offset >= 0}
