"""One line at the end of a run: what the checks of the course were tried with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["line"]

_MARK = "checks "


def line(stats: Mapping[str, Iterable[Any]]) -> str:
    """Add up what the reports of `test_exercises` recorded; "" if none of them ran."""
    total: Counter[str] = Counter()
    for outcome in ("passed", "failed"):
        for report in stats.get(outcome, []):
            for name, count in getattr(report, "user_properties", []):
                if name.startswith(_MARK):
                    total[name.removeprefix(_MARK)] += count
    if not total:
        return ""
    return (
        f"checks: {total['solutions']} solutions ok, {total['blanks']} blanks todo, "
        f"{total['planted']} planted answers hinted, {total['refused']} mutants refused "
        f"({total['equal']} equal to the solution, {total['accepted']} accepted with a reason)"
    )
