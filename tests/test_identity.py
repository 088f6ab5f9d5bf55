"""The same event again, and another one under a known name."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hostile import CART, PURCHASE, SEARCH, VIEW, WISH, Record, of, raw

from steamlab.decoding.identity import Identities

ORDER = of(PURCHASE)


def named(record: Record, event_id: str) -> Record:
    """Give a record the header `ce_id`."""
    return replace(record, headers=(("ce_id", event_id.encode()),))


CHEAPER = {"games": [{"gameId": "game_009", "price": 9.99}], "totalAmount": 9.99}
FAMILIAR = [
    ("duplicate", "byte for byte", of(VIEW), of(VIEW)),
    ("duplicate", "fields in another order", of(VIEW), of(dict(reversed(VIEW.items())))),
    (
        "duplicate",
        "another spelling of the time",
        of(VIEW),
        of(VIEW, timestamp="2025-11-21T11:30:45.000+01:00"),
    ),
    ("duplicate", "1 for 1.0", of(VIEW, price=60.0), of(VIEW, price=60)),
    ("duplicate", "a field of tomorrow", of(VIEW), of(VIEW, abTest="B")),
    ("duplicate", "UK for GB", of(PURCHASE, region="GB"), of(PURCHASE, region="UK")),
    ("duplicate", "the same id", named(of(VIEW), "a"), named(of(VIEW), "a")),
    ("duplicate", "an order under two ids", named(ORDER, "a"), named(ORDER, "b")),
    ("duplicate", "an order with an id and without", named(ORDER, "a"), ORDER),
    (
        "id_conflict",
        "another body under an id",
        named(of(VIEW), "a"),
        named(of(VIEW, gameId="b"), "a"),
    ),
    ("id_conflict", "another type under an id", named(of(VIEW), "a"), named(of(CART), "a")),
    ("id_conflict", "another source of the same view", of(VIEW), of(VIEW, source="direct")),
    ("id_conflict", "another number of results", of(SEARCH), of(SEARCH, resultsCount=4)),
    ("id_conflict", "another size of the wishlist", of(WISH), of(WISH, currentWishlistSize=2)),
    ("order_id_conflict", "another sum", ORDER, of(PURCHASE, **CHEAPER)),
    ("order_id_conflict", "another time", ORDER, of(PURCHASE, timestamp="2025-11-21T10:30:46Z")),
    ("order_id_conflict", "another user", ORDER, replace(of(PURCHASE, userId="u2"), key=b"u2")),
    (
        "order_id_conflict",
        "another order under an id",
        named(ORDER, "a"),
        named(of(PURCHASE, orderId="b"), "a"),
    ),
    (
        "order_id_conflict",
        "another sum under its own id",
        named(ORDER, "a"),
        named(of(PURCHASE, **CHEAPER), "b"),
    ),
    ("new", "another id", named(of(VIEW), "a"), named(of(VIEW), "b")),
    ("new", "another order", ORDER, of(PURCHASE, orderId="order_2")),
    ("new", "an order called like an id", named(of(VIEW), "order_1"), ORDER),
    ("new", "a millisecond later", of(VIEW), of(VIEW, timestamp="2025-11-21T10:30:45.001Z")),
    ("new", "another game", of(VIEW), of(VIEW, gameId="game_002")),
    ("new", "another query", of(SEARCH), of(SEARCH, searchQuery="RPG")),
    ("new", "removed at once", of(WISH), of(WISH, action="removed")),
    ("new", "the other list", of(WISH), of(CART, action="added")),
    ("new", "another user", of(VIEW), replace(of(VIEW, userId="u2"), key=b"u2")),
    ("new", "an empty id is none", named(of(VIEW), ""), named(of(VIEW, gameId="b"), "")),
]


@pytest.mark.parametrize(
    ("expected", "first", "second"),
    [pytest.param(row[0], *row[2:], id=f"{row[0]}: {row[1]}") for row in FAMILIAR],
)
def test_second_event_is_judged_by_the_first(expected: str, first: Record, second: Record) -> None:
    """The first event is new; the second is new, the same again, or in conflict with it."""
    identities = Identities()
    assert "new" == identities.judge(first.decode())
    assert expected == identities.judge(second.decode())


def test_the_first_one_stands() -> None:
    """A conflict is not remembered: the first body stays the true one."""
    identities = Identities()
    other = of(PURCHASE, **CHEAPER)
    seen = [identities.judge(each.decode()) for each in (ORDER, other, ORDER, other)]
    assert ["new", "order_id_conflict", "duplicate", "order_id_conflict"] == seen


def test_duplicate_key_counts_by_its_last_value() -> None:
    """Two spellings of one event, one with a key twice, are the same event."""
    identities = Identities()
    assert "new" == identities.judge(of(VIEW).decode())
    twice: Any = raw(b'"price": 59.99', b'"price": 1, "price": 59.99')
    assert "duplicate" == identities.judge(twice.decode())


def test_memory_is_bounded_and_keeps_the_last() -> None:
    """At least the last `capacity` events are known, and at most twice as many are kept."""
    identities = Identities(capacity=10)
    records = [of(VIEW, gameId=f"game_{n}") for n in range(100)]
    assert {"new"} == {identities.judge(each.decode()) for each in records}
    assert ["duplicate"] * 10 == [identities.judge(each.decode()) for each in records[-10:]]
    assert "new" == identities.judge(records[0].decode())


def test_only_events_have_an_identity() -> None:
    """A refused record cannot be judged."""
    with pytest.raises(ValueError, match="only an accepted event"):
        Identities().judge(of(VIEW, price=-1).decode())
