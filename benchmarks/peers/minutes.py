"""The count and revenue of each minute: by a plain loop, from an engine, and are they equal?"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone

__all__ = ["CLOSING", "Minutes", "added_up", "difference", "from_partials", "from_result"]

CLOSING = "2026-06-01T00:00:00.000Z"
"""When the events happen that end each partition: later than all others, and never compared."""

Minutes = dict[str, tuple[int, float]]
"""Minute, such as 2025-11-17T09:30, to how many events it has and what they paid."""


def added_up(values: Iterable[bytes]) -> Minutes:
    """Add up the events one by one: what every engine must say too."""
    found: Minutes = {}
    for value in values:
        event = json.loads(value)
        minute = event["timestamp"][:16]
        count, paid = found.get(minute, (0, 0.0))
        found[minute] = count + 1, paid + event.get("totalAmount", 0.0)
    return found


def from_result(result: Mapping[str, Mapping[str, Iterable[float]]]) -> Minutes:
    """Read the minutes of an engine's result file, without the one of the closing events."""
    found: Minutes = {}
    for minute, total in result["minutes"].items():
        count, paid = total
        if minute < CLOSING[:16]:
            found[minute] = int(count), paid
    return found


def from_partials(values: Iterable[bytes]) -> Minutes:
    """Add the partial sums that Quix Streams published: one record a window and partition."""
    found: Minutes = {}
    for value in values:
        window = json.loads(value)
        begin = datetime.fromtimestamp(window["start"] / 1000, timezone.utc)  # noqa: UP017
        minute = begin.strftime("%Y-%m-%dT%H:%M")
        count, paid = found.get(minute, (0, 0.0))
        found[minute] = count + window["count"], paid + window["revenue"]
    return found


def difference(expected: Minutes, found: Minutes) -> str | None:
    """Say where the two differ first, to the event and the cent; None if they are equal."""
    for minute in sorted(expected.keys() | found.keys()):
        wanted, seen = (_exact(minutes.get(minute)) for minutes in (expected, found))
        if wanted != seen:
            return f"{minute}: expected {wanted}, found {seen}"
    return None


def _exact(total: tuple[int, float] | None) -> tuple[int, int] | None:
    """Sums of floats differ in their last digits by their order, never by half a cent."""
    return total and (total[0], round(total[1] * 100))
