"""Every record gets an event or the first reason code that applies, and nothing ever raises."""

from __future__ import annotations

import json
import threading
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hostile import ACCEPTED, ARRIVED, CLEAN, HOSTILE, PURCHASE, Record, extra, of, raw
from hypothesis import example, given, settings
from hypothesis import strategies as st

from steamlab.decoding import timestamps
from steamlab.decoding.reasons import CODES, Rejected
from steamlab.decoding.strict_json import parse
from steamlab.decoding.timestamps import event_ms
from steamlab.decoding.validation import REGIONS
from steamlab.events import TOPIC_OF, Decoded, decode


def _named(rows: list[tuple[Any, str, Record]]) -> list[Any]:
    return [pytest.param(expected, case, id=f"{expected}: {name}") for expected, name, case in rows]


@pytest.mark.parametrize("event", CLEAN.values(), ids=CLEAN)
def test_clean_events_are_accepted(event: dict[str, Any]) -> None:
    """A clean event of each type is accepted without a note, the base of the whole table."""
    decoded = of(event).decode()
    assert (None, "", ()) == (decoded.code, decoded.reason, decoded.notes)
    assert decoded.event is not None
    assert ARRIVED - 15_000 == decoded.event_ms


@pytest.mark.parametrize(("code", "record"), _named(HOSTILE))
def test_hostile_case_gets_its_code(code: str, record: Record) -> None:
    """Each hostile case is refused with its code and a reason that is safe to print."""
    decoded = record.decode()
    assert code == decoded.code
    assert decoded.event is None
    assert decoded.reason.isascii() and decoded.reason.isprintable() and decoded.reason


@pytest.mark.parametrize(("notes", "record"), _named(ACCEPTED))
def test_odd_but_valid_case_is_accepted(notes: tuple[str, ...], record: Record) -> None:
    """What is odd but valid is accepted, with exactly the notes it deserves."""
    decoded = record.decode()
    assert (None, "") == (decoded.code, decoded.reason)
    assert notes == decoded.notes
    assert decoded.event is not None


def test_every_code_has_at_least_two_cases() -> None:
    """No code of the table goes unproven; the two conflicts are proven with the identities."""
    cases = Counter(code for code, _, _ in HOSTILE)
    assert {"id_conflict", "order_id_conflict"} == set(CODES) - set(cases)
    assert all(count >= 2 for count in cases.values()), cases


def test_codes_come_in_the_tables_order() -> None:
    """An event with every fault names them one by one, in the table's order, as it is mended."""
    deep: list[Any] = []
    for _ in range(32):
        deep = [deep]
    event: dict[str, Any] = PURCHASE | {
        "eventType": "sale",
        "userId": "user_2",
        "timestamp": "noon",
        "orderId": 5,
        "paymentMethod": "cash",
        "games": [{"gameId": "a", "price": -1.0}],
        "x": "\ud800" + "x" * 65_536,
        "y": deep,
    }
    del event["region"]
    record = Record(b"", "store.searches", None, (("ce_id", b"\xff"),))
    mends: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
        ("bad_encoding", {"x": "x" * 65_536}, {}),
        ("too_large", {"x": ""}, {}),
        ("too_deep", {"y": []}, {}),
        ("unknown_event_type", {"eventType": "purchase"}, {}),
        ("wrong_topic", {}, {"topic": "store.purchases"}),
        ("no_key", {}, {"key": b"user_1"}),
        ("key_mismatch", {}, {"key": b"user_2"}),
        ("bad_header", {}, {"headers": ()}),
        ("missing_field", {"region": "EU"}, {}),
        ("wrong_type", {"orderId": "order_1"}, {}),
        ("unknown_value", {"paymentMethod": "paypal"}, {}),
        ("timestamp_bad", {"timestamp": "2025-11-22T10:30:45Z"}, {}),
        ("timestamp_future", {"timestamp": "2025-11-21T10:30:45Z"}, {}),
        ("negative_price", {"games": []}, {}),
        ("empty_games", {"games": [{"gameId": "a", "price": 1}]}, {}),
        ("total_mismatch", {"totalAmount": 1}, {}),
        ("bad_region", {"region": "GB"}, {}),
    ]
    for code, fields, around in mends:
        assert code == replace(record, value=json.dumps(event).encode()).decode().code
        event |= fields
        record = replace(record, **around)
    assert ("unknown_field",) == replace(record, value=json.dumps(event).encode()).decode().notes


def test_bad_encoding_comes_before_not_json() -> None:
    """Bytes that are neither UTF-8 nor JSON are bad_encoding, also where JSON is cut off."""
    assert "bad_encoding" == Record(b'{"a": \xff').decode().code
    assert "bad_encoding" == Record(rb'{"a": "\ud800').decode().code


def test_uk_becomes_gb() -> None:
    """The region UK is counted as GB."""
    event = of(PURCHASE, region="UK").decode().event
    assert "GB" == getattr(event, "region", None)


def test_regions_are_the_iso_set() -> None:
    """There are 249 codes of two capitals, GB and AQ among them, UK and EU not."""
    assert 249 == len(REGIONS)
    assert all(len(code) == 2 and code.isascii() and code.isupper() for code in REGIONS)
    assert {"GB", "AQ", "SS", "XK"} & REGIONS == {"GB", "AQ", "SS"}
    assert not {"UK", "EU", "AN"} & REGIONS


def test_the_last_duplicate_wins() -> None:
    """Of two prices in one event the last one counts, as in every parser here."""
    decoded = raw(b'"price": 59.99', b'"price": 1, "price": 49.99').decode()
    assert 49.99 == getattr(decoded.event, "price", None)


@pytest.mark.parametrize(
    ("timestamp", "expected"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1969-12-31T23:59:59.5Z", -500),
        ("2025-11-21T10:30:45Z", 1_763_721_045_000),
        ("2025-11-21T10:30:45.007Z", 1_763_721_045_007),
        ("2025-11-21T10:30:45.0079Z", 1_763_721_045_007),
        ("2025-11-21T10:30:45.25+05:45", 1_763_700_345_250),
        ("2025-11-21T00:30:45-10:00", 1_763_721_045_000),
        ("2000-02-29T23:59:59Z", 951_868_799_000),
    ],
)
def test_event_ms_counts_from_1970(timestamp: str, expected: int) -> None:
    """Timestamps become milliseconds UTC, twice alike: parsed, and from memory."""
    assert expected == event_ms(timestamp)
    assert expected == event_ms(timestamp)


def test_event_ms_raises_value_error() -> None:
    """A bad timestamp raises a ValueError that carries its code."""
    with pytest.raises(Rejected, match="is not like 2025") as caught:
        event_ms("2025-11-21T10:30:45")
    assert isinstance(caught.value, ValueError)
    assert "timestamp_no_tz" == caught.value.code


def test_remembered_minutes_do_not_accept_what_was_never_parsed() -> None:
    """A good minute in memory does not carry a bad rest, nor a good rest a bad minute."""
    event_ms("2025-11-21T10:30:45Z")
    for bad in ("2025-11-21T10:30:60Z", "2025-11-31T10:30:45Z", "2025-11-21T10:30:45"):
        with pytest.raises(Rejected):
            event_ms(bad)


def test_headers_may_be_text() -> None:
    """Headers out of a file are text; text that no bytes can say is a bad header."""

    def decoded(name: str) -> Decoded:
        record = of(PURCHASE)
        headers = [("ce_id", name)]
        return decode(
            record.value, key=b"user_1", topic=record.topic, headers=headers, arrived_ms=ARRIVED
        )

    assert "7f3a ü" == decoded("7f3a ü").event_id
    assert "bad_header" == decoded("\ud800").code


def test_deep_nesting_is_harmless_on_a_small_stack() -> None:
    """In a thread with half a megabyte of stack, as on macOS, deep nesting is too_deep as well."""
    codes = []
    before = threading.stack_size(512 * 1024)
    try:
        deep = extra(b'"x": ' + b"[" * 32_000 + b"]" * 32_000)
        thread = threading.Thread(target=lambda: codes.append(deep.decode().code))
        thread.start()
        thread.join(20)
    finally:
        threading.stack_size(before)
    assert ["too_deep"] == codes


def test_remembered_minutes_are_bounded() -> None:
    """Timestamps of every minute of four months do not stay in memory forever."""
    for number in range(120 * 1440):
        days, minute = divmod(number, 1440)
        month, day = divmod(days, 28)
        event_ms(f"2024-{month + 1:02}-{day + 1:02}T{minute // 60:02}:{minute % 60:02}:00Z")
    assert len(timestamps._minutes) <= 100_000  # noqa: SLF001 - the memory is the fact under test


TOKENS = [
    *(b'"', b":", b",", b"{", b"}", b"[", b"]", b"\\", b"\\u", b"\\ud800", b"\\u0000", b"\0"),
    *(b"null", b"true", b"NaN", b"1e400", b"-", b"0", b"1.5", b"\xff", b"\xef\xbb\xbf", b" "),
    *(b"price", b'"x": 1, ', b'"price": -1, ', b"[" * 2000, b"9" * 5000, b"Z", b"+01:00", b"UK"),
]
edits = st.lists(
    st.tuples(
        st.integers(0, 400),
        st.integers(0, 12),
        st.one_of(st.sampled_from(TOKENS), st.binary(max_size=3)),
    ),
    max_size=3,
)


def _edited(value: bytes, changes: list[tuple[int, int, bytes]]) -> bytes:
    for start, length, new in changes:
        value = value[:start] + new + value[start + length :]
    return value


@settings(deadline=None)
@given(
    value=st.binary(max_size=200),
    key=st.none() | st.binary(max_size=8),
    topic=st.sampled_from([*TOPIC_OF.values(), "05.store.purchases", ""]),
    headers=st.lists(
        st.tuples(st.sampled_from(["ce_id", "ce_arrived", "x", ""]), st.none() | st.binary())
    ),
)
def test_any_bytes_are_decoded_or_refused(
    value: bytes, key: bytes | None, topic: str, headers: list[tuple[str, bytes | None]]
) -> None:
    """No bytes whatsoever raise: there is an event or a known code with a reason."""
    decoded = decode(value, key=key, topic=topic, headers=headers, arrived_ms=ARRIVED)
    assert (decoded.event is None) == (decoded.code in CODES) == bool(decoded.reason)


@settings(deadline=None)
@given(name=st.sampled_from(sorted(CLEAN)), changes=edits)
@example(name="view", changes=[(1, 0, b'"x" : 1e400, ')])
@example(name="cart", changes=[(2, 0, b",")])  # no eventType, but something else in its place
@example(name="view", changes=[(1, 0, b'"x" : [1], ')])
def test_fast_and_exact_path_agree(name: str, changes: list[tuple[int, int, bytes]]) -> None:
    """Damaged events get the same verdict from the fast path and from the exact one."""
    record = of(CLEAN[name])
    record = replace(record, value=_edited(record.value, changes))
    fast = record.decode()
    # Without a topic there is no plan for the fast path, and nothing else differs.
    exact = decode(record.value, key=record.key, topic=None, arrived_ms=ARRIVED)
    if fast.code != "wrong_topic":
        assert exact == fast
    assert (fast.event is None) == (fast.code in CODES)


@settings(deadline=None)
@given(changes=edits)
@example(changes=[(0, 400, b"1")])
@example(changes=[(30, 0, b"\\ud83c\\udfae")])
def test_strict_json_agrees_with_python_where_python_is_right(
    changes: list[tuple[int, int, bytes]],
) -> None:
    """Our grammar accepts what Python's parser accepts, less what the standard refuses."""
    value = _edited(json.dumps(PURCHASE).encode(), changes)
    try:
        ours: Any = parse(value)[0]
    except Rejected as why:
        ours = why.code
    try:
        theirs: Any = json.loads(value.decode(), parse_constant=lambda _: float("inf"))
    except (ValueError, RecursionError):
        theirs = "not_json"
    if isinstance(ours, dict):
        assert ours == theirs
    elif ours == "not_json":
        assert not isinstance(theirs, dict) or "inf" in repr(theirs)
