"""From records to columns: which events count, and what they say, kind by kind."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, TypeAlias
from zlib import crc32

import msgspec

from steamlab.events import (
    CartAction,
    Decoded,
    Event,
    GamePageViewed,
    Purchase,
    SearchPerformed,
    WishlistAction,
    type_of,
)
from steamlab.processor.families import DAY

__all__ = ["KINDS", "Admitted", "Identity", "Intake", "Refusal"]

# The fields that are kept of an event: it is let go at once, so that its memory is used again.
_FIELDS: dict[type[Event], Any] = {
    GamePageViewed: attrgetter("user_id", "game_id", "source"),
    WishlistAction: attrgetter("user_id", "game_id", "action"),
    CartAction: attrgetter("user_id", "game_id", "action"),
    Purchase: attrgetter("user_id", "games", "total_amount", "region"),
    SearchPerformed: attrgetter("user_id", "search_query"),
}
KINDS = tuple(_FIELDS)
Identity: TypeAlias = "str | tuple[Any, ...]"
_Known: TypeAlias = tuple[Identity, int, int]  # an identity, the day, the checksum of the body

_encode = msgspec.json.Encoder().encode

# Where the timestamp begins in an event as we encode it: it has one place, and many spellings.
_STAMP = {
    kind: len(f'{{"eventType":"{kind.__struct_config__.tag}","timestamp":"') for kind in KINDS
}


@dataclass(frozen=True)
class Refusal:
    """A record for the dead letter topic: its place in the batch, a reason code, and why."""

    place: int
    code: str
    reason: str


@dataclass
class Admitted:
    """What became of a batch: the kept fields of events and their times by kind, in order.

    `identities` are those of the events, each with its day and the checksum of the body. `too_old`
    counts, by kind, events that came after what they would have been compared with was forgotten.
    """

    rows: list[list[Any]] = field(default_factory=lambda: [[] for _ in KINDS])
    times: list[list[int]] = field(default_factory=lambda: [[] for _ in KINDS])
    identities: list[_Known] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    too_old: list[int] = field(default_factory=lambda: [0] * len(KINDS))
    duplicates: int = 0
    tombstones: int = 0


class Intake:
    """Admit events once: remember what was seen, by the day of the event, until it is forgotten.

    Bodies are compared by a checksum of what they mean: the time in one spelling, and the known
    fields in one order. The first to arrive stands.
    """

    def __init__(self) -> None:
        self._days: dict[int, dict[Identity, int]] = {}

    def admit(self, batch: Iterable[Decoded], *, floor_ms: int) -> Admitted:
        """Sort decoded records out; those before `floor_ms` are too old to be compared."""
        found = Admitted()
        put = {
            kind: (fields, found.rows[code].append, found.times[code].append)
            for code, (kind, fields) in enumerate(_FIELDS.items())
        }
        for place, decoded in enumerate(batch):
            event, time = decoded.event, decoded.event_ms
            if event is None:
                self._set_aside(found, place, decoded)
                continue
            if time < floor_ms:
                found.too_old[KINDS.index(type(event))] += 1
                continue
            refusal = self._judge(event, time, decoded.event_id, found.identities.append)
            if refusal is None:
                fields, add_row, add_time = put[type(event)]
                add_row(fields(event))
                add_time(time)
            elif refusal:
                found.refused.append(Refusal(place, refusal, "another event has this identity"))
            else:
                found.duplicates += 1
        return found

    @staticmethod
    def _set_aside(found: Admitted, place: int, decoded: Decoded) -> None:
        if decoded.code is None:
            found.tombstones += 1
        else:
            found.refused.append(Refusal(place, decoded.code, decoded.reason))

    def _judge(
        self, event: Event, time: int, event_id: str | None, keep: Callable[[_Known], None]
    ) -> str | None:
        """Remember a new event; of another one return the reason code, "" for a duplicate."""
        kind, day, days = type(event), time // DAY, self._days
        said = _encode(event)[_STAMP[kind] + len(event.timestamp) :]
        checksum = crc32(said, time & 0xFFFFFFFF)
        if event_id and kind is not Purchase:
            identities: tuple[Identity, ...] = (event_id,)
        else:
            identities = _identities(event, time, event_id)
        known = None
        for identity in identities:
            for memory in days.values():
                if identity in memory:
                    known = "" if known is None else known
                    if memory[identity] != checksum:
                        known = "order_id_conflict" if kind is Purchase else "id_conflict"
        if known is None:
            if day not in days:
                days[day] = {}
            for identity in identities:
                days[day][identity] = checksum
                keep((identity, day, checksum))
        return known

    def remember(self, identities: Iterable[_Known]) -> None:
        """Put back what was admitted before."""
        for identity, day, checksum in identities:
            named = identity if isinstance(identity, str) else tuple(identity)
            self._days.setdefault(day, {})[named] = checksum

    def forget(self, floor_ms: int) -> None:
        """Forget the days before an instant."""
        for day in [day for day in self._days if (day + 1) * DAY <= floor_ms]:
            del self._days[day]


def _identities(event: Event, time: int, event_id: str | None) -> tuple[Identity, ...]:
    if isinstance(event, Purchase):
        order = ("purchase", event.order_id)
        return (event_id, order) if event_id else (order,)
    about = event.search_query if isinstance(event, SearchPerformed) else event.game_id
    action = event.action if isinstance(event, (WishlistAction, CartAction)) else ""
    return ((event.user_id, type_of(event), time, about, action),)
