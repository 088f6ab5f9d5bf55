"""From the journals of a group's members: who read which partition from when to when.

A partition is read while a member has it and keeps polling. So it is not read between two
members, in a frozen member, in one that works too long between two polls, or in a dead one
whom nobody misses yet.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from steamlab.members.journal import Entry

__all__ = ["COLUMNS", "held", "timeline", "unread"]

COLUMNS = ("topic", "partition", "member", "begin", "end")
Place = tuple[str, int]

# Members write a line every 0.1 s. Who is silent for longer than this does not read.
_SILENCE_S = 1.0
_ENDS = {"left", "failed", "killed"}


@dataclass
class _Member:
    """What is known of one member while its entries go by."""

    held: dict[Place, float | None] = field(default_factory=dict)  # since when it is read
    polled: float | None = None


def timeline(journals: Mapping[str, Sequence[Entry]], *, now: float) -> pd.DataFrame:
    """Return who read what: topic, partition, member, begin, end (seconds, as the entries').

    One row for each stretch in which a member read a partition without a pause; what is
    being read still ends at `now`.
    """
    rows = [
        (*place, name, begin, end)
        for name, entries in journals.items()
        for place, begin, end in _stretches(entries, now)
        if end > begin
    ]
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    return frame.sort_values(["topic", "partition", "begin"], ignore_index=True)


def unread(frame: pd.DataFrame, places: Iterable[Place], begin: float, end: float) -> pd.DataFrame:
    """Return how long nobody read each partition from `begin` to `end`.

    Columns: topic, partition, unread (seconds in all), longest (the longest pause).
    """
    rows = []
    for topic, partition in sorted(places):
        mine = frame[(frame["topic"] == topic) & (frame["partition"] == partition)]
        pauses = _pauses(mine[["begin", "end"]].itertuples(index=False), begin, end)
        rows.append((topic, partition, sum(pauses), max(pauses, default=0.0)))
    return pd.DataFrame(rows, columns=["topic", "partition", "unread", "longest"])


def held(entries: Sequence[Entry]) -> set[Place]:
    """Return the partitions that a member has after these entries, by its own account."""
    has: set[Place] = set()
    for entry in entries:
        if entry["what"] == "assigned":
            has |= _places(entry)
        elif entry["what"] in ("revoked", "lost"):
            has -= _places(entry)
        elif entry["what"] in _ENDS:
            has.clear()
    return has


def _stretches(entries: Sequence[Entry], now: float) -> Iterable[tuple[Place, float, float]]:
    member = _Member()
    for entry in entries:
        t, what = entry["t"], entry["what"]
        if what == "read":
            yield from _poll(member, t)
        elif what == "assigned":
            member.held |= dict.fromkeys(_places(entry))
        elif what in ("revoked", "lost"):
            yield from _end(member, _places(entry) & member.held.keys(), t)
        elif what == "frozen" or what in _ENDS:
            has = set(member.held)
            yield from _end(member, has, t)
            # A frozen one has its partitions still, and reads none of them.
            member.held = dict.fromkeys(has) if what == "frozen" else {}
            member.polled = None
    yield from _end(member, set(member.held), now)


def _poll(member: _Member, t: float) -> Iterable[tuple[Place, float, float]]:
    if member.polled is not None and t - member.polled > _SILENCE_S:
        for place, since in member.held.items():
            if since is not None:
                yield place, since, member.polled
                member.held[place] = None
    member.polled = t
    member.held |= {place: t for place, since in member.held.items() if since is None}


def _end(member: _Member, places: set[Place], t: float) -> Iterable[tuple[Place, float, float]]:
    """Take partitions away at `t`; the stretch ends earlier if the member had gone silent."""
    last = member.polled
    for place in places:
        since = member.held.pop(place)
        if since is not None and last is not None:
            yield place, since, t if t - last <= _SILENCE_S else last


def _pauses(stretches: Iterable[tuple[float, float]], begin: float, end: float) -> list[float]:
    pauses, reached = [], begin
    for since, until in sorted(stretches):
        if since >= end:
            break
        if since > reached:
            pauses.append(since - reached)
        reached = max(reached, until)
    if reached < end:
        pauses.append(end - reached)
    return pauses


def _places(entry: Entry) -> set[Place]:
    return {(str(topic), int(partition)) for topic, partition in entry["partitions"]}
