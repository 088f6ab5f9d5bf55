"""Start the processes of both stages, and start each again when it dies: crashing is a way to end.

The supervisor holds no state. Which name is free tells a file lock, so that a process that is
started again has the name of the one that died, and fences it.
"""

from __future__ import annotations

import math
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # re-exported there
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)
from filelock import FileLock, Timeout

from steamlab import topics
from steamlab.errors import DeadlineError, TopicError
from steamlab.pipeline.places import SESSION_MS, Places
from steamlab.pipeline.progress import Progress
from steamlab.pipeline.worker import HOPELESS, STAGES, Orders
from steamlab.processor.families import GRACE_MS
from steamlab.settings import settings

__all__ = ["Supervisor"]

_PAUSES_S = (0.0, 0.5, 1.0, 2.0)  # between a crash and the next start, the more in a row the longer
_WELL_S = 10.0  # who has lived this long is not in a row of crashes


class Supervisor:
    """Run the processor: a process for each stage, started again when it dies.

        with Supervisor(kafka) as processor:
            processor.wait_for(events=100_000)

    `processes` are those that run now, by stage; `starts` counts how often each was started. Each
    is a `python -m module`, with the `environment` as it is at that start (None: with ours). Only
    the chapters named in `only` are counted; without any all of them.
    """

    def __init__(
        self,
        kafka: Mapping[str, Any],
        *,
        prefix: str = "",
        stages: Sequence[str] = STAGES,
        grace_ms: int = GRACE_MS,
        idle_s: float = 5.0,
        only: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        module: str = "steamlab.pipeline.worker",
    ) -> None:
        self.places = Places(prefix)
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.starts = dict.fromkeys(stages, 0)
        self._kafka, self._environment, self._module = dict(kafka), environment, module
        self._grace_ms, self._idle_s, self._only = grace_ms, idle_s, tuple(only)
        self._began_s: dict[str, float] = {}
        self._due_s = dict.fromkeys(stages, 0.0)
        self._in_a_row = dict.fromkeys(stages, 0)
        self._slot, self._lock = _free_slot(settings().home / "process", prefix)

    def __enter__(self) -> Supervisor:
        topics.create(self._kafka, self.places.specs())
        self._set_sessions()
        self.look()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        self._lock.release()

    def look(self) -> list[str]:
        """Start what does not run, and return a line about each process that has died.

        Raises `TopicError` where a process cannot go on with what is in its topics.
        """
        told, now = [], time.monotonic()
        for stage in self.starts:
            process = self.processes.get(stage)
            if process is not None and process.poll() is not None:
                told.append(self._bury(stage, process, now))
            if stage not in self.processes and now >= self._due_s[stage]:
                self._start(stage, now)
        return told

    def _bury(self, stage: str, process: subprocess.Popen[bytes], now: float) -> str:
        del self.processes[stage]
        lived_s = now - self._began_s[stage]
        self._in_a_row[stage] = 0 if lived_s > _WELL_S else self._in_a_row[stage] + 1
        pause_s = _PAUSES_S[min(self._in_a_row[stage], len(_PAUSES_S)) - 1]
        self._due_s[stage] = now + (pause_s if self._in_a_row[stage] else 0)
        code = process.returncode
        if code == HOPELESS:
            raise TopicError(
                f"The {stage} stage cannot go on with what is in its topics.",
                repair="It says why in the line above.",
            )
        why = f"signal {-code}" if code < 0 else f"exit code {code}"
        return f"The {stage} stage died ({why}) and is started again."

    def _start(self, stage: str, now: float) -> None:
        orders = Orders(
            stage,
            str(self._kafka["bootstrap.servers"]),
            f"{self.places.group(stage)}.{self._slot}",
            self.places.prefix,
            os.getpid(),
            self._grace_ms,
            self._idle_s,
            self._only,
        )
        command = [sys.executable, "-m", self._module, msgspec.json.encode(orders).decode()]
        self.processes[stage] = subprocess.Popen(  # noqa: S603 - our own module
            command, env=self._environment
        )
        self._began_s[stage] = now
        self.starts[stage] += 1

    def stop(self, timeout: float = 20) -> None:
        """End the processes: what is in a transaction is committed first."""
        for process in self.processes.values():
            process.terminate()
        deadline = time.monotonic() + timeout
        for process in self.processes.values():
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.processes.clear()

    def wait_for(
        self,
        *,
        events: int | None = None,
        timeout: float | None = 600,
        is_stopped: Callable[[], bool] = lambda: False,
        tell: Callable[[int, int, list[str]], None] = lambda done, there, lines: None,
    ) -> int:
        """Watch over the processes until both stages have processed `events`, or `is_stopped()`.

        Events are counted by what is committed, from where the topics begin. Returns how many;
        tells how many are done and how many there are, and lines about what happened. Raises
        `DeadlineError`.
        """
        deadline = math.inf if timeout is None else time.monotonic() + timeout
        with Progress(self._kafka, self.places) as progress:
            while True:
                is_over = is_stopped()  # then its processes may have been told, too: no deaths
                lines = [] if is_over else self.look()
                done, there = progress.events()
                tell(done, there, lines)
                if is_over:
                    return done
                if events is not None and done >= events and progress.is_drained():
                    return done
                if time.monotonic() > deadline:
                    raise _too_late(events, done, timeout)
                time.sleep(0.1)

    def _set_sessions(self) -> None:
        resources = [
            ConfigResource(
                ResourceType.GROUP,
                self.places.group(stage),
                incremental_configs=[
                    ConfigEntry(
                        "consumer.session.timeout.ms",
                        str(SESSION_MS),
                        incremental_operation=AlterConfigOpType.SET,
                    )
                ],
            )
            for stage in STAGES
        ]
        with AdminClient(self._kafka) as admin:
            for future in admin.incremental_alter_configs(resources).values():
                future.result(30)


def _too_late(events: int | None, done: int, timeout: float | None) -> DeadlineError:
    return DeadlineError(
        f"Expected {events or 'all'} events within {timeout or 0:g} s, and {done:,} are processed.",
        repair="`steamlab topics` shows how many there are; run it again: it goes on.",
    )


def _free_slot(folder: Path, prefix: str) -> tuple[int, FileLock]:
    """Return the first number that no other supervisor has, and the lock that says so."""
    folder.mkdir(parents=True, exist_ok=True)
    for slot in range(1, 1000):
        lock = FileLock(folder / f"{prefix}{slot}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            continue
        return slot, lock
    raise DeadlineError("A thousand processors run here.", repair="End some of them.")
