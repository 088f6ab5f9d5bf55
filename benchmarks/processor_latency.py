"""How soon an event is in the metrics: from its append to a read_committed consumer of them.

Run `python benchmarks/processor_latency.py`. Simulated events of all five topics, six partitions
each, are sent at a steady pace while both stages run. Every hundredth is a marker: a purchase from
a region that nobody else buys from, so that the record of this region's revenue since the start
tells by its count which markers are in it. The broker stamps the append, in whole milliseconds.
Beside it stands how soon a consumer of the purchases themselves reads the same markers.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import statistics
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from _processing import (
    PLACES,
    Sender,
    cpu_seconds,
    forget_processed,
    planned,
    wait_until,
    wait_until_ready,
)
from confluent_kafka import OFFSET_END, TIMESTAMP_LOG_APPEND_TIME, Consumer, Message, TopicPartition

from steamlab import topics
from steamlab.broker import up
from steamlab.client import client_config
from steamlab.decoding.validation import REGIONS
from steamlab.pipeline.supervisor import Supervisor
from steamlab.replay.stretch import Record
from steamlab.simulator.encode import REGION_SHARE
from steamlab.topics import METRICS_TOPIC, STORE_TOPICS

__all__ = ["main"]

EVERY = 100  # events; one of them is a marker
WARM_S = 5.0  # of the first markers nothing is counted
REACH_MS = (150, 500)
PURCHASES = next(kind for kind, spec in enumerate(STORE_TOPICS) if spec.name == "store.purchases")
ABROAD = sorted(REGIONS - REGION_SHARE.keys())  # by turns: each waits long before it comes again


def main() -> None:
    """Print median and 99th percentile of both, and of how many samples."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rate", type=int, default=5_000, help="events a second")
    options.add_argument("--seconds", type=float, default=60)
    options.add_argument("--scale", type=float, default=0.1)
    asked = options.parse_args()
    kafka = client_config(up().bootstrap)
    count = round(asked.rate * asked.seconds)
    records = list(islice(marked(planned(asked.scale)), count))
    gc.collect()
    gc.freeze()  # no pause for a garbage collection may pass for a latency
    for spec in PLACES.specs():
        topics.recreate(kafka, _stamped(spec))
    forget_processed(kafka, PLACES)
    with Supervisor(kafka, prefix=PLACES.prefix) as processor:
        wait_until_ready(kafka, PLACES)
        with Watch(kafka, count // EVERY) as watch:
            began_s, before = time.monotonic(), cpu_seconds(processor)
            with Sender(kafka, PLACES, records, asked.rate) as sender:
                wait_until(
                    lambda: _is_well(processor) and not sender.is_running,
                    "all events are sent",
                    asked.seconds * 2 + 30,
                )
            wait_until(lambda: watch.is_complete, "each marker is in the metrics", 60)
            took_s, after = time.monotonic() - began_s, cpu_seconds(processor)
    busy = {stage: (after[stage] - before[stage]) / took_s for stage in after}
    report(watch, sender, busy, asked)
    topics.delete(kafka, [spec.name for spec in PLACES.specs()])


def marked(records: Iterable[Record]) -> Iterator[Record]:
    """Yield the records, with a marker behind each 99 of them."""
    newest, marker = "", 0
    for place, record in enumerate(records, 1):
        newest = max(newest, json.loads(record[2])["timestamp"])
        yield record
        if place % (EVERY - 1) == 0:
            yield _marker(marker, newest)
            marker += 1


def _marker(number: int, timestamp: str) -> Record:
    """Make a purchase as late as the newest event; users by turns, so that all partitions share."""
    user = f"marker-{number % 600}"
    order = {
        "eventType": "purchase", "timestamp": timestamp, "userId": user,
        "orderId": f"marker-{number}", "games": [{"gameId": "game_001", "price": 1.0}],
        "totalAmount": 1.0, "paymentMethod": "paypal", "region": ABROAD[number % len(ABROAD)],
    }  # fmt: skip
    headers = [("marker", str(number).encode())]
    return PURCHASES, user.encode(), json.dumps(order).encode(), headers


def _stamped(spec: topics.TopicSpec) -> topics.TopicSpec:
    """Let the broker say when a record of the store was appended."""
    if spec.name not in PLACES.inputs:
        return spec
    config = {**spec.config, "message.timestamp.type": "LogAppendTime"}
    return topics.TopicSpec(spec.name, spec.partitions, config)


def _is_well(processor: Supervisor) -> bool:
    lines = processor.look()
    assert not lines, lines
    return True


class Watch:
    """Two consumers, each in a thread: when is a marker read itself, and when in the metrics?

    `appended_s`, `read_s` and `counted_s` are seconds since 1970 by marker.
    """

    def __init__(self, kafka: Mapping[str, Any], markers: int) -> None:
        self.appended_s: dict[int, float] = {}
        self.read_s: dict[int, float] = {}
        self.counted_s: dict[int, float] = {}
        self._markers = markers
        self._seen: defaultdict[str, int] = defaultdict(int)  # markers of a region in the metrics
        self._stopped = threading.Event()
        self._consumers = [
            self._consumer(kafka, PLACES.inputs[PURCHASES], STORE_TOPICS[PURCHASES].partitions),
            self._consumer(kafka, PLACES.metrics, METRICS_TOPIC.partitions),
        ]
        looks = (self._note_purchase, self._note_metric)
        self._threads = [
            threading.Thread(target=self._run, args=each, daemon=True)
            for each in zip(self._consumers, looks, strict=True)
        ]

    @staticmethod
    def _consumer(kafka: Mapping[str, Any], topic: str, partitions: int) -> Consumer:
        config = {"group.id": "90.latency", "enable.auto.commit": False}
        consumer = Consumer(dict(kafka) | config | {"isolation.level": "read_committed"})
        consumer.assign([TopicPartition(topic, number, OFFSET_END) for number in range(partitions)])
        # The end is looked up only now, and nothing is sent before it is known.
        assert consumer.poll(2.0) is None, f"{topic} is not empty, or cannot be read"
        return consumer

    @property
    def is_complete(self) -> bool:
        """Whether every marker has come both ways."""
        return self._markers == len(self.counted_s) == len(self.read_s)

    def __enter__(self) -> Watch:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stopped.set()
        for thread, consumer in zip(self._threads, self._consumers, strict=True):
            thread.join(10)
            consumer.close()

    def _run(self, consumer: Consumer, note: Any) -> None:
        while not self._stopped.is_set():
            message = consumer.poll(0.1)  # one by one: a batch would wait for its last
            if message is not None:
                note(message, time.time())

    def _note_purchase(self, message: Message, now_s: float) -> None:
        name, data = (message.headers() or [("", b"")])[0]
        if name != "marker":
            return
        kind, appended_ms = message.timestamp()
        assert kind == TIMESTAMP_LOG_APPEND_TIME, kind
        self.appended_s[int(data)], self.read_s[int(data)] = appended_ms / 1000, now_s

    def _note_metric(self, message: Message, now_s: float) -> None:
        metric, start, region = bytes(message.key() or b"").decode().split("|")
        if metric != "revenue_by_region" or start or region in REGION_SHARE:
            return
        count = json.loads(message.value() or b"")["count"]
        for round_ in range(self._seen[region], count):
            self.counted_s[round_ * len(ABROAD) + ABROAD.index(region)] = now_s
        self._seen[region] = count


def report(
    watch: Watch, sender: Sender, busy: Mapping[str, float], asked: argparse.Namespace
) -> None:
    """Print what both took."""
    first_s = min(watch.appended_s.values()) + WARM_S
    chosen = [number for number, at_s in watch.appended_s.items() if at_s >= first_s]
    assert len(chosen) > 100, "too few samples: let it run longer"
    print(
        f"{sender.sent:,} events at {asked.rate:,}/s into six partitions, scale {asked.scale}, "
        f"at most {sender.late_s * 1000:.0f} ms behind; {len(chosen):,} samples, "
        f"after {WARM_S:g} s; load average {os.getloadavg()[0]:.1f}"
    )
    print(f"{'from append to':34}   median     99th     most")
    ways = {"the purchase is read": watch.read_s, "the metric is read, committed": watch.counted_s}
    for name, at_s in ways.items():
        took = [(at_s[number] - watch.appended_s[number]) * 1000 for number in chosen]
        last = statistics.quantiles(took, n=100)[98]
        print(f"{name:34} {statistics.median(took):5.0f} ms {last:5.0f} ms {max(took):5.0f} ms")
    print(f"{'to reach':34} {REACH_MS[0]:5} ms {REACH_MS[1]:5} ms")
    print(
        ", ".join(f"the {stage} stage used {share:.0%} of a core" for stage, share in busy.items())
    )


if __name__ == "__main__":
    main()
