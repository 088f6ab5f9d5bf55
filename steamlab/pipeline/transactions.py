"""Write output, state and offsets together, or not at all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

from steamlab.pipeline.crashes import crash_at

__all__ = ["AbortedError", "Transactions", "Write"]

Write: TypeAlias = tuple[str, bytes | None, bytes | None, int, Any]
"""A record to be written: topic, key, value, partition (-1: by its key), headers."""

_TIMEOUT_S = 30.0


class AbortedError(Exception):
    """The transaction was given up, and nothing of it will be seen; what is in memory is ahead."""


class Transactions:
    """The transactions of a stage, one after the other.

    Crash-only: what can be repeated is repeated, what can be given up is given up
    (`AbortedError`), and any other error is raised and must end the process: only a new producer of
    the same name can find out what became of the transaction. A commit that times out is such an
    error, although the client would repeat it: whether it happened is not known.
    """

    def __init__(self, stage: str, config: Mapping[str, Any]) -> None:
        self._stage = stage
        self._producer = Producer(dict(config))
        # Whoever had this name before is fenced, and its open transaction aborted.
        self._producer.init_transactions(_TIMEOUT_S)

    def write(
        self, records: Iterable[Write], offsets: list[TopicPartition], consumer: Consumer
    ) -> None:
        """Commit records and offsets; raise `AbortedError` where the group has moved on.

        Raises ValueError without offsets: only they tell the group who writes.
        """
        if not offsets:
            raise ValueError("expected an offset at least: without one nobody checks who writes")
        try:
            self._producer.begin_transaction()
            self._produce(records)
            crash_at(self._stage, "output")
            group = consumer.consumer_group_metadata()
            _repeat(lambda: self._producer.send_offsets_to_transaction(offsets, group, _TIMEOUT_S))
            crash_at(self._stage, "offsets")
            crash_at(self._stage, "committing")
            self._producer.commit_transaction(_TIMEOUT_S)
            crash_at(self._stage, "committed")
        except KafkaException as error:
            if not error.args[0].txn_requires_abort():
                raise
            self._producer.abort_transaction(_TIMEOUT_S)
            raise AbortedError(error.args[0].str()) from error

    def _produce(self, records: Iterable[Write]) -> None:
        produce = self._producer.produce
        for topic, key, value, partition, headers in records:
            while True:
                try:
                    produce(topic, value, key, partition, headers=headers)
                    break
                except BufferError:  # the client's queue is full: let it send
                    self._producer.poll(0.1)

    def close(self) -> None:
        """Close the producer."""
        self._producer.close()


def _repeat(call: Any, times: int = 20) -> None:
    """Repeat a call that says of itself that it may be repeated."""
    for attempt in range(times):
        try:
            call()
            return
        except KafkaException as error:
            if not error.args[0].retriable() or attempt == times - 1:
                raise
