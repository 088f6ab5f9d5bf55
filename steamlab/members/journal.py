"""What a member of a group did and when: one JSON object a line, safe against SIGKILL.

Each entry has `t` (seconds of the system's monotonic clock, the same for all processes of one
computer), `what`, and what belongs to it. What members themselves write:

    began                      the process is there
    assigned, revoked, lost    partitions: [[topic, partition], …]
    read                       ends: [[topic, partition, next offset, records], …], empty if none
    left, failed               the member's function returned, or raised `error`

`killed`, `frozen` and `thawed` are added by the process that did it. Anything else is a note.
"""

from __future__ import annotations

import json
import os
import threading
import time
from pathlib import Path
from typing import Any

__all__ = ["DEEDS", "Entry", "Journal", "JournalReader"]

Entry = dict[str, Any]

# What happens to a member, in words for a time axis.
DEEDS = {
    "began": "starts",
    "left": "leaves",
    "failed": "fails",
    "killed": "killed",
    "frozen": "frozen",
    "thawed": "thawed",
}


class Journal:
    """A file that takes entries; each is on its way to the disk when `write` returns."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def write(self, what: str, **more: Any) -> None:
        """Append an entry with the time of now."""
        line = json.dumps({"t": time.monotonic(), "what": what, **more}, default=str)
        os.write(self._file, line.encode() + b"\n")


class JournalReader:
    """Reads a journal while it is being written, each line once."""

    def __init__(self, path: Path) -> None:
        self._path, self._read = path, 0
        self._entries: list[Entry] = []
        self._turn = threading.Lock()

    def entries(self) -> list[Entry]:
        """Return all entries so far; a last line that a killed writer left half is not one."""
        with self._turn:
            try:
                with self._path.open("rb") as file:
                    file.seek(self._read)
                    news = file.read()
            except FileNotFoundError:
                return []
            whole = news[: news.rfind(b"\n") + 1]
            self._read += len(whole)
            self._entries += [json.loads(line) for line in whole.splitlines()]
            return list(self._entries)
