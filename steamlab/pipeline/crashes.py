"""Die at a named point, as a power cut would have it: what the tests of exactly-once ask for."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter

__all__ = ["POINTS", "crash_at"]

POINTS = ("consumed", "output", "offsets", "committing", "committed")
_VARIABLE = "STEAMLAB_CRASH"  # a stage, a point and how often it is passed: first:output:3

_passed: Counter[str] = Counter()


def crash_at(stage: str, point: str) -> None:
    """Kill this process if it was asked to die here."""
    asked = os.environ.get(_VARIABLE)
    if not asked:
        return
    _passed[f"{stage}:{point}"] += 1
    if f"{stage}:{point}:{_passed[f'{stage}:{point}']}" != asked:
        return
    if point == "committing":  # while the request is on its way
        threading.Thread(target=_die_soon, daemon=True).start()
    else:
        os.kill(os.getpid(), signal.SIGKILL)


def _die_soon() -> None:
    time.sleep(0.002)
    os.kill(os.getpid(), signal.SIGKILL)
