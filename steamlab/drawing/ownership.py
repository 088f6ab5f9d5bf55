"""Running a cell again ends what the cell started before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from IPython import get_ipython

__all__ = ["execution", "own"]

_started: dict[str, tuple[str, list[Callable[[], object]]]] = {}


def own(retire: Callable[[], object]) -> None:
    """Call `retire` when the notebook cell that runs now is run again.

    A cell may own several things. Front ends that do not name their cells (nbclient, Voila)
    never run one twice; outside of a notebook there is nothing to own.
    """
    cell, run = execution()
    if cell is None or run is None:
        return
    before, things = _started.get(cell, (run, []))
    if before != run:
        for end in things:
            end()
        things = []
    _started[cell] = (run, [*things, retire])


def execution() -> tuple[str | None, str | None]:
    """Return the id of the cell that runs now, where the front end tells, and of this run."""
    shell = get_ipython()
    if getattr(shell, "kernel", None) is None:
        return None, None
    parent: dict[str, Any] = shell.get_parent() or {}
    return parent.get("metadata", {}).get("cellId"), parent.get("header", {}).get("msg_id")
