"""The sixteen metrics in one table: what each looks at, in which windows, what becomes of it.

Revenue comes twice, per minute and of the last 60 seconds, so that the table has 17 rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from steamlab.events import TOPIC_OF
from steamlab.metrics import funnel, products, sales, shoppers
from steamlab.metrics.tables import Tables
from steamlab.metrics.values import Values, money, rate_of
from steamlab.windows import DAY, HOUR, MINUTE

__all__ = ["METRICS", "Metric"]

_TOPICS = tuple(TOPIC_OF.values())
_VIEWS, _WISHES, _CARTS, _PURCHASES, _SEARCHES = _TOPICS


@dataclass(frozen=True, kw_only=True)
class Metric:
    """What a metric looks at and publishes.

    `rows` with a `time` fall into windows of this `size`, tumbling ones, or rolling ones that end
    at each whole `every`. `values` makes a record's fields of one window's rows; `ranks` makes top
    lists of all windows at once. `total` does the same since the start of the stream, where that
    is published. `horizon`: how long after its window's end an event may still change it.
    """

    name: str
    topics: tuple[str, ...]
    rows: Callable[[Tables], pd.DataFrame]
    size: pd.Timedelta
    every: pd.Timedelta | None = None
    dimension: str | None = None
    horizon: pd.Timedelta = 0 * MINUTE
    values: Callable[[pd.DataFrame], Values] | None = None
    ranks: Callable[[pd.DataFrame], pd.DataFrame] | None = None
    total: Callable[[pd.DataFrame], Any] | None = None


def _conversion(tables: Tables) -> pd.DataFrame:
    pairs = funnel.view_to_purchase(tables.facts).assign(what="pair")
    others = {"view": tables.views, "order": tables.orders, "line": tables.lines}
    return pd.concat([pairs, *(rows.assign(what=what) for what, rows in others.items())])


def _visits(tables: Tables) -> pd.DataFrame:
    begun = shoppers.sessions(tables.arrivals).assign(what="session")
    return pd.concat([begun, tables.orders.assign(what="order")])


def _in_dollars(lines: pd.DataFrame) -> pd.DataFrame:
    ranked = products.hot_purchases(lines)
    return ranked.assign(revenue=ranked["revenue"].map(money))


METRICS = (
    Metric(
        name="revenue_per_minute",
        topics=(_PURCHASES,),
        rows=lambda tables: tables.orders,
        size=MINUTE,
        values=sales.revenue,
    ),
    Metric(
        name="revenue_rolling",
        topics=(_PURCHASES,),
        rows=lambda tables: tables.orders,
        size=MINUTE,
        every=MINUTE,
        values=lambda orders: {"value": sales.revenue(orders)["value"]},
    ),
    Metric(
        name="sales_velocity",
        topics=(_PURCHASES,),
        rows=lambda tables: tables.orders,
        size=MINUTE,
        values=sales.sales_velocity,
    ),
    Metric(
        name="average_order_value",
        topics=(_PURCHASES,),
        rows=lambda tables: tables.orders,
        size=HOUR,
        values=sales.average_order_value,
        total=sales.average_order_value,
    ),
    Metric(
        name="revenue_by_region",
        topics=(_PURCHASES,),
        rows=lambda tables: tables.orders,
        size=HOUR,
        dimension="region",
        values=sales.revenue,
        total=sales.revenue,
    ),
    Metric(
        name="view_to_wishlist",
        topics=(_VIEWS, _WISHES),
        rows=lambda tables: funnel.view_to_wishlist(tables.facts),
        size=HOUR,
        horizon=DAY,
        values=rate_of,
        total=rate_of,
    ),
    Metric(
        name="wishlist_to_cart",
        topics=(_WISHES, _CARTS),
        rows=lambda tables: funnel.wishlist_to_cart(tables.facts),
        size=DAY,
        horizon=28 * DAY,
        values=rate_of,
        total=rate_of,
    ),
    Metric(
        name="cart_to_purchase",
        topics=(_CARTS, _PURCHASES),
        rows=lambda tables: funnel.cart_to_purchase(tables.facts),
        size=HOUR,
        horizon=DAY,
        values=rate_of,
        total=rate_of,
    ),
    Metric(
        name="overall_conversion",
        topics=(_VIEWS, _PURCHASES),
        rows=_conversion,
        size=DAY,
        horizon=30 * DAY,
        values=funnel.overall_conversion,
        total=funnel.overall_conversion,
    ),
    Metric(
        name="trending_games",
        topics=(_VIEWS,),
        rows=lambda tables: tables.views,
        size=HOUR,
        every=MINUTE,
        ranks=products.trending_games,
    ),
    Metric(
        name="hot_purchases",
        topics=(_PURCHASES,),
        rows=lambda tables: tables.lines,
        size=15 * MINUTE,
        every=MINUTE,
        ranks=_in_dollars,
    ),
    Metric(
        name="wishlist_leaders",
        topics=(_WISHES,),
        rows=lambda tables: tables.wishes,
        size=DAY,
        every=HOUR,
        ranks=products.wishlist_leaders,
        total=products.wishlist_leaders,
    ),
    Metric(
        name="search_popularity",
        topics=(_SEARCHES,),
        rows=lambda tables: tables.searches,
        size=HOUR,
        every=MINUTE,
        ranks=products.search_popularity,
        total=products.search_popularity,
    ),
    Metric(
        name="cart_abandonment",
        topics=(_CARTS, _PURCHASES),
        rows=lambda tables: shoppers.followed_carts(tables.carts, tables.lines, tables.now),
        size=HOUR,
        values=shoppers.cart_abandonment,
        total=shoppers.cart_totals,
    ),
    Metric(
        name="search_effectiveness",
        topics=(_SEARCHES, _VIEWS),
        rows=lambda tables: shoppers.searches_with_view(
            tables.searches, tables.views[tables.views["source"] == "search"]
        ),
        size=HOUR,
        horizon=5 * MINUTE,
        values=rate_of,
        total=rate_of,
    ),
    Metric(
        name="average_session_value",
        topics=_TOPICS,
        rows=_visits,
        size=HOUR,
        values=shoppers.average_session_value,
        total=shoppers.average_session_value,
    ),
    Metric(
        name="time_to_purchase",
        topics=(_VIEWS, _PURCHASES),
        rows=lambda tables: shoppers.waits(tables.lines, tables.views),
        size=HOUR,
        values=shoppers.time_to_purchase,
        total=shoppers.time_to_purchase,
    ),
)
