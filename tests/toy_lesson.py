"""A lesson without Kafka: what the harness of the exercises is tried on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from steamlab.checks import AnswerError, Verdict, call, is_blank
from steamlab.widgets.predict import Prediction

__all__ = ["Lesson", "accept", "double", "predicted", "six"]

Check = Callable[[Any], Verdict]


def predicted(answer: Any) -> Verdict:
    """Accept the choice 3."""
    return Verdict("ok", "3.") if answer.value == "3" else Verdict("not yet", "count again.")


def double(answer: Any) -> Verdict:
    """Accept a function that doubles."""
    for given, wanted in ((2, 4), (5, 10)):
        if (said := call(answer, given)) != wanted:
            hint = "add, not square" if said == given**2 else "twice as much"
            return Verdict("not yet", f"{hint}: {given} gave {said}.")
    return Verdict("ok", "twice.")


def six(answer: Any) -> Verdict:
    """Accept the number 6."""
    return Verdict("ok", "6.") if answer == 6 else Verdict("not yet", "one for each partition.")


def accept(answer: Any) -> Verdict:
    """Accept anything: a check that cannot fail."""
    return Verdict("ok", "fine.")


class Lesson:
    """A lesson with three checks, to be replaced by worse ones."""

    checks: ClassVar[dict[str, Check]] = {"01.1": predicted, "01.2": double, "01.3": six}
    blanks_are_todo = True
    closed = 0

    def predict(self, number: str, question: str, options: list[str]) -> Prediction:
        """Ask for a prediction."""
        return Prediction(number, question, options)

    def check(self, number: str, answer: Any) -> Verdict:
        """Judge an answer."""
        if self.blanks_are_todo and is_blank(answer):
            return Verdict("todo", "fill it in.")
        try:
            return self.checks[number](answer)
        except AnswerError as error:
            return Verdict("not yet", str(error))

    def close(self) -> None:
        """Count that the lesson was ended."""
        type(self).closed += 1
