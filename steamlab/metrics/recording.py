"""All sixteen metrics as records, as `analytics.metrics` has them: one a metric, window, dimension.

`METRICS` in `sixteen` says of each what it looks at; here its windows are cut.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Iterator
from operator import itemgetter
from typing import Any, TypeAlias

import pandas as pd

from steamlab.metrics.sixteen import METRICS, Metric
from steamlab.metrics.tables import Tables
from steamlab.metrics.values import Values, instant
from steamlab.windows import GRACE, ending_at, newest, rolling, tumbling

__all__ = ["Record", "key", "records"]

Record: TypeAlias = dict[str, Any]
_Summary: TypeAlias = tuple[pd.Timestamp, "dict[str, str] | None", Values]


def records(
    tables: Tables, *, only: Collection[str] | None = None, is_instant: bool = False
) -> list[Record]:
    """Compute the records, metric by metric in order of time, those since the start last.

    `only` names the metrics that are wanted. With `is_instant`, only what is true at `tables.now`:
    the records since the start, and the rolling windows that end there. A window in which nothing
    happened has no record.
    """
    if tables.now is None:
        return []
    wanted = [metric for metric in METRICS if only is None or metric.name in only]
    return [record for metric in wanted for record in _records(metric, tables, is_instant)]


def key(record: Record) -> str:
    """Return the record's key in the topic: metric|windowStart|dimension."""
    dimension = "".join((record["dimension"] or {}).values())
    return f"{record['metric']}|{record['windowStart'] or ''}|{dimension}"


def _records(metric: Metric, tables: Tables, is_instant: bool) -> Iterator[Record]:
    rows, now = metric.rows(tables), tables.now
    if not len(rows) or now is None:
        return
    watermark = newest(tables.arrivals, metric.topics)
    compute = metric.ranks or metric.values
    for part in _in_windows(metric, rows, now, is_instant):
        for window, dimension, values in _summaries(metric, part, compute):
            start = window - metric.size if metric.every else window
            end = start + metric.size
            is_final = watermark is not None and watermark >= end + metric.horizon + GRACE
            yield _record(metric, (instant(start), instant(end)), dimension, values, is_final)
    if metric.total:
        for _, dimension, values in _summaries(metric, rows.assign(window=now), metric.total):
            yield _record(metric, (None, None), dimension, values, False)


def _record(
    metric: Metric,
    window: tuple[str | None, str | None],
    dimension: dict[str, str] | None,
    values: Values,
    is_final: bool,
) -> Record:
    named = {"metric": metric.name, "windowStart": window[0], "windowEnd": window[1]}
    return named | {"dimension": dimension} | values | {"final": is_final}


def _in_windows(
    metric: Metric, rows: pd.DataFrame, now: pd.Timestamp, is_instant: bool
) -> Iterable[pd.DataFrame]:
    if metric.every and is_instant:
        return [ending_at(rows, metric.size, now)]
    if metric.every:
        return rolling(rows, metric.size, metric.every, until=now)
    return [] if is_instant else [tumbling(rows, metric.size)]


def _summaries(metric: Metric, rows: pd.DataFrame, compute: Any) -> Iterator[_Summary]:
    """Yield each window's fields, in order of time."""
    window: Any
    member: Any
    if metric.ranks:
        table = compute(rows)
        items = table.drop(columns="window").to_dict("records")
        pairs = zip(table["window"], items, strict=True)
        for window, ranked in itertools.groupby(pairs, key=itemgetter(0)):
            yield window, None, {"items": [item for _, item in ranked]}
    elif metric.dimension:
        for (window, member), part in rows.groupby(["window", metric.dimension]):
            yield window, {metric.dimension: member}, compute(part)
    else:
        for window, part in rows.groupby("window"):
            yield window, None, compute(part)
