"""A worker of the pipeline with `group.remote.assignor=uniform`, which the processor must refuse.

With a second argument it does not look at what it was assigned, and goes on as if all were well.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any
from unittest import mock

from confluent_kafka import Consumer, TopicPartition

from steamlab.pipeline import first, stage, worker

_reading = stage.reading


def _uniform(kafka: Mapping[str, Any], group: str) -> dict[str, Any]:
    return _reading(kafka, group) | {"group.remote.assignor": "uniform"}


def _keep(_: first.First, consumer: Consumer, partitions: list[TopicPartition]) -> None:
    """Let partitions go, and no task: some of its topics may still be here."""
    consumer.incremental_unassign(partitions)


if __name__ == "__main__":
    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(stage, "reading", _uniform))
        if len(sys.argv) > 2:
            stack.enter_context(mock.patch.object(first, "check_copartitioned"))
            stack.enter_context(mock.patch.object(first.First, "_revoked", _keep))
        worker.main(sys.argv[1])
