"""The records of the metrics for people and programs: a table, or JSON, one a line."""

from __future__ import annotations

import json as json_text
import os
import sys
from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from steamlab.decoding.reasons import show

__all__ = ["metric_table", "print_records"]

_ITEMS = 3
_UNITS = {"mean": " s", "median": " s"}


def print_records(found: list[dict[str, Any]], *, json: bool, is_whole: bool = False) -> None:
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


def metric_table(found: list[dict[str, Any]], *, is_whole: bool = False) -> Table:
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


def _print_table(found: list[dict[str, Any]], *, is_whole: bool) -> None:
    table = metric_table(found, is_whole=is_whole)
    if hasattr(sys.stdout, "reconfigure"):  # a terminal of few letters gets the rest spelled out
        sys.stdout.reconfigure(errors="backslashreplace")
    console = Console(highlight=False)
    console.print(table if table.row_count else "Nothing had happened yet.")
    if not is_whole:
        console.print(f"{len(found):,} records; `--json` prints each of them.")


def _newest(found: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield the records since the start, and each metric's newest window."""
    newest = {record["metric"]: record["windowStart"] for record in found if record["windowStart"]}
    for record in found:
        if record["windowStart"] in (None, newest.get(record["metric"])):
            yield record


def _window(record: dict[str, Any]) -> str:
    start, end = record["windowStart"], record["windowEnd"]
    if start is None:
        return "since the start"
    same_day = start[:10] == end[:10]
    return f"{_clock(start)} to {_clock(end)[11 if same_day else 0 :]}"


def _clock(instant: str) -> str:
    return instant.replace("T", " ").removesuffix("Z").removesuffix(":00")


def _value(record: dict[str, Any]) -> str:
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
