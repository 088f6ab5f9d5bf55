"""From records to columns: which events count, and what they say, kind by kind."""

from __future__ import annotations

from collections.abc import Iterable
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
from steamlab.processor.families import DAY, NEVER_MS

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

    `identities` are those of the events, with their marks; `seen` counts records. `too_old` counts,
    by kind, events that came after what they would have been compared with was forgotten.
    """

    rows: list[list[Any]] = field(default_factory=lambda: [[] for _ in KINDS])
    times: list[list[int]] = field(default_factory=lambda: [[] for _ in KINDS])
    identities: dict[Identity, int] = field(default_factory=dict)
    refused: list[Refusal] = field(default_factory=list)
    too_old: list[int] = field(default_factory=lambda: [0] * len(KINDS))
    seen: int = 0
    duplicates: int = 0
    tombstones: int = 0


class Intake:
    """Admit events once: remember what was seen, by the day of the event, until it is forgotten.

    An identity's mark is the day of its event, then 32 bits of checksum: of what the body means,
    so with the time in one spelling, and the known fields in one order. The first to arrive stands.
    """

    def __init__(self) -> None:
        self._marks: dict[Identity, int] = {}
        self._first_day = NEVER_MS // DAY

    def admit(self, records: Iterable[Decoded], found: Admitted, *, floor_ms: int) -> None:
        """Sort decoded records out; those before `floor_ms` are too old to be compared."""
        place = found.seen - 1
        put = {
            kind: (fields, found.rows[code].append, found.times[code].append)
            for code, (kind, fields) in enumerate(_FIELDS.items())
        }
        for place, decoded in enumerate(records, found.seen):
            event, time = decoded.event, decoded.event_ms
            if event is None:
                self._set_aside(found, place, decoded)
                continue
            if time < floor_ms:
                found.too_old[KINDS.index(type(event))] += 1
                continue
            refusal = self._judge(event, time, decoded.event_id, found.identities)
            if refusal is None:
                fields, add_row, add_time = put[type(event)]
                add_row(fields(event))
                add_time(time)
            elif refusal:
                found.refused.append(Refusal(place, refusal, "another event has this identity"))
            else:
                found.duplicates += 1
        found.seen = place + 1

    @staticmethod
    def _set_aside(found: Admitted, place: int, decoded: Decoded) -> None:
        if decoded.code is None:
            found.tombstones += 1
        else:
            found.refused.append(Refusal(place, decoded.code, decoded.reason))

    def _judge(
        self, event: Event, time: int, event_id: str | None, new: dict[Identity, int]
    ) -> str | None:
        """Remember a new event; of another one return the reason code, "" for a duplicate."""
        kind, marks = type(event), self._marks
        said = _encode(event)[_STAMP[kind] + len(event.timestamp) :]
        mark = (time // DAY << 32) + crc32(said, time & 0xFFFFFFFF)
        if event_id and kind is not Purchase:
            if event_id not in marks:  # as nearly all are
                marks[event_id] = new[event_id] = mark
                return None
            identities: tuple[Identity, ...] = (event_id,)
        else:
            identities = _identities(event, time, event_id)
        for identity in identities:
            if identity in marks:
                if all(marks.get(each, mark) == mark for each in identities):
                    return ""
                return "order_id_conflict" if kind is Purchase else "id_conflict"
        for identity in identities:
            marks[identity] = new[identity] = mark
        return None

    def remember(self, identities: Iterable[tuple[Identity, int]]) -> None:
        """Put back what was admitted before."""
        for identity, mark in identities:
            self._marks[identity if isinstance(identity, str) else tuple(identity)] = mark

    def forget(self, floor_ms: int) -> None:
        """Forget the days before an instant."""
        first_day = floor_ms // DAY
        if first_day > self._first_day:
            self._first_day, kept = first_day, self._marks.items()
            self._marks = {identity: mark for identity, mark in kept if mark >> 32 >= first_day}


def _identities(event: Event, time: int, event_id: str | None) -> tuple[Identity, ...]:
    if isinstance(event, Purchase):
        order = ("purchase", event.order_id)
        return (event_id, order) if event_id else (order,)
    about = event.search_query if isinstance(event, SearchPerformed) else event.game_id
    action = event.action if isinstance(event, (WishlistAction, CartAction)) else ""
    return ((event.user_id, type_of(event), time, about, action),)
