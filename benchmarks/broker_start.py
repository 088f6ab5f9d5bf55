"""Measure how long Kafka takes from start to ready, and what it holds in memory.

Run it on a quiet computer: `python benchmarks/broker_start.py`. The jars are fetched first.
Reference: one broker in at most 6 s and 200 MB (issue 3).
"""

from __future__ import annotations

import statistics
import time

from steamlab.kafka.cluster import Cluster
from steamlab.kafka.jars import ensure_jars
from steamlab.kafka.java import find_java

REPEATS = 3


def measure(brokers: int, *, fresh: bool) -> tuple[float, int]:
    """Return seconds to ready and the largest node's resident MB; not fresh: the second start."""
    cluster = Cluster(brokers=brokers)
    try:
        if not fresh:
            cluster.start()
            cluster.stop(delete=False)
        begin = time.perf_counter()
        cluster.start()
        seconds = time.perf_counter() - begin
        return seconds, max(node.resident_mb or 0 for node in cluster.nodes)
    finally:
        cluster.stop()


def main() -> None:
    """Print a line for one and three brokers, new and started again."""
    begin = time.perf_counter()
    ensure_jars()
    print(f"verify the jars: {time.perf_counter() - begin:.2f} s; Java: {find_java()}")
    for brokers in (1, 3):
        for fresh in (True, False):
            runs = [measure(brokers, fresh=fresh) for _ in range(REPEATS)]
            seconds = statistics.median(run[0] for run in runs)
            megabytes = max(run[1] for run in runs)
            which = "new" if fresh else "again"
            limit = "  (reach: 6 s, 200 MB)" if brokers == 1 else ""
            print(f"{brokers} broker(s), {which}: {seconds:.1f} s, {megabytes} MB each{limit}")


if __name__ == "__main__":
    main()
