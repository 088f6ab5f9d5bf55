"""What the benchmarks of the processor on Kafka share: events, sent at once or at a pace."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import TracebackType
from typing import Any

import psutil
from confluent_kafka import Producer

from steamlab import topics
from steamlab.groups import delete_group, look_at
from steamlab.pipeline.places import PARTITIONS, Places
from steamlab.pipeline.supervisor import Supervisor
from steamlab.pipeline.worker import STAGES
from steamlab.processor.chapters import CHAPTERS
from steamlab.replay.stretch import BATCH, Record
from steamlab.simulator.planner import Plan

__all__ = [
    "PLACES",
    "Sender",
    "cpu_seconds",
    "fill",
    "forget_processed",
    "planned",
    "wait_until",
    "wait_until_ready",
]

PLACES = Places("90.")
_TICK_S = 0.005


def planned(scale: float, days: float = 70) -> Iterator[Record]:
    """Yield the simulated store's records, in order of arrival."""
    for chunk in Plan(scale=scale, days=days).chunks():
        for low in range(0, len(chunk), BATCH):
            yield from chunk.encode(low, low + BATCH, None)


def fill(kafka: Mapping[str, Any], places: Places, records: Iterable[Record]) -> int:
    """Write records into fresh topics of the store; return how many."""
    for spec in places.specs():
        topics.recreate(kafka, spec)
    sent = 0
    with Producer(dict(kafka) | _PRODUCER | {"linger.ms": 50}) as producer:
        for record in records:
            _produce(producer, places, record)
            sent += 1
    return sent


def forget_processed(kafka: Mapping[str, Any], places: Places) -> None:
    """Let the processor begin anew: empty what it wrote, forget its offsets."""
    for spec in places.specs():
        if spec.name not in places.inputs:
            topics.recreate(kafka, spec)
    for stage in STAGES:
        delete_group(kafka, places.group(stage))


def cpu_seconds(processor: Supervisor) -> dict[str, float]:
    """Return the CPU seconds of each process so far."""
    found = {}
    for stage, process in processor.processes.items():
        times = psutil.Process(process.pid).cpu_times()
        found[stage] = times.user + times.system
    return found


def wait_until(is_done: Callable[[], bool], what: str, timeout: float) -> None:
    """Look ten times a second whether something is so, until `timeout` seconds are over."""
    deadline = time.monotonic() + timeout
    while not is_done():
        assert time.monotonic() < deadline, f"{what}: not within {timeout:g} s"
        time.sleep(0.1)


def wait_until_ready(kafka: Mapping[str, Any], places: Places, timeout: float = 60) -> None:
    """Wait until both stages have their partitions."""
    parts = {"first": len(places.inputs) * PARTITIONS, "second": len(CHAPTERS)}

    def is_ready() -> bool:
        groups = {stage: look_at(kafka, places.group(stage)) for stage in STAGES}
        return all(
            sum(map(len, group.members.values())) == parts[stage] for stage, group in groups.items()
        )

    wait_until(is_ready, "both stages have their partitions", timeout)


class Sender:
    """Send records at a rate in a thread of its own, until they end or it is stopped.

    `sent` counts them; `late_s` is how far behind its pace it has been at most.
    """

    def __init__(
        self, kafka: Mapping[str, Any], places: Places, records: Iterable[Record], rate: float
    ) -> None:
        self.sent, self.late_s = 0, 0.0
        self._kafka, self._places, self._rate = kafka, places, rate
        self._records = iter(records)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def is_running(self) -> bool:
        """Whether there are records left."""
        return self._thread.is_alive()

    def __enter__(self) -> Sender:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stopped.set()
        self._thread.join(60)

    def _run(self) -> None:
        begin_s, is_over = time.monotonic(), False
        with Producer(dict(self._kafka) | _PRODUCER | {"linger.ms": 5}) as producer:
            while not is_over and not self._stopped.wait(_TICK_S):
                due = int((time.monotonic() - begin_s) * self._rate) - self.sent
                before = self.sent
                for record in itertools.islice(self._records, due):
                    _produce(producer, self._places, record)
                    self.sent += 1
                is_over = self.sent - before < due
                self.late_s = max(self.late_s, due / self._rate - _TICK_S)
                producer.poll(0)
            producer.flush(30)


_PRODUCER = {
    "acks": "all",
    "enable.idempotence": True,
    "compression.type": "zstd",
    "partitioner": "murmur2_random",
}


def _produce(producer: Producer, places: Places, record: Record) -> None:
    kind, key, value, headers = record
    while True:
        try:
            producer.produce(places.inputs[kind], value, key, headers=headers)
            return
        except BufferError:
            producer.poll(0.1)
