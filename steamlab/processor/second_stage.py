"""The second stage: partial cells of all partitions become the records of `analytics.metrics`.

    stage = SecondStage()
    stage.update(partition, output.cells, output.clocks)
    stage.changes()

A partition's cells are its own sums, so a repeated update is harmless; ratios, medians and top
lists are only made here, of the sums over all partitions. Nothing is final before all partitions
have told how far they are.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

from steamlab.processor.cells import Counts
from steamlab.processor.families import FAMILIES, FAMILY, GRACE_MS, NEVER_MS, watermark
from steamlab.processor.published import PUBLISHED, Look, Published, Values
from steamlab.processor.rankings import RANKINGS, Ranking, rank, rank_windows

__all__ = ["Record", "SecondStage"]

Record: TypeAlias = dict[str, Any]
_Window: TypeAlias = tuple[str, int]  # a metric, and the name of a bucket

_COUNTED = {  # what has records since the start
    *(name for metric in PUBLISHED if metric.total for name in metric.families),
    *(name for ranking in RANKINGS if ranking.has_total for name in ranking.families),
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class SecondStage:
    """Sum the partitions' cells, and say which records changed."""

    def __init__(self, *, partitions: int = 1, grace_ms: int = GRACE_MS) -> None:
        self.grace_ms = grace_ms
        self._parts: dict[tuple[int, str, int], Counts] = {}
        self._sums: dict[str, dict[int, Counts]] = {family.name: {} for family in FAMILIES}
        self._totals: dict[str, Counts] = {family.name: {} for family in FAMILIES}
        self._gone: Counts = {}  # viewers of buckets that are forgotten
        self._clocks: dict[int, Mapping[str, int]] = {number: {} for number in range(partitions)}
        self._touched: defaultdict[str, set[int]] = defaultdict(set)
        self._open: dict[_Window, set[str]] = {}  # published, not final: the keys of the records
        self._open_totals: set[str] = set()
        self._shown_ms = NEVER_MS

    @property
    def now_ms(self) -> int:
        """The newest time that any partition has seen."""
        times = (time for clocks in self._clocks.values() for time in clocks.values())
        return max(times, default=NEVER_MS)

    def update(
        self,
        partition: int,
        cells: Mapping[tuple[str, int], Counts | None],
        clocks: Mapping[str, int],
    ) -> None:
        """Take a partition's changed cells, and how far its topics have come."""
        for (name, bucket), counts in cells.items():
            key = (partition, name, bucket)
            if counts is None:  # final: what was summed stays
                self._parts.pop(key, None)
            elif not self._is_final(FAMILY[name].topics, FAMILY[name].settled_ms(bucket)):
                self._add(name, bucket, counts, self._parts.get(key, {}))
                self._parts[key] = counts
        self._clocks[partition] = clocks

    def _add(self, name: str, bucket: int, counts: Counts, before: Counts) -> None:
        change = counts
        if before:
            change = {dim: n - before.get(dim, 0) for dim, n in counts.items()}
            change |= {dim: -before[dim] for dim in before.keys() - counts.keys()}
        if any(change.values()):
            self._touched[name].add(bucket)
            _add_to(self._sums[name].setdefault(bucket, {}), change)
            if name in _COUNTED:
                _add_to(self._totals[name], change)

    def changes(self) -> dict[str, Record | None]:
        """Return the records that changed since the last call, by key; None: there is none more."""
        now = self.now_ms
        if now == NEVER_MS:
            return {}
        found: dict[str, Record | None] = {}
        for published in PUBLISHED:
            found |= self._windows(published, self._stale(published, now))
        for ranking in RANKINGS:
            found |= self._lists(ranking, self._stale_lists(ranking, now), now)
        found |= self._all(now)
        self._touched.clear()
        self._shown_ms = now
        self._forget()
        return found

    def _stale(self, metric: Published, now: int) -> list[int]:
        """Return the windows whose records may have changed, or become final."""
        stale = set().union(*(self._touched[name] for name in metric.families))
        if "carts_silent" in metric.families:  # some carts fall silent while others shop
            hours = self._sums["carts_silent"]
            stale |= {hour for hour in hours if self._shown_ms - metric.size < hour <= now}
        for name, window in self._open:
            if name == metric.name and self._is_settled(metric, window):
                stale.add(window)
        return sorted(stale)

    def _is_settled(self, metric: Published, window: int) -> bool:
        end = window if metric.is_rolling else window + metric.size
        return self._is_final(metric.topics, end + metric.horizon)

    def _is_final(self, topics: tuple[str, ...], settled_ms: int) -> bool:
        slowest = min(watermark(clocks, topics) for clocks in self._clocks.values())
        return slowest >= settled_ms + self.grace_ms

    def _windows(self, metric: Published, windows: Iterable[int]) -> dict[str, Record | None]:
        found: dict[str, Record | None] = {}
        for window in windows:
            tables = {name: self._sums[name].get(window, {}) for name in metric.families}
            is_final = self._is_settled(metric, window)
            start = window - metric.size if metric.is_rolling else window
            bounds = (_instant(start), _instant(start + metric.size))
            records = {
                key: record | {"final": is_final}
                for key, record in self._records(metric, tables, bounds, metric.values)
            }
            found |= self._replace((metric.name, window), records, is_final=is_final)
        return found

    def _records(
        self, metric: Published, tables: Mapping[str, Counts], bounds: Any, values: Any
    ) -> Iterator[tuple[str, Record]]:
        members: Iterable[Any] = [""]
        if metric.dimension:
            members = sorted(set().union(*(tables[name] for name in metric.families)))
        for member in members:
            chosen = tables
            if metric.dimension:
                chosen = {
                    name: {member: each[member]} if member in each else {}
                    for name, each in tables.items()
                }
            made = values(Look(chosen.__getitem__, self.now_ms))
            if made is not None:
                dimension = {metric.dimension: member} if metric.dimension else None
                yield _record(metric.name, bounds, dimension, made)

    def _replace(
        self, window: _Window, records: dict[str, Record], *, is_final: bool
    ) -> dict[str, Record | None]:
        """Note what is published of a window; what was, and is not any more, is deleted."""
        before = self._open.pop(window, set())
        if records and not is_final:
            self._open[window] = set(records)
        return dict.fromkeys(before - records.keys()) | records

    def _stale_lists(self, ranking: Ranking, now: int) -> list[int]:
        """Return the ends of windows that hold changed cells, or are new, or become final."""
        every, size = ranking.every, ranking.size
        last = -(-now // every) * every
        ends: set[int] = set()
        for name in ranking.families:
            if not (ranking.is_level and name == ranking.families[1]):
                for bucket in self._touched[name]:
                    ends.update(range(bucket, bucket + size, every))
        begin = -(-self._shown_ms // every) * every + every  # windows that time has opened
        for bucket in self._sums[ranking.families[0]]:
            if self._shown_ms > NEVER_MS and bucket + size > begin:
                ends.update(range(max(bucket, begin), bucket + size, every))
        for name, end in self._open:
            if name == ranking.name and self._is_final((ranking.topic,), end):
                ends.add(end)
        return sorted(end for end in ends if end <= last)

    def _lists(self, ranking: Ranking, ends: list[int], now: int) -> dict[str, Record | None]:
        cells = [self._sums[name] for name in ranking.families]
        found: dict[str, Record | None] = {}
        for run in _runs(ends, ranking.size):
            lists = rank_windows(ranking, run, cells, self._gone)
            for end in run:
                is_final = self._is_final((ranking.topic,), end)
                bounds = (_instant(end - ranking.size), _instant(end))
                records = {}
                if lists.get(end):
                    key, record = _record(ranking.name, bounds, None, {"items": lists[end]})
                    records[key] = record | {"final": is_final}
                found |= self._replace((ranking.name, end), records, is_final=is_final)
        return found

    def _all(self, now: int) -> dict[str, Record | None]:
        """Make the records since the start: they are never final."""
        made: dict[str, Record] = {}
        for metric in PUBLISHED:
            if metric.total:
                made |= self._records(metric, self._totals, (None, None), metric.total)
        for ranking in RANKINGS:
            first, *rest = (self._totals[name] for name in ranking.families)
            items = rank(ranking, first, rest[0] if rest else {}) if ranking.has_total else []
            if items:
                made |= [_record(ranking.name, (None, None), None, {"items": items})]
        found = {key: record | {"final": False} for key, record in made.items()}
        gone = dict.fromkeys(self._open_totals - found.keys())
        self._open_totals = set(found)
        return gone | found

    def _forget(self) -> None:
        """Drop the buckets that no window that may change still needs."""
        reach = {ranking.families[0]: ranking.size for ranking in RANKINGS}
        reach |= {name: ranking.size for ranking in RANKINGS for name in ranking.families}
        for family in FAMILIES:
            buckets = self._sums[family.name]
            late = reach.get(family.name, 0)
            for bucket in [
                each
                for each in buckets
                if self._is_final(family.topics, family.settled_ms(each) + late)
            ]:
                counts = buckets.pop(bucket)
                if family.name == "viewers":
                    for dim, n in counts.items():
                        self._gone[dim] = self._gone.get(dim, 0) + n


def _add_to(table: Counts, change: Counts) -> None:
    for dim, n in change.items():
        total = table.get(dim, 0) + n
        if total:
            table[dim] = total
        else:
            table.pop(dim, None)


def _record(name: str, bounds: Any, dimension: Any, values: Values) -> tuple[str, Record]:
    start, end = bounds
    member = next(iter(dimension.values())) if dimension else ""
    fields = {"metric": name, "windowStart": start, "windowEnd": end, "dimension": dimension}
    return f"{name}|{start or ''}|{member}", fields | values


def _runs(ends: list[int], gap: int) -> Iterator[list[int]]:
    """Part the ends where nothing joins them."""
    run: list[int] = []
    for end in ends:
        if run and end - run[-1] > gap:
            yield run
            run = []
        run.append(end)
    if run:
        yield run


def _instant(time_ms: int) -> str:
    moment = _EPOCH + timedelta(milliseconds=time_ms)
    return moment.isoformat(timespec="seconds" if time_ms % 1000 == 0 else "milliseconds").replace(
        "+00:00", "Z"
    )
