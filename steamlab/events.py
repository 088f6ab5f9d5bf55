"""The store's five events: their fields, how they travel as JSON, and when they happened.

Attributes are Python's spelling of the specification's field names: `event.user_id` is `userId`
in JSON. The event's type is the JSON field `eventType`; here it is the class.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal
from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from steamlab.decoding.reasons import Rejected
from steamlab.decoding.strict_json import MAX_BYTES
from steamlab.decoding.timestamps import event_ms
from steamlab.decoding.validation import FUTURE_MS, REGIONS, Headers, inspect, read_headers

__all__ = [
    "EVENT_TYPES",
    "NOT_PLAIN",
    "TOMBSTONE",
    "TOPIC_OF",
    "CartAction",
    "Decoded",
    "Event",
    "GamePageViewed",
    "OrderLine",
    "Purchase",
    "SearchPerformed",
    "WishlistAction",
    "cents",
    "decode",
    "encode",
    "event_ms",
    "is_plain",
    "to_event",
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
# Of all types together: a decoder of one type does not miss an absent eventType.
to_event: Callable[[bytes], Event] = msgspec.json.Decoder(Event).decode
NOT_PLAIN = (msgspec.MsgspecError, ValueError, RecursionError, TypeError)  # what to_event may raise

_LESSON = re.compile(r"^\d\d[a-z]?\.")


class Decoded(Struct, frozen=True, gc=False):
    """What became of a record: its `event`, or the reason `code` and why, or a tombstone.

    `notes` are codes of what was odd but accepted. `event_ms` and `event_id` (the header `ce_id`)
    belong to the event.
    """

    event: Event | None
    code: str | None = None
    reason: str = ""
    notes: tuple[str, ...] = ()
    event_ms: int = 0
    event_id: str | None = None

    @property
    def is_tombstone(self) -> bool:
        """Whether the record had no value: to be skipped and counted."""
        return self.event is None and self.code is None


TOMBSTONE = Decoded(None)


def encode(event: Event) -> bytes:
    """Return the event as JSON, with the specification's field names."""
    return _encode(event)


def cents(amount: float) -> int:
    """Return an amount of money in whole cents, halves up, free of binary rounding."""
    if amount < 1e13:  # beyond that not every cent is a float
        whole = round(amount * 100)
        if whole / 100 == amount:
            return whole
    return int(Decimal(repr(amount)).scaleb(2).to_integral_value(ROUND_HALF_UP))


def type_of(event: Event) -> str:
    """Return the event's `eventType`."""
    return str(type(event).__struct_config__.tag)


def decode(
    value: bytes | None,
    *,
    key: bytes | None,
    topic: str | None,
    headers: Headers | None = None,
    arrived_ms: int,
) -> Decoded:
    """Decode and fully validate a record; never raises, whatever the bytes are.

    `arrived_ms` is the record's timestamp, which counts where there is no header `ce_arrived`.
    A lesson's topic counts as the store topic that it is named after; None leaves it unchecked.
    """
    if value is None:
        return TOMBSTONE
    if len(value) <= MAX_BYTES:
        try:
            event = to_event(value)
            moment = event_ms(event.timestamp)
            event_id, arrived = read_headers(headers, arrived_ms) if headers else (None, arrived_ms)
            if moment - arrived <= FUTURE_MS and is_plain(event, value, key, topic):
                return Decoded(event, None, "", (), moment, event_id)
        except NOT_PLAIN:
            pass  # the exact path knows which code is the first
    return _decode_in_doubt(value, key, topic, headers, arrived_ms)


def _decode_in_doubt(
    value: bytes, key: bytes | None, topic: str | None, headers: Headers | None, arrived_ms: int
) -> Decoded:
    try:
        found = inspect(
            value,
            key=key,
            topic=None if topic is None else _LESSON.sub("", topic),
            headers=headers,
            arrived_ms=arrived_ms,
            types=EVENT_TYPES,
            topic_of=TOPIC_OF,
        )
    except Rejected as why:
        return Decoded(None, why.code, str(why))
    event = msgspec.convert(found.fields, EVENT_TYPES[found.event_type])
    return Decoded(event, None, "", found.notes, found.event_ms, found.event_id)


def is_plain(event: Event, value: bytes, key: bytes | None, topic: str | None) -> bool:
    """Whether an event is good for sure, but for its time and headers; else nothing is known."""
    plan = _PLANS[topic]
    return (
        type(event) is plan.kind
        and key == event.user_id.encode()
        and (members := plan.members(event)) > 0
        and (value.find(b"\\") < 0 or value.find(b"\\u") < 0)  # find() is faster than `in`
        and (value.count(b":") == members + 2 or _has_nothing_else(value, event))
        and len(value) <= MAX_BYTES
    )


def _has_nothing_else(value: bytes, event: Event) -> bool:
    """Whether the JSON has no unknown or repeated fields, and a timestamp that ends in Z.

    Each member has one colon and a string may have more, all of them plain: escapes of any
    character were ruled out before. As many as the event itself needs leave room for nothing
    else; the usual event needs one a member and two in its timestamp.
    """
    return event.timestamp.endswith("Z") and value.count(b":") == _encode(event).count(b":")


def _view_members(event: GamePageViewed) -> int:
    if event.sale_price is UNSET:
        return 0 if event.on_sale else 10
    return 11 if event.sale_price <= event.price else 0


def _purchase_members(event: Purchase) -> int:
    total = 0.0
    for line in event.games:
        total += line.price
    # Where binary rounding could matter, the exact path decides.
    is_right = abs(total - event.total_amount) < 0.004 and total < 1e9
    return 8 + 2 * len(event.games) if is_right and event.games and event.region in REGIONS else 0


class _Plan(Struct, frozen=True):
    """How to read a topic: `members` counts an event's fields in JSON, and is 0 if in doubt."""

    kind: type[Event] | None
    members: Callable[[Any], int]


class _Plans(dict[str | None, _Plan]):
    """The plan of each topic; a lesson's has that of the store topic it is named after."""

    def __missing__(self, topic: str | None) -> _Plan:
        store_topic = None if topic is None else _LESSON.sub("", topic)
        if store_topic not in self:
            return _Plan(None, lambda _: 0)
        self[topic] = self[store_topic]  # at most a few lessons, so this does not grow
        return self[topic]


_PLANS = _Plans(
    {
        TOPIC_OF[name]: _Plan(EVENT_TYPES[name], members)
        for name, members in {
            "game_page_viewed": _view_members,
            "wishlist_action": lambda _: 6,
            "cart_action": lambda _: 7,
            "purchase": _purchase_members,
            "search_performed": lambda _: 6,
        }.items()
    }
)
