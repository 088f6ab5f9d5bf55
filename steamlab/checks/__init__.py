"""Judging an exercise: todo, not yet because …, or ok.

A check is a function `(lesson, answer) -> Verdict` in `lesson_NN.py`, found by its number.
It judges behaviour: what the broker holds, or what the learner's function does with data that
the notebook has not shown. Each wrong belief that the course knows gets a hint of its own.
"""

from __future__ import annotations

import dis
import importlib
import threading
import types
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from steamlab.errors import LabError, LessonError
from steamlab.widgets.predict import Prediction

if TYPE_CHECKING:
    from steamlab.lesson import Lesson

__all__ = [
    "AnswerError",
    "Verdict",
    "call",
    "call_within",
    "exercise",
    "exercises",
    "is_blank",
    "judge",
    "not_yet",
    "ok",
    "todo",
]

Check = Callable[["Lesson", Any], "Verdict"]
_checks: dict[str, Check] = {}


@dataclass(frozen=True)
class Verdict:
    """What a check says: `state` is "todo", "not yet" or "ok"; `text` says why."""

    state: str
    text: str

    def __repr__(self) -> str:
        joint = ", because " if self.state == "not yet" else ": "
        return f"{self.state}{joint}{self.text}"

    def _repr_markdown_(self) -> str:
        mark = {"ok": "✅ **ok**", "not yet": "🟠 **not yet**", "todo": "⬜ **todo**"}[self.state]
        return f"{mark}{', because ' if self.state == 'not yet' else ': '}{self.text}"


class AnswerError(Exception):
    """The learner's function raised, or gave back something of the wrong kind."""


def ok(text: str) -> Verdict:
    """Say that an answer holds, and what it was held against."""
    return Verdict("ok", text)


def not_yet(text: str) -> Verdict:
    """Say why an answer does not hold yet; the text reads on from "because"."""
    return Verdict("not yet", text)


def todo(text: str) -> Verdict:
    """Say what is still to be filled in."""
    return Verdict("todo", text)


def exercise(number: str) -> Callable[[Check], Check]:
    """Register a check under its exercise's number."""

    def register(check: Check) -> Check:
        _checks[number] = check
        return check

    return register


def exercises(lesson: str) -> list[str]:
    """Return the numbers of a lesson's exercises in order; none for a lesson without checks."""
    module = f"{__name__}.lesson_{lesson}"
    try:
        importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
    known = [number for number in _checks if number.partition(".")[0] == lesson]
    return sorted(known, key=lambda number: int(number.partition(".")[2]))


def judge(lesson: Lesson, number: str, answer: object) -> Verdict:
    """Run the check of an exercise; raise `LessonError` for a number that there is not."""
    check = _find(number)
    if is_blank(answer):
        return todo(f"exercise {number} is waiting for your answer.")
    value = answer.value if isinstance(answer, Prediction) else answer
    try:
        return check(lesson, value)
    except AnswerError as error:
        return not_yet(str(error))


def is_blank(answer: object) -> bool:
    """Tell whether an answer is still the stub: `...`, None, no choice, or an empty body."""
    if isinstance(answer, Prediction):
        return answer.value is None
    if isinstance(answer, types.FunctionType):
        return _does_nothing(answer)
    return answer is ... or answer is None


def call(function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """Call the learner's function; whatever it raises becomes a hint, never a traceback."""
    if not callable(function):
        raise AnswerError(f"a function was expected, and `{type(function).__name__}` came.")
    try:
        result = function(*arguments, **options)
    except LabError:
        raise
    except Exception as error:
        raise AnswerError(
            f"your function raised `{type(error).__name__}: {error}`. "
            "Call it yourself in a new cell to see where."
        ) from error
    if result is None or result is ...:
        raise AnswerError("your function gave back nothing; does it end in `return`?")
    return result


def call_within(seconds: float, function: Callable[..., Any], *arguments: Any) -> Any:
    """Call the learner's function as `call` does, and stop waiting for it after `seconds`."""
    outcome: list[Any] = []

    def work() -> None:
        try:
            outcome.append(call(function, *arguments))
        except BaseException as error:  # handed over to the thread that waits
            outcome.append(error)

    worker = threading.Thread(target=work, daemon=True)
    worker.start()
    worker.join(seconds)
    if not outcome:
        raise AnswerError(
            f"your function had not come back after {seconds:g} seconds. "
            "Does it wait for something that nobody brings about?"
        )
    if isinstance(outcome[0], BaseException):
        raise outcome[0]
    return outcome[0]


def _does_nothing(function: types.FunctionType) -> bool:
    """Tell whether a function's body is a docstring and `...`, in any Python's bytecode."""
    work = [i for i in dis.get_instructions(function) if i.opname not in ("RESUME", "NOP")]
    return all(i.opname == "RETURN_VALUE" or i.argval is None for i in work) and len(work) <= 2


def _find(number: str) -> Check:
    known = exercises(number[:2])
    if number not in _checks:
        raise LessonError(
            f"There is no exercise {number}.",
            repair=f"Lesson {number[:2]} has {', '.join(known) or 'none'}.",
        )
    return _checks[number]
