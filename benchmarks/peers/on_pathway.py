"""The count and revenue of each minute in Pathway, without persistence: its fastest way.

Run by `benchmarks/peers.py`: ADDRESS TOPIC COUNT RESULT.

From its documentation: JSON is parsed by its engine, the schema names only the columns that are
needed, no Python function sees a row; `mode="static"` reads what is there and ends.
"""

from __future__ import annotations

import json
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pathway as pw


class Event(pw.Schema):
    """What is needed of an event; an event without an amount paid nothing."""

    timestamp: str
    totalAmount: float = pw.column_definition(default_value=0.0)  # noqa: N815 - the event's name


def main(bootstrap: str, topic: str, count: int, result: Path) -> None:
    """Run the graph to the end of the topic and write each minute's count and revenue."""
    config = {"bootstrap.servers": bootstrap, "group.id": f"pathway-{time.time()}"}
    config |= {"auto.offset.reset": "earliest"}
    events = pw.io.kafka.read(config, topic, schema=Event, format="json", mode="static")
    timed = events.select(
        when=pw.this.timestamp.dt.strptime("%Y-%m-%dT%H:%M:%S%.fZ"), paid=pw.this.totalAmount
    )
    window = pw.temporal.tumbling(duration=timedelta(minutes=1))
    sums = timed.windowby(timed.when, window=window).reduce(
        minute=pw.this._pw_window_start,  # noqa: SLF001 - as its documentation has it
        count=pw.reducers.count(),
        revenue=pw.reducers.sum(pw.this.paid),
    )
    minutes: dict[str, Any] = {}

    def keep(key: Any, row: dict[str, Any], time: int, is_addition: bool) -> None:
        if is_addition:
            minute = row["minute"].strftime("%Y-%m-%dT%H:%M")
            minutes[minute] = (row["count"], row["revenue"])

    pw.io.subscribe(sums, keep)
    pw.run(monitoring_level=pw.MonitoringLevel.NONE)
    assert count == sum(total[0] for total in minutes.values()), "events are missing"
    result.write_text(json.dumps({"read": count, "minutes": minutes}), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), Path(sys.argv[4]))
