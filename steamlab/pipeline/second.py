"""Run the second stage: partial cells in, the records of `analytics.metrics` out, exactly once."""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeAlias

import msgspec
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from steamlab.pipeline import partials
from steamlab.pipeline.crashes import crash_at
from steamlab.pipeline.logs import read_log
from steamlab.pipeline.places import PARTITIONS, Places, reading, writing
from steamlab.pipeline.published import read_published
from steamlab.pipeline.transactions import AbortedError, Transactions, Write
from steamlab.processor.cells import Counts
from steamlab.processor.chapters import CHAPTERS
from steamlab.processor.families import GRACE_MS
from steamlab.processor.records import Record
from steamlab.processor.second_stage import SecondStage
from steamlab.processor.sums import Closed

__all__ = ["Second"]

_Cells: TypeAlias = dict[tuple[str, int], Counts]

_BUSY = 2_000  # records a batch

_LOG = logging.getLogger("steamlab.process")
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


class Second:
    """The second stage in one process: as many chapters as the group gives it."""

    def __init__(
        self,
        kafka: Mapping[str, Any],
        places: Places,
        name: str,
        *,
        grace_ms: int = GRACE_MS,
        batch: int = 20_000,
        wait_s: float = 0.04,
    ) -> None:
        self._kafka, self._places, self._grace_ms = kafka, places, grace_ms
        self._batch, self._wait_s = batch, wait_s
        self._chapters: dict[int, _Chapter] = {}
        self._next: dict[int, int] = {}
        self._saved: dict[int, int] = {}
        self._is_busy = False
        self._transactions = Transactions("second", writing(kafka, name))
        self._consumer = Consumer(reading(kafka, places.group("second")))

    def run(self, is_stopped: Callable[[], bool]) -> None:
        """Process until told to stop."""
        self._consumer.subscribe(
            [self._places.partials],
            on_assign=self._assigned,
            on_revoke=self._revoked,
            on_lost=self._revoked,
        )
        while not is_stopped():
            self._gather()
            moved = [
                number for number in self._chapters if self._next[number] != self._saved[number]
            ]
            if moved:
                crash_at("second", "consumed")
                self._commit(moved)

    def close(self) -> None:
        """Leave the group, so that others take over at once."""
        self._consumer.close()
        self._transactions.close()

    def _gather(self) -> None:
        # Where much comes at once, fewer and larger batches cost less: a window is made once.
        wait_s = self._wait_s * (10 if self._is_busy else 1)
        count, ends_s = 0, time.monotonic() + wait_s
        while count < self._batch and (left_s := ends_s - time.monotonic()) > 0.001:
            for message in self._consumer.consume(1000, left_s):
                chapter = self._chapters.get(message.partition())  # type: ignore[arg-type]
                error = message.error()
                if error is None and chapter is not None:
                    chapter.take(message.key(), message.value())  # type: ignore[arg-type]
                    self._next[chapter.number] = (message.offset() or 0) + 1
                    count += 1
                elif error is not None:
                    self._note(error, message)
        self._is_busy = count > _BUSY

    def _note(self, error: KafkaError, message: Message) -> None:
        if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - the client's name
            if message.partition() in self._chapters:  # behind markers that no record stands for
                self._next[message.partition()] = message.offset() or 0  # type: ignore[index]
        elif error.fatal():
            raise KafkaException(error)
        else:
            _LOG.warning("%s", error.str())

    def _commit(self, moved: list[int]) -> None:
        topic = self._places.partials
        offsets = [TopicPartition(topic, number, self._next[number]) for number in moved]
        chapters = [self._chapters[number] for number in moved]
        # Before the transaction begins: after a restart this may take longer than its timeout.
        records = list(self._writes(chapters))
        try:
            self._transactions.write(records, offsets, self._consumer)
            self._saved |= {number: self._next[number] for number in moved}
        except AbortedError as why:
            _LOG.warning("aborted: %s", why)
            for each in self._open(self._consumer.assignment()):
                self._consumer.seek(each)

    def _writes(self, chapters: Iterable[_Chapter]) -> Iterator[Write]:
        for chapter in chapters:
            yield from chapter.writes(self._places)

    def _assigned(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        consumer.incremental_assign(self._open(partitions))

    def _revoked(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        for each in partitions:
            self._chapters.pop(each.partition, None)
        consumer.incremental_unassign(partitions)

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
