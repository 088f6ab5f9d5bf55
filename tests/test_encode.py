"""What the simulator writes is what `steamlab.events` would write, and what it accepts."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from typing import Any

import numpy as np
import pytest

from steamlab import events
from steamlab.simulator import Bot, Chunk, Outage, Plan, Release, Sale, Streamer
from steamlab.simulator.encode import instants
from steamlab.topics import STORE_TOPICS

SHOCKS = (
    Sale(games=("game_002", "game_300"), at_day=0.2, percent=33),
    Streamer(game="game_200", at_day=0.1),
    Release(game="game_050", at_day=0.5),
    Bot(game="game_003", at_day=0.3),
    Outage(at_day=0.6),
)


@pytest.fixture(scope="module")
def chunk() -> Chunk:
    """A day with every shock."""
    return next(Plan(scale=0.02, days=1, shocks=SHOCKS).chunks())


def test_every_event_is_accepted(chunk: Chunk) -> None:
    """The strict decoder accepts all events of a day; the only note is the British UK."""
    notes: Counter[str] = Counter()
    for kind, key, value, headers in chunk.encode():
        told = events.decode(
            value, key=key, topic=STORE_TOPICS[kind].name, headers=headers, arrived_ms=0
        )
        assert told.event is not None, (told.code, told.reason, value)
        assert told.event_id == headers[0][1].decode()
        notes.update(told.notes)
    assert {"region_alias"} == set(notes)
    assert 1 <= notes["region_alias"] <= 60


def test_every_event_is_written_as_the_events_module_writes_it(chunk: Chunk) -> None:
    """Decoding an event and encoding it again gives the same bytes; UK becomes GB."""
    kinds = Counter()
    for kind, key, value, _ in chunk.encode():
        event = events.decode(value, key=key, topic=STORE_TOPICS[kind].name, arrived_ms=2**60).event
        assert event is not None
        assert events.encode(event) == value.replace(b'"region":"UK"', b'"region":"GB"')
        kinds[kind] += 1
    assert {0, 1, 2, 3, 4} == set(kinds)


def test_a_wrong_byte_would_be_seen(chunk: Chunk) -> None:
    """Control: an order whose total is a cent off is refused."""
    (_, key, value, headers) = chunk.encode(only={3})[0]
    order = json.loads(value)
    order["totalAmount"] = round(order["totalAmount"] + 0.01, 2)
    told = events.decode(
        json.dumps(order).encode(), key=key, topic="store.purchases", headers=headers, arrived_ms=0
    )
    assert "total_mismatch" == told.code


def test_the_key_is_the_user(chunk: Chunk) -> None:
    """Every event is keyed by its userId, spelt user_ and five digits or more."""
    for _, key, value, _ in chunk.encode(0, 500):
        assert key.decode() == json.loads(value)["userId"]
        assert key.startswith(b"user_") and len(key) >= 10 and key[5:].isdigit()


def test_the_headers_are_the_id_and_the_arrival(chunk: Chunk) -> None:
    """`ce_id` is the truth's event id; `ce_arrived` is the arrival, and not before the event."""
    told, truth = chunk.encode(0, 300), chunk.truth()
    arrivals = chunk.arrival_ms
    for place, (_, _, value, headers) in enumerate(told):
        assert ["ce_id", "ce_arrived"] == [name for name, _ in headers]
        assert truth["event_id"][place] == headers[0][1].decode()
        assert truth["user_id"][place] == json.loads(value)["userId"]
        assert arrivals[place] == events.event_ms(headers[1][1].decode())
        assert json.loads(value)["timestamp"].encode() <= headers[1][1]


def test_a_slice_is_a_slice(chunk: Chunk) -> None:
    """Encoding a part gives that part, and `only` leaves the other kinds out."""
    whole = chunk.encode(0, 400)
    assert whole[100:300] == chunk.encode(100, 300)
    assert [r for r in whole if r[0] in (1, 3)] == chunk.encode(0, 400, {1, 3})
    assert [] == chunk.encode(5, 5)
    assert [] == chunk.encode(0, 400, set())


def test_instants_have_milliseconds() -> None:
    """Whole days, leap days and the last millisecond of a year are spelt as RFC 3339 asks."""
    moments = [0, 1, 951_782_400_000, 1_763_721_045_123, 1_767_225_599_999]
    assert [
        b"1970-01-01T00:00:00.000Z",
        b"1970-01-01T00:00:00.001Z",
        b"2000-02-29T00:00:00.000Z",
        b"2025-11-21T10:30:45.123Z",
        b"2025-12-31T23:59:59.999Z",
    ] == instants(np.array(moments))


def test_orders_of_several_games_add_up(chunk: Chunk) -> None:
    """The lines are the games of the cart, each once, and the total is their sum to the cent."""
    orders: list[dict[str, Any]] = [json.loads(r[2]) for r in chunk.encode(only={3})]
    assert any(len(order["games"]) > 1 for order in orders)
    for order in orders:
        games = [line["gameId"] for line in order["games"]]
        assert len(games) == len(set(games)) >= 1
        cents = sum(round(line["price"] * 100) for line in order["games"])
        assert cents == round(order["totalAmount"] * 100)
        assert order["orderId"].startswith("order_")


def test_buyers_pay_in_all_four_ways_from_many_countries() -> None:
    """Payment methods and regions vary; a user stays in one country, a few Britons in `UK`."""
    orders = [json.loads(r[2]) for c in Plan(scale=0.1).chunks() for r in c.encode(only={3})]
    ways = Counter(order["paymentMethod"] for order in orders)
    assert {"credit_card", "paypal", "steam_wallet", "cryptocurrency"} == set(ways)
    home: dict[str, str] = {}
    for order in orders:
        assert order["region"] == home.setdefault(order["userId"], order["region"])
    places = Counter(order["region"] for order in orders)
    assert 17 == len(places)
    assert 0.015 <= places["UK"] / len(orders) <= 0.025
    assert 0.05 <= places["GB"] / len(orders) <= 0.07


def test_a_chunk_is_not_changed_by_encoding(chunk: Chunk) -> None:
    """Encoding reads only: twice gives the same."""
    before = chunk.rows.copy()
    assert chunk.encode(0, 50) == chunk.encode(0, 50)
    assert (before == chunk.rows).all()
    with pytest.raises(dataclasses.FrozenInstanceError):
        chunk.rows = before  # type: ignore[misc]
