"""Planned chunks on their way out: columns at hand, the next chunk planned meanwhile."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterable
from functools import cached_property
from itertools import compress
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["BATCH", "Events", "Record", "Stretch", "ahead"]

BATCH = 2_000  # events encoded at once

Record: TypeAlias = tuple[int, bytes, bytes, list[tuple[str, bytes]]]
"""An event as it leaves: kind, key, value, headers."""


class Events(Protocol):
    """What is needed of a planned chunk; its events stand in order of arrival."""

    @property
    def arrival_ms(self) -> NDArray[np.int64]:
        """When each event reaches the store."""

    @property
    def kind(self) -> NDArray[np.uint8]:
        """Each event's place in the order of the store's topics."""

    @property
    def admit(self) -> NDArray[np.float64]:
        """Each user's seeded hash, in [0, 1)."""

    def __len__(self) -> int:
        """Return how many events there are."""

    def encode(self, lo: int, hi: int, only: set[int] | None) -> list[Record]:
        """Return the records of the events `lo` to `hi`, of some kinds only."""


class Stretch:
    """A chunk with its columns at hand: the chunk itself computes them at every look.

    `only`: the kinds that are wanted; None: all.
    """

    def __init__(self, chunk: Events, only: set[int] | None = None) -> None:
        self._chunk, self._only = chunk, only
        self.arrival_ms = chunk.arrival_ms

    def __len__(self) -> int:
        return len(self._chunk)

    def records(self, low: int, high: int, share: float = 1.0) -> list[Record]:
        """Return the records `low` to `high` of the first `share` of all users."""
        records = self._chunk.encode(low, high, self._only)
        if share >= 1:
            return records
        admit = self._admit[low:high]
        if self._only is not None:
            admit = admit[np.isin(self._kind[low:high], list(self._only))]
        return list(compress(records, (admit < share).tolist()))

    @cached_property
    def _admit(self) -> NDArray[np.float64]:
        return self._chunk.admit

    @cached_property
    def _kind(self) -> NDArray[np.uint8]:
        return self._chunk.kind


def ahead(chunks: Iterable[Events], *, tick: float = 0.1) -> Generator[Events | None, None, None]:
    """Yield the chunks, while a thread plans the next one; None at each tick of waiting for it.

    What planning raises is raised here.
    """
    planned: queue.Queue[Events | BaseException | None] = queue.Queue(1)
    left = threading.Event()
    threading.Thread(
        target=_plan, args=(chunks, planned, left), name="steamlab-planner", daemon=True
    ).start()
    try:
        while True:
            try:
                item = planned.get(timeout=tick)
            except queue.Empty:
                yield None
                continue
            if item is None:
                return
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        left.set()


def _plan(
    chunks: Iterable[Events],
    planned: queue.Queue[Events | BaseException | None],
    left: threading.Event,
) -> None:
    def put(item: Events | BaseException | None) -> bool:
        while not left.is_set():
            try:
                planned.put(item, timeout=0.1)
            except queue.Full:
                continue
            return True
        return False

    try:
        if all(put(chunk) for chunk in chunks):
            put(None)
    except BaseException as error:  # raised where the chunks are read
        put(error)
