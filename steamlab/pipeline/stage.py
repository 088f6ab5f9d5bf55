"""What both stages have in common: a consumer in a group, a producer with transactions, a loop."""

from __future__ import annotations

import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from steamlab.pipeline.places import Places, reading, writing
from steamlab.pipeline.transactions import AbortedError, Transactions, Write

__all__ = ["Stage"]

_LOG = logging.getLogger("steamlab.process")


class Stage(ABC):
    """A stage in one process: as many partitions as the group gives it.

    `name` is the producer's, for one process at a time. A batch is closed at `batch` records, or
    `wait_s` after its first look.
    """

    stage: str

    def __init__(
        self,
        kafka: Mapping[str, Any],
        places: Places,
        name: str,
        *,
        grace_ms: int,
        batch: int = 20_000,
        wait_s: float = 0.04,
    ) -> None:
        self._kafka, self._places, self._grace_ms = kafka, places, grace_ms
        self._batch, self._wait_s = batch, wait_s
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

    def _messages(self, wait_s: float) -> Iterator[Message]:
        """Yield records, and where a partition ends, until there are enough or it is time."""
        consume, count, ends_s = self._consumer.consume, 0, time.monotonic() + wait_s
        while count < self._batch and (left_s := ends_s - time.monotonic()) > 0.001:
            for message in self._sound(consume(min(1000, self._batch - count), left_s)):
                count += message.error() is None
                yield message

    def _burst(self, wait_s: float, pause_s: float) -> Iterator[Message]:
        """Yield what comes together: it is over when fewer than 1,000 come within a pause."""
        yield from self._sound(self._consumer.consume(1, wait_s))
        count = among = 1000
        while among == 1000 and count <= self._batch:
            found = self._consumer.consume(1000, pause_s)
            yield from self._sound(found)
            among = len(found)
            count += among

    @staticmethod
    def _sound(messages: Iterable[Message]) -> Iterator[Message]:
        """Yield records and ends; raise what is fatal, and warn of the rest."""
        for message in messages:
            error = message.error()
            if error is None or error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - its name
                yield message
            elif error.fatal():
                raise KafkaException(error)
            else:
                _LOG.warning("%s", error.str())

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
