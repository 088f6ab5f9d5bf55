"""Top lists of rolling windows: the sums of many windows at once, and the first ten of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from steamlab.processor.families import (
    DAY,
    HOUR,
    MINUTE,
    PURCHASES,
    SEARCHES,
    VIEWS,
    WISHES,
    Counts,
)
from steamlab.processor.published import amount

__all__ = ["RANKINGS", "Ranking", "rank", "rank_windows", "runs"]

TOP = 10
Buckets = Mapping[int, Counts]


@dataclass(frozen=True)
class Ranking:
    """A list of what has most of the first family in (end - size, end], for each whole `every`.

    `fields` name a member, its number of the first family, and of the second, if there is one. The
    second decides in a tie, unless it is taken off the first (`is_net`). With `is_level` it counts
    since the start: begins less ends.
    """

    name: str
    topic: str
    size: int
    every: int
    families: tuple[str, ...]
    fields: tuple[str, ...]
    has_total: bool = False
    is_net: bool = False
    is_level: bool = False
    is_money: bool = False

    @property
    def topics(self) -> tuple[str, ...]:
        """The topics that it depends on: one."""
        return (self.topic,)

    def settled_ms(self, end: int) -> int:
        """Return when a window can change no more, if no event is late: at its end."""
        return end


RANKINGS = (
    Ranking("trending_games", VIEWS, HOUR, MINUTE, ("views", "viewers"),
            ("gameId", "views", "viewers"), is_level=True),
    Ranking("hot_purchases", PURCHASES, 15 * MINUTE, MINUTE, ("lines", "lines_revenue"),
            ("gameId", "lines", "revenue"), is_money=True),
    Ranking("wishlist_leaders", WISHES, DAY, HOUR, ("wish_added", "wish_removed"),
            ("gameId", "added", "net"), has_total=True, is_net=True),
    Ranking("search_popularity", SEARCHES, HOUR, MINUTE, ("terms",), ("term", "count"),
            has_total=True),
)  # fmt: skip


def rank(ranking: Ranking, first: Counts, second: Counts) -> list[dict[str, Any]]:
    """Return the first ten members, with their fields; those without any are left out."""

    def place(member: str) -> tuple[int, int, str]:
        tie = 0 if ranking.is_net else -second.get(member, 0)
        return -first[member], tie, member

    members = sorted((member for member, n in first.items() if n > 0), key=place)[:TOP]
    return [_item(ranking, each, first[each], second.get(each, 0)) for each in members]


def _item(ranking: Ranking, member: str, first: int, second: int) -> dict[str, Any]:
    values: list[Any] = [member, first]
    if len(ranking.fields) == 3:
        shown: Any = first - second if ranking.is_net else second
        values.append(amount(second) if ranking.is_money else shown)
    return dict(zip(ranking.fields, values, strict=True))


def runs(ends: Sequence[int], gap: int) -> Iterator[list[int]]:
    """Part the ends of windows where nothing joins them: what lies between is not looked at."""
    run: list[int] = []
    for end in ends:
        if run and end - run[-1] > gap:
            yield run
            run = []
        run.append(end)
    if run:
        yield run


def rank_windows(
    ranking: Ranking, ends: Sequence[int], cells: Sequence[Buckets], base: Counts
) -> dict[int, list[dict[str, Any]]]:
    """Rank the windows that end at `ends`, given in order; `cells` are each family's buckets.

    `base` is what a level had before the oldest bucket that is still there.
    """
    low, steps = ends[0] - ranking.size, (ends[-1] - ends[0] + ranking.size) // ranking.every
    # What is needed of the past is in the first row: a level's beginning.
    within = [
        {bucket: counts for bucket, counts in buckets.items() if low < bucket <= ends[-1]}
        for buckets in cells
    ]
    members = sorted({member for counts in within[0].values() for member in counts})
    if not members:
        return {}
    at = {member: place for place, member in enumerate(members)}
    width = ranking.size // ranking.every
    first = _running(within[0], at, low, steps, ranking.every)
    sums = [first[width:] - first[:-width]]
    if len(cells) == 2:
        second = _running(within[1], at, low, steps, ranking.every)
        if ranking.is_level:
            sums.append(second[width:] + np.array(_before(cells[1], base, members, low)))
        else:
            sums.append(second[width:] - second[:-width])
    rows = [(end - ends[0]) // ranking.every for end in ends]
    return _lists(ranking, ends, members, [each[rows] for each in sums])


def _running(buckets: Buckets, at: dict[str, int], low: int, steps: int, every: int) -> Any:
    """Return the running sums, bucket by bucket, a column for each member."""
    rows: list[int] = []
    columns: list[int] = []
    numbers: list[int] = []
    other = len(at)  # one more column, for what is in no window
    for bucket, counts in buckets.items():
        rows += [(bucket - low) // every] * len(counts)
        columns += [at.get(member, other) for member in counts]
        numbers += counts.values()
    table = np.zeros((steps + 1, other + 1), _narrowest(numbers))
    table[rows, columns] = numbers
    return np.cumsum(table[:, :other], axis=0, dtype=table.dtype)


def _narrowest(numbers: Sequence[int]) -> Any:
    """Return the type of the smallest integers that hold any sum of these: less to look through."""
    largest = sum(map(abs, numbers))
    return np.int32 if largest < 2**31 else np.int64 if largest < 2**62 else object


def _before(buckets: Buckets, base: Counts, members: Sequence[str], low: int) -> list[int]:
    """Return each member's level at an instant."""
    levels = {member: base.get(member, 0) for member in members}
    for bucket, counts in buckets.items():
        if bucket <= low:
            for member, n in counts.items():
                if member in levels:
                    levels[member] += n
    return list(levels.values())


def _least(table: Any) -> Any:
    """Return a number for each row that its tenth is not below; the tenth of a few good columns."""
    if table.shape[1] > 5 * TOP:
        table = table[:, np.argpartition(table.max(axis=0), -5 * TOP)[-5 * TOP :]]
    if table.shape[1] <= TOP:
        return np.ones(len(table), table.dtype)
    return np.maximum(np.partition(table, -TOP, axis=1)[:, -TOP], 1)


def _lists(
    ranking: Ranking, ends: Sequence[int], members: list[str], sums: list[Any]
) -> dict[int, list[dict[str, Any]]]:
    first = sums[0]
    row, member = np.nonzero(first >= _least(first)[:, None])  # what could be among the first ten
    tie = row if len(sums) == 1 or ranking.is_net else -sums[1][row, member]
    # Members are in order already, and the sort keeps that order among equals.
    order = np.lexsort((tie, -first[row, member], row))
    row, member = row[order], member[order]
    numbers = [table[row, member].tolist() for table in sums]
    names = [members[each] for each in member.tolist()]
    bounds = np.searchsorted(row, np.arange(len(ends) + 1)).tolist()
    lists = {}
    for end, low, high in zip(ends, bounds[:-1], bounds[1:], strict=True):
        top = slice(low, min(high, low + TOP))
        second = numbers[-1][top] if len(sums) > 1 else numbers[0][top]
        items = zip(names[top], numbers[0][top], second, strict=True)
        lists[end] = [_item(ranking, *each) for each in items]
    return lists
