"""Read a log up to its present end, as far as it is committed."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

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
    bounds = topics.bounds(kafka, topic)
    left = {number: bounds[number][1] for number in partitions if len(set(bounds[number])) == 2}
    # By number: for OFFSET_BEGINNING a new client takes half a second.
    places = [TopicPartition(topic, number, bounds[number][0]) for number in left]
    config = dict(kafka) | {
        "group.id": "steamlab-restore",  # required by the client; never joined, never committed
        "enable.auto.commit": False,
        "auto.offset.reset": "earliest",  # what retention has deleted meanwhile is not there
        "isolation.level": "read_committed",
        "enable.partition.eof": True,
        "fetch.wait.max.ms": 10,  # an end is told by an answer without records: let it come soon
    }
    with Consumer(config) as consumer:
        consumer.assign(places)
        while left:
            for message in consumer.consume(1000, 0.1):
                error, number = message.error(), message.partition() or 0
                if error is not None and error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001
                    continue
                if number in left and (message.offset() or 0) >= left[number]:
                    # The client tells an end only when nothing comes for a while: where somebody
                    # goes on writing, a later record says as much.
                    del left[number]
                elif number in left and error is None:
                    yield message
            if time.monotonic() > deadline:
                raise DeadlineError(
                    f"Expected {topic} to be committed up to {left} within {timeout:g} s.",
                    repair="A process may hang in a transaction: end it, and run this again.",
                )
