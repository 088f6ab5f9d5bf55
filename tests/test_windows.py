"""Windows and watermarks over columns of times, worked by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from steamlab import windows
from steamlab.windows import DAY, GRACE, HOUR, MINUTE, MS


def times(*clocks: str) -> pd.DataFrame:
    """Make rows of these times of day, on 21 November 2025, numbered `n`."""
    stamps = [f"2025-11-21T{clock}" for clock in clocks]
    column = pd.Series(np.array(stamps, "M8[ms]")).dt.tz_localize("UTC")
    return pd.DataFrame({"time": column, "n": range(len(clocks))})


def clock(stamp: pd.Timestamp) -> str:
    """Return the time of day, without a fraction that is zero."""
    return str(stamp.time()).removesuffix(".000000")


def ends_of(blocks: Any) -> dict[str, list[int]]:
    """Return the numbers of the rows in each window, by the window's end."""
    rows = pd.concat(list(blocks))
    return {clock(end): list(part["n"]) for end, part in rows.groupby("window")}


@pytest.mark.parametrize(
    ("size", "starts"),
    [
        (MINUTE, ["10:00:00", "10:00:00", "10:01:00", "23:59:00"]),
        (HOUR, ["10:00:00", "10:00:00", "10:00:00", "23:00:00"]),
        (DAY, ["00:00:00"] * 4),
    ],
)
def test_tumbling_windows_begin_inclusively(size: pd.Timedelta, starts: list[str]) -> None:
    """A row at a window's start is in it; one a millisecond before is in the window before."""
    rows = times("10:00:00", "10:00:59.999", "10:01:00", "23:59:59.999")
    assert starts == [clock(each) for each in windows.tumbling(rows, size)["window"]]


def test_a_row_without_a_time_is_in_no_window() -> None:
    """An open cart has no end, and is left out."""
    rows = times("10:00:00", "10:01:00")
    rows.loc[0, "time"] = pd.NaT
    assert [1] == list(windows.tumbling(rows, HOUR)["n"])


def test_rolling_windows_are_closed_on_the_right() -> None:
    """Three minutes ending each minute: a row at 10:02:00 is in those of 10:02, 10:03, 10:04."""
    seen = ends_of(
        windows.rolling(
            times("10:02:00", "10:02:00.001", "10:04:30"),
            3 * MINUTE,
            MINUTE,
            until=times("10:05:00")["time"][0],
        )
    )
    expected = {
        "10:02:00": [0],
        "10:03:00": [0, 1],
        "10:04:00": [0, 1],
        "10:05:00": [1, 2],
    }
    assert expected == seen


def test_the_last_rolling_window_holds_the_newest_instant() -> None:
    """No window ends more than a step after what has happened."""
    rows = times("10:02:00")
    blocks = windows.rolling(rows, HOUR, MINUTE, until=times("10:03:00.001")["time"][0])
    assert ["10:02:00", "10:03:00", "10:04:00"] == list(ends_of(blocks))


def test_rolling_windows_are_the_same_in_any_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The size of a block is a matter of memory; no window is cut by it."""
    rows, until = (
        times("10:00:00", "10:01:30", "10:07:00", "15:00:00"),
        times("16:00:00")["time"][0],
    )
    whole = ends_of(windows.rolling(rows, 5 * MINUTE, MINUTE, until=until))
    for size in (1, 2, 3, 7):
        monkeypatch.setattr(windows, "_BLOCK", size)
        blocks = list(windows.rolling(rows, 5 * MINUTE, MINUTE, until=until))
        assert whole == ends_of(blocks)
        ends = [set(block["window"]) for block in blocks]
        assert sum(map(len, ends)) == len(set.union(*ends)) == len(whole)


def test_a_row_of_long_ago_makes_few_windows() -> None:
    """Windows in which nothing is are never made, so one hostile year costs nothing."""
    rows = times("10:00:00", "10:00:30")
    rows.loc[0, "time"] = pd.Timestamp(-62135596800000, unit="ms", tz="UTC")
    blocks = windows.rolling(rows, HOUR, MINUTE, until=rows["time"].max())
    assert 60 + 1 == sum(block["window"].nunique() for block in blocks)


@pytest.mark.parametrize(
    ("end", "expected"),
    [("10:04:00", [0]), ("10:04:59.999", [0, 1]), ("10:05:00", [1, 2]), ("10:06:00.001", [])],
)
def test_the_window_that_ends_at_an_instant(end: str, expected: list[int]) -> None:
    """A row of exactly a minute ago is out, one of this very instant is in."""
    rows = times("10:04:00", "10:04:30", "10:05:00")
    seen = windows.ending_at(rows, MINUTE, times(end)["time"][0])
    assert expected == list(seen["n"])


ARRIVALS = times("10:00:00", "10:10:00", "09:00:00", "10:05:00", "10:20:00", "10:01:00")
ARRIVALS["topic"] = ["a", "a", "b", "b", "a", "b"]


def test_the_slowest_topic_holds_the_watermark() -> None:
    """Each arrival meets the smallest of the topics' largest times; none before all have come."""
    seen = windows.watermarks(ARRIVALS, ["a", "b"])
    assert [True, True, True, False, False, False] == list(seen.isna())
    assert ["09:00:00", "10:05:00", "10:05:00"] == [clock(each) for each in seen.dropna()]
    alone = windows.watermarks(ARRIVALS, ["a"])
    expected = [None, "10:00:00", "10:10:00", "10:10:00", "10:10:00", "10:20:00"]
    assert expected == [None if pd.isna(each) else clock(each) for each in alone]


def test_the_watermark_after_all() -> None:
    """The slowest topic decides; one that nobody has seen does not."""
    for topics, expected in (
        (["a", "b"], "10:05:00"),
        (["a"], "10:20:00"),
        (["b", "c"], "10:05:00"),
    ):
        newest = windows.newest(ARRIVALS, topics)
        assert newest is not None and expected == clock(newest)
    assert windows.newest(ARRIVALS, ["c"]) is None


@pytest.mark.parametrize(
    ("newest", "horizon", "is_late"),
    [
        ("10:05:59.999", 0 * MS, False),
        ("10:06:00", 0 * MS, True),
        ("10:06:00", 5 * MINUTE, False),
        ("10:11:00", 5 * MINUTE, True),
    ],
)
def test_a_window_is_final_at_end_horizon_and_grace(
    newest: str, horizon: pd.Timedelta, is_late: bool
) -> None:
    """An event of 10:00:30 is late from the moment the watermark reaches 10:01 + horizon + 5:00."""
    arrivals = times(newest, "10:00:30").assign(topic="a")
    late = windows.are_late(arrivals, ["a"], MINUTE, horizon=horizon)
    assert [False, is_late] == list(late)
    assert GRACE == 5 * MINUTE
