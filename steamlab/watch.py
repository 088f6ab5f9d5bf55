"""Print records readably as they arrive: validated, escaped, counted, the bad ones named."""

from __future__ import annotations

import json as json_text
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TextIO

import msgspec
from confluent_kafka import TIMESTAMP_NOT_AVAILABLE, Message

from steamlab.decoding.identity import Identities
from steamlab.errors import DeadlineError
from steamlab.events import (
    TOPIC_OF,
    CartAction,
    Decoded,
    Event,
    GamePageViewed,
    Purchase,
    SearchPerformed,
    decode,
)
from steamlab.tail import Start, Tail
from steamlab.topics import ALL_TOPICS, base_name

__all__ = ["Tally", "escape_controls", "sentence", "watch"]

_LONGEST = 160
_PLACE = ("topic", "partition", "offset")
_EVENT_TOPICS = frozenset(TOPIC_OF.values())
_OTHER_TOPICS = frozenset(spec.name for spec in ALL_TOPICS) - _EVENT_TOPICS


@dataclass
class Tally:
    """What was watched: `bad` counts by reason code; other topics' records are only counted."""

    records: int = 0
    events: int = 0
    duplicates: int = 0
    tombstones: int = 0
    others: int = 0
    bad: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return vars(self) | {"bad": dict(self.bad), "notes": dict(self.notes)}

    def __str__(self) -> str:
        parts = [_many(self.records, "record"), f"{self.events} good"]
        rest = (
            (self.duplicates, "duplicate"),
            (self.tombstones, "tombstone"),
            (self.others, "other"),
        )
        parts += [_many(count, name) for count, name in rest if count]
        parts += [f"{self.bad.total()} bad{_named(self.bad)}"]
        return ", ".join(parts) + (f"; noted{_named(self.notes)}" if self.notes else "")


@dataclass(frozen=True)
class _Seen:
    """One record, judged: `code` names what is wrong with it, or that it is a duplicate."""

    message: Message
    decoded: Decoded | None
    code: str | None


def watch(
    kafka: Mapping[str, Any],
    topics: str | Sequence[str],
    *,
    until: int | None = None,
    json: bool = False,
    start: Start = "beginning",
    out: TextIO | None = None,
    timeout: float | None = None,
) -> Tally:
    """Print each record of the topics as a line, then a tally; end after `until` or at Ctrl-C.

    Without `until` it also ends after `timeout` seconds.

    A topic that is not one of the store's may hold any of its events; records of the metrics, the
    dead letters and the controls are shown as they are. With `json`, each line is an object for
    another program, and the last one is {"tally": ...}. Raises `TopicError` for an unknown topic,
    `DeadlineError` if `until` is not reached in time.
    """
    names = [topics] if isinstance(topics, str) else list(topics)
    out = out or sys.stdout
    tally, identities = Tally(), Identities(capacity=100_000)
    try:
        for batch in _batches(kafka, names, until, start, timeout):
            for message in batch:
                seen = _judge(message, identities)
                _count(tally, seen)
                print(_object(seen) if json else _line(seen, out), file=out)
            out.flush()
    except KeyboardInterrupt:
        pass
    except BrokenPipeError:  # whoever read our lines has left; so do we, without a word
        os.dup2(os.open(os.devnull, os.O_WRONLY), out.fileno())
        return tally
    print(json_text.dumps({"tally": tally.as_dict()}) if json else tally, file=out, flush=True)
    return tally


def escape_controls(text: str) -> str:
    """Return text that no terminal acts on: what does not print is spelled out, as `\\x1b` is."""
    if text.isprintable() and "\\" not in text:
        return text
    return "".join(
        each if each.isprintable() and each != "\\" else each.encode("unicode_escape").decode()
        for each in text
    )


def sentence(event: Event) -> str:
    """Say in a few words what happened; the event's own strings are not escaped yet."""
    who = event.user_id
    if isinstance(event, GamePageViewed):
        price = event.price if event.sale_price is msgspec.UNSET else event.sale_price
        return f"{who} viewed {event.game_name} for {price:.2f} ({event.source})"
    if isinstance(event, SearchPerformed):
        return f'{who} searched for "{event.search_query}": {event.results_count} results'
    if isinstance(event, Purchase):
        games = ", ".join(line.game_id for line in event.games)
        paid = f"{event.total_amount:.2f} ({event.payment_method}, {event.region})"
        return f"{who} bought {games} for {paid}"
    if isinstance(event, CartAction):
        cart = f"{event.items_in_cart} in the cart, {event.current_cart_value:.2f}"
        return f"{who} {event.action} {event.game_id}: {cart}"
    return f"{who} {event.action} {event.game_id}: {event.current_wishlist_size} on the wishlist"


def _batches(
    kafka: Mapping[str, Any],
    names: list[str],
    until: int | None,
    start: Start,
    timeout: float | None,
) -> Iterator[list[Message]]:
    deadline = None if timeout is None else time.monotonic() + timeout
    seen = 0
    with Tail(kafka, names, start) as tail:
        while until is None or seen < until:
            if deadline is not None and time.monotonic() > deadline:
                if until is None:
                    return
                raise DeadlineError(
                    f"Expected {until} records, and saw {seen} before the deadline.",
                    repair="Run `steamlab topics` to see where the records are.",
                )
            batch = tail.poll(500 if until is None else min(500, until - seen), 0.1)
            seen += len(batch)
            yield batch


def _judge(message: Message, identities: Identities) -> _Seen:
    name = base_name(str(message.topic()))
    if name in _OTHER_TOPICS:
        return _Seen(message, None, None)
    kind, stamped_ms = message.timestamp()
    headers = message.headers() or []
    decoded = decode(
        _bytes(message.value()),
        key=_bytes(message.key()),
        topic=name if name in _EVENT_TOPICS else None,
        headers=list(headers.items()) if isinstance(headers, dict) else headers,
        arrived_ms=time.time_ns() // 10**6 if kind == TIMESTAMP_NOT_AVAILABLE else stamped_ms,
    )
    if decoded.event is None:
        return _Seen(message, decoded, decoded.code)
    judgement = identities.judge(decoded)
    return _Seen(message, decoded, None if judgement == "new" else judgement)


def _count(tally: Tally, seen: _Seen) -> None:
    tally.records += 1
    if seen.decoded is None:
        tally.others += 1
    elif seen.decoded.is_tombstone:
        tally.tombstones += 1
    elif seen.code == "duplicate":
        tally.duplicates += 1
    elif seen.code:
        tally.bad[seen.code] += 1
    else:
        tally.events += 1
        tally.notes.update(seen.decoded.notes)


def _line(seen: _Seen, out: TextIO) -> str:
    message, decoded = seen.message, seen.decoded
    place = f"{message.topic()}[{message.partition()}]@{message.offset()}"
    if decoded is None:
        said = f"{_refusal(message)}{_text(message.key())}: {_text(message.value())}"
    elif decoded.is_tombstone:
        said = f"tombstone for {_text(message.key())}"
    elif decoded.event is None:
        said = f"BAD {decoded.code}: {decoded.reason} | {_text(message.value())}"
    else:
        said = f"{decoded.event.timestamp}  {sentence(decoded.event)}"
        if seen.code:
            said = f"duplicate  {said}" if seen.code == "duplicate" else f"BAD {seen.code}: {said}"
        said += "".join(f"  [{note}]" for note in decoded.notes)
    line = escape_controls(f"{place}  {said}")
    line = line if len(line) <= _LONGEST else line[: _LONGEST - 3] + "..."
    coding = out.encoding or "utf-8"
    return line.encode(coding, "backslashreplace").decode(coding)


def _refusal(message: Message) -> str:
    """Say of a dead letter why it is one, and where it was: that stands in its headers."""
    headers: dict[str, Any] = dict(message.headers() or ())
    if "dlq.reason" not in headers:
        return ""
    code, why, topic, partition, offset = (
        _text(headers.get(f"dlq.{name}"))
        for name in ("reason", "message", *(f"original.{part}" for part in _PLACE))
    )
    return f"{code}: {why} | {topic}[{partition}]@{offset} | "


def _object(seen: _Seen) -> str:
    """JSON in plain ASCII; a bad record's bytes are given as text."""
    message, decoded = seen.message, seen.decoded
    record = {
        "topic": message.topic(),
        "partition": message.partition(),
        "offset": message.offset(),
        "key": None if message.key() is None else _text(message.key()),
        "code": seen.code,
        "reason": decoded.reason if decoded else "",
        "notes": list(decoded.notes) if decoded else [],
    }
    if decoded is not None and decoded.event is not None:
        record["event"] = msgspec.to_builtins(decoded.event)
    else:
        record["raw"] = None if message.value() is None else _text(message.value())
    return json_text.dumps(record)


def _many(count: int, name: str) -> str:
    return f"{count} {name}" if count == 1 else f"{count} {name}s"


def _named(counts: Counter[str]) -> str:
    return f" ({', '.join(f'{name} {n}' for name, n in sorted(counts.items()))})" if counts else ""


def _bytes(data: bytes | str | None) -> bytes | None:
    return data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data


def _text(data: bytes | str | None) -> str:
    text = data.decode("utf-8", "backslashreplace") if isinstance(data, bytes) else data
    return "no key" if text is None else text
