"""What is published of the cells: sums, ratios and medians, of a window and since the start."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from steamlab.processor.families import (
    ALL_TOPICS,
    CARTS,
    DAY,
    HOUR,
    MINUTE,
    PURCHASES,
    SEARCHES,
    VIEWS,
    WISHES,
    Counts,
)  # fmt: skip
from steamlab.processor.histogram import Histogram

__all__ = ["PUBLISHED", "Look", "Published", "Values", "amount"]

Values: TypeAlias = dict[str, Any]


@dataclass(frozen=True)
class Look:
    """A view of the cells of one window, or of all: counts by dimension, and the present."""

    counts: Callable[[str], Counts]
    now_ms: int

    def sum(self, family: str) -> int:
        """Return the family's sum over all dimensions."""
        return sum(self.counts(family).values())


@dataclass(frozen=True)
class Published:
    """A metric's records: one a bucket of its `families`, and with `total` one since the start.

    `values` are the fields, None where there is nothing to publish. With `dimension` there is a
    record for each dimension of the families.
    """

    name: str
    topics: tuple[str, ...]
    size: int
    families: tuple[str, ...]
    values: Callable[[Look], Values | None]
    total: Callable[[Look], Values | None] | None = None
    horizon: int = 0
    dimension: str = ""
    is_rolling: bool = False

    def settled_ms(self, window: int) -> int:
        """Return when a window can change no more, if no event is late."""
        return window + (0 if self.is_rolling else self.size) + self.horizon


def amount(cents: int, among: int = 1) -> str | None:
    """Return money as text, or each one's share of it, rounded once, halves up."""
    if not among:
        return None
    whole, rest = divmod(cents, among)
    dollars, left = divmod(whole + (2 * rest >= among), 100)
    return f"{dollars}.{left:02}"


def _ratio(part: int, whole: int) -> Values:
    return {"value": part / whole if whole else None, "numerator": part, "denominator": whole}


def _rate(part: str, whole: str) -> Callable[[Look], Values | None]:
    return lambda look: _ratio(look.sum(part), look.sum(whole)) if look.sum(whole) else None


def _revenue(of: str) -> Callable[[Look], Values | None]:
    def values(look: Look) -> Values | None:
        orders = look.sum(f"orders_{of}")
        return {"value": amount(look.sum(f"revenue_{of}")), "count": orders} if orders else None

    return values


def _rolling_revenue(look: Look) -> Values | None:
    return {"value": amount(look.sum("revenue_rolling"))} if look.sum("orders_rolling") else None


def _velocity(look: Look) -> Values | None:
    orders = look.sum("orders_minute")
    return {"value": orders} if orders else None


def _order_value(look: Look) -> Values | None:
    total, orders, paid = (look.sum(f"{of}_hour") for of in ("revenue", "orders", "paid"))
    return {
        "value": amount(total, orders),
        "numerator": amount(total),
        "denominator": orders,
        "paid_value": amount(total, paid),
        "paid_denominator": paid,
    } if orders else None  # fmt: skip


def _conversion(look: Look) -> Values | None:
    views, orders, lines = (look.sum(f"{of}_day") for of in ("views", "orders", "lines"))
    if not views + orders:
        return None
    return _ratio(look.sum("viewed_bought"), look.sum("viewed_day")) | {
        "orders_per_view": {"numerator": orders, "denominator": views},
        "lines_per_view": {"numerator": lines, "denominator": views},
    }


def _carts_closed(look: Look) -> tuple[int, int]:
    """Return the carts completed and abandoned by now; some are known to fall silent later."""
    silent = sum(n for end, n in look.counts("carts_silent").items() if end <= look.now_ms)
    return look.sum("carts_completed"), look.sum("carts_emptied") + silent


def _abandonment(look: Look) -> Values | None:
    completed, abandoned = _carts_closed(look)
    return _ratio(abandoned, completed + abandoned) if completed + abandoned else None


def _carts(look: Look) -> Values | None:
    completed, abandoned = _carts_closed(look)
    created = look.sum("carts_created")
    return _ratio(abandoned, completed + abandoned) | {
        "created": created,
        "completed": completed,
        "open": created - completed - abandoned,
    } if created else None  # fmt: skip


def _session_value(look: Look) -> Values | None:
    total, begun = look.sum("sessions_revenue"), look.sum("sessions")
    value = {"value": amount(total, begun), "numerator": amount(total), "denominator": begun}
    return value if begun + look.sum("sessions_orders") else None


def _waits(look: Look) -> Values | None:
    """Make mean and median of milliseconds: both stay exact."""
    histogram = Histogram()
    histogram.change(look.counts("waits"))
    return _spread(histogram, look.sum("waits_unknown"))


def _all_waits(look: Look) -> Values | None:
    """Make the same of all waits since the start: they are kept so that it stays cheap."""
    waits: Any = look.counts("waits")
    return _spread(waits, look.sum("waits_unknown"))


def _spread(waits: Histogram, unknown: int) -> Values | None:
    count, median = waits.count, waits.median()
    return {
        "mean": ((2 * waits.sum + count) // (2 * count)) / 1000 if count else None,
        "median": None if median is None else median / 1000,
        "count": count,
        "unattributed": unknown,
    } if count + unknown else None  # fmt: skip


_FUNNEL = (
    Published("view_to_wishlist", (VIEWS, WISHES), HOUR, ("viewed", "viewed_wished"),
              _rate("viewed_wished", "viewed"), _rate("viewed_wished", "viewed"), DAY),
    Published("wishlist_to_cart", (WISHES, CARTS), DAY, ("wished", "wished_carted"),
              _rate("wished_carted", "wished"), _rate("wished_carted", "wished"), 28 * DAY),
    Published("cart_to_purchase", (CARTS, PURCHASES), HOUR, ("carted", "carted_bought"),
              _rate("carted_bought", "carted"), _rate("carted_bought", "carted"), DAY),
    Published("overall_conversion", (VIEWS, PURCHASES), DAY,
              ("viewed_day", "viewed_bought", "views_day", "orders_day", "lines_day"),
              _conversion, _conversion, 30 * DAY),
)  # fmt: skip

PUBLISHED = (
    Published("revenue_per_minute", (PURCHASES,), MINUTE, ("revenue_minute", "orders_minute"),
              _revenue("minute")),
    Published("revenue_rolling", (PURCHASES,), MINUTE, ("revenue_rolling", "orders_rolling"),
              _rolling_revenue, is_rolling=True),
    Published("sales_velocity", (PURCHASES,), MINUTE, ("orders_minute",), _velocity),
    Published("average_order_value", (PURCHASES,), HOUR,
              ("revenue_hour", "orders_hour", "paid_hour"), _order_value, _order_value),
    Published("revenue_by_region", (PURCHASES,), HOUR, ("revenue_hour", "orders_hour"),
              _revenue("hour"), _revenue("hour"), dimension="region"),
    *_FUNNEL,
    Published("cart_abandonment", (CARTS, PURCHASES), HOUR,
              ("carts_created", "carts_completed", "carts_emptied", "carts_silent"),
              _abandonment, _carts),
    Published("search_effectiveness", (SEARCHES, VIEWS), HOUR, ("searches", "searches_hit"),
              _rate("searches_hit", "searches"), _rate("searches_hit", "searches"), 5 * MINUTE),
    Published("average_session_value", ALL_TOPICS, HOUR,
              ("sessions", "sessions_revenue", "sessions_orders"),
              _session_value, _session_value),
    Published("time_to_purchase", (VIEWS, PURCHASES), HOUR, ("waits", "waits_unknown"),
              _waits, _all_waits),
)  # fmt: skip
