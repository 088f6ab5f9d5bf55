"""How far all input partitions are, and what is final by that (R3)."""

from __future__ import annotations

from collections.abc import Mapping

from steamlab.processor.families import NEVER_MS, watermark

__all__ = ["Clocks"]


class Clocks:
    """The newest time of each topic in each input partition, as the partitions told it.

    The slowest partition decides; one all of whose topics are idle does not hold the others back.
    When such a one goes on, what had been final stays final: no mark goes back.
    """

    def __init__(self, *, partitions: int, grace_ms: int) -> None:
        self.grace_ms = grace_ms
        self.told: dict[int, Mapping[str, int]] = {number: {} for number in range(partitions)}
        self._idle: set[int] = set()
        self._marks: dict[tuple[str, ...], int] = {}  # what is asked again and again, by topics
        self._reached: dict[tuple[str, ...], int] = {}

    @property
    def now_ms(self) -> int:
        """The newest time that any partition has seen."""
        times = (time for topics in self.told.values() for time in topics.values())
        return max(times, default=NEVER_MS)

    def tell(self, partition: int, topics: Mapping[str, int], *, is_idle: bool) -> None:
        """Note how far a partition's topics are."""
        self.told[partition] = topics
        (self._idle.add if is_idle else self._idle.discard)(partition)
        self._marks.clear()

    def slowest(self, topics: tuple[str, ...]) -> int:
        """Return the slowest partition's watermark; if all are idle, the newest."""
        if topics not in self._marks:
            marks = {number: watermark(each, topics) for number, each in self.told.items()}
            awake = [mark for number, mark in marks.items() if number not in self._idle]
            mark = min(awake) if awake else max(marks.values())
            # Of several topics the slowest counts: each of them alone has come as far.
            reached = (ms for known, ms in self._reached.items() if set(topics) <= set(known))
            self._marks[topics] = self._reached[topics] = max(mark, *reached, NEVER_MS)
        return self._marks[topics]

    def recall(self, topics: tuple[str, ...], reached_ms: int) -> None:
        """Know again how far all partitions had come before a restart."""
        self._reached[topics] = max(self._reached.get(topics, NEVER_MS), reached_ms)
        self._marks.clear()

    def is_final(self, topics: tuple[str, ...], settled_ms: int) -> bool:
        """Whether what was settled at an instant, without late events, changes no more."""
        return self.slowest(topics) >= settled_ms + self.grace_ms
