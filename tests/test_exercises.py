"""Every check of the course: blank todo, solution ok, mutants refused, wrong beliefs hinted."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import plotly.io
import pytest
import toys  # noqa: F401 - finds the tools
from exercises import find
from judge import WrongAnswers, judge
from lessons import NOTEBOOKS, number, read, solutions

from steamlab.lesson import Lesson

PATHS = solutions(NOTEBOOKS)


@pytest.mark.broker
@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
@pytest.mark.usefixtures("kafka", "another_letter")
def test_checks_tell_right_from_wrong(
    path: Path, monkeypatch: pytest.MonkeyPatch, record_property: Callable[[str, object], None]
) -> None:
    """A lesson's solution runs, and each of its checks says what it has to say to each answer."""
    monkeypatch.setenv("STEAMLAB_SPEED", "25")
    monkeypatch.setattr(plotly.io.renderers, "default", "plotly_mimetype")
    report = judge(path, Lesson, wrong_answers(path))
    for what in ("blanks", "solutions", "planted", "refused", "equal", "accepted"):
        record_property(f"checks {what}", getattr(report, what))
    print(f"{path.stem}: {report}; seconds: {report.seconds}")
    assert not report.failures, "\n".join(report.failures)


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_every_exercise_has_a_wrong_belief_planted(path: Path) -> None:
    """No exercise is without a planted wrong answer; predictions have their other choices."""
    planted = {answer.number for answer in wrong_answers(path).planted}
    wanted = {exercise.number for exercise in find(read(path)) if not exercise.is_prediction}
    assert set() == wanted - planted


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_every_planted_answer_has_its_exercise(path: Path) -> None:
    """Planted, accepted and other seeds' answers name exercises that there are, with a reason."""
    wrong = wrong_answers(path)
    numbers = {exercise.number for exercise in find(read(path))}
    named = {answer.number for answer in wrong.planted} | set(wrong.other_seed)
    assert set() == (named | {exercise for exercise, _ in wrong.accepted}) - numbers
    assert [] == [answer.belief for answer in wrong.planted if not answer.hint]
    assert [] == [mutant for mutant, reason in wrong.accepted.items() if not reason]


def test_no_planted_answers_are_left_over() -> None:
    """Each module in tests/planted/ belongs to a lesson that there is."""
    modules = {path.stem for path in (Path(__file__).parent / "planted").glob("lesson_*.py")}
    assert set() == modules - {f"lesson_{number(path)}" for path in PATHS}


def wrong_answers(path: Path) -> WrongAnswers:
    """Return what is planted for a lesson; nothing, if nobody planted anything."""
    name = f"tests.planted.lesson_{number(path)}"
    try:
        module: Any = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        return WrongAnswers()
    return WrongAnswers(
        module.PLANTED, getattr(module, "OTHER_SEED", {}), getattr(module, "ACCEPTED", {})
    )
