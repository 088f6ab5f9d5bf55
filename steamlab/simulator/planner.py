"""Plan the store's events: seeded, in event time, a week at a time, in the order of arrival."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from math import ceil

import numpy as np

from steamlab.errors import LessonError
from steamlab.simulator.chunk import Chunk
from steamlab.simulator.encode import Encoder
from steamlab.simulator.faults import Faults
from steamlab.simulator.params import Params, params
from steamlab.simulator.rows import EVENT, LINE, Table, join, lines_of
from steamlab.simulator.shard import Shard
from steamlab.simulator.shocks import Shock
from steamlab.simulator.world import World

__all__ = ["Plan"]

_DAY_MS = 86_400_000


class Plan:
    """The store's events from `start` on, for some days; the same arguments give the same events.

    `scale` 1 is a store of two million users and 1,400 events a minute. Six weeks of warm-up are
    computed before `start`, so that wishlists and carts are as full as they always are. `rates`
    are the calibrated ones of `data/simulator.json`, or others.
    """

    def __init__(
        self,
        *,
        seed: int = 7,
        scale: float = 0.01,
        days: float = 7.0,
        start: str = "2025-11-17T00:00:00Z",
        shocks: Sequence[Shock] = (),
        faults: Faults | None = None,
        rates: Params | None = None,
    ) -> None:
        if not 0 < scale <= 10 or not 0 < days <= 3660:
            raise LessonError(
                f"A plan of scale {scale} over {days} days makes no sense.",
                repair="Take a scale above 0, at most 10, and more than 0 days, at most 3,660.",
            )
        if seed < 0:
            raise LessonError(f"A seed of {seed} is no seed.", repair="Take 0 or more.")
        self.days = days
        self.faults = Faults() if faults is None else faults
        self.world = World(
            seed=seed,
            scale=scale,
            start_ms=_instant_ms(start),
            shocks=tuple(shocks),
            params=params() if rates is None else rates,
        )

    def chunks(self, *, warm_up: bool = False) -> Iterator[Chunk]:
        """Yield the events in arrival order, a store day at a time.

        With `warm_up` the six weeks before the start come too; what follows stays the same.
        """
        world, encoder = self.world, Encoder(self.world)
        warm = world.warm_up_weeks
        begin_ms = world.start_ms - (warm * 7 * _DAY_MS if warm_up else 0)
        end_ms = world.start_ms + round(self.days * _DAY_MS)
        shards = [Shard(world, number) for number in range(world.shards)]
        waiting, lines = np.zeros(0, EVENT), np.zeros(0, LINE)
        for week in range(warm + ceil(self.days / 7)):
            rows, lines = self._week(shards, week, begin_ms, end_ms, (waiting, lines))
            week_end = world.start_ms + (week + 1 - warm) * 7 * _DAY_MS
            cut = len(rows) if week_end >= end_ms else np.searchsorted(rows["arrival"], week_end)
            waiting = rows[cut:].copy()
            for day in _days(rows[:cut], begin_ms):
                yield Chunk(day, lines, encoder)
            lines = lines[lines_of(lines, waiting)]

    def _week(
        self,
        shards: Sequence[Shard],
        week: int,
        begin_ms: int,
        end_ms: int,
        waiting: tuple[Table, Table],
    ) -> tuple[Table, Table]:
        """Plan a week; return its events and those that still waited, by arrival, and the lines."""
        tables, ordered = [waiting[0]], [waiting[1]]
        for shard in shards:
            rows, lines = shard.week(week, emit_from_ms=begin_ms, faults=self.faults)
            tables.append(rows[(rows["time"] >= begin_ms) & (rows["time"] < end_ms)])
            ordered.append(lines)
        rows = join(*tables)
        tables.clear()  # at scale 1 this is a gigabyte
        return _by(rows, "arrival"), _by(join(*ordered), "order")


def _by(rows: Table, column: str) -> Table:
    return rows[np.argsort(rows[column], kind="stable")]


def _days(rows: Table, begin_ms: int) -> Iterator[Table]:
    day = (rows["arrival"] - begin_ms) // _DAY_MS
    cuts = np.flatnonzero(np.diff(day)) + 1
    for part in np.split(rows, cuts):
        if len(part):
            yield part


def _instant_ms(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise LessonError(
            f"The start {text!r} is no instant.",
            repair="Write it like 2025-11-17T00:00:00Z.",
        )
    return round(moment.timestamp() * 1000)
