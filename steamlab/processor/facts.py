"""What a few sorted facts contribute to the cells: pure functions, so the order cannot matter.

The one idea of the processor: where facts are added to a unit (a pair of a user and a game, a
user's cart, a user's visits), the unit's old contributions are taken back and its new ones added.
A late event corrects the cells; nothing waits for a timer. A contribution is (family, time,
dimension), the family by its code, and counts 1.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any, TypeAlias

import numpy as np

from steamlab.processor.families import CODE, DAY, HOUR, MINUTE

__all__ = [
    "ADDED",
    "BOUGHT",
    "CARTED",
    "FORGOTTEN",
    "PAID",
    "REMOVED",
    "TAKEN_OUT",
    "VIEWED",
    "WISHED",
    "CartFact",
    "Columns",
    "Contribution",
    "cart_cells",
    "carts",
    "pair_cells",
    "searches",
    "sessions",
    "viewers",
]

Contribution: TypeAlias = tuple[int, int, Any]
Columns: TypeAlias = "np.ndarray[Any, np.dtype[np.int64]]"

FORGOTTEN = 30 * DAY
SILENCE = 2 * HOUR
PAUSE = 30 * MINUTE
SEARCHING = 5 * MINUTE

# A fact of a pair is time * 8 + kind: sorted by time, and within a millisecond in this order.
VIEWED, WISHED, CARTED, REMOVED, BOUGHT = range(5)

_VIEWED, _VIEWED_WISHED = CODE["viewed"], CODE["viewed_wished"]
_VIEWED_DAY, _VIEWED_BOUGHT = CODE["viewed_day"], CODE["viewed_bought"]
_WISHED, _WISHED_CARTED = CODE["wished"], CODE["wished_carted"]
_CARTED, _CARTED_BOUGHT = CODE["carted"], CODE["carted_bought"]
_WAITS, _WAITS_UNKNOWN = CODE["waits"], CODE["waits_unknown"]
_CREATED, _COMPLETED = CODE["carts_created"], CODE["carts_completed"]
_EMPTIED, _SILENT = CODE["carts_emptied"], CODE["carts_silent"]


def pair_cells(facts: Sequence[int]) -> Iterator[Contribution]:
    """Return what a user and a game contribute to metrics 5 to 8 and 16.

    A pair is forgotten after 30 days without a fact: what follows is a life of its own.
    """
    if (facts[-1] >> 3) - (facts[0] >> 3) <= FORGOTTEN:
        return _life_cells(facts)
    ends = [
        at for at in range(1, len(facts)) if (facts[at] >> 3) - (facts[at - 1] >> 3) > FORGOTTEN
    ]
    lives = zip([0, *ends], [*ends, len(facts)], strict=True)
    return chain.from_iterable(_life_cells(facts[begin:end]) for begin, end in lives)


def _life_cells(facts: Sequence[int]) -> Iterator[Contribution]:
    times: list[list[int]] = [[], [], [], [], []]
    for fact in facts:
        times[fact & 7].append(fact >> 3)
    views, wishes, carted, _, bought = times
    if views:
        first = views[0]
        yield _VIEWED, first, ""
        yield _VIEWED_DAY, first, ""
        if _is_within(wishes, first, first + DAY):
            yield _VIEWED_WISHED, first, ""
        if _is_within(bought, first, first + 30 * DAY):
            yield _VIEWED_BOUGHT, first, ""
    if wishes:
        first = wishes[0]
        yield _WISHED, first, ""
        if _is_within(carted, first, first + 28 * DAY):
            yield _WISHED_CARTED, first, ""
    if carted:
        yield from _instance_cells(facts)
    for time in bought:
        first = next((view for view in views if view >= time - 30 * DAY), time + 1)
        if first <= time:
            yield _WAITS, time, time - first
        else:
            yield _WAITS_UNKNOWN, time, ""


def _instance_cells(facts: Sequence[int]) -> Iterator[Contribution]:
    """Follow each add to the cart to its next purchase or removal, from behind."""
    is_bought, ended = False, 0
    for fact in reversed(facts):
        time, kind = fact >> 3, fact & 7
        if kind in (BOUGHT, REMOVED):
            is_bought, ended = kind == BOUGHT, time
        elif kind == CARTED:
            yield _CARTED, time, ""
            if is_bought and ended - time <= DAY:
                yield _CARTED_BOUGHT, time, ""


def _is_within(times: Sequence[int], low: int, high: int) -> bool:
    for time in times:
        if low <= time <= high:
            return True
    return False


ADDED, TAKEN_OUT, PAID = range(3)  # a cart's facts: (time * 4 + kind, games)
CartFact: TypeAlias = tuple[int, tuple[int, ...]]


def cart_cells(log: Sequence[CartFact]) -> Iterator[Contribution]:
    """Yield what a user's carts contribute to metric 13.

    A cart that falls silent is abandoned 2 h and 1 ms after its last fact; that is known at once,
    and taken back if the cart moves before.
    """
    for created, outcome, ended, _ in carts(log):
        yield _CREATED, created, ""
        yield outcome, ended, ended if outcome == _SILENT else ""


def carts(log: Sequence[CartFact]) -> Iterator[tuple[int, int, int, int]]:
    """Yield each cart: created, outcome, ended, and how many facts of the log it is done with."""
    games: set[int] = set()
    created = last = 0
    for place, (fact, named) in enumerate(log):
        time, kind = fact >> 2, fact & 3
        if games and time - last > SILENCE:
            yield created, _SILENT, last + SILENCE + 1, place
            games = set()
        if kind == ADDED:
            created, last = created if games else time, time
            games |= set(named)
        elif games and kind == TAKEN_OUT:
            last = time
            games -= set(named)
            if not games:
                yield created, _EMPTIED, time, place + 1
        elif games & set(named):
            yield created, _COMPLETED, time, place + 1
            games = set()
    if games:
        yield created, _SILENT, last + SILENCE + 1, len(log)


def sessions(user: Columns, time: Columns) -> Columns:
    """Return when sessions begin (metric 15): after more than 30 minutes without an event.

    Events come sorted by user and time, as for the functions below.
    """
    is_first = np.ones(len(user), bool)
    is_first[1:] = (user[1:] != user[:-1]) | (time[1:] - time[:-1] > PAUSE)
    return time[is_first]


def viewers(pair: Columns, time: Columns) -> tuple[Columns, Columns, Columns, Columns]:
    """Return when each pair becomes a viewer of the last hour (metric 9), and when it ceases to be.

    pair and minute of the begins, pair and minute of the ends; a minute is the end of its bucket.
    A view at m counts in the windows that end at m to m + 59 minutes: in between views of an hour
    nothing changes, so begins less ends are the distinct viewers at any instant.
    """
    order = np.argsort(pair, kind="stable")  # within a pair the times stay sorted
    pair, minute = pair[order], -(-time[order] // MINUTE) * MINUTE
    is_begin = np.ones(len(pair), bool)
    is_begin[1:] = (pair[1:] != pair[:-1]) | (minute[1:] - minute[:-1] >= HOUR)
    is_end = np.ones(len(pair), bool)
    is_end[:-1] = is_begin[1:]
    return pair[is_begin], minute[is_begin], pair[is_end], minute[is_end] + HOUR


def searches(user: Columns, time: Columns, is_view: Any) -> tuple[Columns, Columns]:
    """Return the times of all searches, and of those with a view from search (metric 14).

    A view counts at most 5 minutes after the latest search before it, or at its own millisecond:
    there searches come first.
    """
    place = np.where(is_view, -1, np.arange(len(user)))
    latest = np.maximum.accumulate(place)
    is_hit = is_view & (latest >= 0)
    at = latest[is_hit]
    fits = (user[at] == user[is_hit]) & (time[is_hit] - time[at] <= SEARCHING)
    is_found = np.zeros(len(user), bool)
    is_found[at[fits]] = True
    return time[~is_view], time[is_found]
