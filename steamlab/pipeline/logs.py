"""Read a log up to its present end, as far as it is committed."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, Message, TopicPartition

from steamlab import topics
from steamlab.errors import DeadlineError

__all__ = ["read_log"]


def read_log(
    kafka: Mapping[str, Any], topic: str, partitions: Sequence[int], *, timeout: float = 60
) -> Iterator[Message]:
    """Yield the committed records of some partitions, up to where they end now.

    A transaction that is open before that end is waited for: it may still be committed. Raises
    `DeadlineError` if it is neither committed nor aborted in time.
    """
    deadline = time.monotonic() + timeout
    ends = topics.offsets(kafka, topic).set_index("partition")["end"]
    left = {number: int(ends[number]) for number in partitions if ends[number] > 0}
    config = dict(kafka) | {
        "group.id": "steamlab-restore",  # required by the client; never joined, never committed
        "enable.auto.commit": False,
        "isolation.level": "read_committed",
        "enable.partition.eof": True,
    }
    with Consumer(config) as consumer:
        consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in left])
        while left:
            for message in consumer.consume(1000, 0.1):
                error, number = message.error(), message.partition() or 0
                if error is None:
                    yield message
                elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - the client's name
                    if (message.offset() or 0) >= left.get(number, 0):
                        left.pop(number, None)
            if time.monotonic() > deadline:
                raise DeadlineError(
                    f"Expected {topic} to be committed up to {left} within {timeout:g} s.",
                    repair="A process may hang in a transaction: end it, and run this again.",
                )
