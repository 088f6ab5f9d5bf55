"""Windows and watermarks over whole columns of event times, as the batch metrics use them.

Tumbling windows are [start, end) and begin at whole minutes, hours or days of UTC. Rolling windows
are (end - size, end]: closed on the right, so that a bucket of each minute makes them up exactly.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pandas as pd

__all__ = ["DAY", "GRACE", "HOUR", "MINUTE", "MS", "are_late", "ending_at", "newest", "rolling",
           "tumbling", "watermarks"]  # fmt: skip

MS = pd.Timedelta(milliseconds=1).as_unit("ms")  # columns of times count milliseconds, too
MINUTE = 60_000 * MS
HOUR = 60 * MINUTE
DAY = 24 * HOUR
GRACE = 5 * MINUTE

_BLOCK = 120  # rolling windows held in memory at once


def tumbling(rows: pd.DataFrame, size: pd.Timedelta) -> pd.DataFrame:
    """Name the window that each row's `time` falls into by its start, in a column `window`.

    A row without a time falls into none, and is left out.
    """
    timed = rows[rows["time"].notna()]
    return timed.assign(window=timed["time"].dt.floor(size))


def ending_at(rows: pd.DataFrame, size: pd.Timedelta, end: pd.Timestamp) -> pd.DataFrame:
    """Return the rows in the one rolling window (end - size, end]; `window` is its end."""
    return rows[(rows["time"] > end - size) & (rows["time"] <= end)].assign(window=end)


def rolling(
    rows: pd.DataFrame, size: pd.Timedelta, every: pd.Timedelta, *, until: pd.Timestamp
) -> Iterator[pd.DataFrame]:
    """Repeat each row for every rolling window that it is in; `window` is the window's end.

    Windows end at each whole `every`; the last one holds `until`. They come in blocks, so that
    a year fits into memory; no window is in two of them.
    """
    texts = [name for name in rows.columns if rows[name].dtype == "str"]
    coded = rows.astype(dict.fromkeys(texts, "category"))  # numbers are repeated, not text
    # A row of 10:15:01 is first in the window that ends at 10:16, one of 10:15:00 in that of 10:15.
    first = _ms(rows["time"].dt.ceil(every)).to_numpy()
    steps = np.arange(size // every) * (every // MS)
    ends = np.unique(np.add.outer(np.unique(first), steps))
    ends = ends[ends <= _ms(pd.Series([until.ceil(every)]))[0]]
    for begin in range(0, len(ends), _BLOCK):
        block = ends[begin : begin + _BLOCK]
        inside = np.flatnonzero((first > block[0] - size // MS) & (first <= block[-1]))
        windows = np.add.outer(first[inside], steps).ravel()
        fits = (windows >= block[0]) & (windows <= block[-1])
        copies = coded.iloc[np.repeat(inside, len(steps))[fits]]
        yield copies.assign(window=pd.DatetimeIndex(windows[fits].astype("M8[ms]"), tz="UTC"))


def newest(arrivals: pd.DataFrame, topics: Iterable[str]) -> pd.Timestamp | None:
    """Return the watermark after all arrivals: the newest time of the slowest of the topics.

    A topic without events does not hold it back: the file is read to its end.
    """
    times = arrivals.groupby("topic")["time"].max()
    known = times[times.index.isin(list(topics))]
    return known.min() if len(known) else None


def watermarks(arrivals: pd.DataFrame, topics: Iterable[str]) -> pd.Series[pd.Timestamp]:
    """Return the watermark that each arrival meets, of one partition, in order of arrival.

    It is the smallest, over the topics, of the largest event time seen before; NaT as long as one
    of them has shown nothing.
    """
    seen = [
        arrivals["time"].where(arrivals["topic"] == topic).cummax().ffill().shift()
        for topic in topics
    ]
    return pd.concat(seen, axis=1).min(axis=1, skipna=False)


def are_late(
    arrivals: pd.DataFrame,
    topics: Iterable[str],
    size: pd.Timedelta,
    *,
    horizon: pd.Timedelta = 0 * MS,
    grace: pd.Timedelta = GRACE,
) -> pd.Series[bool]:
    """Say of each arrival whether its tumbling window was final before it came (rule R3)."""
    ends = arrivals["time"].dt.floor(size) + size
    are_final: pd.Series[bool] = watermarks(arrivals, topics) >= ends + horizon + grace
    return are_final


def _ms(times: pd.Series[pd.Timestamp]) -> pd.Series[int]:
    return times.dt.as_unit("ms").astype("int64")
