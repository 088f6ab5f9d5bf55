"""Run the second stage: partial cells in, the records of `analytics.metrics` out, exactly once."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec
from confluent_kafka import TopicPartition

from steamlab.pipeline import partials
from steamlab.pipeline.crashes import crash_at
from steamlab.pipeline.logs import read_log
from steamlab.pipeline.partials import CellsOf
from steamlab.pipeline.past import Past
from steamlab.pipeline.places import PARTITIONS, Places
from steamlab.pipeline.published import read_open
from steamlab.pipeline.stage import Arrived, Stage
from steamlab.pipeline.transactions import Write
from steamlab.processor.chapters import CHAPTERS
from steamlab.processor.families import GRACE_MS
from steamlab.processor.records import Record
from steamlab.processor.second_stage import SecondStage

__all__ = ["Second"]

_MANY = 2_000  # records: who takes so many at once is behind
_PAUSE_S = 0.005  # in which nothing follows: then a transaction's records are all there
_POSTPONED_S = 2.0  # for so long at most, what may still change is not published
_MARKERS_S = 0.25  # for so long at most, offsets that only passed a marker are not committed

_encode = msgspec.json.Encoder().encode


class _Chapter:
    """A chapter's stage, and the cells of transactions whose clock has not come yet."""

    def __init__(self, number: int, grace_ms: int) -> None:
        self.number = number
        self.stage = SecondStage(
            partitions=PARTITIONS, grace_ms=grace_ms, chapters=[CHAPTERS[number]]
        )
        self._is_changed = False
        self._cells: defaultdict[int, CellsOf] = defaultdict(dict)

    @property
    def has_news(self) -> bool:
        """Whether there may be something to publish."""
        return self._is_changed or self.has_postponed

    @property
    def has_postponed(self) -> bool:
        """Whether something is not published yet, for more was to come."""
        return self.stage.has_postponed

    def restore(self, past: Past, published: Mapping[str, Record | None]) -> None:
        """Become what the log and the published records say."""
        self.stage.restore(past.closed(), published)
        for partition, clock, cells in past.told():
            self._update(partition, cells, clock)
        for partition, cells in past.untold():
            self._cells[partition] = cells

    def take(self, key: bytes, value: bytes | None) -> None:
        """Take a record of the first stage; what this stage wrote itself it knows."""
        partition, family, bucket = partials.read_key(key)
        if value is None or partition is None:
            return
        if bucket is None:
            self._update(partition, self._cells.pop(partition, {}), partials.read_clock(value))
        else:
            self._cells[partition] |= partials.read_cells(family, bucket, value)

    def _update(self, partition: int, cells: CellsOf, clock: partials.Clock) -> None:
        self.stage.update(partition, cells, clock.topics, is_idle=clock.is_idle)
        self._is_changed = True

    def writes(self, places: Places, *, is_behind: bool) -> Iterator[Write]:
        """Yield the records that changed, and what is closed."""
        if not self.has_news:
            return
        self._is_changed = False
        for name, record in self.stage.changes(is_behind=is_behind).items():
            value = None if record is None else _encode(record)
            yield places.metrics, name.encode(), value, -1, None
        gone, closed = self.stage.closed()
        for (family, span), each in closed.items():
            key, value = partials.closed_key(family, span), partials.closed_value(each)
            yield places.partials, key, value, self.number, None
        for key in {partials.bucket_key(cell) for cell in gone}:
            yield places.partials, key, None, self.number, None


class Second(Stage):
    """The second stage: a chapter of the metrics for each partition of the partial cells."""

    stage = "second"

    def __init__(
        self,
        kafka: Mapping[str, Any],
        places: Places,
        name: str,
        *,
        grace_ms: int = GRACE_MS,
    ) -> None:
        super().__init__(kafka, places, name, grace_ms=grace_ms)
        self._chapters: dict[int, _Chapter] = {}
        self._next: dict[int, int] = {}
        self._saved: dict[int, int] = {}
        self._is_behind = False
        self._all_told_s = self._wrote_s = time.monotonic()

    def _inputs(self) -> list[str]:
        return [self._places.partials]

    def _gather(self) -> None:
        count = 0
        for records, ends in self._incoming():
            for message in records:
                chapter = self._chapters.get(message.partition())  # type: ignore[arg-type]
                if chapter is not None:
                    chapter.take(message.key(), message.value())  # type: ignore[arg-type]
                    self._next[chapter.number] = (message.offset() or 0) + 1
            for end in ends:  # behind markers, too, that no record stands for
                if end.partition() in self._chapters:
                    self._next[end.partition() or 0] = end.offset() or 0
            count += len(records)
        self._is_behind = count > _MANY

    def _incoming(self) -> Iterator[Arrived]:
        """Yield what one transaction of the first stage brings; who is behind waits for more."""
        if self._is_behind:
            return self._arriving(self._wait_s * 10)
        return self._burst(self._wait_s, _PAUSE_S)

    def _process(self) -> None:
        chapters = [
            chapter
            for number, chapter in self._chapters.items()
            if self._next[number] != self._saved[number]
        ]
        if not chapters or not self._is_worth_a_transaction(chapters):
            return
        crash_at("second", "consumed")
        # Before the transaction begins: after a restart this may take longer than its timeout.
        records = list(self._writes(chapters, is_behind=self._is_postponing()))
        topic = self._places.partials
        # One less where something is postponed: then not all that was read is published.
        done = {each.number: self._next[each.number] - each.has_postponed for each in chapters}
        offsets = [TopicPartition(topic, number, offset) for number, offset in done.items()]
        if self._commit(iter(records), offsets):
            self._saved |= done
        self._wrote_s = time.monotonic()

    def _is_worth_a_transaction(self, chapters: Iterable[_Chapter]) -> bool:
        """Say whether there is news; where only markers were read, the offsets can wait a bit."""
        if any(chapter.has_news for chapter in chapters):
            return True
        return time.monotonic() - self._wrote_s > _MARKERS_S

    def _is_postponing(self) -> bool:
        """Say whether what may still change can wait: not for more than a few seconds."""
        now = time.monotonic()
        if not self._is_behind or now - self._all_told_s > _POSTPONED_S:
            self._all_told_s = now
            return False
        return True

    def _writes(self, chapters: Iterable[_Chapter], *, is_behind: bool) -> Iterator[Write]:
        for chapter in chapters:
            yield from chapter.writes(self._places, is_behind=is_behind)

    def _drop(self, partition: int) -> None:
        self._chapters.pop(partition, None)

    def _open(self, partitions: list[TopicPartition]) -> list[TopicPartition]:
        """Make the chapters of what the logs hold; return where to read on.

        The state of this stage is its input: all of it is read, whatever was committed. What the
        last owner did not come to publish is published with the next batch.
        """
        self._consumer.committed(partitions, 30.0)  # waits for its last transaction to end
        published = read_open(self._kafka, self._places)
        past = {each.partition: Past() for each in partitions}
        for message in read_log(self._kafka, self._places.partials, list(past)):
            past[message.partition() or 0].take(message)
        for each in partitions:
            chapter = self._chapters[each.partition] = _Chapter(each.partition, self._grace_ms)
            chapter.restore(past[each.partition], _of_chapter(published, each.partition))
            each.offset = self._next[each.partition] = past[each.partition].following
            self._saved[each.partition] = -1
        return partitions


def _of_chapter(published: Mapping[str, Record | None], number: int) -> dict[str, Record | None]:
    names = CHAPTERS[number].names
    return {key: each for key, each in published.items() if key.partition("|")[0] in names}
