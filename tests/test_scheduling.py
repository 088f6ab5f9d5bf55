"""The order of a run: what may run beside what, and what comes first."""

from __future__ import annotations

import pytest

from steamlab.errors import SetupError
from steamlab.settings import settings
from tests.scheduling import Queue, prefers_long, scope

BOTH = [
    "notebooks/05_consumer_groups.ipynb::Cell 3",
    "notebooks/solutions/05_consumer_groups.ipynb::Cell 3",
]


def test_the_two_forms_stay_together() -> None:
    """Their outputs name the same topics, so they run one after the other."""
    assert ["notebooks 05"] * 2 == [scope(nodeid) for nodeid in BOTH]
    assert "notebooks 05" == scope("05_consumer_groups.ipynb::Cell 0")


def test_the_parts_of_a_lesson_are_apart() -> None:
    """Exercises and reruns are scopes of their own, one for each lesson; other files are one."""
    assert "tests/test_rerun.py 05" == scope("tests/test_rerun.py::test_twice[05_consumer_groups]")
    assert "tests/test_rerun.py" == scope("tests/test_rerun.py::test_once")
    assert "tests/test_lint.py" == scope("tests/test_lint.py::test_rules[solutions/05_groups]")


NAMES = [
    "tests/test_cli.py",
    "notebooks 00",
    "tests/test_cluster.py",
    "tests/test_rerun.py",
    "tests/test_exercises.py 00",
    "tests/test_rerun.py 00",
]


def order(*, long_first: bool) -> list[str]:
    """Return the order in which a worker alone would take everything."""
    queue = Queue({name: {} for name in NAMES})
    queue.long_first = long_first
    return [queue.popitem()[0] for _ in NAMES]


def test_lessons_come_first() -> None:
    """Exercises, reruns, notebooks, clusters, then the rest as it came."""
    long = ["tests/test_exercises.py 00", "tests/test_rerun.py 00", "notebooks 00"]
    rest = ["tests/test_cli.py", "tests/test_rerun.py"]
    assert [*long, "tests/test_cluster.py", *rest] == order(long_first=True)


def test_one_of_four_begins_with_the_rest() -> None:
    """The fourth worker computes while the others wait, and helps them when that is done."""
    assert [True, True, True, False] == [prefers_long(worker) for worker in range(4)]
    taken = order(long_first=False)
    assert ["tests/test_cli.py", "tests/test_rerun.py", "tests/test_exercises.py 00"] == taken[:3]
    assert sorted(NAMES) == sorted(taken)


@pytest.mark.parametrize("letter", ["a", "B", "bc", "5"])
def test_a_wrong_letter_is_refused(letter: str) -> None:
    """A letter is one of b to z."""
    with pytest.raises(SetupError, match="STEAMLAB_LETTER must be a letter from b to z"):
        settings({"STEAMLAB_LETTER": letter})
