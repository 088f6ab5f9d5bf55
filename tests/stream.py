"""Short streams for the tests of the metrics: one line an event, on 21 November 2025."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

from steamlab.metrics import Record, Tables, key, read_lines, records, to_tables

__all__ = ["add", "buy", "found", "look", "pull", "search", "tables", "unwish", "wish"]

Event = dict[str, Any]


def _event(kind: str, clock: str, user: str, **fields: Any) -> Event:
    day, _, clock = clock.rpartition(" ")
    stamp = f"2025-{day or '11-21'}T{clock}Z"
    return {"eventType": kind, "timestamp": stamp, "userId": user} | fields


def look(clock: str, user: str = "u1", game: str = "g1", source: str = "direct") -> Event:
    """Make a page view; `clock` is a time of day, or `MM-DD` and a time of day."""
    return _event(
        "game_page_viewed", clock, user, gameId=game, gameName=game, price=10.0, onSale=False,
        category="RPG", tags=[], source=source,
    )  # fmt: skip


def wish(clock: str, user: str = "u1", game: str = "g1", action: str = "added") -> Event:
    """Make a wishlist action."""
    more = {"gameId": game, "action": action, "currentWishlistSize": 1}
    return _event("wishlist_action", clock, user, **more)


def unwish(clock: str, user: str = "u1", game: str = "g1") -> Event:
    """Make a removal from the wishlist."""
    return wish(clock, user, game, "removed")


def add(clock: str, user: str = "u1", game: str = "g1", action: str = "added") -> Event:
    """Make a cart action."""
    more = {"gameId": game, "action": action, "currentCartValue": 10.0, "itemsInCart": 1}
    return _event("cart_action", clock, user, **more)


def pull(clock: str, user: str = "u1", game: str = "g1") -> Event:
    """Make a removal from the cart."""
    return add(clock, user, game, "removed")


def buy(clock: str, user: str = "u1", region: str = "US", order: str = "", **prices: Any) -> Event:
    """Make a purchase of games at these prices: `g1=9.99`; without any, of g1 at 10.00.

    A list of prices is a game that stands twice in the order.
    """
    lines = [
        {"gameId": game, "price": each}
        for game, price in (prices or {"g1": 10.0}).items()
        for each in (price if isinstance(price, list) else [price])
    ]
    total = round(sum(line["price"] for line in lines), 2)
    return _event(
        "purchase", clock, user, orderId=order or f"{user} {clock}", games=lines,
        totalAmount=total, paymentMethod="paypal", region=region,
    )  # fmt: skip


def search(clock: str, user: str = "u1", query: str = "rpg", results: int = 3) -> Event:
    """Make a search."""
    more = {"searchQuery": query, "resultsCount": results, "filterTags": []}
    return _event("search_performed", clock, user, **more)


def tables(*events: Event, until_ms: int | None = None) -> Tables:
    """Read events, or envelopes of them, into tables."""
    lines = [json.dumps(event).encode() for event in events]
    return to_tables(read_lines(lines).accepted, until_ms=until_ms)


def found(
    of: Tables, *, only: Collection[str] | None = None, is_instant: bool = False
) -> dict[str, Record]:
    """Compute all records, by their keys."""
    computed = records(of, only=only, is_instant=is_instant)
    by_key = {key(record): record for record in computed}
    assert len(computed) == len(by_key)
    return by_key
