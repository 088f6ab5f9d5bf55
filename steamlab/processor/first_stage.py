"""The first stage: events of one input partition become partial cells, and state to go on from.

    stage = FirstStage()
    output = stage.process(messages)

What goes into one transaction: `output.cells` to `analytics.partials`, `output.changelog` to the
state's topic, `output.refused` to the dead letter topic, and the batch's offsets.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np

from steamlab.errors import TopicError
from steamlab.events import Decoded
from steamlab.processor.batch import Batch
from steamlab.processor.cells import Cells, Games, to_codes
from steamlab.processor.changelog import Changelog
from steamlab.processor.chapters import CHAPTERS, GROUP_OF, Chapter
from steamlab.processor.facts import FORGOTTEN, Columns
from steamlab.processor.families import (
    ALL_TOPICS,
    DAY,
    FAMILY,
    GRACE_MS,
    HOUR,
    NEVER_MS,
    Counts,
    watermark,
)  # fmt: skip
from steamlab.processor.intake import Admitted, Intake, Refusal
from steamlab.processor.messages import Message, decode_all
from steamlab.processor.pairs import GAME_BITS, Carts, Pairs
from steamlab.processor.recent import Recent
from steamlab.processor.state import Clock, FactsRecord, RecentRecord
from steamlab.processor.users import Users

__all__ = ["FirstStage", "Message", "Output"]

_SWEPT = 10_000  # events between two sweeps


@dataclass
class Output:
    """What a batch changed. `cells` are whole buckets, of all families of a group.

    `clocks` are the newest times of each topic; `newest_ms` that of all of them. `late` counts
    contributions, by family, that came when their cell was final, and events of a topic, as
    `too_old TOPIC`, that came when all was forgotten.
    """

    cells: dict[tuple[str, int], Counts] = field(default_factory=dict)
    clocks: dict[str, int] = field(default_factory=dict)
    changelog: dict[str, bytes | None] = field(default_factory=dict)
    refused: list[Refusal] = field(default_factory=list)
    late: Counter[str] = field(default_factory=Counter)
    accepted: int = 0
    duplicates: int = 0
    tombstones: int = 0


class FirstStage:
    """Count one input partition: all five topics' partitions of one number.

    A cell is changed until the watermark of its topics has passed its end, the horizon of its
    metric, and `grace_ms`; what comes later is counted as late. Events older than `admitted_ms`
    behind the slowest topic are refused as too old: nothing knows any more whether they are new.
    All events are validated, and admitted once, even if only some `chapters` are counted.
    """

    def __init__(
        self,
        *,
        grace_ms: int = GRACE_MS,
        admitted_ms: int = DAY,
        chapters: Sequence[Chapter] = CHAPTERS,
    ) -> None:
        self.grace_ms = grace_ms
        self._chapters = [chapter.name for chapter in chapters]
        self._families = {name for chapter in chapters for name in chapter.families}
        self._kept = {fact for chapter in chapters for fact in chapter.facts}
        self.admitted_ms = max(admitted_ms, grace_ms) + 2 * HOUR
        self.clocks = dict.fromkeys(ALL_TOPICS, NEVER_MS)
        self.cells = Cells()
        self._admitted = Admitted()
        self._intake, self._recent, self._pairs, self._carts = Intake(), Recent(), Pairs(), Carts()
        self._users, self._games = Users(), Games()
        self._games[""]
        self._changelog = Changelog(lambda: self._users.names, self._games)
        self._swept_ms, self._unswept = NEVER_MS, 0

    def process(self, messages: Iterable[Message], *, idle: Collection[str] = ()) -> Output:
        """Decode, validate and count a batch. Topics in `idle` do not hold the watermark back."""
        return self.process_decoded(decode_all(messages), idle=idle)

    def process_decoded(self, records: Iterable[Decoded], *, idle: Collection[str] = ()) -> Output:
        """Count a batch of decoded records."""
        self.admit(records)
        return self.finish(idle=idle)

    def admit(self, records: Iterable[Decoded]) -> list[Refusal]:
        """Take some records of a batch, and return which of them are refused.

        A batch may be taken a few records at a time: they are best looked at when they come.
        """
        before = len(self._admitted.refused)
        self._intake.admit(records, self._admitted, floor_ms=self._floor_ms())
        return self._admitted.refused[before:]

    @property
    def seen(self) -> int:
        """How many records of the batch there are by now."""
        return self._admitted.seen

    def finish(self, *, idle: Collection[str] = ()) -> Output:
        """Count the batch that was admitted."""
        found, self._admitted = self._admitted, Admitted()
        output = Output(
            refused=found.refused,
            accepted=sum(map(len, found.times)),
            duplicates=found.duplicates,
            tombstones=found.tombstones,
        )
        for topic, count in zip(ALL_TOPICS, found.too_old, strict=True):
            output.late[f"too_old {topic}"] += count
        if output.accepted:
            self._count(found, output)
        self._advance(found, idle)
        self._unswept += output.accepted
        if self._is_sweep_due():
            self._sweep(output)
        output.clocks = dict(self.clocks)
        clock = Clock(self.clocks, self._swept_ms, self._chapters)
        output.changelog["clock"] = msgspec.msgpack.encode(clock)
        return output

    def _count(self, found: Admitted, output: Output) -> None:
        """Put the batch's facts in, and what changes by them into the cells."""
        clocks, wanted = self.clocks, self._families
        batch = Batch(found, self._users, self._games, clocks, wanted, self.grace_ms)
        batch.count()
        recent = batch.recent() if "recent" in self._kept else np.empty((4, 0), np.int64)
        pair, fact = batch.pair_facts() if "pairs" in self._kept else (recent[0, :0], recent[1, :0])
        carts = batch.cart_facts() if "carts" in self._kept else []
        self._users.see(np.concatenate(batch.user), np.concatenate(batch.time))
        self._recent.add(recent, batch.rows, len(self._users.names))
        self._pairs.add(pair, fact, batch.rows)
        self._carts.add(carts, batch.rows)
        output.late.update({name: n for name, n in batch.late.items() if name in wanted})
        changed = self.cells.merge(batch.rows.sums(), batch.is_final, output.late)
        output.cells = {
            (name, bucket): dict(self.cells.counts.get((name, bucket), ()))
            for family, bucket in changed
            for name in GROUP_OF[family]
        }
        output.changelog |= self._changelog.facts(pair, fact, carts)
        newest_ms = max(max(times) for times in found.times if times)
        output.changelog |= self._changelog.recent(recent, found.identities, newest_ms)

    def _floor_ms(self) -> int:
        return watermark(self.clocks, ALL_TOPICS) - self.admitted_ms

    def _advance(self, found: Admitted, idle: Collection[str]) -> None:
        """Move the clocks on: idle topics go with the newest of the others."""
        for topic, times in zip(ALL_TOPICS, found.times, strict=True):
            if times:
                self.clocks[topic] = max(self.clocks[topic], max(times))
        newest = max(self.clocks.values())
        self.clocks.update((topic, newest) for topic in idle)

    def _is_sweep_due(self) -> bool:
        """Whether an hour has passed, and enough has come to be worth looking at all; or a day."""
        passed_ms = watermark(self.clocks, ALL_TOPICS) - self._swept_ms
        return passed_ms >= (HOUR if self._unswept >= _SWEPT else DAY)

    def _sweep(self, output: Output) -> None:
        """Forget what no event that is still admitted can touch, and delete its records."""
        self._swept_ms, self._unswept = watermark(self.clocks, ALL_TOPICS), 0
        self._forget()
        self.cells.forget(self._is_final)
        floor_ms = self._floor_ms()
        output.changelog |= self._changelog.forget(
            recent_ms=floor_ms, facts_ms=floor_ms - FORGOTTEN - DAY, living=self._pairs.facts
        )

    def _forget(self) -> None:
        recent_ms = self._swept_ms - self.grace_ms - 2 * HOUR
        floor_ms = self._swept_ms - self.admitted_ms
        self._recent.forget(recent_ms)
        self._carts.forget(recent_ms)
        self._intake.forget(floor_ms)
        self._pairs.forget(floor_ms)
        self._users.forget((floor_ms - FORGOTTEN) // DAY * DAY)

    def _is_final(self, name: str, bucket: int) -> bool:
        family = FAMILY[name]
        closed_ms: int = family.settled_ms(bucket) + self.grace_ms
        return watermark(self.clocks, family.topics) >= closed_ms

    def restore(
        self, changelog: Mapping[str, bytes | None], cells: Mapping[tuple[str, int], Counts]
    ) -> None:
        """Put back what the last batches wrote: the newest record of each key.

        Raises `TopicError` where that was written by a stage that counts other chapters.
        """
        clock = changelog.get("clock")
        if clock is not None:
            found = msgspec.msgpack.decode(clock, type=Clock)
            if found.chapters != self._chapters:
                raise _other_chapters(found.chapters, self._chapters)
            self.clocks, self._swept_ms = found.topics, found.swept_ms
        numbered = [(int(key.partition("|")[2]), key) for key in changelog if "|" in key]
        pairs: list[tuple[Columns, Columns]] = []
        for _, key in sorted(numbered):
            value = changelog[key]
            if value is not None and key.startswith("facts"):
                pairs.append(self._restore_facts(key, value))
            elif value is not None:
                self._restore_recent(key, value)
        if pairs:
            self._pairs.put(*(np.concatenate(columns) for columns in zip(*pairs, strict=True)))
        self._carts.sort()
        self._forget()
        self.cells.counts = {
            key: dict(each) for key, each in cells.items() if not self._is_final(*key)
        }

    def _restore_facts(self, key: str, value: bytes) -> tuple[Columns, Columns]:
        record = msgspec.msgpack.decode(value, type=FactsRecord)
        users, games = to_codes(self._users, record.users), to_codes(self._games, record.games)
        user = users[np.frombuffer(record.pair_user, np.int64)]
        fact = np.frombuffer(record.pair_fact, np.int64)
        pair = (user << GAME_BITS) | games[np.frombuffer(record.pair_game, np.int64)]
        self._users.see(user, fact >> 3)
        for who, when, what in record.carts:
            self._carts.put(int(users[who]), (when, tuple(games[what].tolist())))
        self._changelog.note_facts(key, value, pair, fact, record.newest_ms)
        return pair, fact

    def _restore_recent(self, key: str, value: bytes) -> None:
        record = msgspec.msgpack.decode(value, type=RecentRecord)
        users, games = to_codes(self._users, record.users), to_codes(self._games, record.games)
        rows = np.frombuffer(record.rows, np.int64).reshape(4, -1).copy()
        rows[0], rows[3] = users[rows[0]], games[rows[3]]
        self._users.see(rows[0], rows[1])
        self._recent.put(rows)
        marks = np.frombuffer(record.marks, np.int64).tolist()
        self._intake.remember(zip(record.identities, marks, strict=True))
        self._changelog.note_recent(key, value, record.newest_ms)


def _other_chapters(found: Collection[str], asked: Collection[str]) -> TopicError:
    return TopicError(
        f"Expected the state of {', '.join(asked)}, and it is that of {', '.join(found)}.",
        repair="Facts that were not kept cannot be made up: start with another --prefix.",
    )
