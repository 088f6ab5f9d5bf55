"""The accepted events as DataFrames, one a kind: what the sixteen metrics are computed from.

Columns carry the events' own field names, beside three that are derived: `time` (UTC, from the
payload's timestamp), `cents` (money in whole cents: sums of cents are exact), `term` (a search
query, normalised). Every table is sorted by time.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from steamlab.decoding.labels import label
from steamlab.events import (
    TOPIC_OF,
    CartAction,
    Decoded,
    GamePageViewed,
    Purchase,
    SearchPerformed,
    WishlistAction,
    cents,
    type_of,
)
from steamlab.metrics.funnel import pair_facts

__all__ = ["Tables", "normalise", "to_tables"]


@dataclass(frozen=True)
class Tables:
    """The store's history up to an instant.

    views: time, userId, gameId, source. wishes and carts: time, userId, gameId, action.
    orders: time, userId, orderId, region, cents. lines: one row for each game of an order: time,
    userId, orderId, gameId, cents. searches: time, userId, term. arrivals: time, userId, topic of
    every event, in order of arrival. now: the instant; None where nothing has happened.
    """

    views: pd.DataFrame
    wishes: pd.DataFrame
    carts: pd.DataFrame
    orders: pd.DataFrame
    lines: pd.DataFrame
    searches: pd.DataFrame
    arrivals: pd.DataFrame
    now: pd.Timestamp | None

    @cached_property
    def facts(self) -> pd.DataFrame:
        """What happened to each pair of a user and a game (see `funnel.pair_facts`)."""
        return pair_facts(self.views, self.wishes, self.carts, self.lines)


def to_tables(accepted: Iterable[Decoded], *, until_ms: int | None = None) -> Tables:
    """Sort accepted events, given in order of arrival, into tables.

    With `until_ms`, only what happened until then; else `now` is the newest event's time.
    """
    rows: dict[str, list[tuple[Any, ...]]] = {name: [] for name in _COLUMNS}
    for decoded in accepted:
        if decoded.event is not None and (until_ms is None or decoded.event_ms <= until_ms):
            _add(rows, decoded)
    tables = {name: _frame(rows[name], columns) for name, columns in _COLUMNS.items()}
    for name in tables.keys() - {"arrivals"}:
        tables[name] = tables[name].sort_values("time", kind="stable", ignore_index=True)
    times = tables["arrivals"]["time"]
    if until_ms is not None:
        return Tables(**tables, now=_times([until_ms])[0])
    return Tables(**tables, now=times.max() if len(times) else None)


def normalise(query: str) -> str:
    """Return a search query as it is counted: NFKC, without case, white space collapsed.

    Like a game's id, a very long one is shown by its label.
    """
    return label(" ".join(unicodedata.normalize("NFKC", query).casefold().split()))


_COLUMNS: dict[str, tuple[str, ...]] = {
    "views": ("time", "userId", "gameId", "source"),
    "wishes": ("time", "userId", "gameId", "action"),
    "carts": ("time", "userId", "gameId", "action"),
    "orders": ("time", "userId", "orderId", "region", "cents"),
    "lines": ("time", "userId", "orderId", "gameId", "cents"),
    "searches": ("time", "userId", "term"),
    "arrivals": ("time", "userId", "topic"),
}


def _add(rows: dict[str, list[tuple[Any, ...]]], decoded: Decoded) -> None:
    event, time = decoded.event, decoded.event_ms
    if event is None:
        return
    user = event.user_id
    rows["arrivals"].append((time, user, TOPIC_OF[type_of(event)]))
    if isinstance(event, GamePageViewed):
        rows["views"].append((time, user, label(event.game_id), event.source))
    elif isinstance(event, WishlistAction):
        rows["wishes"].append((time, user, label(event.game_id), event.action))
    elif isinstance(event, CartAction):
        rows["carts"].append((time, user, label(event.game_id), event.action))
    elif isinstance(event, SearchPerformed):
        rows["searches"].append((time, user, normalise(event.search_query)))
    elif isinstance(event, Purchase):
        order = event.order_id
        rows["orders"].append((time, user, order, event.region, cents(event.total_amount)))
        # A game that is twice in an order is one line; what was paid for both counts.
        prices: dict[str, int] = {}
        for line in event.games:
            game = label(line.game_id)
            prices[game] = prices.get(game, 0) + cents(line.price)
        rows["lines"] += [(time, user, order, game, paid) for game, paid in prices.items()]


def _frame(rows: Sequence[tuple[Any, ...]], columns: Sequence[str]) -> pd.DataFrame:
    values = zip(*rows, strict=True) if rows else [()] * len(columns)
    return pd.DataFrame(
        {name: _column(name, each) for name, each in zip(columns, values, strict=True)}
    )


def _column(name: str, values: Sequence[Any]) -> Any:
    if name == "time":
        return _times(values)
    # Python's own integers: hostile amounts may be larger than 64 bits.
    return pd.Series(values, dtype="object" if name == "cents" else "str")


def _times(values: Sequence[int]) -> pd.Series[pd.Timestamp]:
    return pd.Series(np.array(values, "M8[ms]")).dt.tz_localize("UTC")
