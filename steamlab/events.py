"""The store's five events: their fields, how they travel as JSON, and when they happened.

Attributes are Python's spelling of the specification's field names: `event.user_id` is `userId`
in JSON. The event's type is the JSON field `eventType`; here it is the class.
"""

from __future__ import annotations

import re
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

__all__ = [
    "EVENT_TYPES",
    "TOPIC_OF",
    "CartAction",
    "Event",
    "GamePageViewed",
    "OrderLine",
    "Purchase",
    "SearchPerformed",
    "WishlistAction",
    "cents",
    "encode",
    "event_ms",
    "type_of",
]

Money: TypeAlias = Annotated[float, Meta(ge=0)]
Count: TypeAlias = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Source: TypeAlias = Literal[
    "featured_carousel", "search", "recommendation", "direct", "wishlist", "category_browse"
]
Action: TypeAlias = Literal["added", "removed"]
PaymentMethod: TypeAlias = Literal["credit_card", "paypal", "steam_wallet", "cryptocurrency"]


class _Event(Struct, frozen=True, kw_only=True, gc=False, rename="camel", tag_field="eventType"):
    timestamp: str
    user_id: str


class GamePageViewed(_Event, tag="game_page_viewed", frozen=True, kw_only=True, gc=False):
    """A user opened a game's page; `sale_price` is there where the game is on sale."""

    game_id: str
    game_name: str
    price: Money
    on_sale: bool
    sale_price: Money | UnsetType = UNSET
    category: str
    tags: list[str]
    source: Source


class WishlistAction(_Event, tag="wishlist_action", frozen=True, kw_only=True, gc=False):
    """A user put a game on the wishlist, or took it off."""

    game_id: str
    action: Action
    current_wishlist_size: Count


class CartAction(_Event, tag="cart_action", frozen=True, kw_only=True, gc=False):
    """A user put a game into the cart, or took it out."""

    game_id: str
    action: Action
    current_cart_value: Money
    items_in_cart: Count


class OrderLine(Struct, frozen=True, kw_only=True, gc=False, rename="camel"):
    """One game of a purchase, at the price that was paid."""

    game_id: str
    price: Money


class Purchase(_Event, tag="purchase", frozen=True, kw_only=True, gc=False):
    """A user paid for the games of an order; `total_amount` is the sum of its lines."""

    order_id: str
    games: list[OrderLine]
    total_amount: Money
    payment_method: PaymentMethod
    region: str


class SearchPerformed(_Event, tag="search_performed", frozen=True, kw_only=True, gc=False):
    """A user searched the store."""

    search_query: str
    results_count: Count
    filter_tags: list[str]


Event: TypeAlias = GamePageViewed | WishlistAction | CartAction | Purchase | SearchPerformed

EVENT_TYPES: dict[str, type[Event]] = {
    "game_page_viewed": GamePageViewed,
    "wishlist_action": WishlistAction,
    "cart_action": CartAction,
    "purchase": Purchase,
    "search_performed": SearchPerformed,
}
TOPIC_OF = {
    "game_page_viewed": "store.game-views",
    "wishlist_action": "store.wishlist-events",
    "cart_action": "store.cart-events",
    "purchase": "store.purchases",
    "search_performed": "store.searches",
}

_encode = msgspec.json.Encoder().encode
_RFC3339 = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(\.[0-9]+)?"
    r"(Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
)


def encode(event: Event) -> bytes:
    """Return the event as JSON, with the specification's field names."""
    return _encode(event)


def cents(amount: float) -> int:
    """Return an amount of money in whole cents, halves up, free of binary rounding."""
    whole = round(amount * 100)
    if whole / 100 == amount:
        return whole
    return int(Decimal(repr(amount)).scaleb(2).to_integral_value(ROUND_HALF_UP))


def type_of(event: Event) -> str:
    """Return the event's `eventType`."""
    return str(type(event).__struct_config__.tag)


def event_ms(timestamp: str) -> int:
    """Return an RFC 3339 timestamp as milliseconds since 1970, UTC; raise ValueError for others."""
    match = _RFC3339.fullmatch(timestamp)
    if not match:
        raise ValueError(f"{timestamp!a} is no RFC 3339 timestamp")
    whole, fraction, offset = match.groups()
    moment = datetime.fromisoformat(whole + ("+00:00" if offset == "Z" else offset))
    return int(moment.timestamp()) * 1000 + int(((fraction or ".") + "000")[1:4])
