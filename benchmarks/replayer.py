"""How fast the replayer fills Kafka, beside a bare produce loop: same config, headers, bytes.

Run: python benchmarks/replayer.py [bootstrap]    (default: the Kafka that `steamlab up` runs)

The bare loop sends records that are encoded already and counts their delivery reports, as the
replayer does; the replayer encodes on its way. Both have their chunks planned beforehand; the
last kind of run plans as well. Five runs of each, alternating; the medians count.
"""

from __future__ import annotations

import gc
import math
import os
import sys
import time
from collections.abc import Callable, Iterable
from statistics import median
from typing import Any

from confluent_kafka import Producer

from steamlab import topics
from steamlab.client import client_config
from steamlab.replay.clock import Clock
from steamlab.replay.replayer import PRODUCER, Replayer
from steamlab.replay.stretch import Events, Record
from steamlab.simulator import Plan

RUNS, REACH_SHARE, REACH_RATE = 5, 0.60, 100_000
SPECS = [topics.TopicSpec(f"bench.{spec.name}", 6) for spec in topics.STORE_TOPICS]
NAMES = [spec.name for spec in SPECS]
Runs = dict[str, list[tuple[float, float]]]


def main() -> int:
    """Measure, print each median beside what it is to reach; return 0 if it is reached."""
    kafka = client_config(bootstrap())
    plan = Plan(scale=0.1, days=2)
    chunks = list(plan.chunks())
    records = [record for chunk in chunks for record in chunk.encode(0, len(chunk))]
    gc.collect()
    gc.freeze()  # a million objects, kept for the bare loop, must not slow the replayer's own
    works: dict[str, Callable[[], int]] = {
        "bare produce, poll every 2,000": lambda: bare(kafka, records, 2_000),
        "bare produce, poll each time": lambda: bare(kafka, records, 1),
        "replayer": lambda: replay(kafka, chunks),
        "replayer, planning as well": lambda: replay(kafka, plan.chunks()),
    }
    found: Runs = {name: [] for name in works}
    for _ in range(RUNS):
        for name, work in works.items():
            for spec in SPECS:
                topics.recreate(kafka, spec)
            found[name].append(measure(work, len(records)))
    topics.delete(kafka, NAMES)
    return report(found, records)


def bootstrap() -> str:
    """Return the address that was given, or the one of the running lab."""
    if len(sys.argv) > 1:
        return sys.argv[1]
    from steamlab.broker import find

    found = find()
    if found is None:
        sys.exit("No Kafka is running: start it with `steamlab up`, or give an address.")
    return found.bootstrap


def bare(kafka: dict[str, Any], records: list[Record], every: int) -> int:
    """Produce what is encoded already, as any program would; return how many were acked."""
    acked = 0

    def report(error: object, message: object) -> None:
        nonlocal acked
        acked += error is None

    producer = Producer(kafka | PRODUCER | {"on_delivery": report})
    for number, (kind, key, value, headers) in enumerate(records):
        while True:
            try:
                producer.produce(NAMES[kind], value, key, headers=headers)
                break
            except BufferError:
                producer.poll(0.01)
        if not number % every:
            producer.poll(0)
    producer.flush(60)
    producer.close()
    return acked


def replay(kafka: dict[str, Any], chunks: Iterable[Events]) -> int:
    """Send the chunks with the replayer; return how many were acked."""
    replayer = Replayer(kafka, NAMES, Clock(0, math.inf))
    replayer.run(chunks)
    return replayer.acked


def measure(work: Callable[[], int], count: int) -> tuple[float, float]:
    """Run once; return events a second of wall time, and CPU seconds of this process."""
    wall, cpu = time.perf_counter(), time.process_time()
    assert count == work(), "not everything was acknowledged"
    return count / (time.perf_counter() - wall), time.process_time() - cpu


def report(found: Runs, records: list[Record]) -> int:
    """Print the table; return 0 if both figures are reached."""
    count, size = len(records), sum(len(value) for _, _, value, _ in records) / len(records)
    print(f"{count:,} events of {size:.0f} bytes, {os.cpu_count()} cores, median of {RUNS}")
    rates = {name: median(rate for rate, _ in runs) for name, runs in found.items()}
    for name, rate in rates.items():
        cpu = median(seconds for _, seconds in found[name])
        print(f"{name:31} {rate:9,.0f} events/s  wall {count / rate:5.2f} s  CPU {cpu:5.2f} s")
    ours = rates["replayer"]
    share = ours / max(rate for name, rate in rates.items() if name.startswith("bare"))
    print(f"{'replayer / the faster bare loop':31} {share:9.0%}  to reach: {REACH_SHARE:.0%}")
    print(f"{'replayer':31} {ours:9,.0f} events/s  to reach: {REACH_RATE:,}")
    return 0 if share >= REACH_SHARE and ours >= REACH_RATE else 1


if __name__ == "__main__":
    sys.exit(main())
