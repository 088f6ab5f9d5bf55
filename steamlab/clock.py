"""The store's clock: store time against wall time, at a speed that may change."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

__all__ = ["Clock"]


class Clock:
    """Store time against wall time, anchored anew at each change of speed.

    `speed` counts store seconds a second; infinity lets every event be due at once.
    """

    def __init__(
        self, start_ms: float, speed: float, *, wall: Callable[[], float] = time.monotonic
    ) -> None:
        self.speed, self._wall = speed, wall
        self._stops: set[str] = set()
        self._at_ms, self._since = start_ms, wall()

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
