"""The cells of all input partitions together: sums by bucket, and what is closed for good."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from typing import Any, TypeAlias

from steamlab.processor.families import DAY, FAMILY, HOUR, NEVER_MS, Counts
from steamlab.processor.histogram import Histogram

__all__ = ["Cell", "Closed", "Span", "Sums"]

Cell: TypeAlias = tuple[int, str, int]  # an input partition, a family, and a bucket of it
Span: TypeAlias = tuple[str, int]  # a family, and a day of its buckets, or an hour
Closed: TypeAlias = tuple[int, Counts]  # until when a family is closed, and what a span of it had

_ENDS = "carts_silent"  # its dimension is an instant; when that has passed, which one is no matter
_LENGTHS = "waits"  # its dimension is a number, and nearly each is another
_BY_THE_HOUR = {_LENGTHS, "terms"}  # a day of a large store has too many of these for one record


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
        self._spans: defaultdict[Span, Counts] = defaultdict(dict)
        self._changed: set[Span] = set()
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
        counts, number = self.buckets[name].pop(bucket), 0
        if name in self.totals:
            if name == _ENDS:
                _add_to(self.totals[name], {end: -n for end, n in counts.items()})
                counts = {0: sum(counts.values())}
                _add_to(self.totals[name], counts)
            number = bucket // _span_ms(name)
            _add_to(self._spans[name, number], counts)
            _add_to(self.bases.get(name, {}), counts)
        self._changed.add((name, number))
        for partition in self._parts.pop((name, bucket), ()):
            yield partition, name, bucket

    def close_until(self, name: str, until_ms: int) -> None:
        """Note that all buckets that were settled at an instant are gone."""
        self.until[name] = until_ms

    def closed(self) -> dict[Span, Closed]:
        """Return the spans of which something was closed since the last call, each as a whole.

        Spans are told apart so that what is told stays small, however long the store runs.
        """
        found = {
            (name, number): (self.until[name], dict(self._spans.get((name, number), ())))
            for name, number in self._changed
        }
        self._changed.clear()
        self._drop_whole_spans()
        return found

    def restore(self, closed: Mapping[Span, Closed]) -> None:
        """Put back what was closed before; nothing is known of the families yet."""
        for (name, number), (until, counts) in closed.items():
            self.until[name] = max(self.until[name], until)
            if name in self.totals:
                _add_to(self.totals[name], counts)
                _add_to(self.bases.get(name, {}), counts)
                self._spans[name, number] = dict(counts)
        self._drop_whole_spans()

    def _drop_whole_spans(self) -> None:
        """Forget the spans that have nothing left to be closed: they are told, and in the sums."""
        for name, number in list(self._spans):
            end_ms = (number + 1) * _span_ms(name)
            if FAMILY[name].settled_ms(end_ms) <= self.until[name]:
                del self._spans[name, number]


def _span_ms(name: str) -> int:
    return HOUR if name in _BY_THE_HOUR else DAY


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
