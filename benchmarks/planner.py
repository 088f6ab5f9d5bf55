"""How fast the store is planned and written: `python benchmarks/planner.py [--scale 0.01 0.1 1]`.

Each scale runs in a process of its own, so that its peak of memory is its own; the figures are
those of one core (CPU seconds). The reference is drawing and sorting as many random instants with
numpy, and writing the same events with msgspec, in the same run.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from typing import Any

SCALES = (0.01, 0.1, 1.0)
TARGET = 500_000
COLUMNS = (
    ("scale", "{:g}"),
    ("planned/s", "{:,.0f}"),
    ("emitted/s", "{:,.0f}"),
    ("numpy sort/s", "{:,.0f}"),
    ("start-up s", "{:.2f}"),
    ("week s", "{:.2f}"),
    ("peak MB", "{:,.0f}"),
    ("encode us", "{:.2f}"),
    ("msgspec us", "{:.2f}"),
)


def measure(scale: float, seed: int) -> dict[str, float]:
    """Plan a week with its warm-up; return the row of one scale."""
    began = time.perf_counter()
    from steamlab.simulator import Plan  # part of the start-up

    cpu = time.process_time()
    chunks = Plan(scale=scale, seed=seed).chunks()
    first = next(chunks)
    start_up = time.perf_counter() - began
    emitted = len(first)
    for chunk in chunks:
        emitted += len(chunk)
    spent = time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    planned = emitted * 7  # the six weeks of warm-up are as long as the one that is emitted
    return {
        "scale": scale,
        "planned/s": planned / spent,
        "emitted/s": emitted / spent,
        "numpy sort/s": _reference(emitted),
        "start-up s": start_up,
        "week s": spent,
        "peak MB": peak,
        **_encoding(first),
    }


def _reference(size: int) -> float:
    import numpy as np

    began = time.process_time()
    np.argsort(np.random.default_rng(1).random(size), kind="stable")
    return size / (time.process_time() - began)


def _encoding(chunk: Any) -> dict[str, float]:
    from steamlab import events
    from steamlab.topics import STORE_TOPICS

    size = min(len(chunk), 20_000)
    chunk.encode(0, 10)
    ours = min(_timed(lambda: chunk.encode(0, size)) for _ in range(5))
    told = [
        events.decode(value, key=key, topic=STORE_TOPICS[kind].name, arrived_ms=2**60).event
        for kind, key, value, _ in chunk.encode(0, size)
    ]
    plain = min(_timed(lambda: [events.encode(event) for event in told]) for _ in range(5))
    return {"encode us": ours / size * 1e6, "msgspec us": plain / size * 1e6}


def _timed(work: Any) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def main() -> None:
    """Print a row for each scale."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", nargs="+", type=float, default=SCALES)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--one", type=float, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.one, options.seed)))
        return
    print("  ".join(f"{name:>12}" for name, _ in COLUMNS))
    for scale in options.scale:
        command = [sys.executable, __file__, "--one", str(scale), "--seed", str(options.seed)]
        row = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
        print("  ".join(f"{form.format(row[name]):>12}" for name, form in COLUMNS), flush=True)
    print(f"reach: {TARGET:,} planned events/s on one core, warm-up included; encode <= 1.5 us")
    print("planned/s counts the warm-up's events, emitted/s does not (its time is in both)")


if __name__ == "__main__":
    main()
