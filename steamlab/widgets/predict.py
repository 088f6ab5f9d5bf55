"""Predictions: a question asked before the cell that answers it."""

from __future__ import annotations

from collections.abc import Sequence

import ipywidgets
from IPython.display import display

from steamlab.errors import LessonError

__all__ = ["Prediction"]


class Prediction:
    """A question with radio buttons; `value` is None until the learner has chosen."""

    def __init__(self, number: str, question: str, options: Sequence[str]) -> None:
        self.number, self.question, self.options = number, question, tuple(map(str, options))
        self._buttons = ipywidgets.RadioButtons(
            options=self.options, value=None, layout={"width": "max-content"}
        )
        heading = ipywidgets.Label(question, style={"font_weight": "bold"})
        self._show(ipywidgets.VBox([heading, self._buttons]))

    @property
    def value(self) -> str | None:
        """The option that was chosen, or None."""
        return self._buttons.value  # type: ignore[no-any-return]

    def choose(self, option: str) -> Prediction:
        """Choose an option in code, as a click would."""
        if str(option) not in self.options:
            raise LessonError(
                f"{option!r} is not among the options of {self.number}.",
                repair=f"Choose one of {', '.join(self.options)}.",
            )
        self._buttons.value = str(option)
        return self

    def __repr__(self) -> str:
        return f"{self.question} {self.value or '(not chosen yet)'}"

    def _show(self, box: ipywidgets.VBox) -> None:
        """Show the buttons; where there are none (GitHub, print) the question as text."""
        widget = box._repr_mimebundle_()
        plain = "\n".join([self.question, *(f"  ( ) {option}" for option in self.options)])
        display({**widget, "text/plain": plain}, raw=True)
