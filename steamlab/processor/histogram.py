"""How often whole numbers occur: their count, sum and median, without sorting all of them."""

from __future__ import annotations

from array import array
from collections.abc import Mapping

import numpy as np

__all__ = ["Histogram"]

_WIDTH = 18  # bits: of milliseconds a drawer holds four minutes


class Histogram:
    """Numbers from 0 on, each as often as it occurs, in 8 bytes.

    They lie in drawers, by size. To find the one in the middle only the drawers are counted, and
    one of them is sorted: what is kept grows, what a median costs does not.
    """

    def __init__(self) -> None:
        self.sum = 0
        self._drawers: dict[int, array[int]] = {}
        self._sizes = np.zeros(1, np.int64)

    @property
    def count(self) -> int:
        """How many numbers there are."""
        return int(self._sizes.sum())

    def change(self, counts: Mapping[int, int]) -> None:
        """Let each number occur so many times more, or less; none of them may end below 0."""
        for number, n in counts.items():
            place = number >> _WIDTH
            if place >= len(self._sizes):
                self._sizes = np.pad(self._sizes, (0, place + 1 - len(self._sizes)))
            drawer = self._drawers.setdefault(place, array("q"))
            if n > 0:
                drawer.extend([number] * n)
            for _ in range(-n):
                drawer.remove(number)
            self._sizes[place] += n
            self.sum += number * n

    def median(self) -> float | None:
        """Return the number in the middle, or the mean of the two; None where there are none."""
        count = self.count
        if not count:
            return None
        return (self._nth((count - 1) // 2) + self._nth(count // 2)) / 2

    def _nth(self, place: int) -> int:
        ends = np.cumsum(self._sizes)
        drawer = int(np.searchsorted(ends, place, side="right"))
        before = int(ends[drawer - 1]) if drawer else 0
        return sorted(self._drawers[drawer])[place - before]
