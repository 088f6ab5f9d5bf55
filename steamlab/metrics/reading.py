"""A file of envelopes, in any order: which events count, and why the others do not."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import NamedTuple, TypeAlias

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from steamlab.decoding.identity import Identities
from steamlab.errors import SetupError
from steamlab.events import Decoded, decode, event_ms

__all__ = ["Reading", "Refused", "read_file", "read_lines"]

_NEVER_MS = 2**50  # where nobody noted the arrival, no event is from the future


@dataclass(frozen=True)
class Refused:
    """A line that does not count: its number, its reason code, and why."""

    line: int
    code: str
    reason: str


@dataclass
class Reading:
    """What a file holds: `accepted` in order of arrival, `refused` in order of lines.

    `strangers` of the refused are neither envelopes nor events.
    """

    accepted: list[Decoded] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    duplicates: int = 0
    tombstones: int = 0
    strangers: int = 0

    @property
    def records(self) -> int:
        """How many lines there were, empty ones apart."""
        return len(self.accepted) + len(self.refused) + self.duplicates + self.tombstones


class _Envelope(Struct, rename="camel", gc=False):
    topic: str | None = None
    key: str | None = None
    headers: dict[str, str | None] | None = None
    arrived_at: str | None = None
    value: Raw | UnsetType = UNSET
    raw: str | UnsetType | None = UNSET
    event_type: Raw | UnsetType = UNSET  # a bare event has these two instead
    user_id: Raw = Raw(b"null")


class _Arrived(NamedTuple):
    """An accepted event that waits to be compared with the others."""

    arrived_ms: int
    event_ms: int
    digest: bytes
    line: int
    decoded: Decoded


_to_envelope = msgspec.json.Decoder(_Envelope).decode


def read_file(name: str) -> Reading:
    """Read a file of envelopes or bare events, one a line; "-" is stdin.

    Raises `SetupError` where it cannot be read, is empty, or holds nothing of the kind.
    """
    shown = name if name.isprintable() else ascii(name)
    repair = "`steamlab simulate --days 1 --out FILE.jsonl` writes a file of events."
    try:
        with contextlib.nullcontext(sys.stdin.buffer) if name == "-" else open(name, "rb") as file:
            reading = read_lines(file)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise SetupError(f"Cannot read {shown}: {why.lower()}.", repair=repair) from error
    if not reading.records:
        raise SetupError(f"{shown} is empty; events were expected.", repair=repair)
    if reading.strangers == reading.records:
        raise SetupError(
            f"{shown} holds no events: one JSON object a line was expected, an envelope or "
            f"an event, and line {reading.refused[0].line} is none.",
            repair=repair,
        )
    return reading


def read_lines(lines: Iterable[bytes]) -> Reading:
    """Decode, validate and de-duplicate events; the order of the lines does not matter.

    Where two events claim one identity, the first to arrive stands: by the header `ce_arrived`, or
    by `arrivedAt`, or where there is neither by when it happened.
    """
    reading, arrived = Reading(), list[_Arrived]()
    for number, line in enumerate(lines, 1):
        if line.strip():
            _read(number, line.strip(), reading, arrived)
    arrived.sort(key=_place)
    identities = Identities(capacity=len(arrived) + 1)
    for each in arrived:
        judgement = identities.judge(each.decoded)
        if judgement == "new":
            reading.accepted.append(each.decoded)
        elif judgement == "duplicate":
            reading.duplicates += 1
        else:
            why = "another event has this identity"
            reading.refused.append(Refused(each.line, judgement, why))
    reading.refused.sort(key=lambda each: each.line)
    return reading


def _place(arrived: _Arrived) -> tuple[int, int, bytes]:
    """Return what orders the events: arrival, time, and where these are equal the text."""
    return arrived.arrived_ms, arrived.event_ms, arrived.digest


def _read(number: int, line: bytes, reading: Reading, arrived: list[_Arrived]) -> None:
    """Put one line where it belongs; identities are judged when all have come."""
    try:
        envelope = _to_envelope(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        envelope = None
    if envelope is None or (envelope.event_type, envelope.value, envelope.raw) == (UNSET,) * 3:
        reading.strangers += 1
        reading.refused.append(Refused(number, "not_json", "neither an envelope nor an event"))
        return
    value, key, headers, arrival = _parts(envelope, line)
    decoded = decode(
        value,
        key=key,
        topic=envelope.topic,
        headers=headers,
        arrived_ms=_NEVER_MS,
    )
    if decoded.is_tombstone:
        reading.tombstones += 1
    elif decoded.code is not None:
        reading.refused.append(Refused(number, decoded.code, decoded.reason))
    else:
        arrived_ms = decoded.event_ms if arrival is None else event_ms(arrival)
        digest = blake2b(value or b"", digest_size=8).digest()
        arrived.append(_Arrived(arrived_ms, decoded.event_ms, digest, number, decoded))


_Parts: TypeAlias = "tuple[bytes | None, bytes | None, list[tuple[str, str | None]], str | None]"


def _parts(envelope: _Envelope, line: bytes) -> _Parts:
    """Return value, key, headers and arrival, as Kafka would have carried them."""
    if envelope.event_type is not UNSET:  # a bare event: its key is its user
        return line, _text(envelope.user_id), [], None
    headers = envelope.headers or {}
    arrival = headers.get("ce_arrived")
    if arrival is None and envelope.arrived_at is not None:
        arrival = envelope.arrived_at
        headers = headers | {"ce_arrived": arrival}
    if envelope.value is not UNSET:
        value = None if bytes(envelope.value) == b"null" else bytes(envelope.value)
    else:
        value = envelope.raw.encode() if isinstance(envelope.raw, str) else None
    key = None if envelope.key is None else envelope.key.encode()
    return value, key, list(headers.items()), arrival


def _text(data: Raw) -> bytes:
    """Return a user's bytes; of what is no text nothing, for the event itself to answer for."""
    try:
        return msgspec.json.decode(data, type=str).encode()
    except msgspec.MsgspecError:
        return b""
