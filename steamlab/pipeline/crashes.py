"""Die or freeze at a named point: what the tests of exactly-once ask for.

Death is as a power cut has it. Who freezes goes on when it is sent SIGCONT, as if nothing had been.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter
from pathlib import Path

__all__ = ["POINTS", "crash_at"]

POINTS = ("consumed", "output", "offsets", "committing", "committed")
_CRASH = "STEAMLAB_CRASH"  # a stage, a point and how often it is passed: first:output:3
_FREEZE = "STEAMLAB_FREEZE"  # a file: while it says first:output, who passes there freezes
_SETTLED_S = 1.0  # before, for what is sent beside this thread to arrive; after, for its answers

_passed: Counter[str] = Counter()


def crash_at(stage: str, point: str) -> None:
    """Kill or freeze this process if it was asked to die or to freeze here."""
    place = f"{stage}:{point}"
    if (file := os.environ.get(_FREEZE)) and place in Path(file).read_text().split():
        _freeze()
    if not (asked := os.environ.get(_CRASH)):
        return
    _passed[place] += 1
    if f"{place}:{_passed[place]}" != asked:
        return
    if point == "committing":  # while the request is on its way
        threading.Thread(target=_die_soon, daemon=True).start()
    else:
        if point in ("output", "offsets"):  # by then what was produced has left the client
            time.sleep(_SETTLED_S)
        os.kill(os.getpid(), signal.SIGKILL)


def _freeze() -> None:
    time.sleep(_SETTLED_S)
    os.kill(os.getpid(), signal.SIGSTOP)
    time.sleep(_SETTLED_S)


def _die_soon() -> None:
    time.sleep(0.002)
    os.kill(os.getpid(), signal.SIGKILL)
