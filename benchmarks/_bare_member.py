"""A consumer that computes nothing: it says when its group gave it partitions, and reads on.

Run by `processor_restart.py`: ADDRESS GROUP TOPICS.
"""

from __future__ import annotations

import os
import sys

from confluent_kafka import Consumer, TopicPartition

from steamlab.client import client_config
from steamlab.pipeline.places import reading

__all__ = ["main"]


def main(bootstrap: str, group: str, topics: str) -> None:
    """Read until the process that started this one is gone."""
    parent = os.getppid()

    def assigned(consumer: Consumer, partitions: list[TopicPartition]) -> None:
        if partitions:
            print(len(partitions), flush=True)
        consumer.incremental_assign(partitions)

    with Consumer(reading(client_config(bootstrap), group)) as consumer:
        consumer.subscribe(topics.split(","), on_assign=assigned)
        while os.getppid() == parent:
            consumer.consume(1000, 0.1)


if __name__ == "__main__":
    main(*sys.argv[1:])
