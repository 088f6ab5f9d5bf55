"""What `analytics.partials` holds: cells of an input partition, how far it is, what is closed.

Keys: `3|orders_minute|1763719440000` is a cell of input partition 3, `3|clock` how far that is (the
last record of each of its transactions), `closed|orders_minute` what the second stage has let go.
Values are JSON; a cell is a list of dimensions and numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import msgspec
from msgspec import Struct

from steamlab.processor.cells import Counts
from steamlab.processor.chapters import CHAPTER_OF, CHAPTERS
from steamlab.processor.first_stage import Output
from steamlab.processor.sums import Cell, Closed

__all__ = [
    "Chapter",
    "Clock",
    "cell_key",
    "cells_of",
    "clock_key",
    "closed_key",
    "closed_value",
    "partials",
    "read_clock",
    "read_closed",
    "read_counts",
    "read_key",
]

_Pairs = list[tuple[int | str, int]]
Chapter = int


class Clock(Struct, frozen=True):
    """How far an input partition is: the newest time of each topic; whether all are idle."""

    topics: dict[str, int]
    is_idle: bool = False


class _Closed(Struct, frozen=True):
    until: int
    counts: _Pairs


_encode = msgspec.json.Encoder().encode
_read_pairs = msgspec.json.Decoder(_Pairs).decode
_read_clock = msgspec.json.Decoder(Clock).decode
_read_closed = msgspec.json.Decoder(_Closed).decode


def partials(
    partition: int, output: Output, *, is_idle: bool
) -> Iterator[tuple[Chapter, bytes, bytes]]:
    """Yield the records of a batch's output: chapter, key and value; each chapter's clock last."""
    for (family, bucket), counts in output.cells.items():
        key = cell_key((partition, family, bucket))
        yield CHAPTER_OF[family], key, _encode(list(counts.items()))
    clock = _encode(Clock(output.clocks, is_idle))
    for chapter in range(len(CHAPTERS)):
        yield chapter, clock_key(partition), clock


def cell_key(cell: Cell) -> bytes:
    """Return the key of a cell."""
    partition, family, bucket = cell
    return f"{partition}|{family}|{bucket}".encode()


def clock_key(partition: int) -> bytes:
    """Return the key of an input partition's clock."""
    return f"{partition}|clock".encode()


def closed_key(family: str) -> bytes:
    """Return the key of what is closed of a family."""
    return f"closed|{family}".encode()


def read_key(key: bytes) -> tuple[int | None, str, int | None]:
    """Return a key's partition, family and bucket.

    A clock has no bucket; what is closed has neither bucket nor partition.
    """
    first, second, *rest = key.decode().split("|")
    if first == "closed":
        return None, second, None
    return int(first), second, int(rest[0]) if rest else None


def closed_value(closed: Closed) -> bytes:
    """Encode what is closed of a family."""
    until, counts = closed
    return _encode(_Closed(until, list(counts.items())))


def read_counts(value: bytes) -> Counts:
    """Decode a cell."""
    return dict(_read_pairs(value))


def read_clock(value: bytes) -> Clock:
    """Decode how far an input partition is."""
    return _read_clock(value)


def read_closed(value: bytes) -> Closed:
    """Decode what is closed of a family."""
    found = _read_closed(value)
    return found.until, dict(found.counts)


def cells_of(partition: int, records: Mapping[bytes, bytes]) -> dict[tuple[str, int], Counts]:
    """Return an input partition's cells of the newest records by key."""
    prefix = f"{partition}|".encode()
    return {
        (family, int(bucket)): read_counts(value)
        for key, value in _cells(records.items(), prefix)
        for _, family, bucket in [key.decode().split("|")]
    }


def _cells(records: Iterable[tuple[bytes, bytes]], prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
    for key, value in records:
        if key.startswith(prefix) and not key.endswith(b"|clock"):
            yield key, value
