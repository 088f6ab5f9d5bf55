"""The count and revenue of each minute in Quix Streams, exactly once.

Run by `benchmarks/peers.py`: ADDRESS TOPIC COUNT RESULT CLOSING FOLDER.

A window of Quix belongs to a message key, and `group_by` would send every event through a second
topic. So the key is read as one constant: each partition has its own sums, and the reader of the
output adds them. `final()` emits each window once. There is no grace, for each partition is in
the order of time; its last event, from CLOSING on, closes its last window.
"""

from __future__ import annotations

import json
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from quixstreams import Application
from quixstreams.dataframe.windows import Count, Sum
from quixstreams.models import Deserializer, TopicConfig

GRACE_MS = 0  # each partition is in order, and each open window costs at every event
OUTPUT = "quix.minutes"
# Its records carry the window's time, months ago: the broker would delete them within minutes.
KEPT = TopicConfig(num_partitions=1, replication_factor=1, extra_config={"retention.ms": "-1"})


class Constant(Deserializer):
    """Reads every key as the same one."""

    def __call__(self, value: bytes, ctx: Any) -> str:
        """Return the one key."""
        return "all"


def main(bootstrap: str, topic: str, count: int, result: Path, closing: str, folder: str) -> None:
    """Run until each partition has been closed, with everything committed."""
    app = Application(
        bootstrap,
        consumer_group=f"quix-{time.time()}",
        auto_offset_reset="earliest",
        processing_guarantee="exactly-once",
        state_dir=folder,
        loglevel="WARNING",
        consumer_extra_config={"queued.min.messages": 1_000_000},
        producer_extra_config={"compression.type": "zstd", "linger.ms": 20},
    )
    end_ms, open_partitions = _milliseconds(closing), 6

    def event_time(value: Any, headers: Any, timestamp: float, kind: Any) -> int:
        nonlocal open_partitions
        when = _milliseconds(value["timestamp"])
        if when >= end_ms:
            open_partitions -= 1
            if not open_partitions:
                app.stop()
        return when

    events = app.topic(topic, key_deserializer=Constant(), timestamp_extractor=event_time)
    output = app.topic(OUTPUT, key_serializer="str", value_serializer="json", config=KEPT)
    frame = app.dataframe(events).apply(lambda event: event.get("totalAmount", 0.0))
    window = frame.tumbling_window(60_000, grace_ms=GRACE_MS).agg(count=Count(), revenue=Sum())
    window.final().to_topic(output)
    app.run()
    result.write_text(json.dumps({"read": count, "output": OUTPUT}), encoding="utf-8")


def _milliseconds(timestamp: str) -> int:
    return int(datetime.fromisoformat(timestamp).timestamp() * 1000)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), Path(sys.argv[4]), *sys.argv[5:])
