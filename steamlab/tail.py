"""Follow topics beside every group: nothing joins, nothing is committed."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Literal

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, Message, TopicPartition

from steamlab.errors import TopicError

__all__ = ["Tail"]

Start = Literal["beginning", "end"]
_Place = tuple[str, int]
_CONFIG = {
    "group.id": "steamlab-live",  # required by the client; never joined, never committed
    "enable.auto.commit": False,
    "auto.offset.reset": "earliest",  # a topic that was emptied is read again from its beginning
    "reconnect.backoff.max.ms": 500,
    "queued.max.messages.kbytes": 8192,
}
_LOOK_S = 2.0  # how often to look for new partitions and for a Kafka that went silent
_GRACE_S = 3.0  # how long a topic may be missing


class Tail:
    """The records of some topics as they come, read by a client that is in no group.

    Reads on by itself when Kafka was away, and reads partitions that are added later.
    `is_away` tells whether Kafka answers, `is_placed` whether reading has begun.
    """

    def __init__(self, kafka: Mapping[str, Any], topics: Sequence[str], start: Start) -> None:
        self._consumer = Consumer(dict(kafka) | _CONFIG)
        self._topics, self._start = list(topics), start
        self._next: dict[_Place, int] = {}
        self._look_at = time.monotonic()
        self._missing_since: float | None = None
        self.is_away = False

    @property
    def is_placed(self) -> bool:
        """Whether every partition has a position to be read from."""
        return bool(self._next)

    def poll(self, count: int, timeout: float) -> list[Message]:
        """Return up to `count` records. Raises `TopicError` for a topic that is not there."""
        if time.monotonic() >= self._look_at:
            self._look()
        found = []
        for message in self._consumer.consume(count, timeout):
            if message.error() is not None:
                self._look_at = time.monotonic()
                continue
            self._next[str(message.topic()), int(message.partition() or 0)] = (
                int(message.offset() or 0) + 1
            )
            found.append(message)
        return found

    def __enter__(self) -> Tail:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._consumer.close()

    def _look(self) -> None:
        try:
            known = self._consumer.list_topics(timeout=_LOOK_S).topics
            places = [
                (name, p) for name in self._topics if name in known for p in known[name].partitions
            ]
            self._check_missing(known)
            if set(places) - self._next.keys():
                self._place(places)
            self.is_away = False
        except KafkaException:
            self.is_away = True
        self._look_at = time.monotonic() + (_LOOK_S if self._next and not self.is_away else 0.2)

    def _place(self, places: list[_Place]) -> None:
        ends = self._start == "end" and not self._next  # added partitions: from their beginning
        following = {
            place: self._next.get(place, self._end(place) if ends else OFFSET_BEGINNING)
            for place in places
        }
        self._consumer.assign([TopicPartition(*place, at) for place, at in following.items()])
        self._next = following

    def _end(self, place: _Place) -> int:
        _, end = self._consumer.get_watermark_offsets(
            TopicPartition(*place), timeout=_LOOK_S, cached=False
        )
        return int(end)

    def _check_missing(self, known: Mapping[str, Any]) -> None:
        missing = [name for name in self._topics if name not in known]
        if not missing:
            self._missing_since = None
            return
        self._missing_since = self._missing_since or time.monotonic()
        if time.monotonic() - self._missing_since >= _GRACE_S:
            there = sorted(name for name in known if not name.startswith("__"))
            raise TopicError(
                f"The topic {missing[0]!r} does not exist.",
                repair=f"Create it, or choose one of: {', '.join(there) or 'there are none yet'}.",
            )
