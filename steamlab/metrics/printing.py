"""The verb `steamlab metrics`: a file's records, and what was refused beside them."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator

from steamlab.decoding.reasons import Rejected
from steamlab.errors import LessonError
from steamlab.events import event_ms
from steamlab.metric_table import print_records
from steamlab.metrics.reading import Reading, read_file
from steamlab.metrics.recording import Record, records
from steamlab.metrics.tables import to_tables

__all__ = ["print_metrics"]

_SHOWN = 50  # refused lines, before they are only counted


def print_metrics(name: str, *, at: str | None = None, json: bool = False) -> list[Record]:
    """Print a file's metrics and return their records; what was refused goes to stderr.

    With `at`, an RFC 3339 time, the state at that instant. With `json`, each record is one line;
    without it, a table has the newest window of each metric. Raises `SetupError` for a file that
    holds no events, `LessonError` for a time that is none.
    """
    until_ms = None if at is None else _instant_ms(at)
    reading = read_file(name)
    found = records(to_tables(reading.accepted, until_ms=until_ms), is_instant=at is not None)
    print("\n".join(_told(reading)), file=sys.stderr)
    print_records(found, json=json, is_whole=at is not None)
    return found


def _instant_ms(at: str) -> int:
    try:
        return event_ms(at)
    except Rejected as why:
        raise LessonError(
            f"The time must be RFC 3339 with a zone, and {why}.",
            repair="Try `--at 2025-11-21T12:30:00Z`.",
        ) from None


def _told(reading: Reading) -> Iterator[str]:
    """Say what the file held, and of each refused line its code and the reason."""
    codes = Counter(each.code for each in reading.refused)
    named = ", ".join(f"{code} {count:,}" for code, count in sorted(codes.items()))
    yield (
        f"{_many(reading.records, 'record')}: {len(reading.accepted):,} accepted, "
        f"{_many(reading.duplicates, 'duplicate')}, {_many(reading.tombstones, 'tombstone')}, "
        f"{len(reading.refused):,} refused{f' ({named})' if named else ''}."
    )
    for each in reading.refused[:_SHOWN]:
        yield f"  line {each.line}: {each.code}: {each.reason}"
    if len(reading.refused) > _SHOWN:
        yield f"  and {len(reading.refused) - _SHOWN:,} more refused lines"


def _many(count: int, name: str) -> str:
    return f"{count:,} {name}" + ("" if count == 1 else "s")
