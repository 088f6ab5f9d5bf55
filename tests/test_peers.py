"""The comparison of stream engines: what the plain loop says, and when numbers are wrong."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"


@pytest.fixture
def minutes(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Import the pure part of `benchmarks/peers/`, which is no installed package."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    yield importlib.import_module("peers.minutes")
    for name in [name for name in sys.modules if name.split(".")[0] == "peers"]:
        del sys.modules[name]


def event(timestamp: str, **more: float) -> bytes:
    """Return an event as it stands in Kafka."""
    return json.dumps({"timestamp": timestamp, **more}).encode()


EVENTS = [
    event("2025-11-17T09:30:00.000Z", totalAmount=7.99),
    event("2025-11-17T09:30:59.999Z"),
    event("2025-11-17T09:31:00.000Z", totalAmount=0.1),
    event("2025-11-17T09:31:10.000Z", totalAmount=0.2),
]
EXPECTED = {"2025-11-17T09:30": (2, 7.99), "2025-11-17T09:31": (2, 0.3)}


def test_the_plain_loop_counts_all_events_and_adds_what_was_paid(minutes: Any) -> None:
    """A minute begins at its second 0; an event without an amount counts and pays nothing."""
    assert minutes.difference(EXPECTED, minutes.added_up(EVENTS)) is None


def test_the_closing_minute_of_a_result_is_left_out(minutes: Any) -> None:
    """What an engine wrote is compared without the events that only end the partitions."""
    written = {"read": 10, "minutes": {"2025-11-17T09:30": [2, 7.99], "2026-06-01T00:00": [6, 0]}}
    assert {"2025-11-17T09:30": (2, 7.99)} == minutes.from_result(written)


def test_partial_sums_of_partitions_are_added(minutes: Any) -> None:
    """Two partitions' windows of one minute are one minute; windows begin in milliseconds."""
    begin = 1_763_371_800_000  # 2025-11-17T09:30:00Z
    windows = [
        {"start": begin, "end": begin + 60_000, "count": 1, "revenue": 7.99},
        {"start": begin, "end": begin + 60_000, "count": 1, "revenue": 0.0},
        {"start": begin + 60_000, "end": begin + 120_000, "count": 2, "revenue": 0.3},
    ]
    found = minutes.from_partials(json.dumps(window).encode() for window in windows)
    assert minutes.difference(EXPECTED, found) is None


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"2025-11-17T09:31": (3, 0.3)}, "2025-11-17T09:31: expected (2, 30), found (3, 30)"),
        ({"2025-11-17T09:30": (2, 7.98)}, "2025-11-17T09:30: expected (2, 799), found (2, 798)"),
        ({"2025-11-17T09:32": (1, 0.0)}, "2025-11-17T09:32: expected None, found (1, 0)"),
    ],
)
def test_a_wrong_minute_is_named(minutes: Any, wrong: Any, said: str) -> None:
    """One event too many, one cent too few, one minute that there is not: each is said."""
    assert said == minutes.difference(EXPECTED, EXPECTED | wrong)


def test_a_missing_minute_is_named(minutes: Any) -> None:
    """An engine that forgot a minute gave wrong numbers."""
    found = {"2025-11-17T09:31": (2, 0.3)}
    said = "2025-11-17T09:30: expected (2, 799), found None"
    assert said == minutes.difference(EXPECTED, found)


def test_the_last_digits_of_a_sum_do_not_matter(minutes: Any) -> None:
    """Floats that were added in another order are equal to the cent."""
    found = EXPECTED | {"2025-11-17T09:31": (2, 0.1 + 0.2)}
    assert 0.3 != 0.1 + 0.2
    assert minutes.difference(EXPECTED, found) is None
