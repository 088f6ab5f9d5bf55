"""The top lists of many windows at once are those that each window has by itself."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from steamlab.processor import rankings
from steamlab.processor.families import Counts
from steamlab.processor.rankings import RANKINGS, Ranking, rank, rank_windows

RANKING = {ranking.name: ranking for ranking in RANKINGS}


def filled(
    ranking: Ranking, members: int, largest: int, seed: int
) -> tuple[list[dict[int, Counts]], Counts]:
    """Return buckets of each family of a ranking, and what a level had before them.

    A level's begins and ends are in balance: nothing is below 0 at any time.
    """
    chance = random.Random(seed)  # noqa: S311 - no secret
    names = [f"game_{number:03}" for number in range(members)]
    cells: list[dict[int, Counts]] = [{} for _ in ranking.families]
    for step in range(-80, 80):
        for family in cells:
            some = chance.sample(names, chance.randrange(min(9, members)))
            family[step * ranking.every] = {name: chance.randint(1, largest) for name in some}
    base = dict.fromkeys(names, 3) if ranking.is_level else {}
    return cells, base


def by_itself(
    ranking: Ranking, end: int, cells: Sequence[Mapping[int, Counts]], base: Counts
) -> list[dict[str, Any]]:
    """Rank one window, from sums that are made for it alone."""
    sums = [Counter[Any](), Counter[Any](base)]
    for place, buckets in enumerate(cells):
        begin = end - ranking.size
        is_level = ranking.is_level and place == 1
        for bucket, counts in buckets.items():
            if (is_level or begin < bucket) and bucket <= end:
                sums[place].update(counts)
    return rank(ranking, sums[0], sums[1])


def ends_of(ranking: Ranking) -> list[int]:
    """Return the ends of some windows; not of each."""
    return [step * ranking.every for step in range(-5, 60) if step % 7]


def differences(ranking: Ranking, members: int, largest: int) -> list[int]:
    """Return the ends of windows whose lists differ."""
    cells, base = filled(ranking, members, largest, seed=members)
    ends = ends_of(ranking)
    lists = rank_windows(ranking, ends, cells, base)
    return [end for end in ends if lists.get(end, []) != by_itself(ranking, end, cells, base)]


@pytest.mark.parametrize("name", RANKING)
@pytest.mark.parametrize("members", [1, 9, 10, 11, 50, 51, 300])
@pytest.mark.parametrize("largest", [1, 5, 2**29, 2**60, 2**70])
def test_many_windows_are_as_each_by_itself(name: str, members: int, largest: int) -> None:
    """With few members and many, ties and none, and with sums beyond 32 and 64 bits."""
    assert [] == differences(RANKING[name], members, largest)


def _too_narrow(numbers: Sequence[int]) -> Any:
    return np.int32 if max(numbers, default=0) < 2**31 else object


def _too_few(table: Any) -> Any:
    """Take the fifth of the good columns for the tenth of all."""
    return np.partition(table, -5, axis=1)[:, -5]


@pytest.mark.parametrize(
    ("name", "wrong", "members", "largest"),
    [("_narrowest", _too_narrow, 20, 2**30), ("_least", _too_few, 300, 5)],
)
def test_wrong_variants_differ(
    monkeypatch: pytest.MonkeyPatch, name: str, wrong: Any, members: int, largest: int
) -> None:
    """Integers that hold each number but not their sums; a bound that leaves out what belongs."""
    monkeypatch.setattr(rankings, name, wrong)
    assert [] != differences(RANKING["trending_games"], members, largest)
