"""Measure how long Kafka takes from start to ready, its CPU, and what it holds in memory.

Run it on a quiet computer: `python benchmarks/broker_start.py`. The jars are fetched and the
archive of their classes is made first; starts with and without the archive take turns.
Reference: one broker in at most 6 s and 200 MB (issue 3).
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import psutil

from steamlab.kafka.archive import find_archive
from steamlab.kafka.cluster import Cluster
from steamlab.kafka.jars import ensure_jars
from steamlab.kafka.java import find_java
from steamlab.kafka.node import find_nodes

REPEATS = 3
REACH = "  (reach: 6 s, 200 MB)"


class Start(NamedTuple):
    """One start: seconds and CPU seconds to ready, the largest node's resident MB."""

    seconds: float
    cpu: float
    megabytes: int


def ensure_archive(timeout: float = 300) -> None:
    """Let a first start make the archive of classes, and wait for it."""
    deadline = time.monotonic() + timeout
    if find_archive(find_java(), ensure_jars()) is None:
        Cluster().start().stop()
    while find_archive(find_java(), ensure_jars()) is None:
        if time.monotonic() > deadline:
            raise SystemExit("The archive of classes was not made.")
        time.sleep(0.2)


@contextmanager
def no_archive() -> Iterator[None]:
    """Take the archive away: a cache in which none can be made, the jars as they are."""
    with tempfile.NamedTemporaryFile() as file:
        kept = dict(os.environ)
        jars = str(ensure_jars()[0].parent)
        os.environ.update(STEAMLAB_CACHE=file.name, STEAMLAB_KAFKA_JARS=jars)
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(kept)


def measure(brokers: int, *, fresh: bool) -> Start:
    """Start a cluster; not fresh: the second start, where nothing is formatted."""
    cluster = Cluster(brokers=brokers)
    try:
        if not fresh:
            cluster.start()
            cluster.stop(delete=False)
        begin, before = time.perf_counter(), children_cpu()
        cluster.start()
        seconds = time.perf_counter() - begin
        times = [node.cpu_times() for node in find_nodes(cluster.cluster_id).values()]
        cpu = children_cpu() - before + sum(each.user + each.system for each in times)
        return Start(seconds, cpu, max(node.resident_mb or 0 for node in cluster.nodes))
    finally:
        cluster.stop()


def children_cpu() -> float:
    """Return the CPU seconds of the processes that ended: the JVMs that formatted."""
    times = psutil.Process().cpu_times()
    return float(getattr(times, "children_user", 0) + getattr(times, "children_system", 0))


def compare(brokers: int, *, fresh: bool) -> None:
    """Print a line without and one with the archive, from starts that took turns."""
    runs: dict[str, list[Start]] = {"without": [], "with": []}
    for _ in range(REPEATS):
        with no_archive():
            runs["without"].append(measure(brokers, fresh=fresh))
        runs["with"].append(measure(brokers, fresh=fresh))
    for which, starts in runs.items():
        seconds, cpu, _ = map(statistics.median, zip(*starts, strict=True))
        megabytes = max(start.megabytes for start in starts)
        print(
            f"{brokers} broker(s), {'new' if fresh else 'again'}, {which} archive: "
            f"{seconds:.1f} s, {cpu:.1f} s of CPU, {megabytes} MB each"
            f"{REACH if brokers == 1 else ''}"
        )


def main() -> None:
    """Print two lines each for one and three brokers, new and started again."""
    begin = time.perf_counter()
    ensure_jars()
    print(f"verify the jars: {time.perf_counter() - begin:.2f} s; Java: {find_java()}")
    ensure_archive()
    archive = find_archive(find_java(), ensure_jars()) or Path()
    print(f"archive of classes: {archive.stat().st_size / 1e6:.0f} MB")
    for brokers in (1, 3):
        for fresh in (True, False):
            compare(brokers, fresh=fresh)


if __name__ == "__main__":
    main()
