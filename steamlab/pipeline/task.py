"""A task of the first stage: one input partition number, all five topics of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
from confluent_kafka import Message as KafkaMessage

from steamlab.pipeline.counts import COUNTS
from steamlab.pipeline.partials import partials
from steamlab.pipeline.places import Places
from steamlab.pipeline.transactions import Write
from steamlab.processor.chapters import CHAPTERS, Chapter
from steamlab.processor.families import Counts
from steamlab.processor.first_stage import FirstStage, Output
from steamlab.processor.intake import Refusal
from steamlab.processor.messages import decode_columns
from steamlab.topics import base_name

__all__ = ["Task"]


class Task:
    """What a process knows of a partition number: the stage, the records of the batch, idleness.

    `counts` tells what became of all events: accepted, duplicates, tombstones, `refused CODE`,
    `late FAMILY`, `too_old TOPIC`. It is part of the state, so a restart does not count twice.
    """

    def __init__(
        self,
        number: int,
        places: Places,
        *,
        grace_ms: int,
        idle_s: float,
        chapters: Sequence[Chapter] = CHAPTERS,
    ) -> None:
        self.number = number
        self.stage = FirstStage(grace_ms=grace_ms, chapters=chapters)
        self.counts: Counter[str] = Counter()
        self._is_fresh = False
        self._refused: list[tuple[KafkaMessage, Refusal]] = []
        self._places, self._idle_s = places, idle_s
        self._silent_s = dict.fromkeys(places.inputs, 0.0)
        self._next = dict.fromkeys(places.inputs, 0)
        self._ends: dict[str, int] = {}
        self._told_idle: set[str] = set()

    def restore(self, changelog: Mapping[str, bytes], cells: dict[tuple[str, int], Counts]) -> None:
        """Put back the newest records of the changelog, and the partition's cells."""
        self.stage.restore(changelog, cells)
        if COUNTS in changelog:
            self.counts.update(msgspec.json.decode(changelog[COUNTS]))

    def take(self, taken: Sequence[KafkaMessage]) -> None:
        """Take records: best a few at a time, as they come."""
        self._is_fresh = True
        topics = [message.topic() or "" for message in taken]
        for topic, message in dict(zip(topics, taken, strict=True)).items():
            self._next[topic], self._silent_s[topic] = (message.offset() or 0) + 1, 0.0
        first = self.stage.seen
        records = decode_columns(
            topics,
            [message.key() for message in taken],
            [message.value() for message in taken],
            [message.headers() for message in taken],
            lambda place: taken[place].timestamp()[1],
        )
        for refusal in self.stage.admit(records):
            self._refused.append((taken[refusal.place - first], refusal))

    def reach_end(self, topic: str, end: int) -> None:
        """Note where a topic's partition ended when it was read to its end."""
        self._ends[topic] = end

    def listen(self, seconds: float) -> None:
        """Note how long records were waited for.

        Only that is silence: while a process computes, restores or stands still, it hears nothing.
        """
        for topic in self._silent_s:
            self._silent_s[topic] += seconds

    def _idle(self) -> set[str]:
        """Return the topics that are read to their ends, and had no record for a while."""
        return {
            topic
            for topic, end in self._ends.items()
            if end >= self._next[topic] and self._silent_s[topic] >= self._idle_s
        }

    @property
    def has_work(self) -> bool:
        """Whether there are records, or topics that became idle."""
        return self._is_fresh or self._idle() != self._told_idle

    def process(self) -> Iterator[Write]:
        """Process the batch; yield what is to be written with its offsets."""
        self._is_fresh = False
        idle = self._told_idle = self._idle()
        output = self.stage.finish(idle=set(map(base_name, idle)))
        self._count(output)
        yield from self._writes(output, is_idle=len(idle) == len(self._places.inputs))
        refused, self._refused = self._refused, []
        for message, refusal in refused:
            yield _dead_letter(self._places.dead_letters, message, refusal)

    def _writes(self, output: Output, *, is_idle: bool) -> Iterator[Write]:
        for chapter, key, value in partials(self.number, output, is_idle=is_idle):
            yield self._places.partials, key, value, chapter, None
        state = output.changelog | {COUNTS: msgspec.json.encode(self.counts)}
        for name, changed in state.items():
            yield self._places.changelog, name.encode(), changed, self.number, None

    def _count(self, output: Output) -> None:
        found = {"accepted": output.accepted, "duplicates": output.duplicates}
        found |= {"tombstones": output.tombstones}
        found |= {
            name if name.startswith("too_old") else f"late {name}": n
            for name, n in output.late.items()
        }
        self.counts.update({name: n for name, n in found.items() if n})
        self.counts.update(f"refused {refusal.code}" for refusal in output.refused)


def _dead_letter(topic: str, message: KafkaMessage, refusal: Refusal) -> Write:
    """Keep a refused record as it came; why, and where from, stands in its headers."""
    headers: list[tuple[str, Any]] = [
        *(message.headers() or []),
        ("dlq.reason", refusal.code.encode()),
        ("dlq.message", refusal.reason.encode(errors="replace")[:1000]),
        ("dlq.original.topic", str(message.topic()).encode()),
        ("dlq.original.partition", str(message.partition()).encode()),
        ("dlq.original.offset", str(message.offset()).encode()),
    ]
    return topic, message.key(), message.value(), -1, headers
