"""One block of users: its journeys, week by week, written down as events."""

from __future__ import annotations

import numpy as np

from steamlab.simulator.chance import Ints, generator, mix
from steamlab.simulator.faults import Faults
from steamlab.simulator.journeys import SETTLE, Journeys
from steamlab.simulator.ledger import Ledger
from steamlab.simulator.moves import moves
from steamlab.simulator.pages import pages
from steamlab.simulator.params import WEEK
from steamlab.simulator.rows import CART, EVENT, LINE, PURCHASE, WISH, Table, join, lines_of
from steamlab.simulator.turmoil import hold_arrivals, shake_views, wake_holders
from steamlab.simulator.visits import Views, Visits, draw_views, draw_visits
from steamlab.simulator.world import World

__all__ = ["Shard"]

_VISIT, _JOURNEY, _PAGE, _FAULT = range(4)  # which generator of a week
_KEEP_LIFETIMES = 2  # how long users are remembered who left the store


class Shard:
    """A block of users with its state; call `week` for 0, 1, 2, ... without a gap."""

    def __init__(self, world: World, number: int) -> None:
        self.world = world
        self.number = number
        self.journeys = Journeys(world)
        self.ledger = Ledger()
        self._waiting, self._lines = np.zeros(0, EVENT), np.zeros(0, LINE)
        self._orders = 0
        self._gone = 0

    def week(self, week: int, *, emit_from_ms: int, faults: Faults) -> tuple[Table, Table]:
        """Plan one more week; return its events and the lines of its orders.

        Weeks before `emit_from_ms` move the state on and have no events.
        """
        end = self.world.begin + (week + 1) * WEEK
        begin = self.world.begin if week == 0 else end - WEEK + SETTLE
        visits, views = self._visit(week, begin, end + SETTLE)
        wake_holders(self.world, self.journeys, shard=self.number, begin=begin, end=end + SETTLE)
        outcome = self.journeys.step(
            self._generator(week, _JOURNEY), views, begin=begin, end=end + SETTLE
        )
        changes, lines = moves(self.world, outcome, orders=self._number_orders(len(outcome.first)))
        tables = [self._waiting, changes]
        if self._ms(end + SETTLE) > emit_from_ms:
            seen = pages(self.world, self._generator(week, _PAGE), views, visits, outcome)
            tables.append(seen[seen["time"] >= emit_from_ms])
        rows = join(*tables)
        later = rows["time"] >= self._ms(end)
        self._waiting, rows = rows[later], rows[~later]
        lines = join(self._lines, lines)
        settled = lines_of(lines, rows)
        self._lines, lines = lines[~settled], lines[settled]
        self._forget(end)
        if self._ms(end) <= emit_from_ms:
            self.ledger.add(rows)
            return rows[:0], lines
        rows = self._report(rows, week)
        rng = self._generator(week, _FAULT)
        rows = faults.apply(rng, rows)
        hold_arrivals(self.world, rng, rows)
        return rows, lines

    def _generator(self, week: int, which: int) -> np.random.Generator:
        return generator(self.world.seed, self.number, week, which)

    def _ms(self, minute: float) -> int:
        return int(self.world.to_ms(np.array([minute]))[0])

    def _visit(self, week: int, begin: float, end: float) -> tuple[Visits, Views]:
        rng = self._generator(week, _VISIT)
        first = self.journeys.next_visit
        visits = draw_visits(self.world, rng, shard=self.number, begin=begin, end=end, first=first)
        self.journeys.visits(len(visits))
        views = draw_views(self.world, rng, visits)
        shaken = shake_views(
            self.world, self.journeys, views, shard=self.number, begin=begin, end=end
        )
        return visits, shaken

    def _report(self, rows: Table, week: int) -> Table:
        """Fill in what events report about their user, and number the events."""
        moving = np.isin(rows["kind"], (WISH, CART, PURCHASE))
        rows = join(rows[~moving], self.ledger.report(rows[moving]))
        rows["user"] = rows["user"] * self.world.shards + self.number
        visit = rows["visit"]
        rows["visit"] = np.where(visit < 0, visit, visit * self.world.shards + self.number)
        place = (week << 40) + (self.number << 26) + np.arange(len(rows))
        rows["id"] = mix(place, salt=self.world.fingerprint)
        return rows

    def _number_orders(self, count: int) -> Ints:
        self._orders += count
        return np.arange(self._orders - count, self._orders) * self.world.shards + self.number

    def _forget(self, end: float) -> None:
        lifetime = self.world.params.lifetime_weeks * WEEK
        lifetimes = (end - self.world.begin) / lifetime - _KEEP_LIFETIMES
        gone = max(0, int(lifetimes * self.world.users_per_shard))
        self.journeys.forget(gone)
        self.ledger.forget(self._gone)  # a week later: their last events may still wait
        self._gone = gone
