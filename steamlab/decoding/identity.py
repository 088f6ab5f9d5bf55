"""The same event again, or another one under its name: identities and what they stood for."""

from __future__ import annotations

from hashlib import blake2b
from typing import Literal, TypeAlias

import msgspec

from steamlab.events import (
    CartAction,
    Decoded,
    Event,
    Purchase,
    SearchPerformed,
    WishlistAction,
    encode,
    type_of,
)

__all__ = ["Identities", "Judgement"]

Judgement: TypeAlias = Literal["new", "duplicate", "id_conflict", "order_id_conflict"]


class Identities:
    """Remember events, at least the last `capacity` of them, to know one that comes again.

    An event's identity is its header `ce_id`, else what it says of itself: user, type, time, game
    or query, action. A purchase is known by its `orderId` as well. Bodies are compared by what
    they mean: the order of the fields, the offset of the timestamp, and unknown fields don't count.
    """

    def __init__(self, *, capacity: int = 1_000_000) -> None:
        self._capacity = capacity
        self._recent: dict[object, bytes] = {}
        self._older: dict[object, bytes] = {}

    def judge(self, decoded: Decoded) -> Judgement:
        """Say whether an accepted event is new, known, or in conflict with a known one.

        New ones are remembered; in a conflict the first one stands. Raises ValueError for a record
        without an event.
        """
        if decoded.event is None:
            raise ValueError("only an accepted event has an identity")
        body = _body(decoded.event, decoded.event_ms)
        identities = _identities(decoded.event, decoded)
        known = [stood for each in identities if (stood := self._find(each)) is not None]
        if any(stood != body for stood in known):
            return "order_id_conflict" if type(decoded.event) is Purchase else "id_conflict"
        if known:
            return "duplicate"
        self._remember(identities, body)
        return "new"

    def _find(self, identity: object) -> bytes | None:
        return self._recent.get(identity) or self._older.get(identity)

    def _remember(self, identities: list[object], body: bytes) -> None:
        if len(self._recent) >= self._capacity:  # the memory is bounded, whatever arrives
            self._older, self._recent = self._recent, {}
        self._recent.update(dict.fromkeys(identities, body))


def _identities(event: Event, decoded: Decoded) -> list[object]:
    named: list[object] = [decoded.event_id] if decoded.event_id else []
    if isinstance(event, Purchase):
        return [*named, ("purchase", event.order_id)]
    if named:
        return named
    about = event.search_query if isinstance(event, SearchPerformed) else event.game_id
    action = event.action if isinstance(event, (WishlistAction, CartAction)) else ""
    return [(event.user_id, type_of(event), decoded.event_ms, about, action)]


def _body(event: Event, event_ms: int) -> bytes:
    """Digest the event with its time in one spelling."""
    spelled = msgspec.structs.replace(event, timestamp=str(event_ms))
    return blake2b(encode(spelled), digest_size=8).digest()
