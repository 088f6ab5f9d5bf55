"""What became of all events, as the first stage's state has it: nothing disappears silently."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from steamlab.pipeline.logs import read_log
from steamlab.pipeline.places import PARTITIONS, Places

__all__ = ["COUNTS", "read_counts", "told"]

COUNTS = "counts"  # the key in the changelog, one record in each partition
_PLAIN = ("accepted", "duplicates", "tombstones")


def read_counts(kafka: Mapping[str, Any], places: Places) -> Counter[str]:
    """Return how many events there were of each fate, over all partitions, as far as committed.

    accepted, duplicates, tombstones, `refused CODE`, `late FAMILY` (contributions that came when
    their cell was final), `too_old TOPIC` (events that came when all around them was forgotten).
    """
    newest: dict[int | None, bytes] = {}
    for message in read_log(kafka, places.changelog, range(PARTITIONS)):
        if message.key() == COUNTS.encode() and message.value() is not None:
            newest[message.partition()] = message.value() or b"{}"
    found: Counter[str] = Counter()
    for value in newest.values():
        found.update(msgspec.json.decode(value, type=dict[str, int]))
    return found


def told(counts: Mapping[str, int]) -> Iterator[str]:
    """Say it for people: a line of all, then one for each kind of loss that there was."""
    total = sum(n for name, n in counts.items() if name.startswith("refused "))
    plain = [f"{counts.get(name, 0):,} {name}" for name in _PLAIN]
    yield ", ".join([*plain, f"{total:,} refused"])
    for kind, text in (
        ("refused", "refused, by code"),
        ("late", "late for what was final, by family of cells"),
        ("too_old", "too old to tell whether they are new, by topic"),
    ):
        each = {name.partition(" ")[2]: n for name, n in counts.items() if name.startswith(kind)}
        if each:
            yield f"{text}: " + ", ".join(f"{name} {n:,}" for name, n in sorted(each.items()))
