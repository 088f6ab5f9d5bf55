"""Every value of expected.json, worked by hand, for the clean and for the dirty stream."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import pandas as pd
import pytest

from steamlab.events import event_ms
from steamlab.metrics import Record, Tables, read_file, records, shoppers, to_tables
from steamlab.metrics.values import rate_of
from steamlab.settings import data_path
from steamlab.windows import HOUR, MINUTE, MS, are_late
from tests.stream import found

EXPECTED = json.loads(data_path("golden/expected.json").read_text())
CORE, DIRTY = EXPECTED["core"], EXPECTED["dirty"]["batch_truth"]
STREAMED = EXPECTED["dirty"]["streaming_grace_5min"]

GOLDEN_EVENTS = read_file(str(data_path("golden/golden.jsonl"))).accepted
DIRTY_EVENTS = read_file(str(data_path("golden/dirty.jsonl"))).accepted
GOLDEN, DIRT = to_tables(GOLDEN_EVENTS), to_tables(DIRTY_EVENTS)
CLEAN_RECORDS, DIRTY_RECORDS = found(GOLDEN), found(DIRT)


def at(instant: str) -> dict[str, Record]:
    """Compute the clean stream's records at an instant."""
    return found(to_tables(GOLDEN_EVENTS, until_ms=event_ms(instant)), is_instant=True)


def minutes(of: Mapping[str, Record], metric: str) -> dict[str, Any]:
    """Return a metric's values by the start of their windows."""
    return {
        record["windowStart"]: record["value"]
        for record in of.values()
        if record["metric"] == metric and record["windowStart"]
    }


def ratio(parts: Mapping[str, Any]) -> str:
    """Spell a rate as expected.json does."""
    return f"{parts['numerator']}/{parts['denominator']}"


def cents(money: str) -> int:
    """Return whole cents."""
    return int(money.replace(".", ""))


def share_of(record: Record) -> Fraction:
    """Return an amount by its parts, exactly."""
    return Fraction(cents(record["numerator"]), 100 * record["denominator"])


def listed(of: Mapping[str, Record], metric: str, instant: str | None = None) -> list[list[Any]]:
    """Return a top list as expected.json has it; an empty one where there is no record."""
    for record in of.values():
        if record["metric"] == metric and record["windowEnd"] == instant:
            return [list(item.values()) for item in record["items"]]
    return []


def added(of: Tables, table: str) -> pd.DataFrame:
    """Return the adds to the wishlist or the cart."""
    rows: pd.DataFrame = getattr(of, table)
    return rows[rows["action"] == "added"]


def test_counts() -> None:
    """The clean stream has so many events of each kind."""
    seen = {
        "game_page_viewed": len(GOLDEN.views),
        "wishlist_action": len(GOLDEN.wishes),
        "cart_action": len(GOLDEN.carts),
        "purchase": len(GOLDEN.orders),
        "search_performed": len(GOLDEN.searches),
        "wishlist_added": len(added(GOLDEN, "wishes")),
        "cart_added": len(added(GOLDEN, "carts")),
        "order_lines": len(GOLDEN.lines),
    }
    assert CORE["counts"] == seen


def test_01_revenue_per_minute() -> None:
    """Revenue of each minute, rolling at five instants, and in total."""
    expected = CORE["M01_revenue_per_minute"]
    seen = minutes(CLEAN_RECORDS, "revenue_per_minute")
    assert expected["tumbling_nonzero_or_touched"] == seen
    for instant, money in expected["rolling_60s_at"].items():
        start = str(pd.Timestamp(instant) - MINUTE).replace(" ", "T").replace("+00:00", "Z")
        record = at(instant).get(f"revenue_rolling|{start}|")
        assert money == (record["value"] if record else "0.00"), instant
    assert cents(expected["total"]) == sum(map(cents, seen.values()))


def test_02_sales_velocity() -> None:
    """Orders of each minute; 3 in the 150 minutes from 10:00 to 12:30."""
    expected = CORE["M02_sales_velocity"]
    seen = minutes(CLEAN_RECORDS, "sales_velocity")
    assert expected["tumbling_touched"] == seen
    assert expected["orders_per_minute_over_10:00_12:30"] == f"{sum(seen.values())}/150"


def test_03_average_order_value() -> None:
    """Per order and per paid order; of an hour, of an empty hour, of a free order's hour."""
    expected = CORE["M03_average_order_value"]
    whole = CLEAN_RECORDS["average_order_value||"]
    assert Fraction(expected["all_orders"]) == share_of(whole)
    assert "18.32" == whole["value"]
    paid = Fraction(cents(whole["numerator"]), 100 * whole["paid_denominator"])
    assert Fraction(expected["paid_orders_only"]) == paid
    assert "27.49" == whole["paid_value"]  # 27.485, half up
    hours = {hour: CLEAN_RECORDS.get(f"average_order_value|2025-11-21T{hour}:00:00Z|")
             for hour in (10, 11, 12)}  # fmt: skip
    assert hours[10] and Fraction(expected["hour_10_11"]) == share_of(hours[10])
    assert (None, None) == (expected["hour_11_12"], hours[11])
    assert hours[12] and Fraction(expected["hour_12_13"]) == share_of(hours[12])
    assert "0.00" == hours[12]["value"]


def test_04_revenue_by_region() -> None:
    """UK is counted as GB, a free order as 0.00."""
    seen = {
        record["dimension"]["region"]: record["value"]
        for record in CLEAN_RECORDS.values()
        if record["metric"] == "revenue_by_region" and record["windowStart"] is None
    }
    assert CORE["M04_revenue_by_region"] == seen


def test_05_view_to_wishlist() -> None:
    """By pairs, and by the events that would mislead."""
    expected = CORE["M05_view_to_wishlist"]
    assert expected["pair_rate"] == ratio(CLEAN_RECORDS["view_to_wishlist||"])
    assert expected["event_ratio"] == f"{len(added(GOLDEN, 'wishes'))}/{len(GOLDEN.views)}"


def test_06_wishlist_to_cart() -> None:
    """By pairs, and by the counters whose ratio exceeds 1."""
    expected = CORE["M06_wishlist_to_cart"]
    assert expected["pair_rate"] == ratio(CLEAN_RECORDS["wishlist_to_cart||"])
    naive = f"{len(added(GOLDEN, 'carts'))}/{len(added(GOLDEN, 'wishes'))}"
    assert expected["event_ratio"] == naive


def test_07_cart_to_purchase() -> None:
    """By the adds that were bought, and by counters."""
    expected = CORE["M07_cart_to_purchase"]
    assert expected["item_rate"] == ratio(CLEAN_RECORDS["cart_to_purchase||"])
    adds = len(added(GOLDEN, "carts"))
    assert expected["event_ratio_lines_over_adds"] == f"{len(GOLDEN.lines)}/{adds}"
    assert expected["event_ratio_orders_over_adds"] == f"{len(GOLDEN.orders)}/{adds}"


def test_08_overall_conversion() -> None:
    """By pairs, by orders and by lines."""
    expected, seen = CORE["M08_overall_conversion"], CLEAN_RECORDS["overall_conversion||"]
    assert expected["pair_rate"] == ratio(seen)
    assert expected["orders_over_views"] == ratio(seen["orders_per_view"])
    assert expected["lines_over_views"] == ratio(seen["lines_per_view"])


@pytest.mark.parametrize("instant", CORE["M09_trending_games_1h"])
def test_09_trending_games(instant: str) -> None:
    """The last hour's games, with ties, and none."""
    assert CORE["M09_trending_games_1h"][instant] == listed(at(instant), "trending_games", instant)


@pytest.mark.parametrize("instant", CORE["M10_hot_purchases_15m"])
def test_10_hot_purchases(instant: str) -> None:
    """The last 15 minutes' games: two of one order, a free one, and none at the boundary."""
    assert CORE["M10_hot_purchases_15m"][instant] == listed(at(instant), "hot_purchases", instant)


def test_11_wishlist_leaders() -> None:
    """Adds, and adds less removals."""
    items = CLEAN_RECORDS["wishlist_leaders||"]["items"]
    expected = CORE["M11_wishlist_leaders"]
    assert expected["gross_adds"] == [[each["gameId"], each["added"]] for each in items]
    assert expected["net_adds"] == [[each["gameId"], each["net"]] for each in items]


def test_12_search_popularity() -> None:
    """Two spellings are one term."""
    assert CORE["M12_search_popularity"] == listed(CLEAN_RECORDS, "search_popularity")


@pytest.mark.parametrize("instant", ["2025-11-21T12:30:00Z", "2025-11-21T11:00:00Z"])
def test_13_cart_abandonment(instant: str) -> None:
    """Created, completed, abandoned and open carts at an instant."""
    expected, seen = CORE["M13_cart_abandonment"][f"at_{instant}"], at(instant)
    record = seen["cart_abandonment||"]
    names = ("created", "completed", "open")
    assert {name: expected[name] for name in names} == {name: record[name] for name in names}
    assert expected["abandoned"] == record["numerator"]
    assert expected["rate"] == ratio(record)


def test_13_naive_abandonment() -> None:
    """One less purchases per cart, or per add: what the definition is not."""
    orders, adds = len(GOLDEN.orders), len(added(GOLDEN, "carts"))
    created = CLEAN_RECORDS["cart_abandonment||"]["created"]
    expected = CORE["M13_cart_abandonment"]
    naive = f"{created - orders}/{created}"
    assert expected["naive_1_minus_purchases_over_carts"] == naive
    assert expected["naive_1_minus_purchases_over_adds"] == f"{adds - orders}/{adds}"


def test_14_search_effectiveness() -> None:
    """Views from search within 5:00 inclusive; any view; 5:00 exclusive."""
    expected = CORE["M14_search_effectiveness"]
    assert expected["rate"] == ratio(CLEAN_RECORDS["search_effectiveness||"])
    of_any = shoppers.searches_with_view(GOLDEN.searches, GOLDEN.views)
    assert expected["any_view_variant"] == ratio(rate_of(of_any))
    from_search = GOLDEN.views[GOLDEN.views["source"] == "search"]
    strict = shoppers.searches_with_view(GOLDEN.searches, from_search, 5 * MINUTE - MS)
    assert expected["exclusive_5min_variant"] == ratio(rate_of(strict))


def test_15_average_session_value() -> None:
    """Seven sessions; with a gap of 30:00 or more, eight."""
    expected, record = CORE["M15_average_session_value"], CLEAN_RECORDS["average_session_value||"]
    assert expected["sessions"] == record["denominator"]
    assert Fraction(expected["value"]) == share_of(record)
    other = len(shoppers.sessions(GOLDEN.arrivals, 30 * MINUTE - MS))
    assert expected["ge30min_rule_sessions"] == other
    assert Fraction(expected["ge30min_rule_value"]) == share_of(record | {"denominator": other})


def test_16_time_to_purchase() -> None:
    """Mean and median, lines with and without a view; of paid lines; within a day."""
    expected, record = CORE["M16_time_to_purchase"], CLEAN_RECORDS["time_to_purchase||"]
    assert Fraction(expected["mean_s"]) == record["mean"]
    assert Fraction(expected["median_s"]) == record["median"]
    assert expected["attributed_lines"] == record["count"]
    assert expected["unattributed_lines"] == record["unattributed"]
    waits = shoppers.waits(GOLDEN.lines, GOLDEN.views)
    paid = shoppers.time_to_purchase(waits[waits["cents"] > 0])
    assert Fraction(expected["paid_only_mean_s"]) == paid["mean"]
    known = waits["wait"].dropna()
    assert expected["within_24h"] == f"{(known <= 24 * HOUR).sum()}/{len(known)}"


def test_dirty_totals() -> None:
    """The reader accepts, drops and refuses as many as worked out by hand, and by which codes."""
    reading = read_file(str(data_path("golden/dirty.jsonl")))
    seen = {
        "records": reading.records,
        "accepted": len(reading.accepted),
        "duplicate": reading.duplicates,
        "tombstone": reading.tombstones,
        "dlq": len(reading.refused),
    }
    assert EXPECTED["dirty"]["totals"] == seen
    lines = data_path("golden/dirty.jsonl").read_text().splitlines()
    codes = {json.loads(lines[each.line - 1])["n"]: f"dlq:{each.code}" for each in reading.refused}
    outcomes = EXPECTED["dirty"]["outcome"]
    assert {n: code for n, code in outcomes.items() if code.startswith("dlq:")} == codes


def test_dirty_sales() -> None:
    """The late order is in its minute; the hostile ones are nowhere."""
    seen = minutes(DIRTY_RECORDS, "revenue_per_minute")
    assert DIRTY["tumbling_revenue"] == seen
    assert cents(DIRTY["revenue_total"]) == sum(map(cents, seen.values()))
    whole = DIRTY_RECORDS["average_order_value||"]
    assert Fraction(DIRTY["aov_all"]) == share_of(whole)
    paid = Fraction(cents(whole["numerator"]), 100 * whole["paid_denominator"])
    assert Fraction(DIRTY["aov_paid"]) == paid
    regions = {
        record["dimension"]["region"]: record["value"]
        for record in DIRTY_RECORDS.values()
        if record["metric"] == "revenue_by_region" and record["windowStart"] is None
    }
    assert DIRTY["regions"] == regions


def test_dirty_funnel() -> None:
    """The rates by pairs, and the counters whose ratio exceeds 1."""
    adds, views = len(added(DIRT, "carts")), len(DIRT.views)
    conversion = DIRTY_RECORDS["overall_conversion||"]
    seen = {
        "view_to_wishlist_event": f"{len(added(DIRT, 'wishes'))}/{views}",
        "view_to_wishlist_pair": ratio(DIRTY_RECORDS["view_to_wishlist||"]),
        "wishlist_to_cart_pair": ratio(DIRTY_RECORDS["wishlist_to_cart||"]),
        "cart_to_purchase_item": ratio(DIRTY_RECORDS["cart_to_purchase||"]),
        "cart_to_purchase_naive_lines": f"{len(DIRT.lines)}/{adds}",
        "overall_orders": ratio(conversion["orders_per_view"]),
        "overall_lines": ratio(conversion["lines_per_view"]),
        "overall_pair": ratio(conversion),
    }
    assert {name: DIRTY[name] for name in seen} == seen


def test_dirty_shoppers() -> None:
    """Abandonment (and the naive one below zero), searches, sessions and hesitation."""
    carts, value = DIRTY_RECORDS["cart_abandonment||"], DIRTY_RECORDS["average_session_value||"]
    times = DIRTY_RECORDS["time_to_purchase||"]
    assert DIRTY["abandonment"] == ratio(carts)
    naive = f"{carts['created'] - len(DIRT.orders)}/{carts['created']}"
    assert DIRTY["abandonment_naive"] == naive
    assert DIRTY["search_effectiveness"] == ratio(DIRTY_RECORDS["search_effectiveness||"])
    assert DIRTY["sessions"] == value["denominator"]
    assert Fraction(DIRTY["session_value"]) == share_of(value)
    assert Fraction(DIRTY["ttp_mean_s"]) == times["mean"]
    assert DIRTY["ttp_unattributed"] == times["unattributed"]


def test_late_order_in_its_minute() -> None:
    """With 5 minutes of grace the order that comes 47 minutes late misses its minute, alone."""
    late = are_late(DIRT.arrivals, ["store.purchases"], MINUTE)
    of_purchases = DIRT.arrivals[late & (DIRT.arrivals["topic"] == "store.purchases")]
    ((time, user),) = of_purchases[["time", "userId"]].itertuples(index=False)
    assert ["d19"] == STREAMED["late_dropped_minute"]  # order_L of user_6, of 10:33
    assert (pd.Timestamp("2025-11-21T10:33:00Z"), "user_6") == (time, user)
    kept = to_tables(
        [each for each in DIRTY_EVENTS if not (each.event and each.event.user_id == "user_6")]
    )
    expected = STREAMED["minute_windows_final"]
    assert expected == minutes(found(kept), "revenue_per_minute")


@pytest.mark.parametrize(
    ("clock", "topics"),
    [("per_topic", ["store.purchases"]), ("global", ["any"])],
)
def test_late_order_in_its_hour(clock: str, topics: list[str]) -> None:
    """Its hour keeps it where the topic has its own clock, and loses it where all share one."""
    arrivals = DIRT.arrivals
    seen = arrivals if clock == "per_topic" else arrivals.assign(topic="any")
    late = are_late(seen, topics, HOUR)
    is_order = arrivals["topic"] == "store.purchases"
    assert (0 if clock == "per_topic" else 1) == int((late & is_order).sum())
    users = set(arrivals.loc[late & is_order, "userId"])
    kept = [each for each in DIRTY_EVENTS if not (each.event and each.event.user_id in users)]
    hour = found(to_tables(kept))["average_order_value|2025-11-21T10:00:00Z|"]
    assert STREAMED[f"hour_10_revenue_{clock}_stream_time"] == hour["numerator"]


def test_nothing_of_the_expected_is_left_out() -> None:
    """Each value that expected.json names is read by this file, or by the tests of the events."""
    from pathlib import Path

    folder = Path(__file__).parent
    text = (folder / "test_metrics_golden.py").read_text(encoding="utf-8")
    text += (folder / "test_golden_events.py").read_text(encoding="utf-8")
    names = [*CORE, *DIRTY, *STREAMED, *(name for part in CORE.values() if isinstance(part, dict)
             for name in part if re.fullmatch(r"[a-z]\w+", name))]  # fmt: skip
    made = {name for name in names if name not in text}
    composed = {f"hour_10_revenue_{clock}_stream_time" for clock in ("per_topic", "global")}
    instants = {name for name in made if name.startswith("at_")}
    assert set() == made - composed - instants


def test_records_are_plain_json() -> None:
    """Each record is JSON without NaN, in the order of fields that the contract shows."""
    for record in records(DIRT):
        assert record == json.loads(json.dumps(record, allow_nan=False))
        assert ["metric", "windowStart", "windowEnd", "dimension"] == list(record)[:4]
        assert "final" == list(record)[-1]
