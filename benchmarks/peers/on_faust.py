"""The count and revenue of each minute in Faust (faust-streaming), at least once.

Run by `benchmarks/peers.py`: ADDRESS TOPIC COUNT RESULT.

From its documentation: `orjson`, the compiled `_cython` parts, a table in memory with its
changelog, no web server, no leader topic, and `take`. A table sends a changelog record at each
change, and one change an event costs about three times as much as this: one change a minute and
batch. `use_partitioner` is what lets a batch change a table at all.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import faust

Total = tuple[int, float]


def main(bootstrap: str, topic: str, count: int, result: Path) -> None:
    """Run a worker until all events are in the table, and write what it holds."""
    app = faust.App(
        f"faust-{time.time_ns()}",
        broker=f"kafka://{bootstrap}",
        store="memory://",
        datadir=str(result.parent),
        consumer_auto_offset_reset="earliest",
        topic_partitions=6,
        topic_replication_factor=1,
        topic_disable_leader=True,
        web_enabled=False,
    )
    events = app.topic(topic, key_serializer="raw", value_serializer="json")
    minutes = app.Table("minutes", default=lambda: (0, 0.0), partitions=6, use_partitioner=True)

    @app.agent(events)
    async def add(stream: Any) -> None:
        read = 0
        async for batch in stream.take(4000, within=1):
            for minute, (orders, paid) in sums(batch).items():
                before = minutes[minute]
                minutes[minute] = (before[0] + orders, before[1] + paid)
            read += len(batch)
            if read >= count:
                found = {"read": read, "minutes": dict(minutes.items())}
                result.write_text(json.dumps(found), encoding="utf-8")
                os._exit(0)  # a worker takes seconds to leave its group; nobody has to pay them

    sys.argv = ["faust", "worker", "--loglevel", "warn", "--without-web"]
    app.main()


def sums(batch: Iterable[dict[str, Any]]) -> dict[str, Total]:
    """Add up a batch by minute."""
    found: dict[str, Total] = {}
    for event in batch:
        minute = event["timestamp"][:16]
        count, paid = found.get(minute, (0, 0.0))
        found[minute] = count + 1, paid + event.get("totalAmount", 0.0)
    return found


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), Path(sys.argv[4]))
