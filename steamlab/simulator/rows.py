"""The planner's tables: numpy records, because a plan holds millions of rows."""

from __future__ import annotations

from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "ADD", "ADDED", "CART", "EVENT", "LINE", "PURCHASE", "REMOVED", "SEARCH", "SOURCES", "VIEW",
    "WISH", "WISHED", "Table", "join", "lines_of", "member", "table",
]  # fmt: skip

Table: TypeAlias = NDArray[Any]

# Kinds of events, in the order of STORE_TOPICS.
VIEW, WISH, CART, PURCHASE, SEARCH = range(5)
ADDED, REMOVED = 0, 1
SOURCES: Final = (
    "featured_carousel", "search", "recommendation", "direct", "wishlist", "category_browse",
)  # fmt: skip

# A game on its way into a cart. `luck` and `pause` decide the checkout of the cart that it opens.
ADD = np.dtype(
    [("time", "f8"), ("pair", "i8"), ("visit", "i8"), ("luck", "f4"), ("pause", "f4"),
     ("cents", "i4"), ("persona", "u1"), ("returns", "?"), ("known", "?"), ("shock", "u1")]
)  # fmt: skip

# A game on its way onto a wishlist.
WISHED = np.dtype(
    [("time", "f8"), ("pair", "i8"), ("visit", "i8"), ("persona", "u1"), ("shock", "u1")]
)

# An event. `what` is a view's source, else the action; `number` is the order, the query or, for
# wishlist and cart, what the event reports; the deltas are what it changes for its user.
EVENT = np.dtype(
    [("time", "i8"), ("arrival", "i8"), ("id", "u8"), ("visit", "i8"), ("user", "i4"),
     ("number", "i4"), ("cents", "i4"), ("game", "i2"), ("size", "i2"), ("kind", "u1"),
     ("what", "u1"), ("shock", "u1"), ("fault", "u1"), ("wishes", "i1"), ("items", "i1")]
)  # fmt: skip

# A game in an order.
LINE = np.dtype([("order", "i4"), ("cents", "i4"), ("game", "i2")])


def table(dtype: np.dtype[Any], count: int, /, **columns: Any) -> Table:
    """Make a table of this many rows from its columns; the others are 0."""
    rows = np.zeros(count, dtype)
    for name, column in columns.items():
        rows[name] = column
    return rows


def join(*tables: Table) -> Table:
    """Put tables of one kind under each other."""
    return np.concatenate(tables) if len(tables) > 1 else tables[0]


def lines_of(lines: Table, events: Table) -> NDArray[np.bool_]:
    """Tell which order lines belong to the purchases among some events."""
    return np.isin(lines["order"], events["number"][events["kind"] == PURCHASE])


def member(values: Table, ordered: Table) -> NDArray[np.bool_]:
    """Tell which values stand in an ascending array."""
    if not len(ordered):
        return np.zeros(len(values), bool)
    place = np.searchsorted(ordered, values)
    return np.asarray(ordered[np.minimum(place, len(ordered) - 1)] == values)
