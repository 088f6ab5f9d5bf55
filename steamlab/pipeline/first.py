"""Run the first stage: five topics in; partial cells, state and dead letters out, exactly once."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from confluent_kafka import Consumer, Message, TopicPartition

from steamlab import topics
from steamlab.errors import BrokerError
from steamlab.pipeline import partials
from steamlab.pipeline.crashes import crash_at
from steamlab.pipeline.logs import read_log
from steamlab.pipeline.places import Places
from steamlab.pipeline.stage import Stage
from steamlab.pipeline.task import Task
from steamlab.pipeline.transactions import Write
from steamlab.processor.chapters import CHAPTERS, Chapter
from steamlab.processor.families import GRACE_MS

__all__ = ["First", "check_copartitioned"]

_LOG = logging.getLogger("steamlab.process")
_TIMEOUT_S = 30.0


class First(Stage):
    """The first stage: a task for each partition number, all five topics of it.

    A topic is idle when it is read to its end, and had no record for `idle_s`.
    """

    stage = "first"

    def __init__(
        self,
        kafka: Mapping[str, Any],
        places: Places,
        name: str,
        *,
        grace_ms: int = GRACE_MS,
        idle_s: float = 5.0,
        chapters: Sequence[Chapter] = CHAPTERS,
    ) -> None:
        super().__init__(kafka, places, name, grace_ms=grace_ms)
        self._idle_s, self._counted = idle_s, chapters
        self.tasks: dict[int, Task] = {}
        self._opened: dict[tuple[str, int], int] = {}

    def _inputs(self) -> list[str]:
        return self._places.inputs

    def _gather(self) -> None:
        for records, ends in self._arriving(self._wait_s):
            fresh: defaultdict[int | None, list[Message]] = defaultdict(list)
            for message in records:
                fresh[message.partition()].append(message)
            for number, task in self.tasks.items():
                if number in fresh:
                    task.take(fresh[number])
            for end in ends:
                if end.partition() in self.tasks:
                    task = self.tasks[end.partition() or 0]
                    task.reach_end(str(end.topic()), end.offset() or 0)
        for task in self.tasks.values():
            task.listen(self._waited_s)

    def _process(self) -> None:
        working = [task for task in self.tasks.values() if task.has_work]
        if not working:
            return
        crash_at("first", "consumed")
        self._commit(self._writes(working), self._positions({task.number for task in working}))

    def _positions(self, numbers: Collection[int]) -> list[TopicPartition]:
        """Return where reading goes on, in all five topics of these partition numbers.

        Where nothing was read yet that is where reading began: a batch of which no offset is told,
        because topics became idle and no more, would be nobody's to check.
        """
        found = []
        for each in self._consumer.position(self._consumer.assignment()):
            if each.partition in numbers:
                if each.offset < 0:
                    each.offset = self._opened[each.topic, each.partition]
                found.append(each)
        return found

    @staticmethod
    def _writes(working: Iterable[Task]) -> Iterator[Write]:
        for task in working:
            yield from task.process()

    def _assigned(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        check_copartitioned(self._places, partitions)
        super()._assigned(consumer, partitions)

    def _drop(self, partition: int) -> None:
        self.tasks.pop(partition, None)

    def _open(self, partitions: list[TopicPartition]) -> list[TopicPartition]:
        """Make the tasks as their last owner has left them; return where to read on.

        Offsets first: where a transaction of the last owner is open, the answer waits for its end,
        and what is read of the logs after that is of the same moment.
        """
        committed = self._consumer.committed(partitions, _TIMEOUT_S)
        self._find_begins(committed)
        numbers = sorted({each.partition for each in partitions})
        state, cells = self._read_state(numbers), self._read_partials()
        for number in numbers:
            task = Task(
                number,
                self._places,
                grace_ms=self._grace_ms,
                idle_s=self._idle_s,
                chapters=self._counted,
            )
            task.restore(state[number], partials.cells_of(number, cells))
            self.tasks[number] = task
        return list(committed)

    def _find_begins(self, committed: Sequence[TopicPartition]) -> None:
        """Go on at the first event that there is; say what retention has deleted unread."""
        for topic in self._places.inputs:
            bounds = topics.bounds(self._kafka, topic)
            for each in committed:
                if each.topic == topic:
                    begin = bounds[each.partition][0]
                    if 0 <= each.offset < begin:
                        text = "%s events of %s, partition %s, were deleted unread"
                        _LOG.warning(text, begin - each.offset, topic, each.partition)
                    each.offset = self._opened[topic, each.partition] = max(each.offset, begin)

    def _read_state(self, numbers: Sequence[int]) -> dict[int, dict[str, bytes]]:
        state: dict[int, dict[str, bytes]] = defaultdict(dict)
        for message in read_log(self._kafka, self._places.changelog, numbers):
            _put(state[message.partition() or 0], bytes(message.key() or b"").decode(), message)
        return state

    def _read_partials(self) -> dict[bytes, bytes]:
        found: dict[bytes, bytes] = {}
        chapters = range(len(CHAPTERS))
        for message in read_log(self._kafka, self._places.partials, chapters):
            _put(found, bytes(message.key() or b""), message)
        return found


def _put(table: dict[Any, bytes], key: Any, message: Any) -> None:
    """Keep the newest record of a key, as compaction does."""
    value = message.value()
    if value is None:
        table.pop(key, None)
    else:
        table[key] = value


def check_copartitioned(places: Places, partitions: Iterable[TopicPartition]) -> None:
    """Raise `BrokerError` unless the same partition numbers of all five topics are there.

    A user's events have one partition number in all topics; a process must see all of them.
    """
    numbers: dict[str, set[int]] = {topic: set() for topic in places.inputs}
    for each in partitions:
        numbers[each.topic].add(each.partition)
    if len(set(map(frozenset, numbers.values()))) > 1:
        raise BrokerError(
            f"Expected the same partitions of all five topics, and was given {numbers}.",
            repair="The group needs group.remote.assignor=range, and topics of equal partitions.",
        )
