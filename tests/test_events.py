"""The five events are the specification's, field by field, and travel as its JSON."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import get_args, get_type_hints

import pytest
from hostile import CLEAN, PURCHASE, VIEW, of

from steamlab import topics
from steamlab.events import (
    EVENT_TYPES,
    TOPIC_OF,
    CartAction,
    GamePageViewed,
    OrderLine,
    Purchase,
    SearchPerformed,
    WishlistAction,
    cents,
    decode,
    encode,
    type_of,
)

SPECIFIED = {
    "game_page_viewed": "timestamp userId gameId gameName price onSale salePrice category tags "
    "source",
    "wishlist_action": "timestamp userId gameId action currentWishlistSize",
    "cart_action": "timestamp userId gameId action currentCartValue itemsInCart",
    "purchase": "timestamp userId orderId games totalAmount paymentMethod region",
    "search_performed": "timestamp userId searchQuery resultsCount filterTags",
}


@pytest.mark.parametrize("name", SPECIFIED)
def test_fields_are_the_specifications(name: str) -> None:
    """Each event has exactly the specified fields, its type first."""
    (clean,) = (each for each in CLEAN.values() if each["eventType"] == name)
    event = of(clean).decode().event
    assert event is not None
    assert ["eventType", *SPECIFIED[name].split()] == list(json.loads(encode(event)))
    assert name == type_of(event)
    assert type(event) is EVENT_TYPES[name]


def test_value_sets_are_the_specifications() -> None:
    """Sources, actions and ways to pay are the specified ones, no more and no fewer."""

    def values(kind: type, field: str) -> set[str]:
        return set(get_args(get_type_hints(kind)[field]))

    assert {
        "featured_carousel", "search", "recommendation", "direct", "wishlist", "category_browse",
    } == values(GamePageViewed, "source")  # fmt: skip
    assert {"added", "removed"} == values(WishlistAction, "action") == values(CartAction, "action")
    assert {"credit_card", "paypal", "steam_wallet", "cryptocurrency"} == values(
        Purchase, "payment_method"
    )


def test_every_event_has_a_topic_of_the_store() -> None:
    """The five types go to the five store topics, in the same order."""
    assert [spec.name for spec in topics.STORE_TOPICS] == list(TOPIC_OF.values())
    assert list(EVENT_TYPES) == list(TOPIC_OF)


def test_encode_leaves_out_an_absent_sale_price() -> None:
    """A view of a game that is not on sale has no salePrice at all, not a null."""
    view = GamePageViewed(
        timestamp="2025-11-21T10:30:45Z",
        user_id="user_1",
        game_id="game_004",
        game_name="Counter-Strike 2",
        price=0.0,
        on_sale=False,
        category="FPS",
        tags=[],
        source="direct",
    )
    assert "salePrice" not in json.loads(encode(view))
    assert 10 == len(json.loads(encode(view)))


def test_encode_writes_an_orders_lines() -> None:
    """A purchase's lines are objects of gameId and price."""
    order = Purchase(
        timestamp="2025-11-21T10:30:45Z",
        user_id="user_1",
        order_id="order_1",
        games=[
            OrderLine(game_id="game_001", price=29.99),
            OrderLine(game_id="game_009", price=9.99),
        ],
        total_amount=39.98,
        payment_method="paypal",
        region="US",
    )
    assert {"eventType": "purchase"} | PURCHASE == json.loads(encode(order))


def test_text_that_is_not_ascii_stays_itself() -> None:
    """Letters of every script come through encode and decode unharmed."""
    search = SearchPerformed(
        timestamp="2025-11-21T10:30:45Z",
        user_id="ü🎮",
        search_query="ゲーム \u202e \x1b[2J",
        results_count=0,
        filter_tags=["é"],
    )
    decoded = decode(encode(search), key="ü🎮".encode(), topic="store.searches", arrived_ms=2**50)
    assert search == decoded.event


def test_tombstone_is_neither_event_nor_refused() -> None:
    """A null value is a tombstone, whatever its key and topic are."""
    for key in (None, b"user_1", b"\xff"):
        decoded = decode(None, key=key, topic="nowhere", arrived_ms=0)
        assert decoded.is_tombstone
        assert (None, None, ()) == (decoded.event, decoded.code, decoded.notes)
    assert not of(VIEW).decode().is_tombstone
    assert not of(VIEW, price=-1).decode().is_tombstone


def test_decoded_carries_time_and_id() -> None:
    """An accepted event comes with its time in milliseconds and its id from the header."""
    record = replace(
        of(VIEW), headers=(("ce_id", b"7f3a"), ("ce_arrived", b"2025-11-21T10:30:50Z"))
    )
    decoded = record.decode()
    assert (1_763_721_045_000, "7f3a") == (decoded.event_ms, decoded.event_id)
    assert of(VIEW).decode().event_id is None


def test_a_topic_can_be_left_unchecked() -> None:
    """Without a topic every type is accepted, and everything else is still checked."""
    value = of(VIEW).value
    assert decode(value, key=b"user_1", topic=None, arrived_ms=2**50).event is not None
    assert "no_key" == decode(value, key=None, topic=None, arrived_ms=2**50).code


@pytest.mark.parametrize(
    ("amount", "expected"),
    [
        (0.0, 0),
        (29.99, 2999),
        (0.1 + 0.2, 30),
        (1.005, 101),  # halves go up; binary floats alone would say 100
        (2.675, 268),
        (0.004, 0),
        (0.005, 1),
        (1e15, 10**17),
        (1e22, 10**24),  # beyond what binary floats know to the cent
        (1e308, 10**310),
        (60, 6000),
    ],
)
def test_cents_rounds_halves_up(amount: float, expected: int) -> None:
    """Money becomes whole cents as decimals do, not as binary floats do."""
    assert expected == cents(amount)
