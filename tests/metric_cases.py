"""What the definitions say about their edges, worked by hand: events, and what becomes of them.

An expectation is a record's key (the window's start as a time of day, `all` for none), and some of
its fields; None where there must be no record.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from tests.stream import Event, add, buy, look, pull, search, unwish, wish

__all__ = ["CASES", "Case", "expand"]


class Case(NamedTuple):
    """Events, an instant to look at them (a time of day) or none, and the records expected."""

    fact: str
    events: list[Event]
    expected: dict[str, dict[str, Any] | None]
    at: str | None = None


def expand(short: str) -> str:
    """Return a record's full key."""
    metric, window, *dimension = short.split("|")
    day, _, clock = window.rpartition(" ")
    start = "" if window == "all" else f"2025-{day or '11-21'}T{clock}Z"
    return "|".join([metric, start, *(dimension or [""])])


def share(hits: int, rows: int) -> dict[str, Any]:
    """Expect a rate of so many hits among so many rows."""
    return {"numerator": hits, "denominator": rows, "value": hits / rows if rows else None}


def first(*items: dict[str, Any]) -> dict[str, Any]:
    """Expect a top list of these items."""
    return {"items": list(items)}


SALES = [
    Case(
        "a minute begins at its first instant, and does not hold the next minute's",
        [buy("10:04:00", g1=1.0), buy("10:04:59.999", g1=2.0), buy("10:05:00", g1=4.0)],
        {
            "revenue_per_minute|10:04:00": {"value": "3.00", "count": 2},
            "revenue_per_minute|10:05:00": {"value": "4.00", "count": 1},
            "sales_velocity|10:04:00": {"value": 2},
            "sales_velocity|10:05:00": {"value": 1},
        },
    ),
    Case(
        "the rolling minute is closed on the right: a sale of 10:04:00 is in the one ending then",
        [buy("10:04:00", g1=1.0), buy("10:04:00.001", g1=2.0), buy("10:05:00", g1=4.0)],
        {
            "revenue_rolling|10:03:00": {"value": "1.00", "windowEnd": "2025-11-21T10:04:00Z"},
            "revenue_rolling|10:04:00": {"value": "6.00"},
            "revenue_rolling|10:05:00": None,
        },
    ),
    Case(
        "at an instant the rolling minute ends exactly there: a sale 60 seconds ago is out of it",
        [buy("10:04:00", g1=1.0), buy("10:04:00.001", g1=2.0)],
        {"revenue_rolling|10:04:00": {"value": "2.00"}, "revenue_per_minute|10:04:00": None},
        at="10:05:00",
    ),
    Case(
        "an instant need not be a whole minute; what comes after it does not count",
        [buy("10:04:00", g1=1.0), buy("10:04:59.999", g1=2.0), buy("10:05:00", g1=4.0)],
        {
            "revenue_rolling|10:03:59.999": {"value": "3.00"},
            "average_order_value|all": {"denominator": 2},
        },
        at="10:04:59.999",
    ),
    Case(
        "0.10 and 0.20, which floats add up to more than 0.30, are 0.30 and not more",
        [buy("10:00:00", g1=0.1), buy("10:00:01", g1=0.2)],
        {"revenue_per_minute|10:00:00": {"value": "0.30", "count": 2}},
    ),
    Case(
        "a hundred orders of 1.15 and 0.07 are 122.00, not a cent less",
        [
            order
            for n in range(100)
            for order in (buy(f"10:00:00.{n:03}", g1=1.15), buy(f"10:00:30.{n:03}", g1=0.07))
        ],
        {"revenue_per_minute|10:00:00": {"value": "122.00", "count": 200}},
    ),
    Case(
        "an average is rounded once, halves up: 0.05 / 2 is 0.03, and 0.09 / 2 is 0.05",
        [buy("10:00:00", g1=0.05), buy("10:01:00", g1=0.0), buy("11:00:00", g1=0.09),
         buy("11:01:00", g1=0.0)],
        {
            "average_order_value|10:00:00": {"value": "0.03", "numerator": "0.05"},
            "average_order_value|11:00:00": {"value": "0.05", "paid_value": "0.09"},
        },
    ),
    Case(
        "a free order counts, but not among the paid ones; of none there is no average",
        [buy("10:00:00", g1=0.0)],
        {
            "average_order_value|10:00:00": {
                "value": "0.00", "numerator": "0.00", "denominator": 1,
                "paid_value": None, "paid_denominator": 0,
            },
            "revenue_per_minute|10:00:00": {"value": "0.00", "count": 1},
            "sales_velocity|10:00:00": {"value": 1},
            "average_order_value|09:00:00": None,
            "average_order_value|11:00:00": None,
        },
    ),
    Case(
        "an hour begins at its first instant",
        [buy("10:59:59.999", g1=1.0), buy("11:00:00", g1=2.0)],
        {
            "average_order_value|10:00:00": {"numerator": "1.00"},
            "average_order_value|11:00:00": {"numerator": "2.00"},
        },
    ),
    Case(
        "UK and GB are one region, in the hour and since the start",
        [buy("10:00:00", region="UK", g1=1.0), buy("10:00:01", region="GB", g1=2.0),
         buy("11:00:00", region="FR", g1=4.0)],
        {
            "revenue_by_region|10:00:00|GB": {
                "value": "3.00", "count": 2, "dimension": {"region": "GB"},
            },
            "revenue_by_region|10:00:00|UK": None,
            "revenue_by_region|10:00:00|FR": None,
            "revenue_by_region|all|GB": {"value": "3.00", "count": 2},
            "revenue_by_region|all|FR": {"value": "4.00", "count": 1},
        },
    ),
    Case(
        "a free order is an order of its region",
        [buy("10:00:00", region="JP", g1=0.0)],
        {"revenue_by_region|all|JP": {"value": "0.00", "count": 1}},
    ),
    Case(
        "amounts beyond all money are added exactly, too",
        [buy("10:00:00", g1=1e22), buy("10:00:01", g1=0.01)],
        {"revenue_per_minute|10:00:00": {"value": "10000000000000000000000.01"}},
    ),
]  # fmt: skip

FUNNEL = [
    Case(
        "an add at the very millisecond of the first view counts, and one 24 h later; no later one",
        [look("10:00:00", "u1"), wish("10:00:00", "u1"),
         look("10:00:00", "u2"), wish("11-22 10:00:00", "u2"),
         look("10:00:00", "u3"), wish("11-22 10:00:00.001", "u3")],
        {"view_to_wishlist|10:00:00": share(2, 3), "view_to_wishlist|all": share(2, 3)},
    ),
    Case(
        "an add before the first view does not count, but a second one after it does",
        [wish("09:59:59.999", "u1"), look("10:00:00", "u1"),
         wish("09:00:00", "u2"), look("10:00:00", "u2"), wish("10:05:00", "u2")],
        {"view_to_wishlist|10:00:00": share(1, 2)},
    ),
    Case(
        "the 24 hours run from the first view, and the cohort is its hour",
        [look("10:59:59.999"), look("11-22 09:00:00"), wish("11-22 11:00:00"),
         look("11:00:00", "u2")],
        {
            "view_to_wishlist|10:00:00": share(0, 1),
            "view_to_wishlist|11:00:00": share(0, 1),
            "view_to_wishlist|11-22 09:00:00": None,
        },
    ),
    Case(
        "a pair counts once, however often it is viewed or wished for; removals are no wishes",
        [look("10:00:00"), look("10:10:00"), wish("10:20:00"), wish("10:30:00"),
         look("10:00:00", "u2"), unwish("10:01:00", "u2")],
        {"view_to_wishlist|all": share(1, 2)},
    ),
    Case(
        "after 30 days without any fact a view starts a new cohort; after exactly 30 it does not",
        [look("10-01 10:00:00", "u1"), look("10-31 10:00:00", "u1"),
         look("10-01 10:00:00", "u2"), look("10-31 10:00:00.001", "u2"),
         wish("10-31 11:00:00", "u2")],
        {
            "view_to_wishlist|10-01 10:00:00": share(0, 2),
            "view_to_wishlist|10-31 10:00:00": share(1, 1),
            "overall_conversion|all": share(0, 3),
        },
    ),
    Case(
        "any fact of the pair keeps it, and a fact of another game does not",
        [look("10-01 10:00:00", "u1"), add("10-20 10:00:00", "u1"), look("11-05 10:00:00", "u1"),
         look("10-01 10:00:00", "u2"), add("10-20 10:00:00", "u2", "g2"),
         look("11-05 10:00:00", "u2")],
        {"view_to_wishlist|all": share(0, 3)},
    ),
    Case(
        "a cart add at the first wish or 28 days after it counts; no later or earlier one",
        [wish("10-01 10:00:00", "u1"), add("10-01 10:00:00", "u1"),
         wish("10-01 10:00:00", "u2"), add("10-29 10:00:00", "u2"),
         wish("10-01 10:00:00", "u3"), add("10-29 10:00:00.001", "u3"),
         add("10-01 09:00:00", "u4"), wish("10-01 10:00:00", "u4")],
        {"wishlist_to_cart|10-01 00:00:00": share(2, 4), "wishlist_to_cart|all": share(2, 4)},
    ),
    Case(
        "what is put into the cart without a wish is not in the rate",
        [wish("10:00:00"), add("10:01:00"), add("10:02:00", "u2"), add("10:03:00", "u3")],
        {"wishlist_to_cart|all": share(1, 1)},
    ),
    Case(
        "an add is bought at once or within 24 h, by the same user, and no later",
        [add("10:00:00", "u1"), buy("10:00:00", "u1"),
         add("10:00:00", "u2"), buy("11-22 10:00:00", "u2"),
         add("10:00:00", "u3"), buy("11-22 10:00:00.001", "u3"),
         add("10:00:00", "u4"), buy("10:01:00", "u5")],
        {"cart_to_purchase|10:00:00": share(2, 4)},
    ),
    Case(
        "a removal in between undoes the add; put in again it is a new one",
        [add("10:00:00"), pull("10:01:00"), add("11:00:00"), buy("11:02:00")],
        {
            "cart_to_purchase|10:00:00": share(0, 1),
            "cart_to_purchase|11:00:00": share(1, 1),
            "cart_to_purchase|all": share(1, 2),
        },
    ),
    Case(
        "a removal before the add, after the purchase, or of another game undoes nothing",
        [pull("09:59:59"), add("10:00:00"), pull("10:01:00", game="g2"), buy("10:02:00"),
         pull("10:02:00.001")],
        {"cart_to_purchase|all": share(1, 1)},
    ),
    Case(
        "within one millisecond the removal comes after the add and before the purchase",
        [add("10:00:00", "u1"), pull("10:00:00", "u1"), buy("10:01:00", "u1"),
         add("10:00:00", "u2"), pull("10:01:00", "u2"), buy("10:01:00", "u2")],
        {"cart_to_purchase|all": share(0, 2)},
    ),
    Case(
        "two adds of a pair are two instances; both are bought by the one order",
        [add("10:00:00"), add("10:01:00"), buy("10:02:00")],
        {"cart_to_purchase|all": share(2, 2)},
    ),
    Case(
        "bought at the first view or within 30 days of it; a purchase before it is none",
        [look("10-01 10:00:00", "u1"), buy("10-01 10:00:00", "u1"),
         look("10-01 10:00:00", "u2"), buy("10-31 10:00:00", "u2"),
         look("10-01 10:00:00", "u3"), buy("10-31 10:00:00.001", "u3"),
         buy("10-01 09:00:00", "u4"), look("10-01 10:00:00", "u4")],
        {"overall_conversion|10-01 00:00:00": share(2, 4) | {
            "orders_per_view": {"numerator": 2, "denominator": 4}}},
    ),
    Case(
        "a view of three days ago holds the 30 days' start, whatever was viewed since",
        [look("10-01 10:00:00"), look("10-20 10:00:00"), buy("11-01 10:00:00")],
        {"overall_conversion|10-01 00:00:00": share(0, 1)},
    ),
    Case(
        "an order without any view: no rate, but orders and lines, of views that are none",
        [buy("10:00:00", g1=1.0, g2=2.0)],
        {"overall_conversion|all": share(0, 0) | {
            "orders_per_view": {"numerator": 1, "denominator": 0},
            "lines_per_view": {"numerator": 2, "denominator": 0}}},
    ),
]  # fmt: skip

PRODUCTS = [
    Case(
        "a tie in views goes to more viewers, then to the smaller gameId",
        [look("10:00:00", "u1", "g3"), look("10:00:01", "u1", "g3"),
         look("10:00:00", "u1", "g2"), look("10:00:01", "u1", "g2"),
         look("10:00:00", "u1", "g9"), look("10:00:01", "u2", "g9")],
        {"trending_games|09:01:00": first(
            {"gameId": "g9", "views": 2, "viewers": 2},
            {"gameId": "g2", "views": 2, "viewers": 1},
            {"gameId": "g3", "views": 2, "viewers": 1})},
        at="10:01:00",
    ),
    Case(
        "the hour is (t - 1 h, t]: a view of exactly an hour ago is out, one of now is in",
        [look("09:00:00", game="g1"), look("09:00:00.001", game="g2"), look("10:00:00", game="g3"),
         look("10:00:00.001", game="g4")],
        {"trending_games|09:00:00": first(
            {"gameId": "g2", "views": 1, "viewers": 1},
            {"gameId": "g3", "views": 1, "viewers": 1})},
    ),
    Case(
        "windows end at whole minutes, from the first view's to the newest event's",
        [look("10:00:00"), look("10:02:30", "u2")],
        {
            "trending_games|08:59:00": None,
            "trending_games|09:00:00": first({"gameId": "g1", "views": 1, "viewers": 1}),
            "trending_games|09:02:00": first({"gameId": "g1", "views": 1, "viewers": 1}),
            "trending_games|09:03:00": first({"gameId": "g1", "views": 2, "viewers": 2}),
            "trending_games|09:04:00": None,
        },
    ),
    Case(
        "a list has ten games",
        [look("10:00:00", game=f"g{n}") for n in range(10, 25)],
        {"trending_games|09:00:00": first(
            *({"gameId": f"g{n}", "views": 1, "viewers": 1} for n in range(10, 20)))},
    ),
    Case(
        "an hour without a view has no list",
        [look("10:00:00"), search("11:30:00")],
        {"trending_games|10:30:00": None},
        at="11:30:00",
    ),
    Case(
        "a tie in lines goes to more revenue, then to the smaller gameId; free lines count",
        [buy("10:00:00", g1=1.0, g2=3.0, g3=1.0, g4=0.0)],
        {"hot_purchases|09:45:00": first(
            {"gameId": "g2", "lines": 1, "revenue": "3.00"},
            {"gameId": "g1", "lines": 1, "revenue": "1.00"},
            {"gameId": "g3", "lines": 1, "revenue": "1.00"},
            {"gameId": "g4", "lines": 1, "revenue": "0.00"})},
    ),
    Case(
        "a game twice in an order is one line, with the money of both",
        [buy("10:00:00", g1=[1.0, 2.0]), look("09:00:00")],
        {
            "hot_purchases|09:45:00": first({"gameId": "g1", "lines": 1, "revenue": "3.00"}),
            "overall_conversion|all": {"lines_per_view": {"numerator": 1, "denominator": 1}},
            "time_to_purchase|all": {"count": 1, "mean": 3600.0},
        },
    ),
    Case(
        "a line of exactly 15 minutes ago is no longer hot",
        [buy("10:04:00")],
        {"hot_purchases|10:03:59": first({"gameId": "g1", "lines": 1, "revenue": "10.00"}),
         "hot_purchases|10:04:00": None},
        at="10:18:59",
    ),
    Case(
        "and exactly 15 minutes later there is no list",
        [buy("10:04:00")],
        {"hot_purchases|10:04:00": None},
        at="10:19:00",
    ),
    Case(
        "leaders are ranked by adds, whatever was removed; who was only removed leads nothing",
        [wish("10:00:00", "u1", "g1"), wish("10:01:00", "u2", "g1"), unwish("10:02:00", "u1", "g1"),
         unwish("10:03:00", "u2", "g1"), wish("10:04:00", "u1", "g2"), wish("10:05:00", "u1", "g0"),
         unwish("10:06:00", "u1", "g3")],
        {"wishlist_leaders|all": first(
            {"gameId": "g1", "added": 2, "net": 0},
            {"gameId": "g0", "added": 1, "net": 1},
            {"gameId": "g2", "added": 1, "net": 1})},
    ),
    Case(
        "the leaders' 24 hours end at whole hours, closed on the right",
        [wish("11-20 10:00:00", game="g1"), wish("11-20 10:00:00.001", game="g2"),
         wish("10:00:00", game="g3")],
        {
            "wishlist_leaders|11-20 10:00:00": first(
                {"gameId": "g2", "added": 1, "net": 1}, {"gameId": "g3", "added": 1, "net": 1}),
            "wishlist_leaders|11-20 11:00:00": None,
            "wishlist_leaders|11-20 10:30:00": None,
        },
    ),
    Case(
        "queries are one term if they differ in case, width and spaces; empty ones are none",
        [search("10:00:00", query="Open World"), search("10:00:01", query="  open\t world "),
         search("10:00:02", query="ｏｐｅｎ\u3000world"), search("10:00:03", query="Straße"),
         search("10:00:04", query="STRASSE"), search("10:00:05", query="  "),
         search("10:00:06", query=""), search("10:00:07", query="<script>")],
        {"search_popularity|all": first(
            {"term": "open world", "count": 3}, {"term": "strasse", "count": 2},
            {"term": "<script>", "count": 1})},
    ),
    Case(
        "only empty queries make no list",
        [search("10:00:00", query=" ")],
        {"search_popularity|all": None, "search_popularity|09:00:00": None,
         "search_effectiveness|all": share(0, 1)},
    ),
    Case(
        "a tie of terms goes by the alphabet",
        [search("10:00:00", query="b"), search("10:00:01", query="a")],
        {"search_popularity|09:01:00": first(
            {"term": "a", "count": 1}, {"term": "b", "count": 1})},
    ),
]  # fmt: skip


def carts(created: int, completed: int, abandoned: int) -> dict[str, Any]:
    """Expect so many carts; what is neither completed nor abandoned is open."""
    return share(abandoned, completed + abandoned) | {
        "created": created, "completed": completed, "open": created - completed - abandoned,
    }  # fmt: skip


SHOPPERS = [
    Case(
        "2 h after the last cart event a cart is open still, a millisecond later it is abandoned",
        [add("10:00:00", "u1"), add("09:59:59.999", "u2"), look("12:00:00", "u9")],
        {"cart_abandonment|all": carts(2, 0, 1), "cart_abandonment|12:00:00": share(1, 1)},
    ),
    Case(
        "an open cart is in no rate: of none closed there is no rate",
        [add("10:00:00")],
        {"cart_abandonment|all": carts(1, 0, 0), "cart_abandonment|10:00:00": None},
    ),
    Case(
        "a cart belongs to the hour in which it ends",
        [add("10:50:00"), buy("11:00:00"), add("10:50:00", "u2"), pull("10:59:59.999", "u2")],
        {"cart_abandonment|10:00:00": share(1, 1), "cart_abandonment|11:00:00": share(0, 1)},
    ),
    Case(
        "the hourly records have the rate, and nothing more",
        [add("10:50:00"), buy("11:00:00")],
        {"cart_abandonment|11:00:00": {
            "metric": "cart_abandonment", "windowStart": "2025-11-21T11:00:00Z",
            "windowEnd": "2025-11-21T12:00:00Z", "dimension": None, "final": False,
            **share(0, 1)}},
    ),
    Case(
        "a purchase completes the cart if one of its games is in it; else it does nothing",
        [add("10:00:00", "u1"), add("10:01:00", "u1", "g2"), buy("10:02:00", "u1", g2=1.0, g3=1.0),
         add("10:00:00", "u2"), buy("10:02:00", "u2", g3=1.0),
         buy("10:02:00", "u3")],
        {"cart_abandonment|all": carts(2, 1, 0)},
    ),
    Case(
        "the cart ends with its purchase: the next add begins another one",
        [add("10:00:00"), add("10:01:00", game="g2"), buy("10:02:00"), pull("10:03:00", game="g2"),
         add("10:04:00", game="g2")],
        {"cart_abandonment|all": carts(2, 1, 0)},
    ),
    Case(
        "an emptied cart is abandoned; one with a game left is not; removals from none do nothing",
        [pull("09:00:00"), add("10:00:00"), add("10:01:00", game="g2"), pull("10:02:00"),
         add("10:00:00", "u2"), pull("10:02:00", "u2"), pull("10:03:00", "u2")],
        {"cart_abandonment|all": carts(2, 0, 1), "cart_abandonment|10:00:00": share(1, 1)},
    ),
    Case(
        "each cart event prolongs the cart; a view or a search does not",
        [add("10:00:00", "u1"), add("12:00:00", "u1"), look("13:00:00", "u1"),
         buy("14:00:00", "u1"),
         add("10:00:00", "u2"), look("11:00:00", "u2"), buy("12:00:00.001", "u2")],
        {"cart_abandonment|all": carts(2, 1, 1)},
    ),
    Case(
        "a purchase after 2 h of silence comes too late; the next add begins a new cart",
        [add("10:00:00"), add("12:00:00.001"), buy("12:01:00")],
        {"cart_abandonment|all": carts(2, 1, 1)},
    ),
    Case(
        "carts are looked at as of the instant that is asked for",
        [add("10:00:00"), buy("11:00:00")],
        {"cart_abandonment|all": carts(1, 0, 0)},
        at="10:59:59.999",
    ),
    Case(
        "within one millisecond: put in, taken out, bought",
        [add("10:00:00", "u1"), buy("10:00:00", "u1"),
         add("10:00:00", "u2"), pull("10:00:00", "u2"), buy("10:00:00", "u2")],
        {"cart_abandonment|all": carts(2, 1, 1)},
    ),
    Case(
        "a view from a search counts from the same instant to 5:00 after it",
        [search("10:00:00", "u1"), look("10:00:00", "u1", source="search"),
         search("10:00:00", "u2"), look("10:05:00", "u2", source="search"),
         search("10:00:00", "u3"), look("10:05:00.001", "u3", source="search"),
         look("09:59:59.999", "u4", source="search"), search("10:00:00", "u4"),
         search("10:00:00", "u5"), look("10:00:30", "u6", source="search")],
        {"search_effectiveness|10:00:00": share(2, 5), "search_effectiveness|all": share(2, 5)},
    ),
    Case(
        "a view is credited to the latest search before it, and to no other",
        [search("10:00:00"), search("10:01:00", query="b", results=0),
         look("10:02:00", source="search"), look("10:03:00", game="g2", source="search")],
        {"search_effectiveness|all": share(1, 2)},
    ),
    Case(
        "a view from elsewhere makes no search effective; one without results counts",
        [search("10:00:00", results=0), look("10:01:00", source="direct"),
         look("10:02:00", source="recommendation")],
        {"search_effectiveness|all": share(0, 1)},
    ),
    Case(
        "a search belongs to its own hour",
        [search("10:59:59"), look("11:01:00", source="search")],
        {"search_effectiveness|10:00:00": share(1, 1), "search_effectiveness|11:00:00": None},
    ),
    Case(
        "a gap of exactly 30:00 joins, a millisecond more parts; events of all five kinds count",
        [look("10:00:00"), wish("10:30:00"), add("11:00:00"), search("11:30:00"), buy("12:00:00"),
         look("12:30:00.001"), look("12:30:00.001", "u2")],
        {
            "average_session_value|all": {
                "value": "3.33", "numerator": "10.00", "denominator": 3},
            "average_session_value|10:00:00": {"value": "0.00", "denominator": 1},
            "average_session_value|12:00:00": {"value": "5.00", "denominator": 2},
        },
    ),
    Case(
        "an hour with a sale, but without the begin of a session, has no value",
        [look("10:50:00"), buy("11:10:00")],
        {"average_session_value|11:00:00": {"value": None, "numerator": "10.00", "denominator": 0}},
    ),
    Case(
        "the time runs from the first view of the pair within 30 days to the purchase",
        [look("10-01 10:00:00"), look("10-02 10:00:00"), look("10-30 10:00:00"),
         buy("11-01 10:00:00")],
        {"time_to_purchase|11-01 10:00:00": {
            "mean": 30 * 86400.0, "median": 30 * 86400.0, "count": 1, "unattributed": 0}},
    ),
    Case(
        "exactly 30 days count, a millisecond more does not; nor does a later view",
        [look("10-02 10:00:00", "u1"), buy("11-01 10:00:00", "u1"),
         look("10-02 09:59:59.999", "u2"), buy("11-01 10:00:00", "u2"),
         buy("11-01 10:00:00", "u3"), look("11-01 10:00:00.001", "u3"),
         look("11-01 10:00:00", "u4"), buy("11-01 10:00:00", "u4")],
        {"time_to_purchase|all": {
            "mean": 15 * 86400.0, "median": 15 * 86400.0, "count": 2, "unattributed": 2}},
    ),
    Case(
        "mean and median differ; the mean is rounded to the millisecond, halves up",
        [look("10:00:00", "u1"), buy("10:00:01", "u1"), look("10:00:00", "u2"),
         buy("10:00:01.001", "u2"), look("10:00:00", "u3"), buy("10:00:10.000", "u3"),
         look("10:00:00", "u4"), buy("10:00:10.001", "u4")],
        {"time_to_purchase|all": {"mean": 5.501, "median": 5.5005, "count": 4}},
    ),
    Case(
        "each line of an order counts, at the hour of the purchase; of none there is no mean",
        [look("10:58:00", game="g1"), look("10:59:00", game="g2"),
         buy("11:00:00", g1=1.0, g2=1.0, g3=1.0), buy("12:00:00", "u2")],
        {
            "time_to_purchase|11:00:00": {"mean": 90.0, "count": 2, "unattributed": 1},
            "time_to_purchase|12:00:00": {
                "mean": None, "median": None, "count": 0, "unattributed": 1},
        },
    ),
]  # fmt: skip

ENVELOPES = [
    Case(
        "the same event twice is one",
        [look("10:00:00"), look("10:00:00"), buy("10:01:00", order="o"),
         buy("10:01:00", order="o")],
        {
            "average_order_value|all": {"numerator": "10.00", "denominator": 1},
            "trending_games|09:01:00": first({"gameId": "g1", "views": 1, "viewers": 1}),
        },
    ),
    Case(
        "of two orders with one name the first to arrive stands, wherever it stands in the file",
        [{"topic": "store.purchases", "key": "u1", "arrivedAt": "2025-11-21T10:03:00Z",
          "value": buy("10:00:00", order="o", g1=5.0)},
         {"topic": "store.purchases", "key": "u1", "arrivedAt": "2025-11-21T10:02:00Z",
          "value": buy("10:01:00", order="o", g1=7.0)}],
        {"average_order_value|all": {"numerator": "7.00", "denominator": 1}},
    ),
    Case(
        "where nobody noted the arrival, the first to happen stands",
        [buy("10:01:00", order="o", g1=7.0), buy("10:00:00", order="o", g1=5.0)],
        {"average_order_value|all": {"numerator": "5.00", "denominator": 1}},
    ),
    Case(
        "a time with another offset is the same time",
        [look("10:00:00") | {"timestamp": "2025-11-21T23:30:00+13:30"}, buy("10:05:00")],
        {"view_to_wishlist|10:00:00": share(0, 1), "time_to_purchase|all": {"mean": 300.0}},
    ),
]  # fmt: skip

CASES = [*SALES, *FUNNEL, *PRODUCTS, *SHOPPERS, *ENVELOPES]
