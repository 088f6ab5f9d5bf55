"""Records of the input topics, decoded many at once.

`steamlab.events.decode` says what a record means. Here the same is found with less work a record:
times and headers come by the column, and what is in any doubt goes through `decode` after all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

from steamlab.decoding.reasons import Rejected
from steamlab.decoding.validation import FUTURE_MS, MAX_HEADER_BYTES, read_headers
from steamlab.events import NOT_PLAIN, Decoded, Event, decode, is_plain, to_event
from steamlab.processor.times import NO_TIME, to_times

__all__ = ["AT_ONCE", "Message", "decode_all", "decode_columns"]

AT_ONCE = 250  # so few that all of them are still in the cache when they are looked at
_USUAL_HEADERS = ("ce_id", "ce_arrived")
_NEVER = "1970-01-01T00:00:00.000Z"  # stands in where there is no event


class Message(NamedTuple):
    """A record of an input topic."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Any = None
    arrived_ms: int = 2**50


def decode_all(messages: Iterable[Message]) -> Iterator[Decoded]:
    """Decode and fully validate records, in order."""
    rest = iter(messages)
    while chunk := list(islice(rest, AT_ONCE)):
        topics, keys, values, headers, arrived = zip(*chunk, strict=True)
        yield from decode_columns(topics, keys, values, headers, arrived.__getitem__)


def decode_columns(
    topics: Sequence[str | None],
    keys: Sequence[bytes | None],
    values: Sequence[bytes | None],
    headers: Sequence[Any],
    arrived_ms: Callable[[int], int],
) -> Iterator[Decoded]:
    """Decode and fully validate records given as columns, best `AT_ONCE` of them.

    `arrived_ms` returns when a record arrived, by its place: it is only asked where no header says.
    """
    events = _to_events(values)
    times = to_times([event.timestamp if event else _NEVER for event in events])
    event_ids, arrivals = _read_headers(headers, arrived_ms)
    for place, (topic, key, value, event, time, event_id, arrival) in enumerate(
        zip(topics, keys, values, events, times, event_ids, arrivals, strict=True)
    ):
        if (
            event is not None
            and value is not None
            and NO_TIME < time <= arrival + FUTURE_MS
            and is_plain(event, value, key, topic)
        ):
            yield Decoded(event, None, "", (), time, event_id)
        else:
            arrived = arrived_ms(place)
            yield decode(value, key=key, topic=topic, headers=headers[place], arrived_ms=arrived)


def _to_events(values: Sequence[bytes | None]) -> list[Event | None]:
    try:
        return [to_event(value) for value in values]  # type: ignore[arg-type]
    except NOT_PLAIN:
        return [_to_event(value) for value in values]


def _to_event(value: bytes | None) -> Event | None:
    try:
        return to_event(value)  # type: ignore[arg-type]
    except NOT_PLAIN:
        return None


def _read_headers(
    headers: Sequence[Any], arrived_ms: Callable[[int], int]
) -> tuple[Sequence[str | None], Sequence[int]]:
    """Return the events' ids and arrivals; `NO_TIME` where the headers are in doubt."""
    event_ids, arrivals = [], []
    try:
        for (id_name, event_id), (arrived_name, arrival) in headers:
            if (id_name, arrived_name) != _USUAL_HEADERS or len(event_id) > MAX_HEADER_BYTES:
                raise ValueError("other headers")
            event_ids.append(event_id.decode())
            arrivals.append(arrival.decode())
        return event_ids, to_times(arrivals)
    except (AttributeError, TypeError, ValueError):
        each = [_read_header(found, arrived_ms(place)) for place, found in enumerate(headers)]
        return [event_id for event_id, _ in each], [arrival for _, arrival in each]


def _read_header(headers: Any, arrived_ms: int) -> tuple[str | None, int]:
    try:
        return read_headers(headers or (), arrived_ms)
    except Rejected:
        return None, NO_TIME
