"""How fast `steamlab process` is on a real broker, beside a bare consume loop over the same bytes.

Run `python benchmarks/processor_kafka.py`. Simulated events of all five topics, six partitions
each, are written once; then both read them from the beginning, alternating. CPU is that of the
processes, with their clients' threads; a process's start is taken off. Wall time is beside it.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Mapping
from typing import Any

import psutil
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from steamlab import topics
from steamlab.broker import up
from steamlab.client import client_config
from steamlab.pipeline.places import PARTITIONS, Places
from steamlab.pipeline.supervisor import Supervisor
from steamlab.simulator.planner import Plan

__all__ = ["fill", "forget_processed", "main"]

PLACES = Places("90.")


def main() -> None:
    """Print microseconds of CPU an event of both, of each stage, and events a second."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--events", type=int, default=1_000_000)
    options.add_argument("--scale", type=float, default=0.1)
    options.add_argument("--runs", type=int, default=5)
    asked = options.parse_args()
    kafka = client_config(up().bootstrap)
    count = fill(kafka, PLACES, asked.events, asked.scale)
    spent: dict[str, list[float]] = {name: [] for name in ("bare", "first", "second", "wall")}
    for _ in range(asked.runs):
        spent["bare"].append(_consume(kafka, count) / count * 1e6)
        for name, seconds in _process(kafka, count).items():
            spent[name].append(seconds / count * 1e6)
    bare, first, second, wall = (statistics.median(each) for each in spent.values())
    both = first + second
    print(f"{count:,} events, scale {asked.scale}, median of {asked.runs} alternating runs")
    print(f"bare consume(1000)   {bare:6.2f} us of CPU an event")
    print(f"first stage          {first:6.2f} us: {1e6 / first:9,.0f} events/s a core")
    print(f"second stage         {second:6.2f} us")
    print(f"all sixteen, both    {both:6.2f} us: {1e6 / both:9,.0f} events/s a core")
    print(f"                     {both / bare:6.2f} x the bare loop")
    print(f"wall, two processes  {wall:6.2f} us: {1e6 / wall:9,.0f} events/s")
    topics.delete(kafka, [spec.name for spec in PLACES.specs()])


def fill(kafka: Mapping[str, Any], places: Places, count: int, scale: float) -> int:
    """Write simulated events into fresh topics of the store; return how many."""
    for spec in places.specs():
        topics.recreate(kafka, spec)
    sent = 0
    config = dict(kafka) | {"compression.type": "zstd", "linger.ms": 50}
    with Producer(config | {"partitioner": "murmur2_random"}) as producer:
        for chunk in Plan(scale=scale, days=70).chunks():
            for kind, key, value, headers in chunk.encode(0, min(len(chunk), count - sent), None):
                while True:
                    try:
                        producer.produce(places.inputs[kind], value, key, headers=headers)
                        break
                    except BufferError:
                        producer.poll(0.1)
                sent += 1
            if sent >= count:
                break
    return sent


def forget_processed(kafka: Mapping[str, Any], places: Places) -> None:
    """Let the processor begin anew: empty what it wrote, forget its offsets."""
    for spec in places.specs():
        if spec.name not in places.inputs:
            topics.recreate(kafka, spec)
    with AdminClient(dict(kafka)) as admin:
        groups = [places.group(stage) for stage in ("first", "second")]
        for future in admin.delete_consumer_groups(groups).values():
            error = future.exception(30)
            code = error.args[0].code() if error is not None else None  # type: ignore[attr-defined]
            assert code in (None, KafkaError.GROUP_ID_NOT_FOUND), error


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


def _process(kafka: Mapping[str, Any], count: int) -> dict[str, float]:
    """Return the CPU seconds of each stage, and the wall time from the first commit's wait on."""
    forget_processed(kafka, PLACES)
    with Supervisor(kafka, prefix=PLACES.prefix) as processor:
        seen: dict[str, float] = {}

        def tell(done: int, there: int, lines: list[str]) -> None:
            assert not lines, lines
            if not done and not seen.get("first"):
                starting.update(_spent(processor))
                starting["wall"] = time.monotonic()

        starting: dict[str, float] = {}
        processor.wait_for(events=count, timeout=900, tell=tell)
        ended = _spent(processor) | {"wall": time.monotonic()}
    return {name: ended[name] - starting[name] for name in ended}


def _spent(processor: Supervisor) -> dict[str, float]:
    """Return the CPU seconds of each process so far."""
    found = {}
    for stage, process in processor.processes.items():
        times = psutil.Process(process.pid).cpu_times()
        found[stage] = times.user + times.system
    return found


if __name__ == "__main__":
    main()
