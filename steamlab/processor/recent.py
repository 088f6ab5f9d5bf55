"""The facts that are kept for hours: what every user did lately, as one frame of four columns."""

from __future__ import annotations

import numpy as np

from steamlab.processor.cells import Rows
from steamlab.processor.facts import Columns, searches, sessions, viewers
from steamlab.processor.pairs import GAME_BITS

__all__ = ["LATE_VIEWER", "LATE_VISIT", "Recent"]

# A row is user, time, kind, game. Kinds: 0 a search, 1 a view from a search, 2 another view, 3 the
# rest; more if the event came too late to be a viewer, or part of a session.
SEARCH, FOUND, VIEW, OTHER = range(4)
LATE_VIEWER, LATE_VISIT = 4, 8


class Recent:
    """What happened lately, to find sessions, distinct viewers, and searches that led to a view."""

    def __init__(self) -> None:
        self._space = np.empty((4, 1000), np.int64)
        self._size = 0

    @property
    def rows(self) -> Columns:
        """All rows, in the order in which they came."""
        return self._space[:, : self._size]

    def add(self, new: Columns, rows: Rows, users: int) -> None:
        """Put new rows in; take back what their users contributed, and add what they do now."""
        is_touched = np.zeros(users, bool)
        is_touched[new[0]] = True
        before = self.rows[:, np.flatnonzero(is_touched[self.rows[0]])]
        after = np.concatenate([before, new], axis=1)
        order = np.lexsort((after[1] * 4 + (after[2] & 3), after[0]))
        after, is_before = after[:, order], order < before.shape[1]
        _contribute(after[:, is_before], rows, -1)
        _contribute(after, rows, +1)
        self.put(new)

    def put(self, new: Columns) -> None:
        """Put rows in. The space grows by half, so that not every batch copies all rows."""
        size = self._size + new.shape[1]
        if size > self._space.shape[1]:
            spare = np.empty((4, size // 2), np.int64)
            self._space = np.concatenate([self.rows, new, spare], axis=1)
        else:
            self._space[:, self._size : size] = new
        self._size = size

    def forget(self, floor_ms: int) -> None:
        """Drop what happened before an instant."""
        self._space = self.rows[:, self.rows[1] >= floor_ms]
        self._size = self._space.shape[1]


def _contribute(facts: Columns, rows: Rows, sign: int) -> None:
    """Add what rows contribute that are sorted by user, time and kind."""
    user, time, kind, _ = facts
    what = kind & 3
    if rows.wants("sessions"):
        in_time = kind & LATE_VISIT == 0
        rows.add("sessions", sessions(user[in_time], time[in_time]), n=sign)
        _contribute_searches(user, time, what, rows, sign)
    if rows.wants("viewers"):
        _contribute_viewers(facts, rows, sign)


def _contribute_viewers(facts: Columns, rows: Rows, sign: int) -> None:
    user, time, kind, game = facts
    what = kind & 3
    is_viewer = ((what == FOUND) | (what == VIEW)) & (kind & LATE_VIEWER == 0)
    pair = (user[is_viewer] << GAME_BITS) | game[is_viewer]
    begun, begin, ended, end = viewers(pair, time[is_viewer])
    mask = (1 << GAME_BITS) - 1
    rows.add("viewers", begin, rows.games(begun & mask), sign)
    rows.add("viewers", end, rows.games(ended & mask), -sign)


def _contribute_searches(
    user: Columns, time: Columns, what: Columns, rows: Rows, sign: int
) -> None:
    is_searching = what <= FOUND
    is_view = what[is_searching] == FOUND
    asked, hit = searches(user[is_searching], time[is_searching], is_view)
    rows.add("searches", asked, n=sign)
    rows.add("searches_hit", hit, n=sign)
