"""The second stage: partial cells of all partitions become the records of `analytics.metrics`.

    stage = SecondStage()
    stage.update(partition, output.cells, output.clocks)
    stage.changes()

A partition's cells are its own sums, so a repeated update is harmless; ratios, medians and top
lists are only made here, of the sums over all partitions. Nothing is final before all partitions
have told how far they are.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

from steamlab.processor.cells import Counts
from steamlab.processor.chapters import CHAPTERS, Chapter
from steamlab.processor.families import FAMILY, GRACE_MS, NEVER_MS, watermark
from steamlab.processor.published import Look, Published, Values
from steamlab.processor.rankings import Ranking, rank, rank_windows
from steamlab.processor.sums import Cell, Closed, Sums

__all__ = ["Record", "SecondStage"]

Record: TypeAlias = dict[str, Any]
_Window: TypeAlias = tuple[str, int]  # a metric, and the name of a bucket

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class SecondStage:
    """Sum the partitions' cells, and say which records changed.

    `late` counts by family what came for cells that were final: it is not in any record.
    """

    def __init__(
        self,
        *,
        partitions: int = 1,
        grace_ms: int = GRACE_MS,
        chapters: Sequence[Chapter] = CHAPTERS,
    ) -> None:
        self.grace_ms = grace_ms
        self.late: Counter[str] = Counter()
        self._metrics = [metric for chapter in chapters for metric in chapter.published]
        self._rankings = [ranking for chapter in chapters for ranking in chapter.rankings]
        self._families = [FAMILY[name] for chapter in chapters for name in chapter.families]
        self._sums = Sums([family.name for family in self._families], self._counted())
        self._clocks: dict[int, Mapping[str, int]] = {number: {} for number in range(partitions)}
        self._idle: set[int] = set()
        self._marks: dict[tuple[str, ...], int] = {}  # of these clocks, by topics
        self._touched: defaultdict[str, set[int]] = defaultdict(set)
        self._open: dict[_Window, dict[str, Record]] = {}  # published, not final
        self._totals: dict[str, Record] = {}  # as they were published
        self._before: dict[str, Record] | None = None  # what was published before a restart
        self._gone: list[Cell] = []
        self._shown_ms = NEVER_MS

    def _counted(self) -> set[str]:
        """Return the families that have records since the start, or a level that lasts."""
        metrics = [metric.families for metric in self._metrics if metric.total]
        lists = [each.families for each in self._rankings if each.has_total or each.is_level]
        return {name for names in (*metrics, *lists) for name in names}

    @property
    def now_ms(self) -> int:
        """The newest time that any partition has seen."""
        times = (time for clocks in self._clocks.values() for time in clocks.values())
        return max(times, default=NEVER_MS)

    def update(
        self,
        partition: int,
        cells: Mapping[tuple[str, int], Counts],
        clocks: Mapping[str, int],
        *,
        is_idle: bool = False,
    ) -> None:
        """Take a partition's changed cells, and how far its topics have come.

        A partition all of whose topics are idle does not hold the others back.
        """
        for (name, bucket), counts in cells.items():
            cell = (partition, name, bucket)
            if self._is_closed(name, bucket):  # it may never be told again: it must not stay
                self._gone.append(cell)
                self.late[name] += 1
            elif self._sums.put(cell, counts):
                is_final = self._is_final(FAMILY[name].topics, FAMILY[name].settled_ms(bucket))
                if is_final and self._before is None:  # after a restart, nothing has been shown yet
                    self.late[name] += 1
                else:
                    self._touched[name].add(bucket)
        self._clocks[partition] = clocks
        self._marks.clear()
        (self._idle.add if is_idle else self._idle.discard)(partition)

    def restore(self, closed: Mapping[str, Closed], published: Mapping[str, Record]) -> None:
        """Put back what was closed, and what was published; then update with all cells there are.

        The first changes after that are what a crash kept from being published.
        """
        for name, each in closed.items():
            self._sums.restore(name, each)
        self._before = dict(published)
        for key, record in published.items():
            if record["windowEnd"] is None:
                self._totals[key] = record
            elif not record["final"]:
                self._open.setdefault(self._window_of(record), {})[key] = record

    def _window_of(self, record: Record) -> _Window:
        rolling = {each.name for each in self._metrics if each.is_rolling}
        rolling |= {each.name for each in self._rankings}
        name = record["metric"]
        bound = record["windowEnd" if name in rolling else "windowStart"]
        moment = datetime.fromisoformat(bound) - _EPOCH
        return name, moment // timedelta(milliseconds=1)

    def closed(self) -> tuple[list[Cell], dict[str, Closed]]:
        """Return the cells that the last changes let go, and by family what is closed now."""
        names = {name for _, name, _ in self._gone}
        gone, self._gone = self._gone, []
        return gone, {name: self._sums.closed[name] for name in names}

    def changes(self) -> dict[str, Record | None]:
        """Return the records that changed since the last call, by key; None: there is none more."""
        now = self.now_ms
        if now == NEVER_MS:
            return {}
        found: dict[str, Record | None] = {}
        for metric in self._metrics:
            found |= self._windows(metric, self._stale(metric, now))
        for ranking in self._rankings:
            found |= self._lists(ranking, self._stale_lists(ranking, now))
        found |= self._all()
        self._touched.clear()
        self._shown_ms = now
        self._forget()
        return self._new(found)

    def _new(self, found: dict[str, Record | None]) -> dict[str, Record | None]:
        """After a restart, leave out what is published already, and what was final by then."""
        before, self._before = self._before, None
        if before is None:
            return found
        return {
            key: record
            for key, record in found.items()
            if record != before.get(key) and not before.get(key, {}).get("final")
        }

    def _stale(self, metric: Published, now: int) -> list[int]:
        """Return the windows whose records may have changed, or become final."""
        stale = set().union(*(self._touched[name] for name in metric.families))
        if "carts_silent" in metric.families:  # some carts fall silent while others shop
            hours = self._sums.buckets["carts_silent"]
            stale |= {hour for hour in hours if self._shown_ms - metric.size < hour <= now}
        for name, window in self._open:
            if name == metric.name and (
                self._before is not None or self._is_settled(metric, window)
            ):
                stale.add(window)
        return sorted(stale)

    def _is_settled(self, metric: Published, window: int) -> bool:
        end = window if metric.is_rolling else window + metric.size
        return self._is_final(metric.topics, end + metric.horizon)

    def _is_final(self, topics: tuple[str, ...], settled_ms: int) -> bool:
        return self._slowest(topics) >= settled_ms + self.grace_ms

    def _slowest(self, topics: tuple[str, ...]) -> int:
        """Return the slowest partition's watermark; if all are idle, the newest."""
        if topics not in self._marks:
            marks = {number: watermark(each, topics) for number, each in self._clocks.items()}
            awake = [mark for number, mark in marks.items() if number not in self._idle]
            self._marks[topics] = min(awake) if awake else max(marks.values())
        return self._marks[topics]

    def _is_closed(self, name: str, bucket: int) -> bool:
        until, _ = self._sums.closed[name]
        return bool(FAMILY[name].settled_ms(bucket) <= until)

    def _windows(self, metric: Published, windows: Iterable[int]) -> dict[str, Record | None]:
        found: dict[str, Record | None] = {}
        for window in windows:
            tables = {name: self._sums.buckets[name].get(window, {}) for name in metric.families}
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
        """Note what is published of a window, and return what of it is new.

        What was published, and is not there any more, is deleted.
        """
        before = self._open.pop(window, {})
        if records and not is_final:
            self._open[window] = records
        if not before:
            return dict(records)
        changed = {key: each for key, each in records.items() if each != before.get(key)}
        return dict.fromkeys(before.keys() - records.keys()) | changed

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
        for bucket in self._sums.buckets[ranking.families[0]]:
            if self._shown_ms > NEVER_MS and bucket + size > begin:
                ends.update(range(max(bucket, begin), bucket + size, every))
        for name, end in self._open:
            is_final = self._is_final((ranking.topic,), end)
            if name == ranking.name and (self._before is not None or is_final):
                ends.add(end)
        return sorted(end for end in ends if end <= last)

    def _lists(self, ranking: Ranking, ends: list[int]) -> dict[str, Record | None]:
        cells = [self._sums.buckets[name] for name in ranking.families]
        base = self._sums.closed[ranking.families[-1]][1] if ranking.is_level else {}
        found: dict[str, Record | None] = {}
        for run in _runs(ends, ranking.size):
            lists = rank_windows(ranking, run, cells, base)
            for end in run:
                is_final = self._is_final((ranking.topic,), end)
                bounds = (_instant(end - ranking.size), _instant(end))
                records = {}
                if lists.get(end):
                    key, record = _record(ranking.name, bounds, None, {"items": lists[end]})
                    records[key] = record | {"final": is_final}
                found |= self._replace((ranking.name, end), records, is_final=is_final)
        return found

    def _all(self) -> dict[str, Record | None]:
        """Make the records since the start, and return those that changed: they are never final."""
        made: dict[str, Record] = {}
        totals = self._sums.totals
        for metric in self._metrics:
            if metric.total:
                made |= self._records(metric, totals, (None, None), metric.total)
        for ranking in self._rankings:
            first, *rest = (totals.get(name, {}) for name in ranking.families)
            items = rank(ranking, first, rest[0] if rest else {}) if ranking.has_total else []
            if items:
                made |= [_record(ranking.name, (None, None), None, {"items": items})]
        found = {key: record | {"final": False} for key, record in made.items()}
        gone = dict.fromkeys(self._totals.keys() - found.keys())
        changed = {key: each for key, each in found.items() if each != self._totals.get(key)}
        self._totals = found
        return gone | changed

    def _forget(self) -> None:
        """Let the buckets go that no window that may change still needs."""
        reach = {name: each.size for each in self._rankings for name in each.families}
        for family in self._families:
            until = self._slowest(family.topics) - self.grace_ms - reach.get(family.name, 0)
            buckets = self._sums.buckets[family.name]
            gone = [bucket for bucket in buckets if family.settled_ms(bucket) <= until]
            for bucket in gone:
                self._gone += self._sums.close(family.name, bucket)
            if gone:
                self._sums.close_until(family.name, until)


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
