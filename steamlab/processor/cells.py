"""Rows become cells: each contribution of a batch is a row (cell, n), one groupby sums them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from steamlab.processor.facts import Columns, Contribution
from steamlab.processor.families import CODE, FAMILIES

__all__ = ["Cells", "Counts", "Names", "Rows", "to_codes"]

Counts: TypeAlias = dict[Any, int]
"""The numbers of one bucket of a family, by dimension."""

_SIZES = np.array([family.size for family in FAMILIES])
_IS_CLOSED_RIGHT = np.array([family.is_closed_right for family in FAMILIES])
_EXACT = 2**52  # larger amounts are added one by one


class Names(dict[Any, int]):
    """Number names in the order in which they are first looked up."""

    def __missing__(self, name: Any) -> int:
        self[name] = code = len(self)
        return code


def to_codes(names: dict[Any, int], column: Sequence[Any]) -> Columns:
    """Return the codes of a column's names."""
    return np.fromiter(map(names.__getitem__, column), np.int64, len(column))


class Rows:
    """Collect a batch's contributions.

    A cell is one integer: the number of its bucket, then 6 bits of family and 24 of dimension.
    Dimensions are codes of this batch; `games` are coded for good by their owner.
    """

    def __init__(self, games: Names) -> None:
        self._games = games
        self._names = Names()
        self._parts: list[pd.DataFrame] = []
        self._large: list[tuple[int, int, Any, int]] = []

    def add(self, family: str, time: Columns, dims: Any = "", n: Any = 1) -> None:
        """Add a row for each time; `dims` is one name, or a column of `games` or `names`."""
        if len(time):
            code = self._names[dims] * 2 + 1 if isinstance(dims, str) else dims
            self._append(np.full(len(time), CODE[family]), time, code, n)

    def games(self, codes: Columns) -> Columns:
        """Return game codes as a column of dimensions."""
        return codes * 2

    def names(self, column: Sequence[Any]) -> Columns:
        """Return any other names as a column of dimensions."""
        return to_codes(self._names, column) * 2 + 1

    def add_money(self, family: str, time: Columns, dims: Any, cents: Sequence[int]) -> None:
        """Add amounts; those beyond exact arithmetic of columns are added one by one, later."""
        if any(amount > _EXACT for amount in cents):
            self._set_aside(family, time, dims, cents)
            cents = [0 if amount > _EXACT else amount for amount in cents]
        self.add(family, time, dims, np.array(cents, np.int64))

    def extend(self, cells: Sequence[Contribution], sign: int) -> None:
        """Add contributions of facts, or take them back where the sign is -1."""
        if cells:
            family, time, names = zip(*cells, strict=True)
            self._append(np.array(family), np.array(time), self.names(names), sign)

    def sums(self) -> Iterator[tuple[str, int, Counts]]:
        """Yield the sums of each family and bucket by dimension, without those that cancel."""
        total = self._summed()
        if len(total):
            yield from self._split(total)
        for code, bucket, dim, n in self._large:
            yield FAMILIES[code].name, bucket, {dim: n}

    def _summed(self) -> pd.Series[int]:
        rows = pd.concat([pd.DataFrame({"cell": [], "n": []}, dtype=np.int64), *self._parts])
        total = rows.groupby("cell")["n"].sum()
        return total[total != 0]

    def _split(self, total: pd.Series[int]) -> Iterator[tuple[str, int, Counts]]:
        cell = total.index.to_numpy()
        place = cell >> 24
        starts = np.flatnonzero(np.diff(place, prepend=place[:1] - 1)).tolist()
        dims = self._dims((cell & 0xFFFFFF).tolist())
        n = total.tolist()
        for low, high in zip(starts, [*starts[1:], len(n)], strict=True):
            number, code = divmod(int(place[low]), 64)
            family = FAMILIES[code]
            yield (
                family.name,
                number * family.size,
                dict(zip(dims[low:high], n[low:high], strict=True)),
            )

    def _dims(self, codes: list[int]) -> list[Any]:
        games, names = list(self._games), list(self._names)
        return [names[code >> 1] if code & 1 else games[code >> 1] for code in codes]

    def _append(self, family: Columns, time: Columns, dims: Any, n: Any) -> None:
        size = _SIZES[family]
        number = np.where(_IS_CLOSED_RIGHT[family], -(-time // size), time // size)
        cell = ((number * 64 + family) << 24) + dims
        self._parts.append(pd.DataFrame({"cell": cell, "n": n}))

    def _set_aside(self, family: str, time: Columns, dims: Any, cents: Sequence[int]) -> None:
        code = CODE[family]
        codes = [self._names[dims] * 2 + 1] * len(time) if isinstance(dims, str) else dims.tolist()
        for each, dim, amount in zip(time.tolist(), self._dims(codes), cents, strict=True):
            if amount > _EXACT:
                self._large.append((code, FAMILIES[code].bucket(each), dim, amount))


class Cells:
    """All cells of a partition that are not final yet, a bucket of a family together."""

    def __init__(self) -> None:
        self.counts: dict[tuple[str, int], Counts] = {}

    def merge(
        self, sums: Iterable[tuple[str, int, Counts]], is_final: Any, late: Counter[str]
    ) -> dict[tuple[str, int], Counts]:
        """Add sums to the cells and return those that changed; what is final only counts late."""
        changed = {}
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
            changed[name, bucket] = counts
        return changed

    def forget(self, is_final: Any) -> None:
        """Drop the cells that are final."""
        for key in [key for key in self.counts if is_final(*key)]:
            del self.counts[key]
