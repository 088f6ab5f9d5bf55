"""Wrong variants of the metrics: each must fail at least one case, and the right form none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from steamlab.decoding.identity import Identities
from steamlab.metrics import (
    funnel,
    products,
    reading,
    recording,
    sales,
    shoppers,
    sixteen,
    tables,
    values,
)
from steamlab.metrics.tables import Tables
from steamlab.windows import MS
from tests import stream
from tests.metric_cases import CASES
from tests.test_metrics import failures

Patch = Callable[[pytest.MonkeyPatch], None]


def patch(module: Any, name: str, wrong: Any) -> Patch:
    """Replace one function or constant."""
    return lambda monkeypatch: monkeypatch.setattr(module, name, wrong)


def metric(name: str, **changes: Any) -> Patch:
    """Change one row of the table of the metrics."""
    wrong = tuple(
        replace(each, **changes) if each.name == name else each for each in sixteen.METRICS
    )
    return patch(recording, "METRICS", wrong)


def closed_right(rows: pd.DataFrame, size: pd.Timedelta) -> pd.DataFrame:
    """Put an event at a window's start into the window before."""
    timed = rows[rows["time"].notna()]
    return timed.assign(window=(timed["time"] - MS).dt.floor(size))


def closed_left(rows: pd.DataFrame, size: pd.Timedelta, end: pd.Timestamp) -> pd.DataFrame:
    """Cut the rolling window as [end - size, end)."""
    return rows[(rows["time"] >= end - size) & (rows["time"] < end)].assign(window=end)


def floating(cents: Any, among: int = 1) -> str | None:
    """Round money as floats do."""
    return None if among == 0 else f"{float(cents) / 100 / among:.2f}"


def all_lines(rows: Any, decoded: Any) -> None:
    """Take a game that stands twice in an order for two lines."""
    right_add(rows, decoded)
    for line in getattr(decoded.event, "games", [])[1:]:
        if line.game_id == decoded.event.games[0].game_id:
            rows["lines"].append(rows["lines"][-1])


def any_order(facts: pd.DataFrame, first: str, then: str, within: pd.Timedelta) -> pd.DataFrame:
    """Count what came before the first fact, too."""
    early = facts[facts["fact"] == then].assign(time=facts["time"].max())
    moved = pd.concat([facts[facts["fact"] != then], early])
    return right_followed(moved, first, then, 1000 * within)


def last_view(facts: pd.DataFrame, later: pd.DataFrame) -> pd.Series[Any]:
    """Look for the last fact before, not for the first after."""
    found = pd.merge_asof(
        facts[["time", "userId", "gameId"]].assign(time=facts["time"] + shoppers.LOOKBACK),
        later[["time", "userId", "gameId"]].assign(next=later["time"]),
        on="time",
        by=["userId", "gameId"],
    )
    return found["next"]


def without_removals(facts: pd.DataFrame) -> pd.DataFrame:
    """Forget that games were taken out of carts."""
    return right_cart_to_purchase(facts[facts["fact"] != "removed"])


def zero_for_none(is_hit: pd.Series[bool]) -> dict[str, Any]:
    """Say 0 where there is nothing to divide by."""
    found = right_rate(is_hit)
    return found | {"value": found["value"] or 0.0}


def ever_open(carts: pd.DataFrame, lines: pd.DataFrame, now: pd.Timestamp) -> pd.DataFrame:
    """Take carts that are open still for abandoned ones."""
    return right_followed_carts(carts, lines, now + 100 * shoppers.SILENCE)


def from_search(of: Tables) -> pd.DataFrame:
    """Return the views that came from a search."""
    return of.views[of.views["source"] == "search"]


def every_search_before(of: Tables) -> pd.DataFrame:
    """Credit a view to all searches of the five minutes before it."""
    each = [shoppers.searches_with_view(one, from_search(of))
            for _, one in of.searches.groupby(of.searches.index)]  # fmt: skip
    return pd.concat(each) if each else of.searches


def with_future(accepted: Any, *, until_ms: int | None = None) -> Tables:
    """Look at an instant as if one knew what comes after it."""
    now = right_to_tables(accepted, until_ms=until_ms).now
    return replace(right_to_tables(accepted), now=now)


def added_only(wishes: pd.DataFrame) -> pd.DataFrame:
    """Take removals from the wishlist for adds."""
    return products.wishlist_leaders(wishes.assign(action="added"))


right_add, right_followed = tables._add, funnel._followed  # noqa: SLF001 - what is wrapped
right_rate = values.rate
right_cart_to_purchase, right_followed_carts = funnel.cart_to_purchase, shoppers.followed_carts
right_money, right_top, right_rolling, right_to_tables = (
    values.money,
    products.top,
    recording.rolling,
    tables.to_tables,
)

WRONG: dict[tuple[str, str], Patch] = {
    ("average_order_value", "duplicates are kept"): patch(
        Identities, "judge", lambda _self, _decoded: "new"
    ),
    ("average_order_value", "the file's order decides conflicts"): patch(
        reading, "_place", lambda each: each.line
    ),
    ("average_order_value", "the future counts"): patch(stream, "to_tables", with_future),
    ("average_order_value", "tumbling windows closed on the right"): patch(
        recording, "tumbling", closed_right
    ),
    ("revenue_rolling", "an instant's window closed on the left"): patch(
        recording, "ending_at", closed_left
    ),
    ("trending_games", "rolling windows closed on the left"): patch(
        recording,
        "rolling",
        lambda rows, *sizes, until: right_rolling(
            rows.assign(time=rows["time"] + MS), *sizes, until=until
        ),
    ),
    ("revenue_per_minute", "money in floats"): patch(tables, "cents", lambda amount: amount * 100),
    ("average_order_value", "averages rounded by floats"): patch(sales, "money", floating),
    ("average_order_value", "averages cut off"): patch(
        sales, "money", lambda cents, among=1: among and right_money(int(cents) // among)
    ),
    ("average_order_value", "0 where there is no average"): patch(
        sales, "money", lambda cents, among=1: right_money(cents, among) or "0.00"
    ),
    ("cart_abandonment", "0 where there is no rate"): patch(shoppers, "rate", zero_for_none),
    ("overall_conversion", "a game twice in an order is two lines"): patch(
        tables, "_add", all_lines
    ),
    ("sales_velocity", "free orders are left out"): metric(
        "sales_velocity", rows=lambda of: of.orders[of.orders["cents"] > 0]
    ),
    ("view_to_wishlist", "what came before the view counts"): patch(funnel, "_followed", any_order),
    ("view_to_wishlist", "pairs are never forgotten"): patch(
        funnel, "FORGOTTEN", 100 * funnel.FORGOTTEN
    ),
    ("view_to_wishlist", "30 days of silence forget a pair"): patch(
        funnel, "FORGOTTEN", funnel.FORGOTTEN - MS
    ),
    ("cart_to_purchase", "removals from the cart are ignored"): metric(
        "cart_to_purchase", rows=lambda of: without_removals(of.facts)
    ),
    ("trending_games", "ties in any order"): patch(
        products, "top", lambda table, by, tie: right_top(table, by[:1], tie=tie)
    ),
    ("trending_games", "lists of eleven"): patch(values, "TOP", 11),
    ("search_popularity", "queries as they are typed"): patch(
        tables, "normalise", lambda query: query
    ),
    ("search_popularity", "queries in lower case only"): patch(
        tables, "normalise", lambda query: " ".join(query.lower().split())
    ),
    ("wishlist_leaders", "removals lead a wishlist"): metric(
        "wishlist_leaders", ranks=added_only, total=added_only
    ),
    ("cart_abandonment", "a cart is abandoned after 2:00 h"): patch(
        shoppers, "SILENCE", shoppers.SILENCE - MS
    ),
    ("cart_abandonment", "open carts are abandoned"): metric(
        "cart_abandonment", rows=lambda of: ever_open(of.carts, of.lines, of.now)
    ),
    ("search_effectiveness", "any view makes a search effective"): metric(
        "search_effectiveness", rows=lambda of: shoppers.searches_with_view(of.searches, of.views)
    ),
    ("search_effectiveness", "a view makes all searches effective"): metric(
        "search_effectiveness", rows=every_search_before
    ),
    ("search_effectiveness", "5:00 after a search is too late"): patch(
        shoppers.searches_with_view, "__defaults__", (shoppers.SEARCHING - MS,)
    ),
    ("average_session_value", "a gap of 30:00 parts sessions"): patch(
        shoppers.sessions, "__defaults__", (shoppers.PAUSE - MS,)
    ),
    ("average_session_value", "only buying sessions count"): patch(
        shoppers, "sessions", lambda events: events[events["topic"] == "store.purchases"]
    ),
    ("time_to_purchase", "time since the last view"): patch(shoppers, "next_after", last_view),
    ("time_to_purchase", "any view, however old"): patch(
        shoppers, "LOOKBACK", 10 * shoppers.LOOKBACK
    ),
}


@pytest.mark.parametrize(("name", "wrong"), WRONG)
def test_wrong_variant_is_told_apart(
    name: str, wrong: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each wrong variant makes at least one case of its metric fail."""
    WRONG[name, wrong](monkeypatch)
    assert any(failures(case) for case in CASES if any(name in key for key in case.expected))


def test_each_metric_has_a_wrong_variant() -> None:
    """No metric goes without a negative control, but those that share a function with another."""
    shared = {"hot_purchases", "revenue_by_region", "wishlist_to_cart"}
    assert {each.name for each in sixteen.METRICS} - shared == {name for name, _ in WRONG}
