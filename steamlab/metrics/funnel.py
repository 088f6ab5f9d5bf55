"""Metrics 5 to 8: the way from a look to a purchase, for each pair of a user and a game.

A pair is forgotten after 30 days in which nothing happened to it; what comes then is a new pair.
Events of one millisecond count in the order of the funnel: viewed, wished, carted, removed, bought.
"""

from __future__ import annotations

import pandas as pd

from steamlab.metrics.values import Values, rate
from steamlab.windows import DAY

__all__ = [
    "cart_to_purchase",
    "next_after",
    "overall_conversion",
    "pair_facts",
    "view_to_purchase",
    "view_to_wishlist",
    "wishlist_to_cart",
]

FORGOTTEN = 30 * DAY
PAIR = ["userId", "gameId", "life"]


def pair_facts(
    views: pd.DataFrame, wishes: pd.DataFrame, carts: pd.DataFrame, lines: pd.DataFrame
) -> pd.DataFrame:
    """List what happened to each pair: time, userId, gameId, fact, and in which `life` of it.

    Facts are viewed, wished, carted, removed (from the cart) and bought. Removals from the
    wishlist are none: no rate of a pair depends on them.
    """
    parts = {
        "viewed": views,
        "wished": wishes[wishes["action"] == "added"],
        "carted": carts[carts["action"] == "added"],
        "removed": carts[carts["action"] == "removed"],
        "bought": lines,
    }
    columns = ["time", "userId", "gameId"]
    facts = pd.concat([part[columns].assign(fact=fact) for fact, part in parts.items()])
    facts = facts.sort_values("time", kind="stable", ignore_index=True)
    silence = facts.groupby(["userId", "gameId"])["time"].diff()
    is_forgotten = (silence > FORGOTTEN).astype(int)
    return facts.assign(life=is_forgotten.groupby([facts["userId"], facts["gameId"]]).cumsum())


def view_to_wishlist(facts: pd.DataFrame) -> pd.DataFrame:
    """Mark the pairs wished for at or within 24 h after the first view (metric 5)."""
    return _followed(facts, "viewed", "wished", 1 * DAY)


def wishlist_to_cart(facts: pd.DataFrame) -> pd.DataFrame:
    """Mark the pairs put into the cart at or within 28 days after the first wish (metric 6)."""
    return _followed(facts, "wished", "carted", 28 * DAY)


def view_to_purchase(facts: pd.DataFrame) -> pd.DataFrame:
    """Mark the pairs bought at or within 30 days after the first view (metric 8)."""
    return _followed(facts, "viewed", "bought", 30 * DAY)


def cart_to_purchase(facts: pd.DataFrame) -> pd.DataFrame:
    """Mark the cart adds bought at or within 24 h, with no removal in between (metric 7).

    Each add counts, also the second one of a pair: put in again after a removal, it is a new one.
    """
    adds = facts[facts["fact"] == "carted"].reset_index(drop=True)
    bought = next_after(adds, facts[facts["fact"] == "bought"])
    removed = next_after(adds, facts[facts["fact"] == "removed"])
    return adds.assign(is_hit=(bought - adds["time"] <= DAY) & ~(removed <= bought))


def overall_conversion(rows: pd.DataFrame) -> Values:
    """Return the rate over pairs, and orders and lines per view (metric 8).

    The column `what` says pair, order, line or view.
    """
    orders, lines, views = (int((rows["what"] == what).sum()) for what in ("order", "line", "view"))
    return rate(rows.loc[rows["what"] == "pair", "is_hit"]) | {
        "orders_per_view": {"numerator": orders, "denominator": views},
        "lines_per_view": {"numerator": lines, "denominator": views},
    }


def next_after(facts: pd.DataFrame, later: pd.DataFrame) -> pd.Series[pd.Timestamp]:
    """Return when the next of `later` happens to each fact's pair, at once or later; else NaT."""
    found = pd.merge_asof(
        facts[["time", "userId", "gameId"]],
        later[["time", "userId", "gameId"]].assign(next=later["time"]),
        on="time",
        by=["userId", "gameId"],
        direction="forward",
    )
    return found["next"]


def _followed(facts: pd.DataFrame, first: str, then: str, within: pd.Timedelta) -> pd.DataFrame:
    """List the pairs that `first` happened to, at its first time; `is_hit` if `then` followed."""
    firsts = facts[facts["fact"] == first].drop_duplicates(PAIR).reset_index(names="pair")
    both = firsts.merge(facts[facts["fact"] == then], on=PAIR, suffixes=("", "_then"))
    wait = both["time_then"] - both["time"]
    hits = both.loc[(wait >= pd.Timedelta(0)) & (wait <= within), "pair"]
    return firsts.assign(is_hit=firsts["pair"].isin(hits))
