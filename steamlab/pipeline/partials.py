"""What `analytics.partials` holds: cells of an input partition, how far it is, what is closed.

Keys: `3|revenue_minute|1763719440000` is a bucket of input partition 3, of this family and those of
its group; `3|clock` is how far that partition is (the last record of each of its transactions),
`closed|orders_minute|20413` what the second stage has let go of a day (since 1970), of some
families of an hour. Values are JSON; of a bucket they have, for each family, a list of dimensions
and numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, TypeAlias

import msgspec
from msgspec import Struct

from steamlab.processor.chapters import CHAPTER_OF, CHAPTERS, GROUP_OF
from steamlab.processor.families import Counts
from steamlab.processor.sums import Cell, Closed

if TYPE_CHECKING:
    from steamlab.processor.first_stage import Output

__all__ = [
    "CellsOf",
    "Chapter",
    "Clock",
    "bucket_key",
    "cells_of",
    "clock_key",
    "closed_key",
    "closed_value",
    "partials",
    "read_cells",
    "read_clock",
    "read_closed",
    "read_key",
]

_Pairs = list[tuple[int | str, int]]
Chapter = int
CellsOf: TypeAlias = dict[tuple[str, int], Counts]
"""Cells by family and bucket."""


class Clock(Struct, frozen=True):
    """How far an input partition is: the newest time of each topic; whether all are idle."""

    topics: dict[str, int]
    is_idle: bool = False


class _Closed(Struct, frozen=True):
    until: int
    counts: _Pairs


_encode = msgspec.json.Encoder().encode
_read_group = msgspec.json.Decoder(list[_Pairs]).decode
_read_clock = msgspec.json.Decoder(Clock).decode
_read_closed = msgspec.json.Decoder(_Closed).decode


def partials(
    partition: int, output: Output, *, is_idle: bool
) -> Iterator[tuple[Chapter, bytes, bytes]]:
    """Yield the records of a batch's output: chapter, key and value; each chapter's clock last."""
    for family, bucket in output.cells:
        group = GROUP_OF[family]
        if family == group[0]:
            found = [list(output.cells[name, bucket].items()) for name in group]
            yield CHAPTER_OF[family], bucket_key((partition, family, bucket)), _encode(found)
    clock = _encode(Clock(output.clocks, is_idle))
    for chapter in range(len(CHAPTERS)):
        yield chapter, clock_key(partition), clock


def bucket_key(cell: Cell) -> bytes:
    """Return the key of the bucket that a cell is in, of the whole group of its family."""
    partition, family, bucket = cell
    return f"{partition}|{GROUP_OF[family][0]}|{bucket}".encode()


def clock_key(partition: int) -> bytes:
    """Return the key of an input partition's clock."""
    return f"{partition}|clock".encode()


def closed_key(family: str, span: int) -> bytes:
    """Return the key of what is closed of a family's day, or hour."""
    return f"closed|{family}|{span}".encode()


def read_key(key: bytes) -> tuple[int | None, str, int | None]:
    """Return a key's partition, family and bucket.

    A clock has no bucket; what is closed has a day or an hour instead, and no partition.
    """
    first, second, *rest = key.decode().split("|")
    if first == "closed":
        return None, second, int(rest[0])
    return int(first), second, int(rest[0]) if rest else None


def closed_value(closed: Closed) -> bytes:
    """Encode what is closed of a family's span."""
    until, counts = closed
    return _encode(_Closed(until, list(counts.items())))


def read_cells(family: str, bucket: int, value: bytes) -> CellsOf:
    """Decode a bucket: the cells of all families of the group that its key names."""
    numbers = zip(GROUP_OF[family], _read_group(value), strict=True)
    return {(name, bucket): dict(counts) for name, counts in numbers}


def read_clock(value: bytes) -> Clock:
    """Decode how far an input partition is."""
    return _read_clock(value)


def read_closed(value: bytes) -> Closed:
    """Decode what is closed of a family's span."""
    found = _read_closed(value)
    return found.until, dict(found.counts)


def cells_of(partition: int, records: Mapping[bytes, bytes]) -> CellsOf:
    """Return an input partition's cells of the newest records by key."""
    prefix, found = f"{partition}|".encode(), CellsOf()
    for key, value in records.items():
        if key.startswith(prefix):
            _, family, bucket = read_key(key)
            if bucket is not None:
                found |= read_cells(family, bucket, value)
    return found
