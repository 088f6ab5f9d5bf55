"""What goes wrong between a visitor's device and the store: delays and repeats, each labelled."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from steamlab.simulator.chance import Floats, lognormal
from steamlab.simulator.rows import Table, join

__all__ = ["FAULTS", "Faults"]

FAULTS = ("", "offline", "very_late", "duplicate")
_OFFLINE, _VERY_LATE, _DUPLICATE = 1, 2, 3
_SECOND_MS, _MINUTE_MS, _HOUR_MS = 1_000, 60_000, 3_600_000


@dataclass(frozen=True, kw_only=True)
class Faults:
    """How often what goes wrong; `Faults.none()` lets every event arrive at once, and once.

    `jitter_s` is the mean network delay of all events. A share of them, `offline`, waits in a
    phone without a net, `very_late` between 2 and 24 hours; `duplicates` arrive twice.
    """

    jitter_s: float = 2.0
    offline: float = 0.01
    offline_median_minutes: float = 10.0
    offline_sigma: float = 1.0
    very_late: float = 0.0005
    duplicates: float = 0.005

    @classmethod
    def none(cls) -> Faults:
        """Return a world without faults."""
        return cls(jitter_s=0.0, offline=0.0, very_late=0.0, duplicates=0.0)

    def apply(self, rng: np.random.Generator, rows: Table) -> Table:
        """Set each event's arrival and fault, and add the duplicates."""
        roll = rng.random(len(rows))
        delay = rng.exponential(self.jitter_s * _SECOND_MS, len(rows))
        late = roll < self.very_late
        offline = ~late & (roll < self.very_late + self.offline)
        delay[offline] += self._offline(rng, int(offline.sum()))
        delay[late] += rng.uniform(2, 24, int(late.sum())) * _HOUR_MS
        rows["fault"][offline], rows["fault"][late] = _OFFLINE, _VERY_LATE
        rows["arrival"] = rows["time"] + delay.astype(np.int64)
        return join(rows, self._repeat(rng, rows))

    def _offline(self, rng: np.random.Generator, size: int) -> Floats:
        median = self.offline_median_minutes * _MINUTE_MS
        return lognormal(rng, median, self.offline_sigma, size)

    def _repeat(self, rng: np.random.Generator, rows: Table) -> Table:
        """The sender heard no answer and sent the same event again."""
        again = rows[rng.random(len(rows)) < self.duplicates]
        again["fault"] = _DUPLICATE
        wait = rng.exponential(max(self.jitter_s, 1.0) * _SECOND_MS, len(again))
        again["arrival"] += wait.astype(np.int64) + 1
        return again
