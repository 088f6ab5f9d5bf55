"""How fast `steamlab process` is on a real broker, beside a bare consume loop over the same bytes.

Run `python benchmarks/processor_kafka.py`. Simulated events of all five topics, six partitions
each, are written once; then both read them from the beginning, alternating. CPU is that of the
processes, with their clients' threads; a process's start is taken off. Wall time is beside it.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

from _processing import PLACES, cpu_seconds, fill, forget_processed, planned
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

from steamlab import topics
from steamlab.broker import up
from steamlab.client import client_config
from steamlab.pipeline.places import PARTITIONS
from steamlab.pipeline.supervisor import Supervisor

__all__ = ["main"]

WINDOWED = ("sales", "products")  # metrics 1-4 and 9-12


def main() -> None:
    """Print microseconds of CPU an event: bare, of all sixteen metrics, of some of them alone."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--events", type=int, default=1_000_000)
    options.add_argument("--scale", type=float, default=0.1)
    options.add_argument("--runs", type=int, default=5)
    asked = options.parse_args()
    kafka = client_config(up().bootstrap)
    count = fill(kafka, PLACES, islice(planned(asked.scale), asked.events))
    bare: list[float] = []
    spent: dict[tuple[str, ...], list[dict[str, float]]] = {only: [] for only in ((), WINDOWED)}
    for _ in range(asked.runs):
        bare.append(_consume(kafka, count))
        for only, runs in spent.items():
            runs.append(_process(kafka, count, only))
    print(f"{count:,} events, scale {asked.scale}, median of {asked.runs} alternating runs")
    loop = statistics.median(bare) / count * 1e6
    print(f"bare consume(1000)   {loop:6.2f} us of CPU an event")
    for only, runs in spent.items():
        print(f"{' and '.join(only) or 'all sixteen metrics'}:")
        _print(runs, count, loop)
    topics.delete(kafka, [spec.name for spec in PLACES.specs()])


def _print(runs: Sequence[Mapping[str, float]], count: int, loop: float) -> None:
    first, second, wall = (
        statistics.median(run[name] for run in runs) / count * 1e6
        for name in ("first", "second", "wall")
    )
    both = first + second
    print(f"  first stage        {first:6.2f} us: {1e6 / first:9,.0f} events/s a core")
    print(f"  second stage       {second:6.2f} us")
    print(f"  both               {both:6.2f} us: {1e6 / both:9,.0f} events/s a core")
    print(f"                     {both / loop:6.2f} x the bare loop")
    print(f"  wall, two processes{wall:6.2f} us: {1e6 / wall:9,.0f} events/s")


def _consume(kafka: Mapping[str, Any], count: int) -> float:
    """Return the CPU seconds of reading everything, and of nothing else."""
    before = time.process_time()
    with Consumer(dict(kafka) | {"group.id": "bare", "enable.auto.commit": False}) as consumer:
        consumer.assign(
            [
                TopicPartition(topic, number, OFFSET_BEGINNING)
                for topic in PLACES.inputs
                for number in range(PARTITIONS)
            ]
        )
        seen = 0
        while seen < count:
            seen += len(consumer.consume(1000, 1.0))
    return time.process_time() - before


def _process(kafka: Mapping[str, Any], count: int, only: Sequence[str]) -> dict[str, float]:
    """Return the CPU seconds of each stage, and the wall time from the first commit's wait on."""
    forget_processed(kafka, PLACES)
    with Supervisor(kafka, prefix=PLACES.prefix, only=only) as processor:
        seen: dict[str, float] = {}

        def tell(done: int, there: int, lines: list[str]) -> None:
            assert not lines, lines
            if not done and not seen.get("first"):
                starting.update(cpu_seconds(processor))
                starting["wall"] = time.monotonic()

        starting: dict[str, float] = {}
        processor.wait_for(events=count, timeout=900, tell=tell)
        ended = cpu_seconds(processor) | {"wall": time.monotonic()}
    return {name: ended[name] - starting[name] for name in ended}


if __name__ == "__main__":
    main()
