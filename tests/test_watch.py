"""`steamlab watch` prints every record as one harmless line and counts what was wrong."""

from __future__ import annotations

import io
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
from confluent_kafka import Producer
from hostile import CART, PURCHASE, SEARCH, VIEW, WISH, Record, extra, of, raw

from steamlab import topics
from steamlab.errors import DeadlineError, TopicError
from steamlab.events import Event
from steamlab.watch import escape_controls, sentence, watch

ORDERS = [
    *(Record(b'{"eventType": "purchase", '), of(PURCHASE), of(PURCHASE)),
    *(of(PURCHASE, totalAmount=399.8), of(PURCHASE, orderId="b", games=[], totalAmount=0)),
    of(PURCHASE, timestamp="2025-11-21T10:30:46Z"),
    of(PURCHASE, orderId="order_2", region="UK"),
]
PURCHASES = "42.store.purchases"


@pytest.fixture
def purchases(kafka: dict[str, Any]) -> Iterator[str]:
    """A lesson's topic of purchases: four bad ones, a duplicate, two good ones, a tombstone."""
    topics.recreate(kafka, topics.TopicSpec(PURCHASES, 1))
    _produce(kafka, PURCHASES, *ORDERS)
    with Producer(kafka) as producer:
        producer.produce(PURCHASES, None, b"user_1")
    yield PURCHASES
    topics.delete(kafka, [PURCHASES])


def _produce(kafka: dict[str, Any], topic: str, *records: Record) -> None:
    with Producer(kafka) as producer:
        for each in records:
            producer.produce(topic, each.value, each.key, headers=list(each.headers), partition=0)
        assert 0 == producer.flush(20)


def _lines(kafka: dict[str, Any], topic: str, count: int, **options: Any) -> list[str]:
    out = io.StringIO()
    watch(kafka, topic, until=count, out=out, timeout=20, **options)
    return out.getvalue().splitlines()


def _event(record: Record) -> Event:
    event = record.decode().event
    assert event is not None
    return event


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (VIEW, "user_1 viewed Cyberpunk 2077 for 29.99 (search)"),
        (WISH, "user_1 added game_001: 1 on the wishlist"),
        (CART, "user_1 removed game_001: 0 in the cart, 0.00"),
        (PURCHASE, "user_1 bought game_001, game_009 for 39.98 (paypal, US)"),
        (SEARCH, 'user_1 searched for "rpg": 3 results'),
    ],
    ids=lambda each: each["eventType"] if isinstance(each, dict) else "",
)
def test_sentence_says_what_happened(event: dict[str, Any], said: str) -> None:
    """Each of the five events is one short sentence; a view names the price to be paid."""
    assert said == sentence(_event(of(event)))


def test_sentence_without_a_sale() -> None:
    """A view of a game that is not on sale names its price."""
    record = of(VIEW, "salePrice", onSale=False)
    assert "user_1 viewed Cyberpunk 2077 for 59.99 (search)" == sentence(_event(record))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain ü ゲーム 🎮 <b>", "plain ü ゲーム 🎮 <b>"),
        ("\x1b[2J", "\\x1b[2J"),
        ("a\nb\r\tc", "a\\nb\\r\\tc"),
        ("\u202egpj.exe", "\\u202egpj.exe"),
        ("\u2066\u200f\u061c", "\\u2066\\u200f\\u061c"),
        ("\x9b31m\x7f\0", "\\x9b31m\\x7f\\x00"),
        ("\ufeff\u200b\u2028", "\\ufeff\\u200b\\u2028"),
        (r"\x1b", r"\\x1b"),
        ("\ud800", "\\ud800"),
    ],
)
def test_controls_are_spelled_out(text: str, expected: str) -> None:
    """What a terminal would act on is spelled out; letters of every script stay letters."""
    assert expected == escape_controls(text)


@pytest.mark.broker
def test_lines_name_what_is_bad(kafka: dict[str, Any], purchases: str) -> None:
    """Each record is one line; bad ones say BAD and their code, and the tally counts them."""
    lines = _lines(kafka, purchases, 8)
    bought = "user_1 bought game_001, game_009 for 39.98"
    assert [
        '@0  BAD not_json: ends too early | {"eventType": "purchase", ',
        f"@1  2025-11-21T10:30:45Z  {bought} (paypal, US)",
        f"@2  duplicate  2025-11-21T10:30:45Z  {bought} (paypal, US)",
        "@3  BAD total_mismatch: totalAmount is 399.8, the lines [29.99, 9.99] | ",
        "@4  BAD empty_games: an order without games | ",
        f"@5  BAD order_id_conflict: 2025-11-21T10:30:46Z  {bought} (paypal, US)",
        f"@6  2025-11-21T10:30:45Z  {bought} (paypal, GB)  [region_alias]",
        "@7  tombstone for user_1",
    ] == [
        line.removeprefix(f"{purchases}[0]").split('{"eventType": "purchase", "')[0]
        for line in lines[:8]
    ]
    assert [
        "8 records, 2 good, 1 duplicate, 1 tombstone, "
        "4 bad (empty_games 1, not_json 1, order_id_conflict 1, total_mismatch 1); "
        "noted (region_alias 1)"
    ] == lines[8:]


@pytest.mark.broker
def test_json_is_for_machines(kafka: dict[str, Any], purchases: str) -> None:
    """With json every line is an object: code, reason, event or raw text; the tally comes last."""
    out = io.StringIO()
    tally = watch(kafka, [purchases], until=8, json=True, out=out, timeout=20)
    *records, last = map(json.loads, out.getvalue().splitlines())
    assert [
        *("not_json", None, "duplicate", "total_mismatch", "empty_games", "order_id_conflict"),
        *(None, None),
    ] == [each["code"] for each in records]
    assert [(purchases, 0, n) for n in range(8)] == [
        (each["topic"], each["partition"], each["offset"]) for each in records
    ]
    assert PURCHASE == {name: records[1]["event"][name] for name in PURCHASE}
    assert ORDERS[0].value.decode() == records[0]["raw"]
    assert ["region_alias"] == records[6]["notes"]
    assert (None, "user_1") == (records[7]["raw"], records[7]["key"])
    assert {"tally": tally.as_dict()} == last
    assert (8, 2, 1, 1, 4) == (
        tally.records, tally.events, tally.duplicates, tally.tombstones, tally.bad.total(),
    )  # fmt: skip


@pytest.mark.broker
def test_hostile_text_cannot_reach_the_terminal(kafka: dict[str, Any], topic: str) -> None:
    """Escape sequences, line breaks and RTL marks arrive spelled out, good event or bad."""
    nasty = "\x1b]0;owned\x07\n\u202e[red]"
    records = [
        of(SEARCH, searchQuery=nasty),
        raw(b"rpg", b"\x1b[2J\x9b\xff", SEARCH),
        of(SEARCH, eventType=nasty),
        Record(("[" + nasty).encode(), key=b"\x1b[31m"),
        extra(b'"\x1b": 1'),
    ]
    _produce(kafka, topic, *records)
    for as_json in (False, True):
        out = io.StringIO()
        watch(kafka, topic, until=len(records), json=as_json, out=out, timeout=20)
        printed = out.getvalue()
        assert len(records) + 1 == printed.count("\n")
        assert printed.replace("\n", "").isprintable()
        assert "owned" in printed


@pytest.mark.broker
def test_letters_that_the_terminal_lacks_are_spelled_out(kafka: dict[str, Any], topic: str) -> None:
    """Where stdout knows ASCII only, other letters are spelled out instead of raising."""
    _produce(kafka, topic, of(SEARCH, searchQuery="ü🎮"))
    terminal = io.TextIOWrapper(io.BytesIO(), "ascii")
    watch(kafka, topic, until=1, out=terminal, timeout=20)
    terminal.seek(0)
    assert 'searched for "\\xfc\\U0001f3ae"' in terminal.read()


@pytest.mark.broker
def test_any_topic_may_hold_events_of_the_store(kafka: dict[str, Any], topic: str) -> None:
    """On a topic that is not the store's, events of any type are good, and bad ones are named."""
    _produce(kafka, topic, of(VIEW), of(PURCHASE), of(VIEW, price=-1), Record(b"hello"))
    *_, tally = _lines(kafka, topic, 4)
    assert "4 records, 2 good, 2 bad (negative_price 1, not_json 1)" == tally


@pytest.mark.broker
def test_a_store_topic_refuses_foreign_events(kafka: dict[str, Any], purchases: str) -> None:
    """On a store topic of a lesson, a good event of another topic is bad: wrong_topic."""
    _produce(kafka, purchases, of(VIEW))
    assert "BAD wrong_topic" in _lines(kafka, purchases, 9)[8]


@pytest.mark.broker
def test_records_that_are_no_events_are_shown_as_they_are(kafka: dict[str, Any]) -> None:
    """Metrics and control records are not judged as events; they are shown and counted."""
    name = "42.steamlab.control"
    topics.recreate(kafka, topics.TopicSpec(name, 1))
    try:
        _produce(kafka, name, Record(b'{"speed": 60}', key=b"speed"))
        lines = _lines(kafka, name, 1)
        assert [f'{name}[0]@0  speed: {{"speed": 60}}', "1 record, 0 good, 1 other, 0 bad"] == lines
    finally:
        topics.delete(kafka, [name])


@pytest.mark.broker
def test_long_lines_are_cut(kafka: dict[str, Any], topic: str) -> None:
    """A line has at most 160 characters, so that one record cannot flood the screen."""
    _produce(kafka, topic, of(SEARCH, searchQuery="x" * 50_000))
    (line, _) = _lines(kafka, topic, 1)
    assert 160 == len(line)
    assert line.endswith("...")


@pytest.mark.broker
def test_deadline_and_unknown_topic(kafka: dict[str, Any], purchases: str) -> None:
    """Too few records in time is a DeadlineError, a topic that does not exist a TopicError."""
    with pytest.raises(DeadlineError, match="Expected 9 records, and saw 8 before the deadline"):
        watch(kafka, purchases, until=9, out=io.StringIO(), timeout=1.5)
    with pytest.raises(TopicError, match="no-such-topic"):
        watch(kafka, "no-such-topic", until=1, out=io.StringIO(), timeout=30)


@pytest.mark.broker
def test_a_dead_letter_says_why(kafka: dict[str, Any]) -> None:
    """The code, the reason, and the place that the record had, before the record itself."""
    names = ("reason", "message", "original.topic", "original.partition", "original.offset")
    values = ("not_json", "ends too early", PURCHASES, "2", "17")
    headers = [(f"dlq.{name}", text.encode()) for name, text in zip(names, values, strict=True)]
    letters = "42.store.dead-letters"
    topics.recreate(kafka, topics.TopicSpec(letters, 1))
    _produce(kafka, letters, Record(b"{", key=b"user_1", headers=tuple(headers)))
    (line, _) = _lines(kafka, letters, 1)
    topics.delete(kafka, [letters])
    said = "not_json: ends too early | 42.store.purchases[2]@17 | user_1: {"
    assert f"{letters}[0]@0  {said}" == line


@pytest.mark.broker
def test_a_while_is_an_end(kafka: dict[str, Any], purchases: str) -> None:
    """Where nothing says how many records there must be, the end of the time is no error."""
    assert 8 == watch(kafka, purchases, out=io.StringIO(), timeout=1.5).records


def _start(kafka: dict[str, Any], topic: str) -> subprocess.Popen[bytes]:
    code = (
        "from steamlab.client import client_config; from steamlab.watch import watch; "
        f"watch(client_config({kafka['bootstrap.servers']!r}), {topic!r})"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0
    )


def _read_until(process: subprocess.Popen[bytes], wanted: bytes) -> bytes:
    assert process.stdout is not None
    seen, deadline = b"", time.monotonic() + 30
    while wanted not in seen and time.monotonic() < deadline:
        if select.select([process.stdout], [], [], 1)[0]:
            seen += os.read(process.stdout.fileno(), 65536)
    return seen


@pytest.mark.broker
def test_ctrl_c_ends_with_the_tally(kafka: dict[str, Any], purchases: str) -> None:
    """Ctrl-C is the ordinary way out: the tally is printed, nothing is on stderr, exit 0."""
    process = _start(kafka, purchases)
    try:
        assert b"tombstone for user_1\n" in _read_until(process, b"tombstone for user_1\n")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    finally:
        process.kill()
    assert out.startswith(b"8 records, 2 good, 1 duplicate, 1 tombstone, 4 bad")
    assert (0, b"") == (process.returncode, err)


@pytest.mark.broker
def test_a_reader_that_leaves_ends_it_quietly(kafka: dict[str, Any], purchases: str) -> None:
    """After `| head -1` has left, the next record ends the watch: no trace, exit 0."""
    process = _start(kafka, purchases)
    try:
        assert b"tombstone" in _read_until(process, b"tombstone")
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        _produce(kafka, purchases, of(PURCHASE, orderId="order_3"))
        assert 0 == process.wait(20)
        assert b"" == process.stderr.read()
    finally:
        process.kill()
        process.wait(10)
