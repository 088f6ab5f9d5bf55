"""The facts that are kept for long: of each pair of a user and a game, and of each user's cart."""

from __future__ import annotations

import sys
from bisect import insort
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import numpy as np

from steamlab.processor.cells import Rows
from steamlab.processor.facts import FORGOTTEN, CartFact, Columns, cart_cells, carts, pair_cells
from steamlab.processor.families import DAY

__all__ = ["GAME_BITS", "Carts", "Pairs", "last_fact", "unpack"]

GAME_BITS = 24  # a pair is user << 24 | game


class Pairs:
    """Each pair's facts, sorted; they are dropped 30 days after the last one.

    There are many, and most are only kept: in 8 bytes each, where an integer of its own needs 40.
    """

    def __init__(self) -> None:
        self.facts: dict[int, bytes] = {}
        self._by_day: defaultdict[int, list[Columns]] = defaultdict(list)

    def add(self, pair: Columns, fact: Columns, rows: Rows) -> None:
        """Put facts in, and what changes by that into the rows."""
        if not len(pair):
            return
        pair, fact, starts = _in_order(pair, fact)
        ends, packed = np.append(starts[1:], len(fact)), fact.tobytes()
        columns = (
            pair[starts],
            np.bitwise_or.reduceat(fact & 7, starts) == 0,
            starts * 8,
            ends * 8,
            fact[starts],
            fact[ends - 1],
        )
        known, first_views = self.facts, []
        plus: list[Any] = []
        minus: list[Any] = []
        for key, has_only_views, low, high, first, last in zip(
            *(column.tolist() for column in columns), strict=True
        ):
            new, before = packed[low:high], known.get(key)
            if before is None:
                known[key] = new
                if has_only_views and _is_one_life(first, last):
                    first_views.append(first >> 3)
                else:
                    plus += pair_cells(unpack(new))
            elif has_only_views and _is_repeated(last_fact(before), first, last):
                known[key] = before + new
            else:
                earlier = unpack(before)
                after = sorted(earlier + unpack(new))
                known[key] = np.array(after, np.int64).tobytes()
                minus += pair_cells(earlier)
                plus += pair_cells(after)
        self._note_days(pair, fact)
        for family in ("viewed", "viewed_day"):
            rows.add(family, np.array(first_views, np.int64))
        rows.extend(plus, +1)
        rows.extend(minus, -1)

    def put(self, pair: Columns, fact: Columns) -> None:
        """Put facts of new pairs back: all there are."""
        pair, fact, starts = _in_order(pair, fact)
        bounds, packed = [*(starts * 8).tolist(), len(fact) * 8], fact.tobytes()
        for key, low, high in zip(pair[starts].tolist(), bounds, bounds[1:], strict=False):
            self.facts[key] = packed[low:high]
        self._note_days(pair, fact)

    def _note_days(self, pair: Columns, fact: Columns) -> None:
        """Note on which day a pair may have had its last fact, for the sweep."""
        days = (fact >> 3) // DAY
        for day in set(days.tolist()):
            self._by_day[day].append(pair[days == day])

    def forget(self, floor_ms: int) -> None:
        """Drop the pairs that no event after `floor_ms` can belong to."""
        limit = floor_ms - FORGOTTEN
        for day in [day for day in self._by_day if (day + 1) * DAY <= limit]:
            for key in np.concatenate(self._by_day.pop(day)).tolist():
                facts = self.facts.get(key)
                if facts is not None and last_fact(facts) >> 3 < limit:
                    del self.facts[key]


def unpack(facts: bytes) -> list[int]:
    """Return a pair's facts, sorted."""
    return memoryview(facts).cast("q").tolist()


def last_fact(facts: bytes) -> int:
    """Return a pair's newest fact."""
    return int.from_bytes(facts[-8:], sys.byteorder)


def _in_order(pair: Columns, fact: Columns) -> tuple[Columns, Columns, Columns]:
    """Return the facts pair by pair, sorted, and where each pair begins."""
    order = np.lexsort((fact, pair))
    pair, fact = pair[order], fact[order]
    return pair, fact, np.flatnonzero(np.diff(pair, prepend=-1))


def _is_one_life(first: int, last: int) -> bool:
    """Whether facts from a first to a last one may belong to one life of the pair, surely."""
    return (last >> 3) - (first >> 3) <= FORGOTTEN


def _is_repeated(last: int, first_new: int, last_new: int) -> bool:
    """Whether views come soon after a view: they change no cell."""
    return not last & 7 and first_new >= last and _is_one_life(last, last_new)


class Carts:
    """Each user's cart facts, sorted; they are dropped when the cart is closed for good."""

    def __init__(self) -> None:
        self.logs: dict[int, list[CartFact]] = {}

    def add(self, facts: Iterable[tuple[int, CartFact]], rows: Rows) -> None:
        """Put facts of users in, and what changes by that into the rows."""
        plus: list[Any] = []
        minus: list[Any] = []
        touched = {}
        for user, fact in facts:
            log = self.logs.get(user)
            if log is None:
                log = self.logs[user] = []
            if user not in touched:
                touched[user] = log
                minus += cart_cells(log)
            insort(log, fact)
        for log in touched.values():
            plus += cart_cells(log)
        rows.extend(plus, +1)
        rows.extend(minus, -1)

    def put(self, user: int, fact: CartFact) -> None:
        """Put a fact back; when all are, they must be sorted."""
        self.logs.setdefault(user, []).append(fact)

    def sort(self) -> None:
        """Sort the facts that were put back."""
        for log in self.logs.values():
            log.sort()

    def forget(self, floor_ms: int) -> None:
        """Drop the facts of carts that ended before `floor_ms`, and what had no effect by then."""
        for user, log in list(self.logs.items()):
            done, is_open = 0, False
            for _, _, ended, place in carts(log):
                done, is_open = (place, is_open) if ended < floor_ms else (done, True)
            if not is_open:  # removals and purchases without a cart
                while done < len(log) and log[done][0] >> 2 < floor_ms:
                    done += 1
            if done == len(log):
                del self.logs[user]
            elif done:
                del log[:done]
