"""What a metric's value looks like in a record: exact money, rates that know their parts, times."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import pandas as pd

__all__ = ["TOP", "Values", "instant", "money", "rate", "rate_of", "seconds", "top"]

Values: TypeAlias = dict[str, Any]
"""The fields that a metric adds to its record."""

TOP = 10


def money(cents: Any, among: int = 1) -> str | None:
    """Return an amount, or its equal share `among` so many, as a decimal: 2 places, halves up.

    Among none it is None. Whole cents, and no float, are what is divided: nothing is lost before
    the one rounding.
    """
    if among == 0:
        return None
    whole = (2 * int(cents) + among) // (2 * among)
    return f"{whole // 100}.{whole % 100:02}"


def rate(is_hit: pd.Series[bool]) -> Values:
    """Return the share of rows that are hits; None, and not 0, where there are no rows."""
    hits, rows = int(is_hit.sum()), len(is_hit)
    return {"value": hits / rows if rows else None, "numerator": hits, "denominator": rows}


def rate_of(rows: pd.DataFrame) -> Values:
    """Return the rate of the rows whose column `is_hit` says so."""
    return rate(rows["is_hit"])


def seconds(ms: int, among: int = 1) -> float:
    """Return milliseconds, shared out `among` so many, in seconds: 3 places, halves up."""
    return ((2 * ms + among) // (2 * among)) / 1000


def top(table: pd.DataFrame, by: list[str], *, tie: str) -> pd.DataFrame:
    """Return each window's first ten rows: largest `by` first, then `tie` in alphabetical order."""
    is_ascending = [True, *[False] * len(by), True]
    ranked = table.reset_index().sort_values(["window", *by, tie], ascending=is_ascending)
    return ranked.groupby("window").head(TOP).reset_index(drop=True)


def instant(time: pd.Timestamp) -> str:
    """Return a time as RFC 3339 has it, with milliseconds only where there are some."""
    text = str(np.datetime_as_string(time.asm8.astype("M8[ms]")))
    return text.removesuffix(".000") + "Z"
