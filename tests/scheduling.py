"""Which tests share a worker of the run, and which of them it takes first."""

from __future__ import annotations

import re
from collections import OrderedDict

__all__ = ["Queue", "prefers_long", "scope"]

_FORM = re.compile(r"(?:/|^)(\d\d)_\w+\.ipynb::")  # notebooks/05_consumer_groups.ipynb::…
_OF_LESSON = re.compile(r"\[(\d\d)_\w+\]$")  # tests/test_rerun.py::…[05_consumer_groups]

# what takes longest comes first; what is not named here takes seconds
_LONG = (
    "tests/test_browser.py",
    "tests/test_pipeline_kills.py",
    "tests/test_pipeline_sharing.py",
    "tests/test_exercises.py ",
    "tests/test_rerun.py ",
    "tests/test_board_browser.py",
    "notebooks ",
    "tests/test_pipeline_wrong.py",
    "tests/test_cluster.py",
)


def scope(nodeid: str) -> str:
    """Name what stays together, one after the other: a file, or what a file has of one lesson.

    The two forms of a notebook are one scope: their outputs show the lesson's own topics. What
    else runs a lesson takes topics with a letter (`another_letter`), and so runs beside them.
    """
    if form := _FORM.search(nodeid):
        return f"notebooks {form[1]}"
    file, lesson = nodeid.partition("::")[0], _OF_LESSON.search(nodeid)
    return f"{file} {lesson[1]}" if lesson else file


def prefers_long(worker: int) -> bool:
    """Tell whether a worker begins with the lessons; every fourth one begins with the rest.

    Lessons wait most of their time, the rest computes: so the cores always have work.
    """
    return worker % 4 != 3


class Queue(OrderedDict[str, dict[str, bool]]):
    """The scopes that nobody has taken, handed out so that no worker ends alone with a long one.

    `long_first` is set for the worker that comes next; each takes the other kind too, in the end.
    """

    long_first = True

    def popitem(self, last: bool = False) -> tuple[str, dict[str, bool]]:
        """Take the scope that comes next, whatever `last` says."""
        chosen = min(self, key=_rank)
        if not self.long_first:
            chosen = next((name for name in self if _rank(name) == len(_LONG)), chosen)
        return chosen, self.pop(chosen)


def _rank(name: str) -> int:
    return next((at for at, long in enumerate(_LONG) if name.startswith(long)), len(_LONG))
