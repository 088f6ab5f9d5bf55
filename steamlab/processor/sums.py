"""The cells of all input partitions together: sums by bucket, and what is closed for good."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TypeAlias

from steamlab.processor.families import Counts

__all__ = ["Cell", "Closed", "Sums"]

Cell: TypeAlias = tuple[int, str, int]  # an input partition, a family, and a bucket of it
Closed: TypeAlias = tuple[int, Counts]  # until when a family is closed, and what it had by then

_NEVER = -(2**62)
_ENDS = "carts_silent"  # its dimension is an instant; when that has passed, which one is no matter


class Sums:
    """Add the cells up: by bucket while they may change, and since the start.

    An input partition's cell replaces what that partition said before. `buckets` are the sums by
    family and bucket; `totals` those of all buckets, of the families that are `counted`; `closed`
    what the totals had from buckets that are gone, and up to which instant buckets are gone.
    """

    def __init__(self, families: Collection[str], counted: Collection[str]) -> None:
        self.buckets: dict[str, dict[int, Counts]] = {name: {} for name in families}
        self.totals: dict[str, Counts] = {name: {} for name in counted}
        self.closed: dict[str, Closed] = {name: (_NEVER, {}) for name in families}
        self._parts: dict[tuple[str, int], dict[int, Counts]] = {}

    def put(self, cell: Cell, counts: Counts) -> bool:
        """Take a partition's cell; say whether that changes anything."""
        partition, name, bucket = cell
        if not counts and (name, bucket) not in self._parts:
            return False
        parts = self._parts.setdefault((name, bucket), {})
        before = parts.get(partition, {})
        parts[partition] = counts
        change = dict(counts)
        for dim, n in before.items():
            change[dim] = change.get(dim, 0) - n
        if not any(change.values()):
            return False
        _add_to(self.buckets[name].setdefault(bucket, {}), change)
        if name in self.totals:
            _add_to(self.totals[name], change)
        return True

    def close(self, name: str, bucket: int) -> Iterator[Cell]:
        """Let a bucket go, what it counted stays in `closed`; yield the cells it was made of."""
        counts = self.buckets[name].pop(bucket)
        if name in self.totals:
            until, before = self.closed[name]
            if name == _ENDS:
                _add_to(self.totals[name], {end: -n for end, n in counts.items()})
                counts = {0: sum(counts.values())}
                _add_to(self.totals[name], counts)
            _add_to(before, counts)
            self.closed[name] = until, before
        for partition in self._parts.pop((name, bucket), ()):
            yield partition, name, bucket

    def close_until(self, name: str, until_ms: int) -> None:
        """Note that all buckets that were settled at an instant are gone."""
        self.closed[name] = until_ms, self.closed[name][1]

    def restore(self, name: str, closed: Closed) -> None:
        """Put back what was closed before; nothing is known of the family yet."""
        self.closed[name] = closed
        if name in self.totals:
            _add_to(self.totals[name], closed[1])


def _add_to(table: Counts, change: Counts) -> None:
    for dim, n in change.items():
        total = table.get(dim, 0) + n
        if total:
            table[dim] = total
        else:
            table.pop(dim, None)
