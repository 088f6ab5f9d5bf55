"""Workers that do what they must not: each is one well-known way to process events twice, or never.

`STEAMLAB_WRONG` names the way of the first stage; the second is as it should be. Run by a
supervisor in place of `steamlab.pipeline.worker`.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from confluent_kafka import Consumer, Producer, TopicPartition

from steamlab.pipeline import stage, worker
from steamlab.pipeline.crashes import crash_at
from steamlab.pipeline.task import Task
from steamlab.pipeline.transactions import Transactions, Write

_VARIABLE = "STEAMLAB_WRONG"
_SLOW_S = 0.3  # a batch takes several times as long as until the next automatic commit


def commit_automatically() -> None:
    """Let the client commit what it has handed out, whatever became of it."""

    class Automatic(Transactions):
        def write(
            self, records: Iterable[Write], offsets: list[TopicPartition], consumer: Consumer
        ) -> None:
            time.sleep(_SLOW_S)
            self._producer.begin_transaction()
            self._produce(records)
            for point in ("output", "offsets", "committing"):
                crash_at(self._stage, point)
            self._producer.commit_transaction(30)

    settings = stage.reading

    def reading(kafka: Mapping[str, Any], group: str) -> dict[str, Any]:
        more = {"enable.auto.commit": True, "auto.commit.interval.ms": 50}
        return settings(kafka, group) | more

    stage.reading, stage.Transactions = reading, Automatic


def commit_after_producing() -> None:
    """Produce, flush, then commit: all of it may be there, or some, or all but the offsets."""

    class Plain:
        def __init__(self, stage: str, config: Mapping[str, Any]) -> None:
            named = {"transactional.id", "transaction.timeout.ms"}
            ours = {name: value for name, value in config.items() if name not in named}
            self._stage, self._producer = stage, Producer(ours | {"enable.idempotence": True})

        def write(
            self, records: Iterable[Write], offsets: list[TopicPartition], consumer: Consumer
        ) -> None:
            for topic, key, value, partition, headers in self._torn(records):
                self._producer.produce(topic, value, key, partition, headers=headers)
            assert self._producer.flush(30) == 0
            consumer.commit(offsets=offsets, asynchronous=False)

        def _torn(self, records: Iterable[Write]) -> Iterator[Write]:
            """Die between a task's cells and its state, if at all."""
            is_state = False
            for record in records:
                if record[0].endswith("changelog") and not is_state:
                    is_state = True
                    self._producer.flush(30)
                    crash_at(self._stage, "output")
                yield record

        def close(self) -> None:
            self._producer.close()

    stage.Transactions = Plain


def forget() -> None:
    """Begin with nothing after a restart, but at the committed offsets."""
    Task.restore = lambda *_: None


WAYS = {way.__name__: way for way in (commit_automatically, commit_after_producing, forget)}

if __name__ == "__main__":
    if json.loads(sys.argv[1])["stage"] == "first":
        WAYS[os.environ[_VARIABLE]]()
    worker.main(sys.argv[1])
