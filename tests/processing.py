"""Streams for the tests of the processor: random events, and both stages run over them."""

from __future__ import annotations

import datetime
import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from steamlab.events import TOPIC_OF, Decoded, decode
from steamlab.metrics import Record, key, records, to_tables
from steamlab.processor.chapters import CHAPTERS, GROUP_OF, Chapter
from steamlab.processor.families import DAY
from steamlab.processor.first_stage import FirstStage, Message
from steamlab.processor.second_stage import SecondStage
from tests.stream import Event, add, buy, look, pull, search, unwish, wish

__all__ = [
    "GRACE_MS", "Both", "decoded", "histories", "message", "oracle", "oracle_of", "plain", "run",
    "stamp",
]  # fmt: skip

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


def decoded(each: Message) -> Decoded:
    """Decode a record."""
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
    return oracle_of([decoded(each) for each in messages])


def oracle_of(accepted: Sequence[Decoded]) -> dict[str, Record]:
    """Compute the records of accepted events, by their keys."""
    return plain({key(record): record for record in records(to_tables(accepted))})


class Both:
    """Both stages over one stream, with the records that they wrote."""

    def __init__(
        self,
        *,
        partitions: int = 1,
        grace_ms: int = GRACE_MS,
        chapters: Sequence[Chapter] = CHAPTERS,
    ) -> None:
        self.grace_ms, self.chapters = grace_ms, chapters
        self.firsts = [self._first() for _ in range(partitions)]
        self.second = SecondStage(partitions=partitions, grace_ms=grace_ms)
        self.logs: list[dict[str, bytes | None]] = [{} for _ in self.firsts]
        self.partials: list[dict[tuple[str, int], Any]] = [{} for _ in self.firsts]
        self.clocks: list[dict[str, int]] = [{} for _ in self.firsts]
        self.closed: dict[str, Any] = {}
        self.found: dict[str, Record | None] = {}
        self.late: Counter[str] = Counter()

    def _first(self) -> FirstStage:
        return FirstStage(grace_ms=self.grace_ms, chapters=self.chapters)

    def restart(self) -> None:
        """Replace all stages by ones that know what was written."""
        self.firsts = [self._first() for _ in self.firsts]
        for first, log, cells in zip(self.firsts, self.logs, self.partials, strict=True):
            first.restore(log, cells)
        self.second = SecondStage(partitions=len(self.firsts), grace_ms=self.grace_ms)
        closed = {name: (until, dict(counts)) for name, (until, counts) in self.closed.items()}
        self.second.restore(closed, {key: each for key, each in self.found.items() if each})
        for place, cells in enumerate(self.partials):
            self.second.update(place, dict(cells), self.clocks[place])

    def process(
        self, batch: Sequence[Message | Decoded], *, is_behind: bool = False
    ) -> dict[str, Record | None]:
        """Process a batch, each partition its own users, and return what changed."""
        for place, first in enumerate(self.firsts):
            own = [each for each in batch if _number(each) % len(self.firsts) == place]
            if own and isinstance(own[0], Decoded):
                output = first.process_decoded(own)  # type: ignore[arg-type]
            else:
                output = first.process(own)  # type: ignore[arg-type]
            self.late += output.late
            _write(self.logs[place], output.changelog)
            _write(self.partials[place], output.cells)
            self.clocks[place] = output.clocks
            self.second.update(place, output.cells, output.clocks)
        return self.publish(is_behind=is_behind)

    def publish(self, *, is_behind: bool = False) -> dict[str, Record | None]:
        """Let the second stage publish what changed, and let go what it has closed."""
        changed = self.second.changes(is_behind=is_behind)
        gone, closed = self.second.closed()
        for place, family, bucket in gone:
            for name in GROUP_OF[family]:
                self.partials[place].pop((name, bucket), None)
        self.closed |= {name: (until, dict(counts)) for name, (until, counts) in closed.items()}
        self.found |= changed
        return changed


def _number(each: Message | Decoded) -> int:
    user = each.event.user_id if isinstance(each, Decoded) and each.event else None
    return sum((user or "u").encode() if isinstance(each, Decoded) else each.key or b"")


def _write(kept: dict[Any, Any], changed: dict[Any, Any]) -> None:
    """Keep the last record of each key, as a compacted topic does."""
    for name, value in changed.items():
        if value is None:
            kept.pop(name, None)
        else:
            kept[name] = value


def run(
    messages: Sequence[Message | Decoded],
    *,
    batch: int = 5,
    partitions: int = 1,
    grace_ms: int = GRACE_MS,
    restart_at: int = -1,
    is_behind: bool = False,
    chapters: Sequence[Chapter] = CHAPTERS,
) -> dict[str, Record | None]:
    """Run both stages, and return the last record of each key.

    Before batch number `restart_at` all stages are replaced by restored ones. Who `is_behind` comes
    to publish everything at the very end.
    """
    both = Both(partitions=partitions, grace_ms=grace_ms, chapters=chapters)
    for number, begin in enumerate(range(0, len(messages), batch)):
        if number == restart_at:
            both.restart()
        both.process(messages[begin : begin + batch], is_behind=is_behind)
    both.publish()
    return both.found
