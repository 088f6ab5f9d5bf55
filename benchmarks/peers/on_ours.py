"""The count and revenue of each minute from `steamlab process`: the sixteen metrics, exactly once.

Run by `benchmarks/peers.py`: ADDRESS TOPICS COUNT RESULT. The verb runs as a learner runs it, with
a process for each stage; all of them are children of this one, and are waited for.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

METRIC = "revenue_per_minute"
METRICS = 17  # the rolling revenue, a second face of the first, has a name of its own


def main(bootstrap: str, topics: str, count: int, result: Path) -> None:
    """Process `count` events of the store's topics, and write what was published of each minute."""
    assert topics.startswith("store."), topics  # its inputs are fixed, but for a prefix
    command = [sys.executable, "-m", "steamlab", "process", "--until", str(count), "--json"]
    environment = {**os.environ, "STEAMLAB_BOOTSTRAP": bootstrap}
    done = subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, text=True, check=True, timeout=3600
    )
    records = [json.loads(line) for line in done.stdout.splitlines()]
    minutes = {
        record["windowStart"][:16]: (record["count"], float(record["value"]))
        for record in records
        if record["metric"] == METRIC
    }
    assert METRICS == len({record["metric"] for record in records}), "all metrics are there"
    result.write_text(json.dumps({"read": count, "minutes": minutes}), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), Path(sys.argv[4]))
