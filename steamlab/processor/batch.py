"""A batch as columns: what it adds to the cells at once, and the facts that it brings."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from steamlab.decoding.labels import LONGEST, label
from steamlab.events import cents
from steamlab.processor.cells import Names, Rows, settled_ms, stack, to_codes
from steamlab.processor.facts import (
    ADDED,
    BOUGHT,
    CARTED,
    PAID,
    REMOVED,
    TAKEN_OUT,
    VIEWED,
    WISHED,
    CartFact,
    Columns,
)  # fmt: skip
from steamlab.processor.families import (
    ALL_TOPICS,
    CODE,
    FAMILIES,
    FAMILY,
    HOUR,
    NEVER_MS,
    watermark,
)  # fmt: skip
from steamlab.processor.intake import Admitted
from steamlab.processor.pairs import GAME_BITS
from steamlab.processor.recent import FOUND, LATE_VIEWER, LATE_VISIT, OTHER, SEARCH, VIEW
from steamlab.processor.users import Users

__all__ = ["Batch"]

_VIEWS, _WISHES, _CARTS, _PURCHASES, _SEARCHES = range(5)
_TOPICS = {family.topics for family in FAMILIES}
_EXACT = 2**47  # larger amounts are added one by one: 65,536 of these still fit a column's sum


class Batch:
    """The accepted events of a batch, kind by kind: `user`, `game` and `time` are columns of each.

    `wanted` are the families that are counted. `clocks` are those before the batch; families of
    one topic judge each event by that topic's newest time before it, those of several topics by the
    watermark before the batch.
    """

    def __init__(
        self,
        found: Admitted,
        users: Users,
        games: Names,
        clocks: Mapping[str, int],
        wanted: Collection[str],
        grace_ms: int,
    ) -> None:
        self.rows, self.late = Rows(games, wanted), Counter[str]()
        self._grace_ms = grace_ms
        ends = {topics: watermark(clocks, topics) for topics in _TOPICS}
        self._base = {family.name: ends[family.topics] for family in FAMILIES}
        self.time = [np.array(times, np.int64) for times in found.times]
        self._met = [
            np.maximum.accumulate(np.concatenate([[clocks[topic]], times]))[:-1]
            for topic, times in zip(ALL_TOPICS, self.time, strict=True)
        ]
        # Of each kind one tuple a field: users first, then games or what else it is about.
        self._columns = [list(zip(*rows, strict=True)) or [()] * 4 for rows in found.rows]
        self.user = [to_codes(users, columns[0]) for columns in self._columns]
        self.game = [
            to_codes(games, columns[1]) if kind <= _CARTS else np.zeros(len(columns[0]), np.int64)
            for kind, columns in enumerate(self._columns)
        ]
        self._is_added = {
            kind: np.array([action == "added" for action in self._columns[kind][2]], bool)
            for kind in (_WISHES, _CARTS)
        }
        self._counted: list[tuple[int, Columns, Any, Any, Any]] = []
        self._take_lines(games)

    def _take_lines(self, games: Names) -> None:
        """Take the orders apart; a game that is twice in an order is one line."""
        orders = []
        for bought in self._columns[_PURCHASES][1]:
            paid: dict[str, int] = {}
            for line in bought:
                game = label(line.game_id)
                paid[game] = paid.get(game, 0) + cents(line.price)
            orders.append(paid)
        self._line_order = np.repeat(np.arange(len(orders)), [len(paid) for paid in orders])
        self._line_game = to_codes(games, [game for paid in orders for game in paid])
        self._line_cents = [amount for paid in orders for amount in paid.values()]

    def is_final(self, name: str, bucket: Any) -> Any:
        """Say whether a cell was final before the batch."""
        return self._base[name] >= FAMILY[name].settled_ms(bucket) + self._grace_ms

    def count(self) -> None:
        """Add what needs no memory: an event's own numbers, in its own bucket."""
        self._count_orders()
        self._count_lines()
        self._count("views_day", _VIEWS)
        self._count("views", _VIEWS, self.rows.games(self.game[_VIEWS]))
        game = self.rows.games(self.game[_WISHES])
        is_added = self._is_added[_WISHES]
        for name, is_it in (("added", is_added), ("removed", ~is_added)):
            self._count(f"wish_{name}", _WISHES, game[is_it], of=is_it)
        terms = [_term(query) for query in self._columns[_SEARCHES][1]]
        is_asked = np.array([term != "" for term in terms], bool)
        self._count("terms", _SEARCHES, self.rows.names(terms)[is_asked], of=is_asked)
        self._add_counted()

    def _count_orders(self) -> None:
        _, _, totals, regions = self._columns[_PURCHASES]
        region = self.rows.names(regions)
        paid = [cents(total) for total in totals]
        for name in ("minute", "rolling"):
            self._count(f"orders_{name}", _PURCHASES)
            self._count(f"revenue_{name}", _PURCHASES, cents=paid)
        self._count("orders_hour", _PURCHASES, region)
        self._count("paid_hour", _PURCHASES, of=np.array([amount > 0 for amount in paid], bool))
        self._count("revenue_hour", _PURCHASES, region, cents=paid)
        self._count("orders_day", _PURCHASES)
        self._count("sessions_orders", _PURCHASES)
        self._count("sessions_revenue", _PURCHASES, cents=paid)

    def _count_lines(self) -> None:
        of, game = self._line_order, self.rows.games(self._line_game)
        self._count("lines_day", _PURCHASES, of=of)
        self._count("lines", _PURCHASES, game, of=of)
        self._count("lines_revenue", _PURCHASES, game, of=of, cents=self._line_cents)

    def _count(
        self,
        name: str,
        kind: int,
        dim: Columns | None = None,
        *,
        cents: list[int] | None = None,
        of: Any = None,
    ) -> None:
        """Note a row for each event, or for each that `of` names, with what it is judged by."""
        time = self.time[kind] if of is None else self.time[kind][of]
        if not len(time) or not self.rows.wants(name):
            return
        met: Any = self._base[name]
        if len(FAMILY[name].topics) == 1:
            met = self._met[kind] if of is None else self._met[kind][of]
        dims: Any = self.rows.name("") if dim is None else dim
        if cents is not None and max(cents) > _EXACT:
            cents = self._set_aside(name, time, met, dims, cents)
        n = 1 if cents is None else np.array(cents, np.int64)
        self._counted.append((CODE[name], time, met, dims, n))

    def _set_aside(self, name: str, time: Any, met: Any, dims: Any, cents: list[int]) -> list[int]:
        """Leave out amounts beyond the exact arithmetic of columns: they are added one by one."""
        place = [at for at, amount in enumerate(cents) if amount > _EXACT]
        family, time, met, dims, _ = stack([(CODE[name], time, met, dims, 0)])
        is_in_time = self._is_in_time(family, time, met)
        for at in place:
            if is_in_time[at]:
                self.rows.add_large(CODE[name], int(time[at]), int(dims[at]), cents[at])
        return [0 if amount > _EXACT else amount for amount in cents]

    def _add_counted(self) -> None:
        """Add what was noted and is in time; the rest is late."""
        if not self._counted:
            return
        family, time, met, dim, n = stack(self._counted)
        is_in_time = self._is_in_time(family, time, met)
        self.rows.add_counted(*(column[is_in_time] for column in (family, time, dim, n)))
        late = np.bincount(family[~is_in_time], minlength=len(FAMILIES)).tolist()
        self.late.update({family.name: count for family, count in zip(FAMILIES, late, strict=True)})

    def _is_in_time(self, family: Any, time: Columns, met: Any) -> Any:
        """Say whether cells were not final when the newest time was what was `met`."""
        return met < settled_ms(family, time) + self._grace_ms

    def recent(self) -> Columns:
        """Return the rows for `Recent`: user, time, kind, game of every event.

        What is so old that its neighbours may be forgotten is left out, and counted as late.
        """
        sources = self._columns[_VIEWS][2]
        what = np.full(sum(map(len, self.time)), OTHER)
        what[: len(sources)] = [FOUND if source == "search" else VIEW for source in sources]
        what[len(what) - len(self.time[_SEARCHES]) :] = SEARCH
        time = np.concatenate(self.time)
        in_time = self._is_in_time(CODE["views"], self.time[_VIEWS], self._met[_VIEWS])
        kind = what.copy()
        kind[: len(sources)] += LATE_VIEWER * ~in_time
        is_late = self.is_final("sessions", FAMILY["sessions"].bucket(time))
        kind += LATE_VISIT * is_late
        is_kept = time >= self.recent_ms
        if not self.rows.wants("sessions"):
            is_kept &= (what == FOUND) | (what == VIEW)
        self.late["viewers"] += int((~in_time).sum())
        self.late["sessions"] += int(is_late.sum())
        self.late["searches"] += int((~is_kept & (what == SEARCH)).sum())
        rows = np.stack([np.concatenate(self.user), time, kind, np.concatenate(self.game)])
        return rows[:, is_kept]

    @property
    def recent_ms(self) -> int:
        """Since when all facts of recent things are known."""
        return max(self._base["sessions"] - self._grace_ms - 2 * HOUR, NEVER_MS)

    def pair_facts(self) -> tuple[Columns, Columns]:
        """Return the facts of pairs: the pairs, and what happened to them when."""
        parts = [(self.user[_VIEWS], self.game[_VIEWS], self.time[_VIEWS] * 8 + VIEWED)]
        added = self._is_added[_WISHES]
        wished = self.time[_WISHES] * 8 + WISHED
        parts.append((self.user[_WISHES][added], self.game[_WISHES][added], wished[added]))
        action = np.where(self._is_added[_CARTS], CARTED, REMOVED)
        parts.append((self.user[_CARTS], self.game[_CARTS], self.time[_CARTS] * 8 + action))
        of = self._line_order
        bought = self.time[_PURCHASES][of] * 8 + BOUGHT
        parts.append((self.user[_PURCHASES][of], self._line_game, bought))
        user, game, fact = (np.concatenate(columns) for columns in zip(*parts, strict=True))
        return (user << GAME_BITS) | game, fact

    def cart_facts(self) -> list[tuple[int, CartFact]]:
        """Return the facts of users' carts, without those that come for a cart that is final."""
        action = np.where(self._is_added[_CARTS], ADDED, TAKEN_OUT)
        fact = (self.time[_CARTS] * 4 + action).tolist()
        games = [(game,) for game in self.game[_CARTS].tolist()]
        moved = zip(fact, games, strict=True)
        facts: list[Any] = list(zip(self.user[_CARTS].tolist(), moved, strict=True))
        ends = np.searchsorted(self._line_order, np.arange(len(self.time[_PURCHASES]) + 1))
        lines = self._line_game.tolist()
        bought = (self.time[_PURCHASES] * 4 + PAID).tolist()
        for place, user in enumerate(self.user[_PURCHASES].tolist()):
            games_of = tuple(lines[ends[place] : ends[place + 1]])
            facts.append((user, (bought[place], games_of)))
        family = FAMILY["carts_created"]
        kept = [
            each
            for each in facts
            if not self.is_final("carts_created", family.bucket(each[1][0] >> 2))
        ]
        self.late["carts_created"] += len(facts) - len(kept)
        return kept


def _term(query: str) -> str:
    return _known_term(query) if len(query) <= LONGEST else _normalised(query)


def _normalised(query: str) -> str:
    return label(" ".join(unicodedata.normalize("NFKC", query).casefold().split()))


_known_term = lru_cache(100_000)(_normalised)  # never the long ones: they would fill the memory
