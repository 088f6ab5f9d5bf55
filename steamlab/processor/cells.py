"""Rows become cells: each contribution of a batch is a row (cell, n), and cells are their sums."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from steamlab.decoding.labels import label
from steamlab.processor.facts import Columns, Contribution
from steamlab.processor.families import CODE, FAMILIES, Counts

__all__ = ["Cells", "Games", "Names", "Rows", "settled_ms", "stack", "to_codes"]

_SIZES = np.array([family.size for family in FAMILIES])
_IS_CLOSED_RIGHT = np.array([family.is_closed_right for family in FAMILIES])
_SETTLED = np.array([family.settled_ms(0) for family in FAMILIES])


class Names(dict[Any, int]):
    """Number names in the order in which they are first looked up."""

    def __missing__(self, name: Any) -> int:
        self[name] = code = len(self)
        return code


class Games(Names):
    """Number games; one whose id is very long has the number of its label."""

    def __missing__(self, name: str) -> int:
        known = label(name)
        return super().__missing__(name) if known == name else self[known]


def settled_ms(family: Any, time: Columns) -> Columns:
    """Return when the cell that each time falls into can change no more, if no event is late."""
    settled: Columns = _bucket_numbers(family, time) * _SIZES[family] + _SETTLED[family]
    return settled


def _bucket_numbers(family: Any, time: Columns) -> Columns:
    size = _SIZES[family]
    number: Columns = (time + (size - 1) * _IS_CLOSED_RIGHT[family]) // size
    return number


def stack(parts: Sequence[Sequence[Any]]) -> list[Columns]:
    """Put columns below each other; a part is (number or column, column, number or column ...)."""
    sizes = [len(part[1]) for part in parts]
    return [_stack_one(column, sizes) for column in zip(*parts, strict=True)]


def _stack_one(column: Sequence[Any], sizes: Sequence[int]) -> Columns:
    if all(type(each) is int for each in column):
        return np.repeat(np.array(column, np.int64), sizes)
    return np.concatenate(
        [
            np.full(size, each) if type(each) is int else each
            for each, size in zip(column, sizes, strict=True)
        ]
    )


def to_codes(names: dict[Any, int], column: Sequence[Any]) -> Columns:
    """Return the codes of a column's names."""
    return np.fromiter(map(names.__getitem__, column), np.int64, len(column))


class Rows:
    """Collect a batch's contributions: each row is a family, a time, a dimension, and n.

    Dimensions are codes of this batch; `games` are coded for good by their owner. What is the same
    in all rows that come together may be given as one number. Rows of other families than `wanted`
    are left out.
    """

    def __init__(self, games: Names, wanted: Collection[str]) -> None:
        self._games, self._wanted = games, {CODE[name] for name in wanted}
        self._names = Names()
        self._parts: list[Sequence[Any]] = []
        self._facts: dict[int, list[Contribution]] = {+1: [], -1: []}
        self._large: list[tuple[str, int, Counts]] = []

    def wants(self, name: str) -> bool:
        """Say whether a family's rows are of any use."""
        return CODE[name] in self._wanted

    def add(self, name: str, time: Columns, dim: Any = None, n: Any = 1) -> None:
        """Add a row for each time; without `dim` it has no dimension."""
        family = CODE[name]
        if len(time) and family in self._wanted:
            self._append(family, time, self.name("") if dim is None else dim, n)

    def games(self, codes: Columns) -> Columns:
        """Return game codes as a column of dimensions."""
        return codes * 2

    def name(self, name: Any) -> int:
        """Return any other name as a dimension."""
        return self._names[name] * 2 + 1

    def names(self, column: Sequence[Any]) -> Columns:
        """Return any other names as a column of dimensions."""
        return to_codes(self._names, column) * 2 + 1

    def add_counted(self, family: Columns, time: Columns, dim: Columns, n: Columns) -> None:
        """Add rows of families that are wanted, by their codes."""
        if len(time):
            self._append(family, time, dim, n)

    def add_large(self, family: int, time: int, dim: int, n: int) -> None:
        """Add an amount that a column has no room for."""
        of = FAMILIES[family]
        self._large.append((of.name, of.bucket(time), {self._dims([dim])[0]: n}))

    def extend(self, cells: Iterable[Contribution], sign: int) -> None:
        """Add contributions of facts, or take them back where the sign is -1."""
        self._facts[sign] += [each for each in cells if each[0] in self._wanted]

    def sums(self) -> Iterator[tuple[str, int, Counts]]:
        """Yield the sums of each family and bucket by dimension, without those that cancel."""
        self._append_facts()
        if self._parts:
            yield from self._split(*self._summed())
        yield from self._large

    def _append_facts(self) -> None:
        added, taken = self._facts[+1], self._facts[-1]
        if added or taken:
            family, time, names = zip(*added, *taken, strict=True)
            sign = np.repeat([+1, -1], [len(added), len(taken)])
            self._append(np.array(family), np.array(time), self.names(names), sign)

    def _append(self, family: Any, time: Columns, dim: Any, n: Any) -> None:
        self._parts.append((family, time, dim, n))

    def _summed(self) -> tuple[Columns, Columns]:
        """Return cells and their sums, in order.

        A cell is one integer: the number of its bucket, then 6 bits of family and 24 of dimension.
        """
        family, time, dim, n = stack(self._parts)
        cell = ((_bucket_numbers(family, time) * 64 + family) << 24) + dim
        place, cells = pd.factorize(cell, sort=True)
        sums = np.zeros(len(cells), np.int64)
        np.add.at(sums, place, n)
        return cells[sums != 0], sums[sums != 0]

    def _split(self, cell: Columns, n: Columns) -> Iterator[tuple[str, int, Counts]]:
        place = cell >> 24
        starts = np.flatnonzero(np.diff(place, prepend=-1))
        dims, counts = self._dims((cell & 0xFFFFFF).tolist()), n.tolist()
        bounds = [*starts.tolist(), len(counts)]
        for each, low, high in zip(place[starts].tolist(), bounds, bounds[1:], strict=False):
            number, code = divmod(each, 64)
            family = FAMILIES[code]
            summed = dict(zip(dims[low:high], counts[low:high], strict=True))
            yield family.name, number * family.size, summed

    def _dims(self, codes: list[int]) -> list[Any]:
        games, names = list(self._games), list(self._names)
        return [names[code >> 1] if code & 1 else games[code >> 1] for code in codes]


class Cells:
    """All cells of a partition that are not final yet, a bucket of a family together."""

    def __init__(self) -> None:
        self.counts: dict[tuple[str, int], Counts] = {}

    def merge(
        self, sums: Iterable[tuple[str, int, Counts]], is_final: Any, late: Counter[str]
    ) -> list[tuple[str, int]]:
        """Add sums to the cells and return which changed; what is final only counts late."""
        changed = []
        for name, bucket, added in sums:
            if is_final(name, bucket):
                late[name] += sum(map(abs, added.values()))
                continue
            counts = self.counts.setdefault((name, bucket), {})
            for dim, n in added.items():
                total = counts.get(dim, 0) + n
                if total:
                    counts[dim] = total
                else:
                    counts.pop(dim, None)
            changed.append((name, bucket))
        return changed

    def forget(self, is_final: Any) -> None:
        """Drop the cells that are final."""
        for key in [key for key in self.counts if is_final(*key)]:
            del self.counts[key]
