"""The count and revenue of each minute in Bytewax, without a recovery store: its fastest way.

Run by `benchmarks/peers.py`: ADDRESS TOPIC COUNT RESULT.

From its documentation: a large `batch_size`; `flat_map_batch` where many items can be handled at
once (parsing and keying here); all else is one `fold_window`. `orjson` parses.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from datetime import datetime, timedelta, timezone
from pathlib import Path

import bytewax.operators as op
import orjson
from bytewax.connectors.kafka import KafkaSource
from bytewax.dataflow import Dataflow
from bytewax.operators.windowing import EventClock, TumblingWindower, fold_window
from bytewax.testing import TestingSink, run_main

BEGIN = datetime(2025, 1, 1, tzinfo=timezone.utc)  # noqa: UP017 - bytewax wants this one
MINUTE = timedelta(minutes=1)
# Partitions are read at their own pace: a window may close when all is read, not before.
WAIT = timedelta(days=3650)


def parse(messages: list) -> Iterable[tuple[str, tuple[datetime, float]]]:
    """Turn a batch of messages into (key, (when, how much)): one key, for the sum is of all."""
    instant, loads = datetime.fromisoformat, orjson.loads
    for message in messages:
        event = loads(message.value)
        yield "all", (instant(event["timestamp"]), event.get("totalAmount", 0.0))


def add(total: tuple[int, float], event: tuple[datetime, float]) -> tuple[int, float]:
    """Count one more event, and what it paid."""
    return total[0] + 1, total[1] + event[1]


def merge(one: tuple[int, float], other: tuple[int, float]) -> tuple[int, float]:
    """Add two windows; tumbling ones never are."""
    return one[0] + other[0], one[1] + other[1]


def main(bootstrap: str, topic: str, count: int, result: Path) -> None:
    """Run the flow to the end of the topic and write each minute's count and revenue."""
    flow, closed = Dataflow("minutes"), []
    source = KafkaSource([bootstrap], [topic], tail=False, batch_size=10_000)
    events = op.flat_map_batch("parse", op.input("in", flow, source), parse)
    clock = EventClock(lambda event: event[0], wait_for_system_duration=WAIT)
    windower = TumblingWindower(length=MINUTE, align_to=BEGIN)
    sums = fold_window("sum", events, clock, windower, lambda: (0, 0.0), add, merge, ordered=False)
    op.output("out", sums.down, TestingSink(closed))
    run_main(flow)
    minutes = {
        (BEGIN + number * MINUTE).strftime("%Y-%m-%dT%H:%M"): total for _, (number, total) in closed
    }
    assert count == sum(total[0] for total in minutes.values()), "events are missing"
    result.write_text(json.dumps({"read": count, "minutes": minutes}), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), Path(sys.argv[4]))
