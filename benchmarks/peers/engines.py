"""Who is measured: each engine's environment, its program, and where its result is read.

Our own processor reads the five topics of the store, and all of its sixteen metrics are computed;
the minutes of one, which counts purchases alone, are compared. `bare_store` is its reference.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from peers.environments import Environment
from peers.minutes import CLOSING, Minutes, from_partials, from_result
from peers.store import EVENTS, SHORT, STORE, values

__all__ = ["ENGINES", "Engine", "Task"]

Result = dict[str, Any]


@dataclass(frozen=True)
class Task:
    """One run: the Python to run it with, what to read, where to leave the result."""

    kafka: Mapping[str, Any]
    python: Path
    topics: tuple[str, ...]
    count: int
    folder: Path

    def program(self, name: str, *more: str) -> list[str]:
        """Return the command line of one of the programs beside this file."""
        script = Path(__file__).with_name(f"{name}.py")
        read = [self.kafka["bootstrap.servers"], ",".join(self.topics), str(self.count)]
        return [str(self.python), str(script), *read, str(self.result_file), *more]

    @property
    def result_file(self) -> Path:
        """Where the program writes what it found."""
        return self.folder / "result.json"


@dataclass(frozen=True)
class Engine:
    """Who reads `topics`, and how: `command` runs it, `result` finds the minutes it says.

    `orders`: it counts purchases alone. `promise`: what its numbers survive.
    """

    name: str
    promise: str
    topics: tuple[str, ...]
    command: Callable[[Task], list[str]]
    result: Callable[[Task, Result], Minutes] | None = None
    environment: Environment | None = None
    orders: bool = False

    def install(self, home: Path) -> Path:
        """Return the Python to run it with; raise `NotInstalledError` where there is none."""
        return self.environment.install(home) if self.environment else Path(sys.executable)


def _written(task: Task, result: Result) -> Minutes:
    return from_result(result)


def _published(task: Task, result: Result) -> Minutes:
    return from_partials(values(task.kafka, result["output"]))


ENGINES: dict[str, Engine] = {
    "bare": Engine(
        "consume(1000), values unread",
        "nothing computed",
        (EVENTS,),
        lambda task: task.program("on_bare"),
    ),
    "bare_store": Engine(
        "the same from the five topics",
        "nothing computed",
        STORE,
        lambda task: task.program("on_bare"),
    ),
    "ours": Engine(
        "steamlab, all sixteen metrics",
        "exactly once",
        STORE,
        lambda task: task.program("on_ours"),
        _written,
        orders=True,
    ),
    "bytewax": Engine(
        "Bytewax 0.21.1",
        "no recovery",
        (EVENTS,),
        lambda task: task.program("on_bytewax"),
        _written,
        Environment(
            "bytewax",
            ("bytewax[kafka]==0.21.1", "confluent-kafka==2.16.1", "orjson==3.13.0"),
            ("3.12", "3.11"),
        ),
    ),
    "pathway": Engine(
        "Pathway 0.33.0",
        "no persistence",
        (EVENTS,),
        lambda task: task.program("on_pathway"),
        _written,
        Environment("pathway", ("pathway==0.33.0",)),
    ),
    "quix": Engine(
        "Quix Streams 3.28.1",
        "exactly once",
        (EVENTS,),
        lambda task: task.program("on_quix", CLOSING, str(task.folder / "state")),
        _published,
        Environment(
            "quix",
            (
                "quixstreams==3.28.1",
                "confluent-kafka==2.12.2",
                "orjson==3.13.0",
                "rocksdict==0.3.29",
            ),
        ),
    ),
    "faust": Engine(
        "Faust 0.15.3",
        "at least once",
        (SHORT,),
        lambda task: task.program("on_faust"),
        _written,
        Environment(
            "faust",
            (
                "faust-streaming==0.15.3",
                "mode-streaming==0.7.1",
                "aiokafka==0.14.0",
                "cramjam==2.14.0",
                "orjson==3.13.0",
            ),
        ),
    ),
}
