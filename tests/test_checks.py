"""The machinery of checks: blanks, hints instead of tracebacks, unknown numbers."""

from __future__ import annotations

import threading
from typing import Any, cast

import pytest

from steamlab.checks import AnswerError, Verdict, call, call_within, is_blank, judge, not_yet, ok
from steamlab.errors import DeadlineError, LessonError
from steamlab.widgets.predict import Prediction

NO_LESSON = cast(Any, None)


def blank(topic: str) -> int:
    """Return the number of records."""


def returns_none(topic: str) -> None:
    """Return nothing, in so many words."""
    return None


def returns_five(topic: str) -> int:
    """Return a constant."""
    return 5


def test_a_blank_is_a_stub_and_nothing_else() -> None:
    """`...`, None, an empty body and no choice are blank; a constant or an echo is an answer."""
    assert [True] * 5 == [is_blank(each) for each in (..., None, blank, returns_none, lambda: None)]
    assert [False] * 4 == [is_blank(each) for each in (returns_five, lambda x: x, 0, "")]


def test_a_prediction_is_blank_until_chosen() -> None:
    """The learner's choice is what counts, and only an option can be chosen."""
    guess = Prediction("05.1", "How many?", ["3", "6"])
    assert is_blank(guess)
    assert "3" == guess.choose("3").value
    assert not is_blank(guess)
    with pytest.raises(LessonError, match=r"'4' is not among the options of 05.1\."):
        guess.choose("4")


def test_a_blank_says_todo_without_asking_the_broker() -> None:
    """The verdict of a blank needs no Kafka at all."""
    verdict = judge(NO_LESSON, "01.5", blank)
    assert "todo: exercise 01.5 is waiting for your answer." == repr(verdict)


def test_an_unknown_number_names_the_known_ones() -> None:
    """A typing error in a check's number is answered with the lesson's numbers."""
    with pytest.raises(LessonError, match=r"no exercise 00\.9\. Lesson 00 has 00\.1, 00\.2\."):
        judge(NO_LESSON, "00.9", returns_five)
    with pytest.raises(LessonError, match=r"no exercise 99\.1\. Lesson 99 has none\."):
        judge(NO_LESSON, "99.1", returns_five)


def test_what_the_learner_raises_becomes_a_hint() -> None:
    """An exception in the learner's function is named, not thrown at her."""

    def broken(load: int) -> int:
        return load // 0

    with pytest.raises(AnswerError, match=r"your function raised `ZeroDivisionError"):
        call(broken, 3)
    with pytest.raises(AnswerError, match="gave back nothing"):
        call(returns_none, "topic")
    with pytest.raises(AnswerError, match="a function was expected, and `int` came"):
        call(cast(Any, 5))


def test_errors_of_the_lab_pass_through() -> None:
    """A Kafka that is away is not the learner's mistake."""

    def waits(topic: str) -> int:
        raise DeadlineError("Nothing came.", repair="Run `steamlab status`.")

    with pytest.raises(DeadlineError):
        call(waits, "topic")


def test_a_function_that_never_returns_gets_a_hint() -> None:
    """A check does not hang because the learner's loop does."""
    release = threading.Event()
    with pytest.raises(AnswerError, match=r"had not come back after 0\.2 seconds"):
        call_within(0.2, release.wait, 60)
    release.set()
    assert 5 == call_within(10, returns_five, "topic")


def test_a_verdict_reads_on_from_its_state() -> None:
    """Plain text for nbval, Markdown for the learner; the same words."""
    assert "not yet, because six is too few." == repr(not_yet("six is too few."))
    assert "ok: all six." == repr(ok("all six."))
    assert "🟠 **not yet**, because six." == Verdict("not yet", "six.")._repr_markdown_()
