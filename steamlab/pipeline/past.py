"""What the second stage's logs say when it starts: its state is its input, newest record by key."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

from confluent_kafka import Message

from steamlab.pipeline import partials
from steamlab.pipeline.partials import CellsOf
from steamlab.processor.sums import Closed, Span

__all__ = ["Past"]


class Past:
    """What the log of a chapter says, the newest of each key; it is decoded at the end, once."""

    def __init__(self) -> None:
        self.following = 0
        self._closed: dict[bytes, bytes] = {}
        self._clocks: dict[bytes, bytes] = {}
        self._told: defaultdict[bytes, dict[bytes, bytes]] = defaultdict(dict)
        self._untold: defaultdict[bytes, dict[bytes, bytes]] = defaultdict(dict)

    def take(self, message: Message) -> None:
        """Take a record. A partition's cells are told when its clock has followed them."""
        key, value = bytes(message.key() or b""), message.value()
        self.following = (message.offset() or 0) + 1
        partition, _, rest = key.partition(b"|")
        if value is None:
            self._told[partition].pop(key, None)
        elif partition == b"closed":
            self._closed[key] = value
        elif rest == b"clock":
            self._clocks[partition] = value
            self._told[partition].update(self._untold.pop(partition, {}))
        else:
            self._untold[partition][key] = value

    def closed(self) -> dict[Span, Closed]:
        """Return what is closed of each family, span by span."""
        found = {}
        for key, value in self._closed.items():
            _, family, span = partials.read_key(key)
            found[family, span or 0] = partials.read_closed(value)
        return found

    def told(self) -> Iterator[tuple[int, partials.Clock, CellsOf]]:
        """Yield each input partition with its clock and its cells."""
        for partition, clock in self._clocks.items():
            yield int(partition), partials.read_clock(clock), _read_cells(self._told[partition])

    def untold(self) -> Iterator[tuple[int, CellsOf]]:
        """Yield each input partition with the cells whose clock has not come yet."""
        for partition, cells in self._untold.items():
            yield int(partition), _read_cells(cells)


def _read_cells(records: Mapping[bytes, bytes]) -> CellsOf:
    found = CellsOf()
    for key, value in records.items():
        _, family, bucket = partials.read_key(key)
        found |= partials.read_cells(family, bucket or 0, value)
    return found
