"""A histogram's count, sum and median are those of the numbers, whatever came and went."""

from __future__ import annotations

import statistics

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steamlab.processor import histogram
from steamlab.processor.histogram import Histogram

_NUMBERS = st.lists(st.integers(0, 2_600_000_000) | st.integers(0, 3), max_size=40)


@settings(database=None, derandomize=True, deadline=None)
@given(_NUMBERS, _NUMBERS)
def test_it_is_that_of_what_is_left(kept: list[int], gone: list[int]) -> None:
    """Numbers come and go one by one, the same ones too; of none there is no median."""
    found = Histogram()
    for number in [*gone, *kept]:
        found.change({number: 1})
    for number in gone:
        found.change({number: -1})
    assert (len(kept), sum(kept)) == (found.count, found.sum)
    assert found.median() == (statistics.median(kept) if kept else None)


def test_many_at_once() -> None:
    """A number may come or go several times in one change."""
    found = Histogram()
    found.change({7: 3, 2**40: 2})
    found.change({7: -1, 2**40: -1, 5: 4})
    assert (7, 14 + 2**40 + 20, 5) == (found.count, found.sum, found.median())


def test_what_is_not_there_cannot_go() -> None:
    """It would be a cell taken back that was never told."""
    found = Histogram()
    found.change({7: 1})
    with pytest.raises(ValueError, match="not in"):
        found.change({8: -1})


def test_drawers_of_another_width_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the drawers end is no matter; how wide they are is one of speed."""
    numbers = [number * 997 % 10_007 for number in range(500)]
    for width in (1, 4, 30):
        monkeypatch.setattr(histogram, "_WIDTH", width)
        found = Histogram()
        found.change(dict.fromkeys(numbers, 1))
        assert statistics.median(numbers) == found.median()
