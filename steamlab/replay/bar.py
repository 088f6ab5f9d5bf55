"""A progress bar over store time, with events and rate; lines go above it, on stderr."""

from __future__ import annotations

import sys
import time
from collections import deque

from tqdm import tqdm

from steamlab.decoding.timestamps import event_ms

__all__ = ["Bar"]

_DAY_MS = 86_400_000
_FORMAT = "{percentage:3.0f}%|{bar:20}| {desc}"


class Bar:
    """Show how far `days` store days from `start` have come."""

    def __init__(self, start: str, days: float) -> None:
        self._start_ms, self._days = event_ms(start), days
        self._seen: deque[tuple[float, int]] = deque(maxlen=30)

    def __enter__(self) -> Bar:
        pause = 0.1 if sys.stderr.isatty() else 5  # a log needs no ten lines a second
        self._bar = tqdm(
            desc="the store is being planned",
            total=self._days,
            bar_format=_FORMAT,
            mininterval=pause,
            file=sys.stderr,
        )
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.close()

    def show(self, events: int, now: str, pace: str) -> None:
        """Show the events so far, their rate over the last seconds, and the store's time."""
        self._seen.append((time.monotonic(), events))
        (before, few), (after, many) = self._seen[0], self._seen[-1]
        rate = (many - few) / (after - before) if after > before else 0
        self._bar.n = round(min(self._days, (event_ms(now) - self._start_ms) / _DAY_MS), 4)
        if events:
            self._bar.set_description_str(
                f"{events:,} events, {rate:,.0f}/s, store time {now[:10]} {now[11:16]}, {pace}",
                refresh=False,
            )
        self._bar.update(0)

    def say(self, line: str) -> None:
        """Say a line above the bar."""
        self._bar.write(line, file=sys.stderr)
