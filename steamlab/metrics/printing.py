"""The verb `steamlab metrics`: a file's records, as a table or as JSON; what was refused beside."""

from __future__ import annotations

import json as json_text
import os
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from steamlab.decoding.reasons import Rejected, show
from steamlab.errors import LessonError
from steamlab.events import event_ms
from steamlab.metrics.reading import Reading, read_file
from steamlab.metrics.recording import Record, records
from steamlab.metrics.tables import to_tables

__all__ = ["metric_table", "print_metrics", "print_records"]

_SHOWN = 50  # refused lines, before they are only counted
_ITEMS = 3
_UNITS = {"mean": " s", "median": " s"}


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


def print_records(found: list[Record], *, json: bool, is_whole: bool = False) -> None:
    """Print records: as JSON, one a line, or as a table of each metric's newest window.

    With `is_whole` the table has all of them.
    """
    try:
        if json:
            for record in found:
                print(json_text.dumps(record, allow_nan=False))
        else:
            _print_table(found, is_whole=is_whole)
        sys.stdout.flush()
    except BrokenPipeError:  # `| head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


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


def metric_table(found: list[Record], *, is_whole: bool = False) -> Table:
    """Return a table of the records since the start, and of each metric's newest window.

    With `is_whole` it has all records.
    """
    table = Table("metric", "window (UTC)", "value", box=None)
    for record in found if is_whole else _newest(found):
        dimension = (record["dimension"] or {}).values()
        table.add_row(
            Text(" ".join([record["metric"], *map(_plain, dimension)])),
            Text(_window(record)),
            Text(_value(record)),
        )
    return table


def _print_table(found: list[Record], *, is_whole: bool) -> None:
    table = metric_table(found, is_whole=is_whole)
    if hasattr(sys.stdout, "reconfigure"):  # a terminal of few letters gets the rest spelled out
        sys.stdout.reconfigure(errors="backslashreplace")
    console = Console(highlight=False)
    console.print(table if table.row_count else "Nothing had happened yet.")
    if not is_whole:
        console.print(f"{len(found):,} records; `--json` prints each of them.")


def _newest(found: list[Record]) -> Iterator[Record]:
    """Yield the records since the start, and each metric's newest window."""
    newest = {record["metric"]: record["windowStart"] for record in found if record["windowStart"]}
    for record in found:
        if record["windowStart"] in (None, newest.get(record["metric"])):
            yield record


def _window(record: Record) -> str:
    start, end = record["windowStart"], record["windowEnd"]
    if start is None:
        return "since the start"
    same_day = start[:10] == end[:10]
    return f"{_clock(start)} to {_clock(end)[11 if same_day else 0 :]}"


def _clock(instant: str) -> str:
    return instant.replace("T", " ").removesuffix("Z").removesuffix(":00")


def _value(record: Record) -> str:
    """Say what a record holds, its fields in their order."""
    fields = {
        name: value
        for name, value in record.items()
        if name not in ("metric", "windowStart", "windowEnd", "dimension", "final")
    }
    if "items" in fields:
        items = [" ".join(map(_plain, item.values())) for item in fields["items"][:_ITEMS]]
        more = len(fields["items"]) - _ITEMS
        return ", ".join(items) + (f" and {more} more" if more > 0 else "")
    parts = [_number(fields.pop("value"))] if "value" in fields else []
    if "numerator" in fields:
        parts[0] += f" = {fields.pop('numerator')}/{fields.pop('denominator')}"
    return ", ".join([*parts, *(f"{name} {_field(name, fields[name])}" for name in fields)])


def _field(name: str, value: Any) -> str:
    if isinstance(value, dict):
        return f"{value['numerator']}/{value['denominator']}"
    return _number(value) + ("" if value is None else _UNITS.get(name, ""))


def _number(value: Any) -> str:
    return "none" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


def _plain(value: object) -> str:
    """Return an event's own text so that no terminal acts on it."""
    text = str(value)
    return text if text.isprintable() else show(text)
