"""What an event costs in the stream engines of Python: CPU beside a bare consume loop.

    python benchmarks/peers.py [--runs 5] [--events 1000000] [--only bytewax,quix]

Each engine computes one metric, the count of events and their revenue in each minute, over the
same simulated events: to the end of a topic, counted in events, in an environment of its own that
this command installs below STEAMLAB_CACHE and keeps. An engine whose numbers differ from those of
a plain loop gets no figure. CPU is user and system time of the whole process, start-up included;
what a start costs stands beside it.

All events count, not the purchases alone: those are one event in fifty, so that a million would
take a plan of fifty, and each event read would cost the same, for it is parsed and counted either
way. The peers get all events in one topic: reading five would cost them more, and Quix its order.
The five topics of the store hold the same events, for our own processor. No event is late.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from peers.engines import ENGINES, Engine
from peers.environments import NotInstalledError
from peers.running import Cost, FailedError, measure, start_up
from peers.store import PARTITIONS, Store, fill

from steamlab.kafka.cluster import Cluster
from steamlab.settings import settings

__all__ = ["main"]

LINE = "{:30} {:>7} {:>9} {:>7} {:>6} {:>7} {:>7} {:>7}  {}"


@dataclass
class Figures:
    """What was measured: each engine's runs, what its start costs, and why it has no figure."""

    costs: dict[str, list[Cost]] = field(default_factory=dict)
    starts: dict[str, float | None] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


def main() -> int:
    """Measure and print; return 1 if an engine that is installed failed or gave wrong numbers."""
    asked = options()
    home = asked.environments or settings().cache / "peers"
    print(f"the engines' environments: {home}")
    pythons = install(asked.only, home)
    figures = Figures()
    with Cluster() as cluster:
        store = fill(cluster.kafka, asked.events, min(asked.short, asked.events), asked.scale)
        introduce(store, asked)
        for run in range(asked.runs + 1):
            for name, python in pythons.items():
                if name not in figures.failed:
                    take(figures, name, run, (python, cluster.kafka), store, asked.timeout)
            print(f"run {run} of {asked.runs}: load average {os.getloadavg()[0]:.1f}", flush=True)
    report(store, pythons, figures)
    return 1 if figures.failed else 0


def take(
    figures: Figures, name: str, run: int, where: tuple[Path, Any], store: Store, timeout: float
) -> None:
    """Let an engine run once; in run 0 start it with nothing to read."""
    engine = ENGINES[name]
    try:
        if run:
            cost = measure(engine, *where, store, timeout=timeout)
            figures.costs.setdefault(name, []).append(cost)
            return
        for _ in range(2):  # the first also fills the caches of files and bytecode
            figures.starts[name] = start_up(engine, *where, timeout=timeout)
    except FailedError as error:
        figures.failed[name] = str(error)
        print(f"{engine.name}: {error}", flush=True)


def options() -> argparse.Namespace:
    """Read the command line."""
    words = (__doc__ or "").split("\n\n")
    parser = argparse.ArgumentParser(description=words[0], epilog=words[2])
    parser.add_argument("--runs", type=int, default=5, help="alternating runs; the median counts")
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--short", type=int, default=200_000, help="as many for Faust, the slowest")
    parser.add_argument("--scale", type=float, default=0.1, help="of the simulated store")
    parser.add_argument("--only", type=lambda text: text.split(","), default=[*ENGINES])
    parser.add_argument("--environments", type=Path, help="the folder of the environments")
    parser.add_argument("--timeout", type=float, default=600, help="seconds for one run")
    asked = parser.parse_args()
    if unknown := [name for name in asked.only if name not in ENGINES]:
        parser.error(f"there is no {', '.join(unknown)}: choose of {', '.join(ENGINES)}")
    return asked


def install(names: list[str], home: Path) -> dict[str, Path]:
    """Return the Pythons of those that can be installed; say of each other why it cannot."""
    pythons: dict[str, Path] = {}
    for name in names:
        try:
            pythons[name] = ENGINES[name].install(home)
        except NotInstalledError as error:
            print(f"{ENGINES[name].name} is not measured: {error}", flush=True)
    return pythons


def introduce(store: Store, asked: argparse.Namespace) -> None:
    """Say what is read."""
    print(
        f"{asked.events:,} simulated events of {store.bytes_an_event:.0f} bytes, "
        f"{store.days:.1f} days at scale {asked.scale}, zstd, {PARTITIONS} partitions; "
        f"{os.cpu_count()} cores, Python {platform.python_version()}"
    )
    print(f"one metric: count and revenue of each minute; median of {asked.runs} runs", flush=True)


def report(store: Store, pythons: dict[str, Path], figures: Figures) -> None:
    """Print a line for each engine, cost per event read."""
    print(
        LINE.format("", "Python", "read", "us CPU", "x bare", "start s", "less", "wall s", "from")
    )
    bare = _microseconds("bare", store, figures) if "bare" in figures.costs else None
    for name, python in pythons.items():
        if name in figures.failed:
            print(f"{ENGINES[name].name:30} no figure: {figures.failed[name]}")
        else:
            print(LINE.format(*_line(name, store, figures, bare, _version(python))))
    print("us CPU: of an event read, start included; less: without start s, measured apart")


def _line(
    name: str, store: Store, figures: Figures, bare: float | None, version: str
) -> tuple[str, ...]:
    engine, start = ENGINES[name], figures.starts[name]
    count, cost = _count(engine, store), _microseconds(name, store, figures)
    read = engine.topics[0] if len(engine.topics) == 1 else "the five topics"
    return (
        engine.name,
        version,
        f"{count:,}",
        f"{cost:.2f}",
        "-" if bare is None else f"{cost / bare:.1f}",
        "-" if start is None else f"{start:.2f}",
        "-" if start is None else f"{cost - start * 1e6 / count:.2f}",
        f"{median(each.wall_s for each in figures.costs[name]):.1f}",
        f"{read}; {engine.promise}",
    )


def _microseconds(name: str, store: Store, figures: Figures) -> float:
    return median(each.cpu_s for each in figures.costs[name]) * 1e6 / _count(ENGINES[name], store)


def _count(engine: Engine, store: Store) -> int:
    return sum(store.counts[name] for name in engine.topics)


def _version(python: Path) -> str:
    code = "import platform; print(platform.python_version())"
    asked = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
    return asked.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
