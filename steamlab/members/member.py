"""The lesson's side of a member: start its process, freeze it, kill it, read its journal."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd
import psutil

from steamlab.errors import DeadlineError, LessonError
from steamlab.members.handover import pack
from steamlab.members.journal import Entry, JournalReader
from steamlab.members.orphans import MARK, owner
from steamlab.settings import settings

__all__ = ["Member", "journals"]

_MAX_NAME = 20
_serial = itertools.count(1)


class Member:
    """A process that runs `work(me, group, *arguments)` as a member of a consumer group.

    `me` is a `steamlab.members.participant.Participant`. The process ends when it is told to
    leave, when it is killed, or with the process that started it.
    """

    def __init__(
        self,
        kafka: Mapping[str, Any],
        name: str,
        work: Callable[..., object],
        group: str,
        *arguments: Any,
    ) -> None:
        if not (name.isidentifier() and len(name) <= _MAX_NAME):
            raise LessonError(
                f"{name!r} cannot be a member's name.", repair='Use a short word, as in "A".'
            )
        self.name, self.group = name, group
        folder = _folder()
        folder.mkdir(parents=True, exist_ok=True)
        stem = folder / f"{name}-{next(_serial)}"  # one that comes again has a new journal
        self._journal = JournalReader(stem.with_suffix(".jsonl"))
        self._complaints = stem.with_suffix(".err")
        given = pack(work, str(kafka["bootstrap.servers"]), (group, *arguments))
        stem.with_suffix(".work").write_bytes(given)
        self._deeds: list[Entry] = []
        self.is_frozen = False
        command = [sys.executable, "-m", MARK, str(stem), name, *owner()]
        # Imports work as in the notebook; a kernel's interrupt does not reach another session.
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        with self._complaints.open("wb") as complaints:
            self._process = subprocess.Popen(  # noqa: S603 - our own list
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=complaints,
                env=environment,
                start_new_session=os.name != "nt",
            )

    def __repr__(self) -> str:
        return f"member {self.name}, {self.state}"

    @property
    def state(self) -> str:
        """What the process does: runs, is frozen, has left, was killed, or has failed."""
        if self._process.poll() is None:
            return "frozen" if self.is_frozen else "running"
        if any(deed["what"] == "killed" for deed in self._deeds):
            return "killed"
        return "failed" if self._process.returncode else "left"

    @property
    def is_running(self) -> bool:
        """Whether the process lives and is not frozen."""
        return self.state == "running"

    def entries(self) -> list[Entry]:
        """Return the journal, and what was done to the process, in order of time.

        Each has `t` (seconds) and `what`; see `steamlab.members.journal`.
        """
        return sorted(self._journal.entries() + self._deeds, key=lambda entry: entry["t"])

    @property
    def log(self) -> pd.DataFrame:
        """The journal as a DataFrame: t (seconds, monotonic), what, and what entries add."""
        frame = pd.DataFrame(self.entries())
        return frame if len(frame) else pd.DataFrame(columns=["t", "what"])

    def wait_for(self, what: str, count: int = 1, *, timeout: float = 30) -> Member:
        """Wait until the journal has `count` entries of a kind. Raises `DeadlineError`."""
        deadline = time.monotonic() + timeout
        while (seen := sum(entry["what"] == what for entry in self.entries())) < count:
            self._check_failure()
            if time.monotonic() > deadline:
                raise DeadlineError(
                    f"Member {self.name} wrote {what!r} {seen} of {count} times in {timeout:g} s.",
                    repair="Look at what it did: the `.log` of what `lesson.start` gave back.",
                )
            time.sleep(0.02)
        return self

    def leave(self, *, timeout: float = 15) -> Member:
        """Tell the member to leave in good order, and wait until its process has ended."""
        self.thaw()
        if self._process.stdin and not self._process.stdin.closed:
            with suppress(OSError):  # it may have died with something still to be read
                self._process.stdin.close()
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise DeadlineError(
                f"Member {self.name} was told to leave, and still ran after {timeout:g} s. "
                "It was killed.",
                repair="Let its loop ask `me.stays()` more often.",
            ) from None
        return self

    def kill(self) -> Member:
        """End the process with SIGKILL: it cannot say goodbye to anybody."""
        if self._process.poll() is None:
            self._process.kill()
            self._note("killed")
            self._process.wait(15)
        self._close_line()
        return self

    def freeze(self) -> Member:
        """Hold the process still with SIGSTOP: nothing of it goes on, its connections stay."""
        if self.is_running:
            psutil.Process(self._process.pid).suspend()
            self._note("frozen")
            self.is_frozen = True
        return self

    def thaw(self) -> Member:
        """Let a frozen process go on with SIGCONT."""
        if self.is_frozen and self._process.poll() is None:
            psutil.Process(self._process.pid).resume()
            self._note("thawed")
        self.is_frozen = False
        return self

    def stop(self) -> None:
        """End the process in good order if that is quick, else by force."""
        try:
            self.leave(timeout=5)
        except DeadlineError:
            pass
        finally:
            self._close_line()

    def _note(self, what: str) -> None:
        self._deeds.append({"t": time.monotonic(), "what": what})

    def _close_line(self) -> None:
        if self._process.stdin and not self._process.stdin.closed:
            with suppress(OSError):
                self._process.stdin.close()

    def _check_failure(self) -> None:
        if self.state != "failed":
            return
        told = [entry["error"] for entry in self.entries() if entry["what"] == "failed"]
        lines = self._complaints.read_text("utf-8", "replace").strip().splitlines()
        raise LessonError(
            f"Member {self.name} ended with {(told or lines or ['no word'])[-1]}.",
            repair="Its function must import what it uses, or get it as an argument.",
        )


def journals(members: Iterable[Member], *, since: float, until: float) -> dict[str, list[Entry]]:
    """Return the journals of members that did something from `since` to `until`, by name.

    Who came twice has one list; what a member wrote before `since` is in it too.
    """
    found: dict[str, list[Entry]] = {}
    for member in members:
        entries = [entry for entry in member.entries() if entry["t"] <= until]
        if not entries or entries[-1]["t"] >= since:
            found.setdefault(member.name, []).extend(entries)
    return found


def _folder() -> Path:
    return settings().home / "members" / str(os.getpid())
