"""What a live chart costs its kernel: redraws a second, processor share, memory.

    python benchmarks/live_chart.py [--minutes 1] [--rate 1000] [--bootstrap 127.0.0.1:29092]

A real kernel follows a topic that another process feeds at `--rate` events a second. First a bare
loop that consumes and keeps the newest records, as the chart does, and draws nothing: that is the
reference. Then the chart, of the ten most viewed games. Without a browser; the reach is for both.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import queue
import statistics
import subprocess
import sys
import threading
import time
import uuid
from dataclasses import dataclass
from typing import Any

import psutil
from confluent_kafka import Producer
from jupyter_client.manager import KernelManager

from steamlab import broker, topics
from steamlab.catalog import catalog
from steamlab.client import client_config

REACH_REDRAWS, REACH_CPU, REACH_GROWTH = 4.0, 0.35, 0.05

BARE = """
import threading
from collections import deque
from confluent_kafka import Consumer, TopicPartition
from steamlab import charts
from steamlab.client import client_config
from steamlab.frames import row
from steamlab.live import LiveChart
charts.install()
kafka, topic, kept, ended = client_config({bootstrap!r}), {topic!r}, deque(maxlen=5000), False
def bare():
    with Consumer(kafka | {{"group.id": "bare", "enable.auto.commit": False}}) as consumer:
        consumer.assign([TopicPartition(topic, p) for p in range(6)])
        while not ended:
            for message in consumer.consume(1000, timeout=0.1):
                kept.append(row(message))
loop = threading.Thread(target=bare); loop.start()
"""
CHART = """
ended = True; loop.join(); kept.clear()
def top(df):
    views = df.groupby("gameName", as_index=False).size().nlargest(10, "size")
    return charts.bars(views, "gameName", "size", horizontal=True, title="Views", y_title="views")
chart = LiveChart(kafka, topic, top, start="end")
"""


@dataclass(frozen=True)
class Cost:
    """What the kernel took over a stretch: share of a core, resident MB at its start and end."""

    share: float
    first_mb: float
    last_mb: float


class Kernel:
    """A Jupyter kernel, its outputs read and thrown away as they come."""

    def __init__(self) -> None:
        self._manager = KernelManager(kernel_name="python3")
        self._manager.start_kernel(stderr=subprocess.DEVNULL)
        self._client = self._manager.blocking_client()
        self._client.start_channels()
        self._client.wait_for_ready(timeout=60)
        self.process = psutil.Process(self._manager.provisioner.pid)  # type: ignore[union-attr]
        self._ended = False
        self._reader = threading.Thread(target=self._drain, daemon=True)
        self._reader.start()

    def run(self, code: str, *expressions: str) -> list[Any]:
        """Run code and return the values of some expressions."""
        wanted = {str(i): text for i, text in enumerate(expressions)}
        told = self._client.execute(code, user_expressions=wanted, reply=True, timeout=60)
        content = told["content"]
        assert content["status"] == "ok", content.get("evalue")
        plain = [content["user_expressions"][name]["data"]["text/plain"] for name in wanted]
        return [float(text) for text in plain]

    def cost(self, seconds: float) -> Cost:
        """Watch the process for a while, once a second."""
        began, used, memory = time.monotonic(), sum(self.process.cpu_times()[:2]), []
        while time.monotonic() < began + seconds:
            time.sleep(1)
            memory.append(self.process.memory_info().rss / 1e6)
        third = max(1, len(memory) // 3)
        spent = sum(self.process.cpu_times()[:2]) - used
        first, last = statistics.mean(memory[:third]), statistics.mean(memory[-third:])
        return Cost(spent / (time.monotonic() - began), first, last)

    def end(self) -> None:
        """End the kernel."""
        self._ended = True
        self._reader.join(5)
        self._client.stop_channels()
        self._manager.shutdown_kernel(now=True)

    def _drain(self) -> None:
        while not self._ended:
            try:
                self._client.get_iopub_msg(timeout=1)
            except queue.Empty:
                continue


def feed(bootstrap: str, topic: str, rate: int) -> None:
    """Produce page views at an even rate until the process is ended."""
    games, number = catalog(), 0
    with Producer(client_config(bootstrap) | {"linger.ms": 5}) as producer:
        began = time.monotonic()
        while True:
            due = int((time.monotonic() - began) * rate)
            while number < due:
                game, user = games[number * number % 97], f"user_{number % 4001:06d}"
                event = {
                    "eventType": "game_page_viewed",
                    "timestamp": "2025-11-17T00:00:00Z",
                    "userId": user,
                    "gameId": game.game_id,
                    "gameName": game.game_name,
                    "price": game.price,
                    "onSale": False,
                    "category": game.category,
                    "tags": game.tags,
                    "source": "search",
                }
                producer.produce(topic, json.dumps(event), user)
                producer.poll(0)
                number += 1
            time.sleep(0.01)


def main() -> None:
    """Print the figures beside their reference and their reach; exit 1 where one is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=1)
    parser.add_argument("--rate", type=int, default=1000)
    parser.add_argument("--bootstrap")
    args = parser.parse_args()
    bootstrap = args.bootstrap or broker.up().bootstrap
    spec = topics.TopicSpec(f"bench-live-{uuid.uuid4().hex[:8]}", 6)
    topics.create(client_config(bootstrap), [spec])
    spawn = multiprocessing.get_context("spawn")
    feeder = spawn.Process(target=feed, args=(bootstrap, spec.name, args.rate), daemon=True)
    feeder.start()
    kernel = Kernel()
    try:
        kernel.run(BARE.format(bootstrap=bootstrap, topic=spec.name))
        time.sleep(6)  # until it keeps as many records as it may
        bare = kernel.cost(min(20, 20 * args.minutes))
        kernel.run(CHART)
        time.sleep(8)
        ask = "chart.redraws", "chart.seen", "__import__('time').monotonic()"
        before = kernel.run("", *ask)
        chart = kernel.cost(60 * args.minutes)
        after = kernel.run("assert chart.error is None", *ask)
    finally:
        kernel.end()
        feeder.kill()
        feeder.join()
        topics.delete(client_config(bootstrap), [spec.name])
    redraws, seen, seconds = (b - a for a, b in zip(before, after, strict=True))
    sys.exit(not report(redraws / seconds, seen / seconds, bare, chart))


def report(redraws: float, rate: float, bare: Cost, chart: Cost) -> bool:
    """Print the figures; return whether all were reached."""
    growth, first, last = chart.last_mb / chart.first_mb - 1, chart.first_mb, chart.last_mb
    print(f"events     {rate:8,.0f} /s")
    print(f"redraws    {redraws:8.2f} /s         reach >= {REACH_REDRAWS:g}")
    print(f"kernel     {chart.share:8.1%} of a core  reach <= {REACH_CPU:.0%}")
    print(f"bare loop  {bare.share:8.1%} of a core  (the reference: consumes, draws nothing)")
    print(f"memory     {growth:+8.1%}            reach <= {REACH_GROWTH:+.0%}", end="")
    print(f"   ({first:.0f} MB in the first third, {last:.0f} MB in the last)")
    return redraws >= REACH_REDRAWS * 0.995 and chart.share <= REACH_CPU and growth <= REACH_GROWTH


if __name__ == "__main__":
    main()
