"""What both stages have in common: a consumer in a group, a producer with transactions, a loop."""

from __future__ import annotations

import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from steamlab.pipeline.places import Places, reading, writing
from steamlab.pipeline.transactions import AbortedError, Transactions, Write
from steamlab.processor.messages import AT_ONCE

__all__ = ["Arrived", "Stage"]

Arrived: TypeAlias = tuple[list[Message], list[Message]]
"""Records, and where partitions end."""

_AT_HAND_S = 0.002  # what takes longer to get was waited for

_LOG = logging.getLogger("steamlab.process")


class Stage(ABC):
    """A stage in one process: as many partitions as the group gives it.

    `name` is the producer's, for one process at a time. A batch is closed at `batch` records, or
    when `wait_s` were spent waiting for more.
    """

    stage: str

    def __init__(
        self,
        kafka: Mapping[str, Any],
        places: Places,
        name: str,
        *,
        grace_ms: int,
        batch: int = 60_000,
        wait_s: float = 0.03,
    ) -> None:
        self._kafka, self._places, self._grace_ms = kafka, places, grace_ms
        self._batch, self._wait_s, self._waited_s = batch, wait_s, 0.0
        self._transactions = Transactions(self.stage, writing(kafka, name))
        self._consumer = Consumer(reading(kafka, places.group(self.stage)))

    def run(self, is_stopped: Callable[[], bool]) -> None:
        """Process until told to stop."""
        self._consumer.subscribe(
            self._inputs(),
            on_assign=self._assigned,
            on_revoke=self._revoked,
            on_lost=self._revoked,
        )
        while not is_stopped():
            self._gather()
            self._process()

    def close(self) -> None:
        """Leave the group, so that others take over at once."""
        self._consumer.close()
        self._transactions.close()

    @abstractmethod
    def _inputs(self) -> list[str]:
        """Return the topics to read."""

    @abstractmethod
    def _gather(self) -> None:
        """Take the records of a batch."""

    @abstractmethod
    def _process(self) -> None:
        """Process the batch, and commit what comes of it."""

    @abstractmethod
    def _open(self, partitions: list[TopicPartition]) -> list[TopicPartition]:
        """Become as the partitions' last owner has left things; return where to read on."""

    @abstractmethod
    def _drop(self, partition: int) -> None:
        """Forget a partition: a batch that is not committed is the next owner's."""

    def _arriving(self, wait_s: float) -> Iterator[Arrived]:
        """Yield what comes, until there are enough records or it is time.

        Only waiting counts as time, and is noted: where much is there, a batch is full before it
        has waited.
        """
        count, left_s = 0, wait_s
        while count < self._batch and left_s > 0.001:
            begin_s, asked = time.monotonic(), min(AT_ONCE, self._batch - count)
            found = self._consumer.consume(asked, left_s)
            spent_s = time.monotonic() - begin_s
            if len(found) < asked or spent_s > _AT_HAND_S:
                left_s -= spent_s
            count += len(found)
            yield _sorted_out(found)
        # A rebalance may come in between, and what it takes is no waiting.
        self._waited_s = min(wait_s - left_s, wait_s)

    def _burst(self, wait_s: float, pause_s: float) -> Iterator[Arrived]:
        """Yield what comes together: it is over when fewer than asked for come within a pause."""
        yield _sorted_out(self._consumer.consume(1, wait_s))
        for _ in range(self._batch // AT_ONCE):
            found = self._consumer.consume(AT_ONCE, pause_s)
            yield _sorted_out(found)
            if len(found) < AT_ONCE:
                break

    def _commit(self, records: Iterator[Write], offsets: Sequence[TopicPartition]) -> bool:
        """Write records and offsets together; where that is given up, go back to what is."""
        try:
            self._transactions.write(records, list(offsets), self._consumer)
        except AbortedError as why:
            _LOG.warning("aborted: %s", why)
            for each in self._open(self._consumer.assignment()):
                self._consumer.seek(each)
            return False
        return True

    def _assigned(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        consumer.incremental_assign(self._open(partitions))

    def _revoked(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        for each in partitions:
            self._drop(each.partition)
        consumer.incremental_unassign(partitions)


def _sorted_out(found: list[Message]) -> Arrived:
    records = [message for message in found if message.error() is None]
    if len(records) == len(found):
        return records, []
    return records, [message for message in found if _is_end(message)]


def _is_end(message: Message) -> bool:
    """Say whether this is where a partition ends; raise what is fatal, and warn of the rest."""
    error = message.error()
    if error is None or error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - its name
        return error is not None
    if error.fatal():
        raise KafkaException(error)
    _LOG.warning("%s", error.str())
    return False
