"""What the members' journals say of lesson 06's race."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from steamlab.members.journal import Entry
from steamlab.members.timeline import held, timeline, unread

if TYPE_CHECKING:
    from steamlab.lesson import Lesson

__all__ = ["journals_of", "let_go", "wait_after_kill", "was_run"]


def let_go(journals: Mapping[str, Sequence[Entry]]) -> tuple[int, int]:
    """Return how many partitions A had when C died, and how many it let go of after that."""
    killed, frozen = _time(journals["C"], "killed"), _time(journals["B"], "frozen")
    gone = sum(
        len(entry["partitions"])
        for entry in journals["A"]
        if entry["what"] == "revoked" and killed < entry["t"] < frozen
    )
    return len(held(_until(journals["A"], killed))), gone


def journals_of(lesson: Lesson, name: str) -> dict[str, list[Entry]]:
    """Return the journals of the race's last run, by member."""
    group = f"{lesson.prefix}.{name}"
    return {each.name: each.entries() for each in lesson.members if each.group == group}


def was_run(journals: Mapping[str, Sequence[Entry]]) -> bool:
    """Tell whether the race came to its end."""
    wanted = {"A": "assigned", "B": "left", "C": "killed"}
    whats = {name: {entry["what"] for entry in entries} for name, entries in journals.items()}
    return all(what in whats.get(name, ()) for name, what in wanted.items())


def _time(entries: Sequence[Entry], what: str) -> float:
    return next(float(entry["t"]) for entry in entries if entry["what"] == what)


def _until(entries: Sequence[Entry], end: float) -> list[Entry]:
    return [entry for entry in entries if entry["t"] <= end]


def wait_after_kill(journals: Mapping[str, Sequence[Entry]]) -> float:
    """Return the longest time for which a partition of C's was read by nobody."""
    killed, frozen = _time(journals["C"], "killed"), _time(journals["B"], "frozen")
    mine = held(_until(journals["C"], killed - 1e-6))
    stretches = timeline({name: list(entries) for name, entries in journals.items()}, now=frozen)
    return float(unread(stretches, mine, killed, frozen)["longest"].max())
