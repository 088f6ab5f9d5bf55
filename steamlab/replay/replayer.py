"""Send planned events into Kafka, each at its arrival, as fast as the store's clock runs."""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import length_hint
from typing import Any

import numpy as np
from confluent_kafka import KafkaError, KafkaException, Message, Producer
from numpy.typing import NDArray

from steamlab.client import probe
from steamlab.errors import BrokerError, TopicError
from steamlab.replay.clock import Clock
from steamlab.replay.stretch import BATCH, Events, Record, Stretch, ahead

__all__ = ["PRODUCER", "Replayer", "require_topics"]

PRODUCER: dict[str, Any] = {
    "acks": "all",
    "enable.idempotence": True,
    "compression.type": "lz4",
    "message.timeout.ms": 0,  # the replayer's own patience decides when to give up
    "reconnect.backoff.max.ms": 1000,
}
_TICK_S = 0.02  # events due within one tick leave together
_SILENCE_S = 2.0  # no acknowledgement for so long, though some are due: Kafka is away


class Replayer:
    """Send chunks of events into Kafka and count what happened to each.

    `clock`: the store's time, begun when the first chunk is there.
    `topics`: where each kind of event goes, in the order of the store's topics; None: nowhere.
    `share`: the share of the planned users that is admitted, from 0 to 1.
    `events`: end after so many; None: with the last chunk.
    `status`: called with one line when Kafka stops answering, and when it is back.
    `patience`: seconds to wait for a Kafka that does not answer, before `BrokerError`.
    """

    def __init__(
        self,
        kafka: Mapping[str, Any],
        topics: Sequence[str | None],
        clock: Clock,
        *,
        share: float = 1.0,
        events: int | None = None,
        status: Callable[[str], None] = lambda line: None,
        patience: float = 600,
    ) -> None:
        self.sent = self.acked = self.failed = 0
        self.reached_ms = clock.start_ms
        self._kafka, self._topics, self._share = kafka, list(topics), share
        self._left = math.inf if events is None else events
        self._status, self._patience = status, patience
        wanted = {kind for kind, name in enumerate(topics) if name is not None}
        self._only = wanted if len(wanted) < len(self._topics) else None
        self._clock = clock
        self._changes: list[dict[str, Any]] = []
        self._wake = threading.Event()
        self._stop_at: float | None = None
        self._settled, self._settled_at = 0, math.inf
        self._first_error: KafkaError | None = None

    @property
    def unacked(self) -> int:
        """How many events were handed over without any answer yet."""
        return max(0, self.sent - self.acked - self.failed)

    def set(
        self, *, speed: float | None = None, share: float | None = None, paused: bool | None = None
    ) -> None:
        """Change the pace, or who is admitted, while it runs; any thread may call it."""
        self._changes.append({"speed": speed, "share": share, "paused": paused})
        self._wake.set()

    def stop(self, *, timeout: float = 10) -> None:
        """Ask for the end: nothing more is sent, and what was sent has `timeout` to be acked."""
        self._stop_at = time.monotonic() + timeout
        self._wake.set()

    def run(self, chunks: Iterable[Events]) -> None:
        """Send the chunks, then wait until every event sent is acknowledged.

        Raises `TopicError` if a topic is missing, `BrokerError` if Kafka did not confirm it all.
        """
        self._clock.change(self.reached_ms, unplanned=True)
        require_topics(self._kafka, self._topics)
        self._producer = Producer(dict(self._kafka) | PRODUCER | {"on_delivery": self._delivered})
        try:
            with contextlib.closing(ahead(chunks)) as planned:
                for chunk in planned:
                    self._replay(chunk)
                    if self._is_over():
                        break
            self._finish()
        except KafkaException as error:
            raise BrokerError(
                f"{self._where()} ended the store's connection: {error.args[0].str()}.",
                repair="Run `steamlab status` to see what runs, then start the store again.",
            ) from error
        finally:
            self._close()
        self._judge()

    def _replay(self, chunk: Events | None) -> None:
        # The clock stands while the next chunk is still being planned: no rush makes up for it.
        self._clock.change(self.reached_ms, unplanned=chunk is None)
        if chunk is None:
            return self._serve()
        stretch, low = Stretch(chunk, self._only), 0
        while low < len(stretch) and not self._is_over():
            self._apply_changes()
            high = self._due(stretch.arrival_ms, low)
            if high > low:
                self._produce(self._take(stretch, low, high))
                self.reached_ms = float(stretch.arrival_ms[high - 1])
            self._serve()
            if high - low < BATCH and high < len(stretch):
                self._sleep(float(stretch.arrival_ms[high]))
            low = high
        return None

    def _take(self, stretch: Stretch, low: int, high: int) -> list[Record]:
        records = stretch.records(low, high, self._share)
        return records if self._left > len(records) else records[: int(self._left)]

    def _due(self, arrival_ms: NDArray[np.int64], low: int) -> int:
        now, high = self._clock.now_ms(), min(low + BATCH, len(arrival_ms))
        if self._clock.is_stopped:
            return low
        if math.isinf(now):
            return high
        return low + int(np.searchsorted(arrival_ms[low:high], now, "right"))

    def _produce(self, records: list[Record]) -> None:
        produce: Callable[..., None] = self._producer.produce
        topics, before, rest = self._topics, self.sent, iter(records)
        for kind, key, value, headers in rest:
            try:
                produce(topics[kind], value, key, headers=headers)
            except BufferError:
                self.sent = before + len(records) - 1 - length_hint(rest)
                if not self._retry(topics[kind], value, key, headers):
                    return
        self.sent = before + len(records)
        self._left -= len(records)

    def _retry(self, topic: str | None, value: bytes, key: bytes, headers: Any) -> bool:
        """Make room in the full queue and try again; False if the end came first."""
        while self._stop_at is None:
            self._producer.poll(0.02)
            self._watch()
            try:
                self._producer.produce(str(topic), value, key, headers=headers)
            except BufferError:
                continue
            return True
        return False

    def _serve(self) -> None:
        """Take delivery reports, and notice that none come any more."""
        self._producer.poll(0)
        self._watch()

    def _sleep(self, next_ms: float) -> None:
        """Sleep until the next event is due, or something changes."""
        now, wait = self._clock.now_ms(), 0.1
        if math.isinf(now):
            return
        if not self._clock.is_stopped:
            wait = (next_ms - now) / 1000 / self._clock.speed
        self._wake.wait(min(max(wait, _TICK_S), 0.1))
        self._wake.clear()

    def _watch(self) -> None:
        """Notice that acknowledgements stopped coming, and wait for them."""
        settled, now = self.acked + self.failed, time.monotonic()
        if settled != self._settled or not self.unacked:
            self._settled, self._settled_at = settled, now
        elif now - self._settled_at > _SILENCE_S:
            self._outlast()
            self._settled_at = time.monotonic()

    def _outlast(self) -> None:
        # The store's clock stands meanwhile: what waits stays bounded, and no rush follows.
        self._clock.change(self.reached_ms, away=True)
        self._status(
            f"{self._where()} does not answer; waiting, "
            f"{self.unacked:,} events not yet acknowledged."
        )
        give_up = time.monotonic() + self._patience
        while self.acked + self.failed == self._settled and self._in_time():
            if time.monotonic() > give_up:
                return self.stop(timeout=0)
            self._producer.poll(0.05)
        self._clock.change(self.reached_ms, away=False)
        if self.acked + self.failed != self._settled:
            self._status(f"{self._where()} answers again; the store goes on.")
        return None

    def _finish(self) -> None:
        while self.unacked and self._in_time():
            self._producer.flush(0.1)
            self._watch()

    def _close(self) -> None:
        self._cause = self._first_error.str() if self._first_error else "no answer"
        if self.unacked:  # nobody knows whether these are stored: they never count as acked
            self._producer.purge()
            self._producer.flush(1)
        self._producer.close()

    def _judge(self) -> None:
        lost = self.sent - self.acked
        if lost:
            raise BrokerError(
                f"{self._where()} did not acknowledge {lost:,} of {self.sent:,} events: "
                f"{self._cause}.",
                repair="Run `steamlab status` to see what runs, then send them again.",
            )

    def _is_over(self) -> bool:
        return self._left <= 0 or self._stop_at is not None

    def _in_time(self) -> bool:
        return self._stop_at is None or time.monotonic() < self._stop_at

    def _where(self) -> str:
        return f"Kafka at {self._kafka['bootstrap.servers']}"

    def _apply_changes(self) -> None:
        while self._changes:
            change = self._changes.pop(0)
            share = change.pop("share")
            self._share = self._share if share is None else share
            self._clock.change(self.reached_ms, **change)

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        if error is None:
            self.acked += 1
            return
        self.failed += 1
        if self._first_error is None:
            self._first_error = error


def require_topics(kafka: Mapping[str, Any], names: Iterable[str | None]) -> None:
    """Make sure that Kafka answers and knows these topics.

    librdkafka would wait half a minute for a missing one. Raises `BrokerError`, `TopicError`.
    """
    address = str(kafka["bootstrap.servers"])
    answer = probe(address, timeout=10)
    if answer is None:
        raise BrokerError(
            f"Kafka at {address} does not answer.", repair="Run `steamlab up` to start it."
        )
    if missing := [name for name in names if name is not None and name not in answer.topics]:
        there = ", ".join(sorted(name for name in answer.topics if not name.startswith("__")))
        raise TopicError(
            f"The store has nowhere to send to: there is no topic {', '.join(missing)}.",
            repair=f"Create it first; these exist: {there or 'none'}.",
        )
