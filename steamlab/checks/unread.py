"""Twelve timelines, and what is wrong with an answer about one of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pandas as pd

from steamlab.members.timeline import unread

__all__ = ["timelines", "why_not_unread"]

# partition, member, begin, end
_TIMELINES: tuple[list[tuple[int, str, float, float]], ...] = (
    [(0, "A", 0.0, 4.0), (0, "B", 5.5, 9.0)],
    [(0, "A", 2.0, 4.0), (0, "B", 4.0, 8.0), (1, "A", 2.0, 3.0), (1, "B", 6.0, 8.0)],
    [(3, "A", 1.0, 9.0), (4, "A", 1.0, 4.0), (4, "B", 5.0, 7.0), (4, "C", 8.5, 9.0)],
    [(0, "A", 0.0, 6.0), (0, "B", 4.0, 9.0)],
    [(0, "A", 0.0, 6.0), (0, "B", 4.0, 9.0), (0, "C", 9.5, 12.0)],
    [(0, "A", 0.0, 9.0), (0, "B", 2.0, 3.0), (0, "C", 10.0, 12.0)],
    [(1, "A", 0.0, 5.0), (2, "A", 2.5, 5.0)],
    [(1, "A", 0.0, 5.0), (2, "A", 0.0, 3.5)],
    [(0, "B", 7.0, 9.0), (0, "A", 0.0, 3.0), (0, "C", 4.0, 6.0)],
    [(5, "A", 10.0, 11.0), (5, "A", 12.0, 14.0), (5, "A", 17.5, 18.0)],
    [(0, "A", 3.0, 8.0), (0, "B", 3.0, 4.0), (1, "B", 6.0, 10.0), (2, "A", 3.0, 10.0)],
    [(7, "C", 0.5, 2.0), (7, "A", 1.0, 1.5), (7, "B", 4.0, 6.0), (8, "A", 0.5, 7.0)],
)


def timelines() -> Iterator[pd.DataFrame]:
    """Yield them: partition, member, begin, end (seconds)."""
    for rows in _TIMELINES:
        yield pd.DataFrame(rows, columns=["partition", "member", "begin", "end"])


def why_not_unread(given: object, frame: pd.DataFrame) -> str:
    """Say what is wrong with the seconds given for a timeline, or ""."""
    wanted = _reference(frame)
    if not isinstance(given, Mapping) or set(given) != set(wanted):
        return f"a dictionary for the partitions {list(wanted)} was expected, and {given!r} came."
    wrong = next((p for p in wanted if not _is_near(given[p], wanted[p])), None)
    if wrong is None:
        return ""
    mine = frame[frame["partition"] == wrong]
    said = f"partition {wrong} was unread for {wanted[wrong]:g} s, and you say {given[wrong]!r}. "
    first, last = frame["begin"].min(), frame["end"].max()
    if len(mine) > 1 and _overlaps(mine):
        return said + "Two stretches overlap in it: while one member reads, it is not unread."
    if mine["begin"].min() > first or mine["end"].max() < last:
        return said + (
            f"The timeline goes from {first:g} to {last:g} s: nobody reads before a partition's "
            "first stretch, nor after its last one."
        )
    if not mine["begin"].is_monotonic_increasing:
        return said + "Its rows do not come in order of time."
    return said + "Add up all its gaps."


def _reference(frame: pd.DataFrame) -> dict[int, float]:
    places = [("", int(number)) for number in sorted(frame["partition"].unique())]
    begin, end = float(frame["begin"].min()), float(frame["end"].max())
    found = unread(frame.assign(topic=""), places, begin, end)
    return dict(zip(found["partition"].tolist(), found["unread"].tolist(), strict=True))


def _is_near(given: object, wanted: float) -> bool:
    try:
        return abs(float(given) - wanted) < 1e-6  # type: ignore[arg-type]  # whatever was given
    except (TypeError, ValueError):
        return False


def _overlaps(rows: pd.DataFrame) -> bool:
    in_order = rows.sort_values("begin")
    return bool((in_order["begin"].iloc[1:].to_numpy() < in_order["end"].cummax()[:-1]).any())
