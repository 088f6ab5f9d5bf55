"""What the store knows about each user's wishlist and cart, kept exactly as the events say."""

from __future__ import annotations

import numpy as np

from steamlab.simulator.chance import Ints
from steamlab.simulator.rows import CART, WISH, Table

__all__ = ["Ledger"]

_USER_BITS = 32  # a step's milliseconds fit below


class Ledger:
    """Wishlist sizes, items in carts and their value, by user number within a shard."""

    def __init__(self) -> None:
        self._first = 0
        self._totals = {name: np.zeros(0, np.int32) for name in ("wishes", "items", "cents")}

    def forget(self, user: int) -> None:
        """Drop the users before this one."""
        for name, totals in self._totals.items():
            self._totals[name] = totals[user - self._first :]
        self._first = max(user, self._first)

    def add(self, moves: Table) -> None:
        """Add up what events change, in whatever order they come."""
        if not len(moves):
            return
        user = moves["user"] - self._first
        self._grow(int(user.max()) + 1)
        for name, totals in self._totals.items():
            change = np.bincount(user, weights=moves[name], minlength=len(totals))
            totals += change.astype(np.int32)

    def report(self, moves: Table) -> Table:
        """Return the events by user and time, with the state that each reports, and add them up.

        No two events of one user keep the same millisecond: their order must show.
        """
        if not len(moves):
            return moves
        low = int(moves["time"].min())
        key = (moves["user"].astype(np.int64) << _USER_BITS) + (moves["time"] - low)
        order = np.argsort(key, kind="stable")
        moves, key = moves[order], key[order]
        place = np.arange(len(key))
        key = np.maximum.accumulate(key - place) + place
        moves["time"] = (key & ((1 << _USER_BITS) - 1)) + low
        user = moves["user"] - self._first
        self._grow(int(user.max()) + 1)
        totals = {name: self._running(moves, user, name) for name in self._totals}
        wish, cart = moves["kind"] == WISH, moves["kind"] == CART
        moves["size"] = np.where(wish, totals["wishes"], np.where(cart, totals["items"], 0))
        moves["number"] = np.where(cart, totals["cents"], moves["number"])
        self.add(moves)
        return moves

    def _running(self, moves: Table, user: Ints, name: str) -> Ints:
        change = moves[name].astype(np.int64)
        total = np.cumsum(change)
        begins = np.flatnonzero(np.diff(user, prepend=-1))
        before = np.repeat(total[begins] - change[begins], np.diff(begins, append=len(user)))
        return np.asarray(total - before + self._totals[name][user])

    def _grow(self, size: int) -> None:
        for name, totals in self._totals.items():
            if size > len(totals):
                self._totals[name] = np.concatenate(
                    [totals, np.zeros(size - len(totals), np.int32)]
                )
