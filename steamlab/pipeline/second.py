"""Run the second stage: partial cells in, the records of `analytics.metrics` out, exactly once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias

import msgspec
from confluent_kafka import Message, TopicPartition

from steamlab.pipeline import partials
from steamlab.pipeline.crashes import crash_at
from steamlab.pipeline.logs import read_log
from steamlab.pipeline.places import PARTITIONS, Places
from steamlab.pipeline.published import read_published
from steamlab.pipeline.stage import Stage
from steamlab.pipeline.transactions import Write
from steamlab.processor.cells import Counts
from steamlab.processor.chapters import CHAPTERS
from steamlab.processor.families import GRACE_MS
from steamlab.processor.records import Record
from steamlab.processor.second_stage import SecondStage
from steamlab.processor.sums import Closed

__all__ = ["Second"]

_Cells: TypeAlias = dict[tuple[str, int], Counts]

_BUSY = 2_000  # records a batch

_encode = msgspec.json.Encoder().encode
_read_clock = msgspec.json.Decoder(partials.Clock).decode


class _Chapter:
    """A chapter's stage, and the cells of transactions whose clock has not come yet."""

    def __init__(self, number: int, grace_ms: int) -> None:
        self.number = number
        self.stage = SecondStage(
            partitions=PARTITIONS, grace_ms=grace_ms, chapters=[CHAPTERS[number]]
        )
        self._is_changed = False
        self._cells: defaultdict[int, _Cells] = defaultdict(dict)

    def restore(self, log: Iterable[Message], published: Mapping[str, Record]) -> int:
        """Become what the log says, all of it; return where to read on."""
        told: defaultdict[int, _Cells] = defaultdict(dict)
        clocks: dict[int, partials.Clock] = {}
        closed: dict[str, Closed] = {}
        following = 0
        for message in log:
            following = (message.offset() or 0) + 1
            partition, family, bucket = partials.read_key(bytes(message.key() or b""))
            value: Any = message.value()
            if partition is None:
                closed[family] = partials.read_closed(value)
            elif bucket is None:
                clocks[partition] = _read_clock(value)
                told[partition] |= self._cells.pop(partition, {})
            elif value is not None:
                self._cells[partition][family, bucket] = partials.read_counts(value)
            else:
                told[partition].pop((family, bucket), None)
        self.stage.restore(closed, published)
        for partition, clock in clocks.items():
            self._update(partition, told[partition], clock)
        return following

    def take(self, key: bytes, value: bytes | None) -> None:
        """Take a record of the first stage; what this stage wrote itself it knows."""
        partition, family, bucket = partials.read_key(key)
        if value is None or partition is None:
            return
        if bucket is None:
            self._update(partition, self._cells.pop(partition, {}), _read_clock(value))
        else:
            self._cells[partition][family, bucket] = partials.read_counts(value)

    def _update(self, partition: int, cells: _Cells, clock: partials.Clock) -> None:
        self.stage.update(partition, cells, clock.topics, is_idle=clock.is_idle)
        self._is_changed = True

    def writes(self, places: Places) -> Iterator[Write]:
        """Yield the records that changed, and what is closed."""
        if not self._is_changed:
            return
        self._is_changed = False
        for name, record in self.stage.changes().items():
            value = None if record is None else _encode(record)
            yield places.metrics, name.encode(), value, -1, None
        gone, closed = self.stage.closed()
        for family, each in closed.items():
            key, value = partials.closed_key(family), partials.closed_value(each)
            yield places.partials, key, value, self.number, None
        for cell in gone:
            yield places.partials, partials.cell_key(cell), None, self.number, None


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
        self._is_busy = False

    def _inputs(self) -> list[str]:
        return [self._places.partials]

    def _gather(self) -> None:
        # Where much comes at once, fewer and larger batches cost less: a window is made once.
        count = 0
        for message in self._messages(self._wait_s * (10 if self._is_busy else 1)):
            chapter = self._chapters.get(message.partition())  # type: ignore[arg-type]
            if chapter is None:
                continue
            if message.error() is None:
                chapter.take(message.key(), message.value())  # type: ignore[arg-type]
                self._next[chapter.number] = (message.offset() or 0) + 1
                count += 1
            else:  # the end: behind markers, too, that no record stands for
                self._next[chapter.number] = message.offset() or 0
        self._is_busy = count > _BUSY

    def _process(self) -> None:
        moved = [number for number in self._chapters if self._next[number] != self._saved[number]]
        if not moved:
            return
        crash_at("second", "consumed")
        topic = self._places.partials
        offsets = [TopicPartition(topic, number, self._next[number]) for number in moved]
        # Before the transaction begins: after a restart this may take longer than its timeout.
        records = list(self._writes([self._chapters[number] for number in moved]))
        if self._commit(iter(records), offsets):
            self._saved |= {number: self._next[number] for number in moved}

    def _writes(self, chapters: Iterable[_Chapter]) -> Iterator[Write]:
        for chapter in chapters:
            yield from chapter.writes(self._places)

    def _drop(self, partition: int) -> None:
        self._chapters.pop(partition, None)

    def _open(self, partitions: list[TopicPartition]) -> list[TopicPartition]:
        """Make the chapters of what the logs hold; return where to read on.

        The state of this stage is its input: all of it is read, whatever was committed. What the
        last owner did not come to publish is published with the next batch.
        """
        self._consumer.committed(partitions, 30.0)  # waits for its last transaction to end
        published = read_published(self._kafka, self._places)
        for each in partitions:
            chapter = _Chapter(each.partition, self._grace_ms)
            log = read_log(self._kafka, self._places.partials, [each.partition])
            each.offset = chapter.restore(log, _of_chapter(published, each.partition))
            self._chapters[each.partition] = chapter
            self._next[each.partition] = each.offset
            self._saved[each.partition] = -1
        return partitions


def _of_chapter(published: Mapping[str, Record], number: int) -> dict[str, Record]:
    names = CHAPTERS[number].names
    return {key: record for key, record in published.items() if record["metric"] in names}
