"""The golden streams, worked by hand: what becomes of each record."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from steamlab.decoding.identity import Identities
from steamlab.events import decode, encode, event_ms
from steamlab.settings import data_path


def _lines(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in data_path(f"golden/{name}").read_text().splitlines()]


EXPECTED = json.loads(data_path("golden/expected.json").read_text())
DIRTY = _lines("dirty.jsonl")
GOLDEN = _lines("golden.jsonl")


def _outcomes() -> dict[str, str]:
    """Run the whole dirty stream once, as a processor would."""
    identities = Identities()
    outcomes = {}
    for record in DIRTY:
        raw = record["raw"]
        decoded = decode(
            None if raw is None else raw.encode(),
            key=record["key"].encode(),
            topic=record["topic"],
            arrived_ms=event_ms(record["arrivedAt"]),
        )
        if decoded.is_tombstone:
            outcome = "tombstone"
        elif decoded.code:
            outcome = f"dlq:{decoded.code}"
        else:
            judgement = identities.judge(decoded)
            outcome = {"new": "accept", "duplicate": judgement}.get(judgement, f"dlq:{judgement}")
            # The notes on d07 are not part of the expected outcome; test_note_of_d07 has them.
            if "region_alias" in decoded.notes:
                outcome += ":region_alias"
        outcomes[record["n"]] = outcome
    return outcomes


OUTCOMES = _outcomes()


@pytest.mark.parametrize("n", [record["n"] for record in DIRTY])
def test_dirty_record_has_the_expected_outcome(n: str) -> None:
    """Each of the 39 arrivals is accepted, skipped or refused as worked out by hand."""
    assert EXPECTED["dirty"]["outcome"].get(n, "accept") == OUTCOMES[n]


def test_dirty_totals() -> None:
    """39 records: 22 accepted, one duplicate, one tombstone, 15 to the dead letters."""
    kinds = Counter(outcome.split(":")[0] for outcome in OUTCOMES.values())
    assert {"accept": 22, "duplicate": 1, "tombstone": 1, "dlq": 15} == kinds


def test_note_of_d07() -> None:
    """The record with an offset and a field of tomorrow is accepted with both notes."""
    (record,) = (each for each in DIRTY if each["n"] == "d07")
    decoded = decode(record["raw"].encode(), key=b"user_5", topic=record["topic"], arrived_ms=2**50)
    assert ("unknown_field", "other_offset") == decoded.notes
    assert 1_763_722_240_000 == decoded.event_ms  # 11:50:40+01:00 is 10:50:40Z


@pytest.mark.parametrize("record", GOLDEN, ids=lambda record: f"n{record['n']}")
def test_golden_event_survives_the_round_trip(record: dict[str, Any]) -> None:
    """Each of the 20 clean events is accepted, and encodes to the JSON that it came from."""
    value = json.dumps(record["value"]).encode()
    decoded = decode(value, key=record["key"].encode(), topic=record["topic"], arrived_ms=2**50)
    assert decoded.event is not None
    expected = record["value"] | ({"region": "GB"} if decoded.notes else {})
    assert expected == json.loads(encode(decoded.event))
    assert list(expected) == list(json.loads(encode(decoded.event)))
