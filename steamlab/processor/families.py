"""The families of cells: which window each is cut into, and when a cell of it is final.

A cell is a number: of a family, in a bucket of time, for a dimension (a game, a region, a term, or
none). All sixteen metrics are made of sums of cells, so partitions can be counted apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from steamlab.events import TOPIC_OF

__all__ = ["ALL_TOPICS", "CODE", "DAY", "FAMILIES", "FAMILY", "GRACE_MS", "NEVER_MS", "Counts",
           "Family", "watermark"]  # fmt: skip

Counts: TypeAlias = dict[Any, int]
"""The numbers of one bucket of a family, by dimension."""

SECOND = 1000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
GRACE_MS = 5 * MINUTE
NEVER_MS = -(2**62)  # the clock of a topic that has shown nothing yet

ALL_TOPICS = tuple(TOPIC_OF.values())
VIEWS, WISHES, CARTS, PURCHASES, SEARCHES = ALL_TOPICS


@dataclass(frozen=True)
class Family:
    """Cells of one kind. Times are milliseconds.

    Buckets are [start, start + size), named by their start; with `is_closed_right` they are
    (end - size, end], named by their end: what rolling windows are made of. `horizon`: how long
    after the bucket's end an event in order may still change its cells.
    """

    name: str
    size: int
    topics: tuple[str, ...]
    horizon: int = 0
    is_closed_right: bool = False

    def bucket(self, time_ms: Any) -> Any:
        """Return the name of the bucket that a time, or each time of a column, falls into."""
        if self.is_closed_right:
            return -(-time_ms // self.size) * self.size
        return time_ms // self.size * self.size

    def settled_ms(self, bucket: Any) -> Any:
        """Return when the bucket's cells can change no more, if no event is late."""
        return bucket + (0 if self.is_closed_right else self.size) + self.horizon


def _rolling(name: str, size: int, topic: str) -> Family:
    return Family(name, size, (topic,), is_closed_right=True)


FAMILIES = (
    # 1-4: sales
    Family("revenue_minute", MINUTE, (PURCHASES,)),
    Family("orders_minute", MINUTE, (PURCHASES,)),
    _rolling("revenue_rolling", MINUTE, PURCHASES),
    _rolling("orders_rolling", MINUTE, PURCHASES),
    Family("revenue_hour", HOUR, (PURCHASES,)),
    Family("orders_hour", HOUR, (PURCHASES,)),
    Family("paid_hour", HOUR, (PURCHASES,)),
    # 5-8: the funnel. What a rate is divided by settles together with what is divided.
    Family("viewed", HOUR, (VIEWS, WISHES), DAY),
    Family("viewed_wished", HOUR, (VIEWS, WISHES), DAY),
    Family("wished", DAY, (WISHES, CARTS), 28 * DAY),
    Family("wished_carted", DAY, (WISHES, CARTS), 28 * DAY),
    Family("carted", HOUR, (CARTS, PURCHASES), DAY),
    Family("carted_bought", HOUR, (CARTS, PURCHASES), DAY),
    Family("viewed_day", DAY, (VIEWS, PURCHASES), 30 * DAY),
    Family("viewed_bought", DAY, (VIEWS, PURCHASES), 30 * DAY),
    Family("views_day", DAY, (VIEWS, PURCHASES), 30 * DAY),
    Family("orders_day", DAY, (VIEWS, PURCHASES), 30 * DAY),
    Family("lines_day", DAY, (VIEWS, PURCHASES), 30 * DAY),
    # 9-12: products. Viewers are +1 where a pair's hour begins and -1 where it ends.
    _rolling("views", MINUTE, VIEWS),
    _rolling("viewers", MINUTE, VIEWS),
    _rolling("lines", MINUTE, PURCHASES),
    _rolling("lines_revenue", MINUTE, PURCHASES),
    _rolling("wish_added", HOUR, WISHES),
    _rolling("wish_removed", HOUR, WISHES),
    _rolling("terms", MINUTE, SEARCHES),
    # 13-16: shoppers. The dimension of a silent cart is its end, of a wait its length.
    Family("carts_created", HOUR, (CARTS, PURCHASES)),
    Family("carts_completed", HOUR, (CARTS, PURCHASES)),
    Family("carts_emptied", HOUR, (CARTS, PURCHASES)),
    Family("carts_silent", HOUR, (CARTS, PURCHASES)),
    Family("searches", HOUR, (SEARCHES, VIEWS), 5 * MINUTE),
    Family("searches_hit", HOUR, (SEARCHES, VIEWS), 5 * MINUTE),
    Family("sessions", HOUR, ALL_TOPICS),
    Family("sessions_revenue", HOUR, ALL_TOPICS),
    Family("sessions_orders", HOUR, ALL_TOPICS),
    Family("waits", HOUR, (VIEWS, PURCHASES)),
    Family("waits_unknown", HOUR, (VIEWS, PURCHASES)),
)
FAMILY = {family.name: family for family in FAMILIES}
CODE = {family.name: code for code, family in enumerate(FAMILIES)}


def watermark(clocks: Mapping[str, int], topics: tuple[str, ...]) -> int:
    """Return the newest time of the slowest of the topics: what decides over finality (R3)."""
    return min(clocks.get(topic, NEVER_MS) for topic in topics)
