"""Each shock does what it says, and nothing where it is not asked for."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from steamlab.catalog import catalog
from steamlab.errors import LessonError
from steamlab.simulator import Bot, Faults, Outage, Plan, Release, Sale, Shock, Streamer

HOUR_MS, DAY_MS = 3_600_000, 86_400_000
START_MS = 1_763_337_600_000  # 2025-11-17T00:00:00Z
VIEWS, WISHES, CARTS, PURCHASES = range(4)


def played(*shocks: Shock, scale: float = 0.02, days: float = 7) -> pd.DataFrame:
    """Return a plan's events as columns, `hour` counted from the start."""
    frames = []
    for chunk in Plan(scale=scale, days=days, shocks=shocks, faults=Faults.none()).chunks():
        names = ("kind", "what", "game", "user", "size", "cents", "number")
        frame = pd.DataFrame({name: chunk.rows[name] for name in names})
        frame["hour"] = (chunk.event_ms - START_MS) / HOUR_MS
        frame["shock"] = chunk.truth()["shock"].to_numpy()
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)


@pytest.fixture(scope="module")
def ordinary() -> pd.DataFrame:
    """A week without shocks."""
    return played()


def views(frame: pd.DataFrame, game: int, begin: float, end: float) -> int:
    """Count a game's views between two hours."""
    hit = (frame["kind"] == VIEWS) & (frame["game"] == game) & frame["hour"].between(begin, end)
    return int(hit.sum())


def test_ordinary_weeks_have_no_shock(ordinary: pd.DataFrame) -> None:
    """Shocks are off by default."""
    assert {""} == set(ordinary["shock"])


@pytest.fixture(scope="module")
def sale() -> pd.DataFrame:
    """The same week with 25 games at half price from Thursday 18:00."""
    games = tuple(game.game_id for game in catalog()[10:35])
    return played(Sale(games=games, at_day=3.75))


def in_sale(frame: pd.DataFrame, kind: int) -> pd.DataFrame:
    """Return the events of one kind on the sale's games while it lasts."""
    during = frame["game"].between(10, 34) & (frame["hour"] >= 90)
    return frame[during & (frame["kind"] == kind)]


def test_a_sale_brings_views(ordinary: pd.DataFrame, sale: pd.DataFrame) -> None:
    """The games on sale are looked at about 2.5 times as often, the others as before."""
    more = len(in_sale(sale, VIEWS)) / len(in_sale(ordinary, VIEWS))
    assert 2.3 <= more <= 2.8
    assert views(ordinary, 0, 90, 168) * 0.95 <= views(sale, 0, 90, 168)
    assert views(sale, 0, 90, 168) <= views(ordinary, 0, 90, 168) * 1.05


def test_a_sale_lowers_prices(sale: pd.DataFrame) -> None:
    """Views show the sale price from its first minute, never more than half the full price."""
    full = np.array([round(game.price * 100) for game in catalog()])
    usual = np.array([round(game.price_paid * 100) for game in catalog()])
    seen = sale[(sale["kind"] == VIEWS) & sale["game"].between(10, 34)]
    before, during = seen[seen["hour"] < 90], seen[seen["hour"] >= 90]
    assert (before["cents"].to_numpy() == usual[before["game"]]).all()
    half = np.minimum(usual, full * 50 // 100)[during["game"]]
    assert (during["cents"].to_numpy() == half).all()


def test_a_sale_wakes_wishlists(ordinary: pd.DataFrame, sale: pd.DataFrame) -> None:
    """Holders come back within 48 hours: several times the usual returns from wishlists."""

    def returns(frame: pd.DataFrame) -> int:
        seen = in_sale(frame, VIEWS)
        return int(((seen["what"] == 4) & (seen["hour"] < 138)).sum())

    assert returns(sale) > 3 * returns(ordinary)


def test_a_sale_sells(ordinary: pd.DataFrame, sale: pd.DataFrame) -> None:
    """Cart adds of the games on sale rise more than their views do."""
    more = len(in_sale(sale, CARTS)) / len(in_sale(ordinary, CARTS))
    assert more > 2.8
    assert "sale" in set(sale.loc[sale["kind"] == PURCHASES, "shock"])


def test_what_lay_in_a_cart_keeps_its_price() -> None:
    """A cart's value is the sum of the prices at which its games went in, sale or not."""
    frame = played(Sale(games=tuple(g.game_id for g in catalog()), at_day=3.0), scale=0.01)
    carts = frame[(frame["kind"] == CARTS) & (frame["size"] == 1) & (frame["what"] == 0)]
    usual = np.array([round(game.price_paid * 100) for game in catalog()])
    full = np.array([round(game.price * 100) for game in catalog()])
    early, late = carts[carts["hour"] < 72], carts[carts["hour"] >= 72]
    assert (early["number"].to_numpy() == usual[early["game"]]).all()
    assert (late["number"].to_numpy() == np.minimum(usual, full // 2)[late["game"]]).all()


def test_a_streamer_fills_a_page_and_the_crowd_halves(ordinary: pd.DataFrame) -> None:
    """A game of rank 200 gets many times its views within an hour, half of that 3 hours later."""
    frame = played(Streamer(game="game_200", at_day=2.5, factor=200))
    usual = views(ordinary, 199, 0, 168) / 168
    assert usual < 3
    first = views(frame, 199, 60.33, 61.33)
    later = views(frame, 199, 63.33, 64.33)
    assert first > 50 * usual
    assert 0.3 <= later / first <= 1.0  # halved by fading, lifted by the evening
    assert views(frame, 199, 0, 60) <= 2 * views(ordinary, 199, 0, 60) + 5
    crowd = frame[frame["shock"] == "streamer"]
    assert {199} == set(crowd["game"])
    assert crowd["user"].nunique() > 0.9 * (crowd["kind"] == VIEWS).sum()


def test_a_release_is_unseen_before_and_crowded_after(ordinary: pd.DataFrame) -> None:
    """Nobody views, wishes or carts the game before; then many do, fewer day by day."""
    frame = played(Release(game="game_100", at_day=4.0))
    game = frame[frame["game"] == 99]
    assert 96 <= game["hour"].min() < 97
    assert views(ordinary, 99, 0, 96) > 20
    day_one, day_three = views(frame, 99, 96, 120), views(frame, 99, 144, 168)
    assert day_one > 1.5 * day_three
    assert day_three > 1.5 * views(ordinary, 99, 144, 168)


def test_a_bot_is_one_viewer_with_many_views() -> None:
    """300 views of one game by one user within half an hour, and no other event."""
    frame = played(Bot(game="game_050", at_day=1.5), days=2)
    bot = frame[frame["shock"] == "bot"]
    assert 300 == len(bot)
    assert 1 == bot["user"].nunique()
    assert {VIEWS} == set(bot["kind"])
    assert {49} == set(bot["game"])
    assert 36 <= bot["hour"].min() and bot["hour"].max() <= 36.51


def test_every_scale_admits_the_bot() -> None:
    """The bot is the user whom a smaller scale admits first."""
    (chunk, *_) = Plan(scale=0.05, days=1, shocks=[Bot(game="game_050", at_day=0.5)]).chunks()
    bot = chunk.truth()["shock"] == "bot"
    assert chunk.admit[bot.to_numpy()].max() < 0.001


def test_an_outage_is_silent_then_bursts() -> None:
    """Nothing arrives for ten minutes; then ten minutes of events arrive within a minute or two."""
    plan = Plan(scale=0.05, days=1, shocks=[Outage(at_day=0.8)])
    (chunk, *_) = plan.chunks()
    begin = START_MS + round(0.8 * DAY_MS)
    end = begin + 600_000
    arrival = chunk.arrival_ms
    assert 0 == ((arrival >= begin) & (arrival < end)).sum()
    happened = ((chunk.event_ms >= begin) & (chunk.event_ms < end)).sum()
    assert happened > 500
    burst = ((arrival >= end) & (arrival < end + 60_000)).sum()
    assert burst > 0.9 * happened
    held = (chunk.truth()["shock"] == "outage").to_numpy()
    assert 0.95 * happened <= held.sum() <= 1.05 * happened
    assert (arrival[held] >= end).all()


def test_a_shock_needs_a_game_of_the_catalogue() -> None:
    """An unknown game is refused with those there are."""
    with pytest.raises(LessonError, match="game_001 to game_500"):
        list(Plan(shocks=[Streamer(game="tetris", at_day=1)], days=1).chunks())


def test_a_shock_is_a_value() -> None:
    """Shocks are frozen: a plan cannot change under one's hands."""
    with pytest.raises(AttributeError):
        Outage(at_day=1.0).minutes = 5.0  # type: ignore[misc]
