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
from collections.abc import Iterable, Mapping, Sequence

from steamlab.processor.chapters import CHAPTERS, Chapter
from steamlab.processor.clocks import Clocks
from steamlab.processor.families import FAMILY, GRACE_MS, NEVER_MS, Counts
from steamlab.processor.finals import marks
from steamlab.processor.published import Published
from steamlab.processor.rankings import Ranking, rank, rank_windows, runs
from steamlab.processor.records import (
    Record,
    Window,
    bounds,
    make_record,
    metric_records,
    window_of,
)
from steamlab.processor.sums import Cell, Closed, Span, Sums

__all__ = ["SecondStage"]


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
        self.late: Counter[str] = Counter()
        self._metrics = [metric for chapter in chapters for metric in chapter.published]
        self._rankings = [ranking for chapter in chapters for ranking in chapter.rankings]
        self._families = [FAMILY[name] for chapter in chapters for name in chapter.families]
        levels = [each.families[-1] for each in self._rankings if each.is_level]
        self._sums = Sums([family.name for family in self._families], self._counted(), levels)
        self._clocks = Clocks(partitions=partitions, grace_ms=grace_ms)
        self._touched: defaultdict[str, set[int]] = defaultdict(set)
        self._open: dict[Window, dict[str, Record]] = {}  # published, not final
        self._totals: dict[str, Record] = {}  # as they were published
        self._before: dict[str, Record | None] | None = None  # None: final; as of a restart
        self._gone: list[Cell] = []
        self._shown_ms = NEVER_MS
        self._postponed: defaultdict[str, set[int]] = defaultdict(set)

    def _counted(self) -> set[str]:
        """Return the families that have records since the start, or a level that lasts."""
        metrics = [metric.families for metric in self._metrics if metric.total]
        lists = [each.families for each in self._rankings if each.has_total or each.is_level]
        return {name for names in (*metrics, *lists) for name in names}

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
                family = FAMILY[name]
                is_final = self._clocks.is_final(family.topics, family.settled_ms(bucket))
                if is_final and self._before is None:  # after a restart, nothing has been shown yet
                    self.late[name] += 1
                else:
                    self._touched[name].add(bucket)
        self._clocks.tell(partition, clocks, is_idle=is_idle)

    def restore(
        self, closed: Mapping[Span, Closed], published: Mapping[str, Record | None]
    ) -> None:
        """Put back what was closed, and what was published; then update with all cells there are.

        Of what was final it is enough to know that it was: None stands for such a record. The first
        changes after that are what a crash kept from being published.
        """
        self._sums.restore(closed)
        self._before = dict(published)
        for key, record in published.items():
            if record is None or record["final"]:
                self._before[key] = None
            elif record["windowEnd"] is None:
                self._totals[key] = record
            else:
                self._open.setdefault(window_of(record), {})[key] = record

        metrics: list[Published | Ranking] = [*self._metrics, *self._rankings]
        final = [key for key, record in self._before.items() if record is None]
        for topics, reached_ms in marks(final, metrics, self._clocks.grace_ms):
            self._clocks.recall(topics, reached_ms)

    def closed(self) -> tuple[list[Cell], dict[Span, Closed]]:
        """Return the cells that the last changes let go, and the spans that they belong to."""
        gone, self._gone = self._gone, []
        return gone, self._sums.closed()

    @property
    def has_postponed(self) -> bool:
        """Whether there are windows that the next full changes will tell."""
        return any(self._postponed.values())

    def changes(self, *, is_behind: bool = False) -> dict[str, Record | None]:
        """Return the records that changed since the last call, by key; None: there is none more.

        Who is behind and has more cells to take need not make a window again and again: of each
        metric only the newest window is made, and those that are final. The rest is postponed.
        """
        now = self._clocks.now_ms
        if now == NEVER_MS:
            return {}
        # What a restart has to make good for is told at once, or it could be told twice.
        is_behind = is_behind and self._before is None
        found: dict[str, Record | None] = {}
        for metric in self._metrics:
            stale = self._stale(metric, now) | self._postponed.pop(metric.name, set())
            found |= self._windows(metric, self._due(metric, stale, is_behind=is_behind))
        for ranking in self._rankings:
            stale = self._stale_lists(ranking, now) | self._postponed.pop(ranking.name, set())
            found |= self._lists(ranking, self._due(ranking, stale, is_behind=is_behind))
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
            if key not in before or (before[key] is not None and record != before[key])
        }

    def _due(self, metric: Published | Ranking, stale: set[int], *, is_behind: bool) -> list[int]:
        """Return the windows that are made now, in order; the others are postponed."""
        if is_behind:
            newest = max(stale, default=NEVER_MS)
            for window in stale:
                if window != newest and not self._is_settled(metric, window):
                    self._postponed[metric.name].add(window)
            stale = stale - self._postponed[metric.name]
        return sorted(stale)

    def _stale(self, metric: Published, now: int) -> set[int]:
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
        return stale

    def _is_settled(self, metric: Published | Ranking, window: int) -> bool:
        return self._clocks.is_final(metric.topics, metric.settled_ms(window))

    def _is_closed(self, name: str, bucket: int) -> bool:
        return bool(FAMILY[name].settled_ms(bucket) <= self._sums.until[name])

    def _windows(self, metric: Published, windows: Iterable[int]) -> dict[str, Record | None]:
        found: dict[str, Record | None] = {}
        now = self._clocks.now_ms
        for window in windows:
            tables = {name: self._sums.buckets[name].get(window, {}) for name in metric.families}
            is_final = self._is_settled(metric, window)
            start = window - metric.size if metric.is_rolling else window
            span = bounds(start, metric.size)
            records = {
                key: record | {"final": is_final}
                for key, record in metric_records(metric, tables, span, metric.values, now)
            }
            found |= self._replace((metric.name, window), records, is_final=is_final)
        return found

    def _replace(
        self, window: Window, records: dict[str, Record], *, is_final: bool
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

    def _stale_lists(self, ranking: Ranking, now: int) -> set[int]:
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
            if name == ranking.name and (
                self._before is not None or self._is_settled(ranking, end)
            ):
                ends.add(end)
        return {end for end in ends if end <= last}

    def _lists(self, ranking: Ranking, ends: list[int]) -> dict[str, Record | None]:
        cells = [self._sums.buckets[name] for name in ranking.families]
        base = self._sums.bases.get(ranking.families[-1], {})
        found: dict[str, Record | None] = {}
        for run in runs(ends, ranking.size):
            lists = rank_windows(ranking, run, cells, base)
            for end in run:
                is_final = self._is_settled(ranking, end)
                records = {}
                if lists.get(end):
                    span = bounds(end - ranking.size, ranking.size)
                    key, record = make_record(ranking.name, span, None, {"items": lists[end]})
                    records[key] = record | {"final": is_final}
                found |= self._replace((ranking.name, end), records, is_final=is_final)
        return found

    def _all(self) -> dict[str, Record | None]:
        """Make the records since the start, and return those that changed: they are never final."""
        made: dict[str, Record] = {}
        totals, now = self._sums.totals, self._clocks.now_ms
        for metric in self._metrics:
            if metric.total:
                made |= metric_records(metric, totals, (None, None), metric.total, now)
        for ranking in self._rankings:
            first, *rest = (totals.get(name, {}) for name in ranking.families)
            items = rank(ranking, first, rest[0] if rest else {}) if ranking.has_total else []
            if items:
                made |= [make_record(ranking.name, (None, None), None, {"items": items})]
        found = {key: record | {"final": False} for key, record in made.items()}
        gone = dict.fromkeys(self._totals.keys() - found.keys())
        changed = {key: each for key, each in found.items() if each != self._totals.get(key)}
        self._totals = found
        return gone | changed

    def _forget(self) -> None:
        """Let the buckets go that no window that may change still needs."""
        reach = {name: each.size for each in self._rankings for name in each.families}
        for family in self._families:
            until = (
                self._clocks.slowest(family.topics)
                - self._clocks.grace_ms
                - reach.get(family.name, 0)
            )
            buckets = self._sums.buckets[family.name]
            gone = [bucket for bucket in buckets if family.settled_ms(bucket) <= until]
            for bucket in gone:
                self._gone += self._sums.close(family.name, bucket)
            if gone:
                self._sums.close_until(family.name, until)
