"""Metrics 9 to 12: top lists. Each function ranks all windows at once, by the column `window`."""

from __future__ import annotations

import pandas as pd

from steamlab.metrics.values import top

__all__ = ["hot_purchases", "search_popularity", "trending_games", "wishlist_leaders"]


def trending_games(views: pd.DataFrame) -> pd.DataFrame:
    """Rank games by views (metric 9); in a tie by distinct viewers, then by gameId."""
    viewers = views.drop_duplicates(["window", "gameId", "userId"])
    counts = {"views": _count(views, "gameId"), "viewers": _count(viewers, "gameId")}
    return top(pd.DataFrame(counts), ["views", "viewers"], tie="gameId")


def hot_purchases(lines: pd.DataFrame) -> pd.DataFrame:
    """Rank games by order lines (metric 10); in a tie by revenue, then by gameId.

    Free lines count, at 0.00; `revenue` is in cents.
    """
    games = lines.groupby(["window", "gameId"], observed=True)
    counts = games.agg(lines=("cents", "size"), revenue=("cents", "sum"))
    return top(counts, ["lines", "revenue"], tie="gameId")


def wishlist_leaders(wishes: pd.DataFrame) -> pd.DataFrame:
    """Rank games by how often they were added to a wishlist (metric 11); in a tie by gameId.

    `net` takes the removals off. A game that was only removed leads nothing.
    """
    is_added = wishes["action"] == "added"
    games = wishes.assign(added=is_added.astype(int), net=is_added * 2 - 1)
    counts = games.groupby(["window", "gameId"], observed=True)[["added", "net"]].sum()
    return top(counts[counts["added"] > 0], ["added"], tie="gameId")


def search_popularity(searches: pd.DataFrame) -> pd.DataFrame:
    """Count each normalised query (metric 12), except empty ones; in a tie by alphabet."""
    asked = searches[searches["term"] != ""]
    return top(pd.DataFrame({"count": _count(asked, "term")}), ["count"], tie="term")


def _count(rows: pd.DataFrame, name: str) -> pd.Series[int]:
    return rows.groupby(["window", name], observed=True).size()
