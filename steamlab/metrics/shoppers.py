"""Metrics 13 to 16: how people shop: carts left behind, searches, sessions, and hesitation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import pandas as pd

from steamlab.metrics.funnel import next_after
from steamlab.metrics.values import Values, money, rate, seconds
from steamlab.windows import DAY, HOUR, MINUTE, MS

__all__ = [
    "average_session_value",
    "cart_abandonment",
    "cart_totals",
    "followed_carts",
    "searches_with_view",
    "sessions",
    "time_to_purchase",
    "waits",
]

SILENCE = 2 * HOUR
PAUSE = 30 * MINUTE
SEARCHING = 5 * MINUTE
LOOKBACK = 30 * DAY


def followed_carts(
    carts: pd.DataFrame, lines: pd.DataFrame, now: pd.Timestamp | None
) -> pd.DataFrame:
    """Follow each user's carts (metric 13): created, time (of the end), outcome.

    A cart begins with the first add into an empty one. It is completed by an order with a game
    that is in it; it is abandoned when it is emptied, or after more than 2 h without a cart event.
    A cart that is still open has no time.
    """
    order = {"added": 0, "removed": 1, "bought": 2}  # within one millisecond
    log = pd.concat([carts, lines.assign(action="bought")])
    log = log.assign(order=log["action"].map(order)).sort_values(["userId", "time", "order"])
    rows = [
        cart
        for _, its in log.groupby("userId")
        for cart in _carts_of(zip(its["time"], its["gameId"], its["action"], strict=True))
    ]
    created, ended, outcomes = zip(*rows, strict=True) if rows else ((), (), ())
    found = pd.DataFrame({"created": _times(created), "time": _times(ended), "outcome": outcomes})
    is_open = found["time"] > now
    return found.assign(
        time=found["time"].mask(is_open), outcome=found["outcome"].mask(is_open, "open")
    )


def _carts_of(
    log: Iterable[tuple[pd.Timestamp, str, str]],
) -> Iterator[tuple[pd.Timestamp, pd.Timestamp, str]]:
    games: set[str] = set()
    created = last = pd.Timestamp(0)
    for time, game, action in log:
        if games and time - last > SILENCE:
            yield created, last + SILENCE + MS, "abandoned"
            games = set()
        if action == "added":
            created, last = created if games else time, time
            games.add(game)
        elif games and action == "removed":
            last = time
            games.discard(game)
            if not games:
                yield created, time, "abandoned"
        elif game in games:
            yield created, time, "completed"
            games = set()
    if games:
        yield created, last + SILENCE + MS, "abandoned"


def _times(times: Sequence[pd.Timestamp]) -> pd.Series[pd.Timestamp]:
    return pd.Series(times, dtype="datetime64[ms, UTC]")


def cart_abandonment(carts: pd.DataFrame) -> Values:
    """Return the share of closed carts that were abandoned; open ones do not count."""
    closed = carts[carts["time"].notna()]
    return rate(closed["outcome"] == "abandoned")


def cart_totals(carts: pd.DataFrame) -> Values:
    """Return the same rate with the numbers of carts created, completed and still open."""
    return cart_abandonment(carts) | {
        "created": len(carts),
        "completed": int((carts["outcome"] == "completed").sum()),
        "open": int(carts["time"].isna().sum()),
    }


def searches_with_view(
    searches: pd.DataFrame, views: pd.DataFrame, within: pd.Timedelta = SEARCHING
) -> pd.DataFrame:
    """Mark the searches that led to a view of the same user within 5 minutes (metric 14).

    Each view counts for the latest search before it, and for no other; one at the very
    millisecond of a search, or 5:00 after it, counts.
    """
    searches = searches.reset_index(names="search")
    credited = pd.merge_asof(views, searches, on="time", by="userId", tolerance=within)
    return searches.assign(is_hit=searches["search"].isin(credited["search"]))


def sessions(events: pd.DataFrame, pause: pd.Timedelta = PAUSE) -> pd.DataFrame:
    """List where sessions begin (metric 15): events of a user after more than 30:00 of nothing."""
    events = events.sort_values(["userId", "time"])
    silence = events.groupby("userId")["time"].diff()
    return events[silence.isna() | (silence > pause)]


def average_session_value(rows: pd.DataFrame) -> Values:
    """Divide what was paid by the sessions begun, buying or not (metric 15).

    The column `what` says order or session.
    """
    total = rows.loc[rows["what"] == "order", "cents"].sum()
    begun = int((rows["what"] == "session").sum())
    return {"value": money(total, begun), "numerator": money(total), "denominator": begun}


def waits(lines: pd.DataFrame, views: pd.DataFrame) -> pd.DataFrame:
    """Say how long each order line took from its pair's first view in 30 days (metric 16).

    `wait` is NaT where there was no view.
    """
    earliest = lines.assign(time=lines["time"] - LOOKBACK)
    first = next_after(earliest, views)
    return lines.assign(wait=(lines["time"] - first).where(first <= lines["time"]))


def time_to_purchase(lines: pd.DataFrame) -> Values:
    """Return mean and median of the lines' waits in seconds; lines without a view are counted."""
    known = lines["wait"].dropna().dt.as_unit("ms").astype("int64")
    return {
        "mean": seconds(int(known.sum()), len(known)) if len(known) else None,
        "median": float(known.median()) / 1000 if len(known) else None,
        "count": len(known),
        "unattributed": len(lines) - len(known),
    }
