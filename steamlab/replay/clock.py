"""The store's clock: store time against wall time, at a speed that may change."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime

from steamlab.decoding.timestamps import event_ms
from steamlab.errors import LessonError

__all__ = ["Clock", "duration_ms", "rfc3339", "start_ms"]

_UNITS_MS = {"minute": 60_000, "hour": 3_600_000, "day": 86_400_000, "week": 604_800_000}
_DURATION = re.compile(r"(\d{1,6}(?:\.\d+)?) (minute|hour|day|week)s?", re.ASCII)


def duration_ms(text: str) -> int:
    """Return a length of store time in milliseconds; raise `LessonError` for other words."""
    found = _DURATION.fullmatch(text.strip())
    length = round(float(found[1]) * _UNITS_MS[found[2]]) if found else 0
    if length <= 0:
        raise LessonError(
            f"The store cannot play {text!r}.",
            repair='Say how long in store time: "90 minutes", "6 hours", "1 day" or "2 weeks".',
        )
    return length


def start_ms(text: str) -> int:
    """Return the store's first instant in milliseconds; raise `LessonError` if it is none."""
    try:
        return event_ms(text)
    except ValueError as error:
        raise LessonError(
            f"The store cannot start at {text!r}.",
            repair="Write it with its time zone: 2025-11-17T00:00:00Z.",
        ) from error


def rfc3339(ms: float) -> str:
    """Return an instant of store time as text, to the second, in UTC."""
    return datetime.fromtimestamp(ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Clock:
    """Store time against wall time, anchored anew at each change of speed.

    `speed` counts store seconds a second; infinity lets every event be due at once.
    """

    def __init__(
        self, start_ms: float, speed: float, *, wall: Callable[[], float] = time.monotonic
    ) -> None:
        self.start_ms, self.speed, self._wall = start_ms, speed, wall
        self._stops: set[str] = set()
        self._at_ms, self._since = start_ms, wall()

    @property
    def is_stopped(self) -> bool:
        """Whether some reason holds the clock."""
        return bool(self._stops)

    def now_ms(self) -> float:
        """Return the store's time; infinity where every event is due."""
        if self._stops:
            return self._at_ms
        if math.isinf(self.speed):
            return math.inf
        return self._at_ms + (self._wall() - self._since) * 1000 * self.speed

    def change(
        self, reached_ms: float, *, speed: float | None = None, **stops: bool | None
    ) -> None:
        """Set the speed, or stop and release the clock for a named reason.

        `reached_ms`: where the store stands if the clock itself ran without bound until now.
        """
        now = self.now_ms()
        self._at_ms, self._since = (reached_ms if math.isinf(now) else now), self._wall()
        self.speed = self.speed if speed is None else speed
        for name, stopped in stops.items():
            if stopped is not None:
                (self._stops.add if stopped else self._stops.discard)(name)
