"""How long the processor is away after SIGKILL, with the state of many events to restore.

Run `python benchmarks/processor_restart.py`. Events keep coming while both processes are killed at
once; the supervisor starts them again. From the kill on, it is noted for each stage when its new
process is there, is a member of the group, has the partitions (the dead member's session must be
over: 3 s), and when a read_committed consumer receives the first record made after the kill; and
how much CPU the process has used by then, which a busy computer does not change by much.
Beside it: how long a consumer that restores nothing waits for the partitions of its killed
predecessor, with the same session timeout; and a process that only imports what a stage needs.
All three alternate.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from _processing import PLACES, Sender, cpu_seconds, fill, forget_processed, planned, wait_until
from confluent_kafka import OFFSET_END, Consumer, TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)

from steamlab import topics
from steamlab.broker import up
from steamlab.client import client_config
from steamlab.pipeline.places import PARTITIONS, SESSION_MS
from steamlab.pipeline.supervisor import Supervisor
from steamlab.pipeline.worker import STAGES
from steamlab.topics import METRICS_TOPIC

__all__ = ["main"]

REACH_S = 8
WELL_S = 11.0  # between two kills: a process that dies sooner is in a row of crashes
STEPS = (
    "the supervisor starts a process",
    "it has joined the group",
    "it has the partitions",
    "its first commit is read",
)


class Passed(NamedTuple):
    """When a step was done: seconds from the kill, and of the new process's CPU."""

    wall_s: float
    cpu_s: float


def main() -> None:
    """Print the seconds from the kill to each step, medians of all runs."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--events", type=int, default=1_000_000)
    options.add_argument("--scale", type=float, default=0.1)
    options.add_argument("--rate", type=int, default=500, help="events a second meanwhile")
    options.add_argument("--runs", type=int, default=3)
    asked = options.parse_args()
    kafka = client_config(up().bootstrap)
    records = planned(asked.scale, days=180)
    count = fill(kafka, PLACES, islice(records, asked.events))
    forget_processed(kafka, PLACES)
    took: defaultdict[str, list[Mapping[str, Passed]]] = defaultdict(list)
    bare: list[float] = []
    imports: list[float] = []
    with Supervisor(kafka, prefix=PLACES.prefix) as processor, Bare(kafka) as member:
        processor.wait_for(events=count, timeout=900)
        with Sender(kafka, PLACES, records, asked.rate), Watch(kafka) as watch:
            for _ in range(asked.runs):
                live(processor, watch, WELL_S)
                for stage, steps in kill(processor, watch).items():
                    took[stage].append(steps)
                live(processor, watch, 1.0)
                bare.append(member.kill())
                imports.append(import_alone())
    report(count, asked, took, bare, imports)
    topics.delete(kafka, [spec.name for spec in PLACES.specs()])


def import_alone() -> float:
    """Return the seconds of a process that imports what a stage needs, and ends."""
    began_s = time.monotonic()
    subprocess.run([sys.executable, "-c", "import steamlab.pipeline.worker"], check=True)
    return time.monotonic() - began_s


def live(processor: Supervisor, watch: Watch, seconds: float) -> None:
    """Let it run; nobody may die."""
    ends_s = time.monotonic() + seconds
    while time.monotonic() < ends_s:
        lines = processor.look()
        assert not lines, lines
        watch.look()
        time.sleep(0.1)


def kill(
    processor: Supervisor, watch: Watch, timeout: float = 60
) -> dict[str, Mapping[str, Passed]]:
    """Kill both stages; return for each the seconds to each of STEPS."""
    watch.forget()
    dead = {stage: process.pid for stage, process in processor.processes.items()}
    began_s = time.time()
    for pid in dead.values():
        os.kill(pid, signal.SIGKILL)
    found: dict[str, dict[str, Passed]] = {stage: {} for stage in STAGES}
    while any(len(steps) < len(STEPS) for steps in found.values()):
        for line in processor.look():
            print(line, file=sys.stderr)
        seen, cpu_s = watch.look(began_s), cpu_seconds(processor)
        for stage, process in processor.processes.items():
            if process.pid != dead[stage]:
                for step in {STEPS[0], *seen[stage]} - found[stage].keys():
                    found[stage][step] = Passed(time.time() - began_s, cpu_s[stage])
        assert time.time() < began_s + timeout, f"not within {timeout:g} s: {found}"
        time.sleep(0.02)
    assert {stage: 1 for stage in STAGES} == watch.members(), "one new member a stage"
    return found


class Watch:
    """Look at the groups and at what is committed, as anybody can."""

    def __init__(self, kafka: Mapping[str, Any]) -> None:
        self._admin = AdminClient(dict(kafka))
        config = {"group.id": "90.restart", "enable.auto.commit": False}
        self._consumer = Consumer(dict(kafka) | config | {"isolation.level": "read_committed"})
        # Each of these topics is written by one stage alone.
        self._writer = {PLACES.changelog: "first", PLACES.metrics: "second"}
        self._consumer.assign(
            [TopicPartition(PLACES.changelog, number, OFFSET_END) for number in range(PARTITIONS)]
            + [
                TopicPartition(PLACES.metrics, number, OFFSET_END)
                for number in range(METRICS_TOPIC.partitions)
            ]
        )
        self._dead: dict[str, set[str]] = {stage: set() for stage in STAGES}

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, *error: object) -> None:
        self._consumer.close()

    def forget(self) -> None:
        """Take those who are members now for dead."""
        self._dead = {stage: set(each) for stage, each in self._described().items()}

    def members(self) -> dict[str, int]:
        """Return how many members each stage has."""
        return {stage: len(each) for stage, each in self._described().items()}

    def look(self, since_s: float = 0.0) -> dict[str, set[str]]:
        """Return by stage the steps that are seen to be done by others than the dead."""
        found: dict[str, set[str]] = {stage: set() for stage in STAGES}
        for message in self._consumer.consume(10_000, 0.02):
            # Made after the kill, not only received: the producer's clock is this one's.
            if not message.error() and message.timestamp()[1] > since_s * 1000:
                found[self._writer[message.topic()]].add(STEPS[3])
        for stage, members in self._described().items():
            parts = [has for name, has in members.items() if name not in self._dead[stage]]
            found[stage] |= {STEPS[1]} if parts else set()
            found[stage] |= {STEPS[2]} if sum(parts) else set()
        return found

    def _described(self) -> dict[str, dict[str, int]]:
        """Return by stage how many partitions each member has."""
        groups = [PLACES.group(stage) for stage in STAGES]
        futures = self._admin.describe_consumer_groups(groups, request_timeout=10)
        return {
            stage: {
                each.member_id: len(each.assignment.topic_partitions)
                for each in futures[PLACES.group(stage)].result(10).members
            }
            for stage in STAGES
        }


class Bare:
    """A process that only consumes, with the session timeout of the stages."""

    def __init__(self, kafka: Mapping[str, Any]) -> None:
        self._kafka, self._group = kafka, "90.bare"
        self._process: subprocess.Popen[str] | None = None
        self._count, self._assigned_s = 0, 0.0

    def __enter__(self) -> Bare:
        entry = ConfigEntry(
            "consumer.session.timeout.ms",
            str(SESSION_MS),
            incremental_operation=AlterConfigOpType.SET,
        )
        resource = ConfigResource(ResourceType.GROUP, self._group, incremental_configs=[entry])
        with AdminClient(dict(self._kafka)) as admin:
            admin.incremental_alter_configs([resource])[resource].result(30)
        self._start()
        return self

    def __exit__(self, *error: object) -> None:
        self._end()

    def kill(self) -> float:
        """Kill it, start another at once; return the seconds until that has the partitions."""
        began_s = time.monotonic()
        self._end()
        self._start()
        return self._assigned_s - began_s

    def _start(self) -> None:
        script = Path(__file__).with_name("_bare_member.py")
        words = [self._kafka["bootstrap.servers"], self._group, ",".join(PLACES.inputs)]
        self._count = 0
        self._process = subprocess.Popen(
            [sys.executable, str(script), *words], stdout=subprocess.PIPE, text=True
        )
        threading.Thread(target=self._listen, args=[self._process.stdout], daemon=True).start()
        wait_until(
            lambda: self._count == len(PLACES.inputs) * PARTITIONS, "the bare consumer's part", 60
        )

    def _listen(self, lines: Any) -> None:
        for line in lines:
            self._assigned_s, self._count = time.monotonic(), self._count + int(line)

    def _end(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait(10)


def report(
    count: int,
    asked: argparse.Namespace,
    took: Mapping[str, list[Mapping[str, Passed]]],
    bare: list[float],
    imports: list[float],
) -> None:
    """Print medians of both stages, and which step is the longest."""
    print(
        f"state of {count:,} events, scale {asked.scale}, {asked.rate}/s meanwhile; SIGKILL of "
        f"both stages, median of {asked.runs}; load average {os.getloadavg()[0]:.1f}"
    )
    middle: dict[str, list[float]] = {stage: [] for stage in STAGES}
    print(f"{'seconds from the kill until':34} {'first':>7} {'CPU':>6} {'second':>7} {'CPU':>6}")
    for step in STEPS:
        line = f"{step:34}"
        for stage in STAGES:
            passed = [run[step] for run in took[stage]]
            wall_s, cpu_s = map(statistics.median, zip(*passed, strict=True))
            middle[stage].append(wall_s)
            line += f" {wall_s:7.2f} {cpu_s:6.2f}"
        print(line)
    for stage, at_s in middle.items():
        steps = [end - begin for begin, end in zip([0.0, *at_s], at_s, strict=False)]
        longest = max(range(len(STEPS)), key=steps.__getitem__)
        print(f"longest in the {stage} stage: {steps[longest]:.2f} s until {STEPS[longest]}")
    worst = max(run[STEPS[3]].wall_s for runs in took.values() for run in runs)
    print(f"slowest of all runs {worst:.2f} s; to reach: {REACH_S} s")
    print(f"a bare consumer has the partitions again after {statistics.median(bare):.2f} s")
    print(f"a process that only imports a stage ends after {statistics.median(imports):.2f} s")


if __name__ == "__main__":
    main()
