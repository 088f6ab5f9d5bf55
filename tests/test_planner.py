"""The planner: the same events again, in arrival order, and a state that follows from them."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pytest

from steamlab.catalog import catalog
from steamlab.errors import LessonError
from steamlab.simulator import Chunk, Faults, Plan
from steamlab.simulator.shard import Shard

DAY_MS = 86_400_000
START_MS = 1_763_337_600_000  # 2025-11-17T00:00:00Z
VIEWS, WISHES, CARTS, PURCHASES, SEARCHES = range(5)
PAID = {game.game_id: game.price_paid for game in catalog()}


def records(
    plan: Plan, *, warm_up: bool = False, only: set[int] | None = None
) -> list[tuple[Any, ...]]:
    """Return everything that Kafka would get, in arrival order."""
    return [r for chunk in plan.chunks(warm_up=warm_up) for r in chunk.encode(only=only)]


def truth(plan: Plan) -> pd.DataFrame:
    """Return the truth of a whole plan, with event time and kind."""
    frames = [
        chunk.truth().assign(time=chunk.event_ms, arrival=chunk.arrival_ms, kind=chunk.kind)
        for chunk in plan.chunks()
    ]
    return pd.concat(frames, ignore_index=True)


def first_ids(plan: Plan, **options: bool) -> list[tuple[bytes, bytes]]:
    """Return id and value of each event, repeats dropped, by id."""
    return sorted({(r[3][0][1], r[2]) for r in records(plan, **options)})


@pytest.fixture(scope="module")
def week() -> pd.DataFrame:
    """The truth of the default week."""
    return truth(Plan())


# -- the same again


def test_the_same_arguments_give_the_same_bytes() -> None:
    """Two plans with one seed agree in every byte, header and position; another seed differs."""
    first = records(Plan(seed=3, scale=0.002, days=2))
    assert first == records(Plan(seed=3, scale=0.002, days=2))
    assert first != records(Plan(seed=4, scale=0.002, days=2))


def test_a_plan_can_be_read_twice() -> None:
    """`chunks()` begins anew each time: a plan has no position."""
    plan = Plan(scale=0.002, days=1)
    assert records(plan) == records(plan)


def test_fewer_days_are_the_beginning_of_more_days() -> None:
    """What happens in the first three days does not depend on how many days are planned."""
    short = first_ids(Plan(scale=0.002, days=3))
    long = first_ids(Plan(scale=0.002, days=9))
    cut = b'"timestamp":"2025-11-20'
    began = [r for r in long if r[1][r[1].index(b'"timestamp"') :] < cut]
    assert len(short) > 5000
    assert short == began


def test_the_warm_up_changes_nothing_after_it() -> None:
    """Emitting the warm-up leaves the events of the week as they were."""
    plan = Plan(scale=0.002, days=2)
    after = [r for r in first_ids(plan, warm_up=True) if b'"timestamp":"2025-11-1' in r[1]]
    after = [r for r in after if r[1][r[1].index(b'"timestamp"') + 13 :] >= b"2025-11-17"]
    assert first_ids(plan) == after


# -- order and time


def test_chunks_come_in_arrival_order_and_cover_a_day() -> None:
    """Arrivals never go back, within a chunk or between chunks, and a chunk is a day at most."""
    last, total = 0, 0
    for chunk in Plan(scale=0.005).chunks():
        arrival = chunk.arrival_ms
        assert last <= arrival[0]
        assert (np.diff(arrival) >= 0).all()
        assert arrival[-1] - arrival[0] < DAY_MS
        last, total = arrival[-1], total + len(chunk)
    assert total > 60_000


def test_events_happen_within_the_days_planned(week: pd.DataFrame) -> None:
    """The warm-up is not emitted, and nothing happens after the last day."""
    assert week["time"].between(START_MS, START_MS + 7 * DAY_MS - 1).all()
    assert week["time"].min() < START_MS + 600_000
    assert week["time"].max() > START_MS + 7 * DAY_MS - 600_000


def test_half_a_day_is_half_a_day() -> None:
    """`days` may be a fraction."""
    times = np.concatenate([c.event_ms for c in Plan(scale=0.005, days=0.5).chunks()])
    assert times.max() < START_MS + DAY_MS // 2
    assert times.max() > START_MS + DAY_MS // 2 - 600_000


def test_a_week_may_begin_on_any_instant() -> None:
    """A plan that starts on a Wednesday noon has its quiet hours at night all the same."""
    plan = Plan(scale=0.01, start="2025-11-19T12:00:00Z")
    times = np.concatenate([chunk.event_ms for chunk in plan.chunks()])
    start = START_MS + 2 * DAY_MS + DAY_MS // 2
    assert start <= times.min()
    assert times.max() < start + 7 * DAY_MS
    hours = np.bincount(times % DAY_MS // 3_600_000, minlength=24)
    assert 4 == hours.argmin()


def test_nobody_does_two_things_at_once() -> None:
    """A user's changes of wishlist and cart have instants of their own, so their order shows."""
    rows = np.concatenate([c.rows for c in Plan(scale=0.02, faults=Faults.none()).chunks()])
    moves = rows[np.isin(rows["kind"], (WISHES, CARTS, PURCHASES))]
    both = moves["user"].astype(np.int64) << 42 | moves["time"]
    assert len(np.unique(both)) == len(both)


def test_events_at_one_instant_are_moved_apart() -> None:
    """The ledger gives three changes of one millisecond three milliseconds, in order."""
    ledger_rows = np.concatenate([c.rows for c in Plan(scale=0.001, days=1).chunks()])
    shard = Shard(Plan(scale=0.001).world, 0)
    moves = ledger_rows[ledger_rows["kind"] == WISHES][:3].copy()
    moves["time"], moves["user"], moves["wishes"] = 5000, 7, 1
    told = shard.ledger.report(moves)
    assert [5000, 5001, 5002] == told["time"].tolist()
    assert [1, 2, 3] == told["size"].tolist()


# -- the state that events report


@dataclass
class Account:
    """A user's wishlist, cart and games, kept from events alone."""

    wishlist: set[str] = field(default_factory=set)
    cart: dict[str, float] = field(default_factory=dict)
    owned: set[str] = field(default_factory=set)


def apply(account: Account, event: dict[str, Any]) -> None:
    """Let an event happen, and hold what it reports against the account."""
    kind = event["eventType"]
    if kind == "wishlist_action":
        _change(account.wishlist, event)
        assert len(account.wishlist) == event["currentWishlistSize"]
    elif kind == "cart_action":
        game = event["gameId"]
        if event["action"] == "added":
            assert game not in account.cart and game not in account.owned
            account.cart[game] = PAID[game]
        else:
            del account.cart[game]
        assert len(account.cart) == event["itemsInCart"]
        assert round(sum(account.cart.values()), 2) == event["currentCartValue"]
    elif kind == "purchase":
        for line in event["games"]:
            assert account.cart.pop(line["gameId"]) == line["price"]
            account.wishlist.discard(line["gameId"])
            account.owned.add(line["gameId"])
        assert round(sum(line["price"] for line in event["games"]), 2) == event["totalAmount"]


def _change(wishlist: set[str], event: dict[str, Any]) -> None:
    if event["action"] == "added":
        assert event["gameId"] not in wishlist
        wishlist.add(event["gameId"])
    else:
        wishlist.remove(event["gameId"])


def replay(plan: Plan) -> Counter[str]:
    """Replay a plan from empty accounts, warm-up included; return how often what happened."""
    moves = records(plan, warm_up=True, only={WISHES, CARTS, PURCHASES})
    values = {r[3][0][1]: r[2] for r in moves}
    events = sorted(map(json.loads, values.values()), key=lambda event: event["timestamp"])
    accounts: dict[str, Account] = defaultdict(Account)
    for event in events:
        apply(accounts[event["userId"]], event)
    return Counter(f"{e['eventType']} {e.get('action', '')}".strip() for e in events)


def test_what_events_report_follows_from_the_events() -> None:
    """Sizes, items and values are those of a replay from nothing, over nine weeks of all users."""
    happened = replay(Plan(scale=0.01, days=21))
    assert {
        "wishlist_action added",
        "wishlist_action removed",
        "cart_action added",
        "cart_action removed",
        "purchase",
    } == set(happened)
    assert happened["purchase"] > 20_000


def test_a_forgetful_ledger_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Control: if the weeks' totals were not carried over, the replay would fail."""
    monkeypatch.setattr("steamlab.simulator.ledger.Ledger.add", lambda self, moves: None)
    with pytest.raises(AssertionError):
        replay(Plan(scale=0.002))


def test_users_who_left_long_ago_are_forgotten() -> None:
    """After half a year the state is about as large as after a quarter: memory stays bounded."""
    shard = Shard(Plan(scale=0.002).world, 0)
    sizes = []
    for week in range(40):
        shard.week(week, emit_from_ms=2**60, faults=Faults.none())
        journeys = shard.journeys
        sizes.append(len(journeys.wished) + len(journeys.owned) + len(journeys.kept))
    assert sizes[39] < 1.1 * sizes[19]
    assert sizes[19] > 1000


def test_half_a_year_still_adds_up() -> None:
    """Forgetting users leaves the state of the others exact."""
    assert replay(Plan(scale=0.001, days=26 * 7))["purchase"] > 5_000


def test_nobody_carts_the_free_game() -> None:
    """Counter-Strike 2 is looked at and wished for, never carted or bought."""
    rows = np.concatenate([chunk.rows for chunk in Plan().chunks()])
    lines = np.concatenate([chunk.lines for chunk in Plan(days=1).chunks()])
    kinds = Counter(rows["kind"][rows["game"] == 3].tolist())
    assert {VIEWS, WISHES} == set(kinds)
    assert 3 not in lines["game"]


def test_a_game_page_shows_the_price_of_the_catalogue() -> None:
    """Views carry name, price, category and tags; salePrice is there only where onSale is true."""
    games = {game.game_id: game for game in catalog()}
    views = [json.loads(r[2]) for r in records(Plan(scale=0.002, days=1)) if r[0] == VIEWS]
    for view in views:
        game = games[view["gameId"]]
        told = (view["gameName"], view["price"], view["category"], tuple(view["tags"]))
        assert (game.game_name, game.price, game.category, game.tags) == told
        assert (game.sale_price is not None) == view["onSale"]
        assert game.sale_price == view.get("salePrice")
    assert {True, False} == {view["onSale"] for view in views}


# -- where views come from


def test_views_from_search_follow_a_search_of_the_same_user() -> None:
    """About 14.6 % of the ordinary views come from a search, made 6 to 72 seconds before."""
    events = [json.loads(r[2]) for r in records(Plan(days=2, faults=Faults.none()))]
    times: dict[str, list[pd.Timestamp]] = defaultdict(list)
    for event in events:
        event["time"] = pd.Timestamp(event["timestamp"])
        if event["eventType"] == "search_performed":
            times[event["userId"]].append(event["time"])
    views = [e for e in events if e["eventType"] == "game_page_viewed"]
    found = [e for e in views if e["source"] == "search"]
    early = pd.Timestamp("2025-11-17T00:02:00Z")  # whose search is in the warm-up
    low, high = pd.Timedelta(seconds=5.9), pd.Timedelta(seconds=72.1)
    for view in found:
        near = (low <= view["time"] - t <= high for t in times[view["userId"]])
        assert view["time"] < early or any(near)
    ordinary = sum(e["source"] != "wishlist" for e in views)
    assert 0.136 <= len(found) / ordinary <= 0.156


def test_all_sources_are_used_and_returns_come_from_the_wishlist() -> None:
    """Six sources occur; `wishlist` means that the game is on the user's wishlist."""
    plan = Plan(scale=0.002, faults=Faults.none())
    events = sorted(
        (json.loads(r[2]) for r in records(plan, warm_up=True, only={VIEWS, WISHES})),
        key=lambda e: e["timestamp"],
    )
    wished, sources = set(), Counter()
    for event in events:
        pair = event["userId"], event.get("gameId")
        if event["eventType"] == "wishlist_action" and event["action"] == "added":
            wished.add(pair)
        if event["eventType"] == "game_page_viewed":
            sources[event["source"]] += 1
            assert event["source"] != "wishlist" or pair in wished
    assert {
        "featured_carousel", "search", "recommendation", "direct", "wishlist", "category_browse",
    } == set(sources)  # fmt: skip
    assert min(sources.values()) > 0.02 * sources.total()


def test_searches_ask_for_what_the_catalogue_has_or_has_not() -> None:
    """Queries find as many games as the catalogue holds; some find nothing."""
    searches = [json.loads(r[2]) for r in records(Plan(scale=0.005, days=1)) if r[0] == SEARCHES]
    witcher = {s["resultsCount"] for s in searches if s["searchQuery"] == "the witcher 3"}
    assert {1} == witcher
    nothing = sum(s["resultsCount"] == 0 for s in searches) / len(searches)
    assert 0.08 <= nothing <= 0.16
    assert any(s["filterTags"] for s in searches)


# -- faults


def test_faults_are_labelled_and_have_their_shares(week: pd.DataFrame) -> None:
    """1 % offline, 0.05 % very late, 0.5 % repeated, and the labels say which."""
    share = week["fault"].value_counts(normalize=True)
    assert 0.009 <= share["offline"] <= 0.011
    assert 0.0003 <= share["very_late"] <= 0.0007
    assert 0.004 <= share["duplicate"] <= 0.006
    late = week[week["fault"] == "very_late"]["delay_ms"]
    assert late.between(2 * 3_600_000, 24 * 3_600_000 + 60_000).all()
    offline = week[week["fault"] == "offline"]["delay_ms"]
    assert 9 * 60_000 <= offline.median() <= 11 * 60_000
    assert 1_900 <= week[week["fault"] == ""]["delay_ms"].mean() <= 2_100


def test_arrival_is_event_time_plus_delay(week: pd.DataFrame) -> None:
    """Nothing arrives before it happened, and the truth says by how much later it came."""
    assert (week["delay_ms"] >= 0).all()
    assert (week["arrival"] - week["time"] == week["delay_ms"]).all()


def test_a_repeat_is_exact() -> None:
    """A duplicate has the id, key and body of the first, and arrives after it."""
    rows = records(Plan(scale=0.01, days=1))
    by_id = defaultdict(list)
    for kind, key, value, headers in rows:
        by_id[headers[0][1]].append((kind, key, value, headers[1][1]))
    twice = [same for same in by_id.values() if len(same) > 1]
    assert len(twice) > 50
    for first, second in twice:
        assert first[:3] == second[:3]
        assert first[3] < second[3]


def test_without_faults_everything_arrives_at_once_and_once() -> None:
    """`Faults.none()`: no delay, no label, no repeat."""
    clean = truth(Plan(scale=0.005, days=1, faults=Faults.none()))
    assert clean["event_id"].is_unique
    assert (clean["delay_ms"] == 0).all()
    assert {""} == set(clean["fault"])


def test_ids_and_orders_are_unique(week: pd.DataFrame) -> None:
    """An event id occurs once but for repeats; an order id belongs to one purchase."""
    once = week[week["fault"] != "duplicate"]
    assert once["event_id"].is_unique
    plan = Plan(faults=Faults.none(), scale=0.03)
    orders = [json.loads(r[2])["orderId"] for r in records(plan, only={PURCHASES})]
    assert len(orders) == len(set(orders)) > 5000


def test_other_plans_have_other_ids() -> None:
    """Ids of another scale, seed or start differ, so that two runs never conflict on a topic."""
    plans = (
        Plan(scale=0.002, days=1),
        Plan(scale=0.003, days=1),
        Plan(scale=0.002, days=1, seed=8),
        Plan(scale=0.002, days=1, start="2025-11-17T00:00:01Z"),
    )
    ids = [set(truth(plan)["event_id"]) for plan in plans]
    assert sum(map(len, ids)) == len(set.union(*ids))


# -- people


def test_personas_are_70_20_10(week: pd.DataFrame) -> None:
    """Ordinary visits, those of several pages, have the personas' shares asked for."""
    views = week[(week["kind"] == VIEWS) & (week["fault"] != "duplicate")]
    pages = views.groupby("visit")["persona"].agg(["first", "size"])
    share = pages[pages["size"] > 1]["first"].value_counts(normalize=True)
    assert 0.69 <= share["browser"] <= 0.71
    assert 0.19 <= share["researcher"] <= 0.21
    assert 0.09 <= share["buyer"] <= 0.11


def test_a_user_keeps_a_persona(week: pd.DataFrame) -> None:
    """A user is the same person all week."""
    assert (week.groupby("user_id")["persona"].nunique() == 1).all()


@pytest.mark.parametrize(
    ("persona", "low", "high"), [("browser", 3, 5), ("researcher", 5, 10), ("buyer", 2, 3)]
)
def test_visits_are_as_long_as_the_persona(
    week: pd.DataFrame, persona: str, low: int, high: int
) -> None:
    """Browsers look at 3-5 games, researchers at 5-10, buyers at 2-3; a return at one."""
    inside = week["time"].between(START_MS + DAY_MS, START_MS + 6 * DAY_MS)
    views = week[inside & (week["kind"] == VIEWS) & (week["fault"] != "duplicate")]
    visits = week[week["visit"].isin(views["visit"].unique())]
    visits = visits[(visits["kind"] == VIEWS) & (visits["fault"] != "duplicate")]
    length = visits[visits["persona"] == persona].groupby("visit").size()
    assert set(range(low, high + 1)) == set(length[length > 1])
    assert set(length) <= {1, *range(low, high + 1)}


def test_admission_belongs_to_the_user() -> None:
    """A user has one number in [0, 1) for good, evenly spread: half the scale, half the users."""
    chunks: list[Chunk] = list(Plan().chunks())
    admit = np.concatenate([chunk.admit for chunk in chunks])
    users = pd.Series(np.concatenate([chunk.rows["user"] for chunk in chunks]))
    per_user = pd.Series(admit).groupby(users)
    assert (per_user.nunique() == 1).all()
    assert 0 <= admit.min() and admit.max() < 1
    assert 0.48 <= (per_user.first() < 0.5).mean() <= 0.52
    assert 0.48 <= (admit < 0.5).mean() <= 0.52


@pytest.mark.parametrize(
    "wrong",
    [
        {"scale": 0},
        {"scale": -1},
        {"days": 0},
        {"seed": -1},
        {"start": "yesterday"},
        {"start": "2025-11-17T00:00:00"},
    ],
)
def test_nonsense_is_refused(wrong: dict[str, Any]) -> None:
    """A scale, length, seed or start that makes no sense is refused in words."""
    with pytest.raises(LessonError):
        Plan(**wrong)
