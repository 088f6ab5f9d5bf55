"""Records as `analytics.metrics` has them: their keys, their times, what stands in them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

import numpy as np

from steamlab.processor.families import Counts
from steamlab.processor.published import PUBLISHED, Look, Published, Values
from steamlab.processor.rankings import RANKINGS

__all__ = [
    "NAMED_BY_END",
    "Bounds",
    "Record",
    "Window",
    "bounds",
    "make_record",
    "metric_records",
    "window_of",
]

Record: TypeAlias = dict[str, Any]
Window: TypeAlias = tuple[str, int]  # a metric, and the name of a bucket
Bounds: TypeAlias = tuple[str | None, str | None]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NAMED_BY_END = {each.name for each in PUBLISHED if each.is_rolling}
NAMED_BY_END |= {each.name for each in RANKINGS}


def make_record(
    name: str, window: Bounds, dimension: dict[str, Any] | None, values: Values
) -> tuple[str, Record]:
    """Return a record and its key: metric|windowStart|dimension."""
    start, end = window
    member = next(iter(dimension.values())) if dimension else ""
    fields = {"metric": name, "windowStart": start, "windowEnd": end, "dimension": dimension}
    return f"{name}|{start or ''}|{member}", fields | values


def metric_records(
    metric: Published, tables: Mapping[str, Counts], window: Bounds, values: Any, now_ms: int
) -> Iterator[tuple[str, Record]]:
    """Yield a metric's records of one window, by key: one, or one for each dimension."""
    members: Iterable[Any] = [""]
    if metric.dimension:
        members = sorted(set().union(*(tables[name] for name in metric.families)))
    for member in members:
        chosen = tables
        if metric.dimension:
            chosen = {
                name: {member: tables[name][member]} if member in tables[name] else {}
                for name in metric.families
            }
        made = values(Look(chosen.__getitem__, now_ms))
        if made is not None:
            dimension = {metric.dimension: member} if metric.dimension else None
            yield make_record(metric.name, window, dimension, made)


def bounds(start_ms: int, size_ms: int) -> Bounds:
    """Return a window's start and end as records have them: RFC 3339, UTC."""
    return _instant(start_ms), _instant(start_ms + size_ms)


def window_of(record: Record) -> Window:
    """Return the window that a record is of."""
    name = record["metric"]
    bound = record["windowEnd" if name in NAMED_BY_END else "windowStart"]
    return name, (datetime.fromisoformat(bound) - _EPOCH) // timedelta(milliseconds=1)


def _instant(time_ms: int) -> str:
    is_whole = time_ms % 1000 == 0
    try:
        moment = _EPOCH + timedelta(milliseconds=time_ms)
    except OverflowError:  # a window that ends in the year 1 may begin before it
        return (
            str(np.datetime_as_string(np.datetime64(time_ms, "ms"), "s" if is_whole else "ms"))
            + "Z"
        )
    spec = "seconds" if is_whole else "milliseconds"
    return moment.isoformat(timespec=spec).replace("+00:00", "Z")
