"""The cells of all input partitions together: sums by bucket, and what is closed for good."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from typing import Any, TypeAlias

from steamlab.processor.families import DAY, FAMILY, NEVER_MS, Counts
from steamlab.processor.histogram import Histogram

__all__ = ["Cell", "Closed", "Day", "Sums"]

Cell: TypeAlias = tuple[int, str, int]  # an input partition, a family, and a bucket of it
Day: TypeAlias = tuple[str, int]  # a family, and a day of its buckets
Closed: TypeAlias = tuple[int, Counts]  # until when a family is closed, and what a day of it had

_ENDS = "carts_silent"  # its dimension is an instant; when that has passed, which one is no matter
_LENGTHS = "waits"  # its dimension is a number, and nearly each is another


class Sums:
    """Add the cells up: by bucket while they may change, and since the start.

    An input partition's cell replaces what that partition said before. `buckets` are the sums by
    family and bucket; `totals` those of all buckets, of the families that are `counted`; `bases`
    what buckets that are gone add to the families that are `levels`; `until` up to which instant
    each family's buckets are gone.
    """

    def __init__(
        self, families: Collection[str], counted: Collection[str], levels: Collection[str]
    ) -> None:
        self.buckets: dict[str, dict[int, Counts]] = {name: {} for name in families}
        self.totals: dict[str, Any] = {
            name: Histogram() if name == _LENGTHS else {} for name in counted
        }
        self.bases: dict[str, Counts] = {name: {} for name in levels}
        self.until = dict.fromkeys(families, NEVER_MS)
        self._days: defaultdict[Day, Counts] = defaultdict(dict)
        self._changed: set[Day] = set()
        self._parts: dict[tuple[str, int], dict[int, Counts]] = {}

    def put(self, cell: Cell, counts: Counts) -> bool:
        """Take a partition's cell; say whether that changes anything."""
        partition, name, bucket = cell
        if not counts and (name, bucket) not in self._parts:
            return False
        parts = self._parts.setdefault((name, bucket), {})
        before = parts.get(partition)
        parts[partition] = counts
        change = _less(counts, before) if before else counts
        if not change:
            return False
        _add_to(self.buckets[name].setdefault(bucket, {}), change)
        if name in self.totals:
            _add_to(self.totals[name], change)
        return True

    def close(self, name: str, bucket: int) -> Iterator[Cell]:
        """Let a bucket go, what it counted stays; yield the cells it was made of."""
        counts, day = self.buckets[name].pop(bucket), 0
        if name in self.totals:
            if name == _ENDS:
                _add_to(self.totals[name], {end: -n for end, n in counts.items()})
                counts = {0: sum(counts.values())}
                _add_to(self.totals[name], counts)
            day = bucket // DAY
            _add_to(self._days[name, day], counts)
            _add_to(self.bases.get(name, {}), counts)
        self._changed.add((name, day))
        for partition in self._parts.pop((name, bucket), ()):
            yield partition, name, bucket

    def close_until(self, name: str, until_ms: int) -> None:
        """Note that all buckets that were settled at an instant are gone."""
        self.until[name] = until_ms

    def closed(self) -> dict[Day, Closed]:
        """Return the days of which something was closed since the last call, each as a whole.

        Days are told apart so that what is told stays small, however long the store runs.
        """
        found = {
            (name, day): (self.until[name], dict(self._days.get((name, day), ())))
            for name, day in self._changed
        }
        self._changed.clear()
        self._drop_whole_days()
        return found

    def restore(self, closed: Mapping[Day, Closed]) -> None:
        """Put back what was closed before; nothing is known of the families yet."""
        for (name, day), (until, counts) in closed.items():
            self.until[name] = max(self.until[name], until)
            if name in self.totals:
                _add_to(self.totals[name], counts)
                _add_to(self.bases.get(name, {}), counts)
                self._days[name, day] = dict(counts)
        self._drop_whole_days()

    def _drop_whole_days(self) -> None:
        """Forget the days of which nothing is left to be closed: they are told, and in the sums."""
        for name, day in list(self._days):
            if FAMILY[name].settled_ms((day + 1) * DAY) <= self.until[name]:
                del self._days[name, day]


def _less(counts: Counts, before: Counts) -> Counts:
    change = dict(counts)
    for dim, n in before.items():
        change[dim] = change.get(dim, 0) - n
    return {dim: n for dim, n in change.items() if n}


def _add_to(table: Any, change: Counts) -> None:
    if isinstance(table, Histogram):
        table.change(change)
        return
    if not table:
        table.update(change)
        return
    for dim, n in change.items():
        total = table.get(dim, 0) + n
        if total:
            table[dim] = total
        else:
            table.pop(dim, None)
