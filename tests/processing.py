"""Streams for the tests of the processor: random events, and both stages run over them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from steamlab.events import TOPIC_OF, Decoded, decode
from steamlab.metrics import Record, key, records, to_tables
from steamlab.processor.families import DAY
from steamlab.processor.first_stage import FirstStage, Message
from steamlab.processor.second_stage import SecondStage
from tests.stream import Event, add, buy, look, pull, search, unwish, wish

__all__ = ["GRACE_MS", "histories", "message", "oracle", "plain", "run", "stamp"]

GRACE_MS = 400 * DAY  # covers every delay: nothing is late

_MINUTE, _HOUR = 60_000, 3_600_000
_BEGIN = 1763719200000  # 2025-11-21T10:00:00Z
# Silences at which a definition turns, and one millisecond more.
_EDGES = [0, 1, _MINUTE, 5 * _MINUTE, 30 * _MINUTE, _HOUR, 2 * _HOUR, DAY, 28 * DAY, 30 * DAY]
_GAPS = st.sampled_from([0, *(gap + more for gap in _EDGES for more in (0, 1)), 17_000, 400_000])
_KINDS = st.sampled_from(
    "look look found wish wish unwish add add pull buy buy both search".split()
)


def stamp(time_ms: int) -> str:
    """Spell a time."""
    seconds, ms = divmod(time_ms, 1000)
    import datetime

    moment = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{ms:03}Z"


def _event(kind: str, user: str, game: str, number: int) -> Event:
    order = f"order {number}"
    made: dict[str, Any] = {
        "look": lambda: look("10:00:00", user, game),
        "found": lambda: look("10:00:00", user, game, source="search"),
        "wish": lambda: wish("10:00:00", user, game),
        "unwish": lambda: unwish("10:00:00", user, game),
        "add": lambda: add("10:00:00", user, game),
        "pull": lambda: pull("10:00:00", user, game),
        "buy": lambda: buy("10:00:00", user, order=order, **{game: 1.0 + number}),
        "both": lambda: buy("10:00:00", user, "UK", order, g1=0.0, g2=[0.05, number / 100]),
        "search": lambda: search("10:00:00", user, query=[" RPG ", "rpg", ""][number % 3]),
    }
    event: Event = made[kind]()
    return event


@st.composite
def histories(draw: Any, size: int = 24) -> list[Message]:
    """Draw a history, in order of time: messages with a `ce_id` each."""
    time, found = _BEGIN, []
    for number in range(draw(st.integers(1, size))):
        time += draw(_GAPS)
        user, game = draw(st.sampled_from(["u1", "u2", "u3"])), draw(st.sampled_from(["g1", "g2"]))
        event = _event(draw(_KINDS), user, game, number) | {"timestamp": stamp(time)}
        found.append(message(event, str(number)))
    return found


def message(event: Event, event_id: str | None = None) -> Message:
    """Make a record of an event."""
    headers = [("ce_id", event_id.encode())] if event_id else []
    topic, key = TOPIC_OF[event["eventType"]], event["userId"].encode()
    return Message(topic, key, json.dumps(event).encode(), headers)


def _decoded(each: Message) -> Decoded:
    return decode(
        each.value, key=each.key, topic=each.topic, headers=each.headers, arrived_ms=each.arrived_ms
    )


def plain(found: dict[str, Record | None]) -> dict[str, Record]:
    """Leave out what was deleted, and which records are final."""
    return {
        name: {field: value for field, value in record.items() if field != "final"}
        for name, record in found.items()
        if record is not None
    }


def oracle(messages: Sequence[Message]) -> dict[str, Record]:
    """Compute the records of all events at once, by their keys."""
    tables = to_tables([_decoded(each) for each in messages])
    return plain({key(record): record for record in records(tables)})


def run(
    messages: Sequence[Message],
    *,
    batch: int = 5,
    partitions: int = 1,
    grace_ms: int = GRACE_MS,
    restart_at: int = -1,
) -> dict[str, Record | None]:
    """Run both stages, and return the last record of each key.

    Before batch number `restart_at` all first stages are replaced by restored ones.
    """
    firsts = [FirstStage(grace_ms=grace_ms) for _ in range(partitions)]
    logs: list[dict[str, bytes | None]] = [{} for _ in firsts]
    partials: list[dict[tuple[str, int], Any]] = [{} for _ in firsts]
    second, found = SecondStage(grace_ms=grace_ms), dict[str, Record | None]()
    for number, begin in enumerate(range(0, len(messages), batch)):
        if number == restart_at:
            firsts = [FirstStage(grace_ms=grace_ms) for _ in firsts]
            for first, log, cells in zip(firsts, logs, partials, strict=True):
                first.restore(log, cells)
        for place, first in enumerate(firsts):
            own = [
                each
                for each in messages[begin : begin + batch]
                if int((each.key or b"u0")[1:]) % partitions == place
            ]
            output = first.process(own)
            logs[place] |= output.changelog
            partials[place] |= output.cells
            second.update(place, output.cells, output.clocks)
        found |= second.changes()
    return found
