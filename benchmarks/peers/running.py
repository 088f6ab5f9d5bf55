"""Run an engine as a child, to its end, and take what it cost."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from peers.engines import Engine, Task
from peers.minutes import Minutes, difference
from peers.store import EMPTY, PARTITIONS, Store, clean

__all__ = ["Cost", "FailedError", "measure", "start_up"]


class FailedError(Exception):
    """An engine gave no result, or a wrong one: why, in one line."""


class Cost(NamedTuple):
    """Seconds of CPU, user and system, of the child and its children; and of wall time."""

    cpu_s: float
    wall_s: float


def measure(
    engine: Engine, python: Path, kafka: Mapping[str, Any], store: Store, *, timeout: float
) -> Cost:
    """Let it read its topics to their end; raise `FailedError` unless its numbers are right."""
    count = sum(store.counts[name] for name in engine.topics)
    expected = store.orders if engine.orders else store.expected.get(engine.topics[0], {})
    with _task(kafka, python, engine.topics, count) as task:
        return _run(engine, task, expected, timeout)


def start_up(
    engine: Engine, python: Path, kafka: Mapping[str, Any], *, timeout: float
) -> float | None:
    """Return the CPU seconds of a run that reads nothing but the closing events.

    None for one that reads the store's topics: those have no such run.
    """
    if len(engine.topics) > 1:
        return None
    with _task(kafka, python, (EMPTY,), PARTITIONS) as task:
        return _run(engine, task, {}, timeout).cpu_s


@contextlib.contextmanager
def _task(
    kafka: Mapping[str, Any], python: Path, names: tuple[str, ...], count: int
) -> Iterator[Task]:
    with tempfile.TemporaryDirectory(prefix="steamlab-peers-") as folder:
        try:
            yield Task(kafka, python, names, count, Path(folder))
        finally:
            clean(kafka)


def _run(engine: Engine, task: Task, expected: Minutes, timeout: float) -> Cost:
    log = task.folder / "log.txt"
    began = time.perf_counter()
    with log.open("wb") as output:
        child = subprocess.Popen(
            engine.command(task),
            cwd=task.folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    cost, code = _wait(child, began, timeout)
    if code or not task.result_file.exists():
        raise FailedError(f"ended with code {code}: {_last_line(log)}")
    result = json.loads(task.result_file.read_text(encoding="utf-8"))
    if result["read"] != task.count:
        raise FailedError(f"read {result['read']:,} of {task.count:,} events")
    if engine.result and (wrong := difference(expected, engine.result(task, result))):
        raise FailedError(f"wrong numbers: {wrong}")
    return cost


def _wait(child: subprocess.Popen[bytes], began: float, timeout: float) -> tuple[Cost, int]:
    """Wait for the child, and end its whole group when its time is over."""
    watch = threading.Timer(timeout, os.killpg, (child.pid, signal.SIGKILL))
    watch.start()
    try:
        _, status, spent = os.wait4(child.pid, 0)
    except BaseException:
        os.killpg(child.pid, signal.SIGKILL)
        raise
    finally:
        watch.cancel()
    child.returncode = os.waitstatus_to_exitcode(status)
    cost = Cost(spent.ru_utime + spent.ru_stime, time.perf_counter() - began)
    return cost, child.returncode


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
    return next((line.strip()[:200] for line in reversed(lines) if line.strip()), "no word")
