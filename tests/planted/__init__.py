"""Wrong answers that the checks have to recognise, one module for each lesson.

`lesson_NN.py` holds `PLANTED`, and may hold two more:

    PLANTED = [Planted("01.2", "order is global", lambda ns, right: "4", hint="one partition")]
    OTHER_SEED = {"01.3": lambda ns, right: ...}                   # right, for another seed's data
    ACCEPTED = {("01.4", "plus one"): "why this mutant is right"}  # stale ones are failures
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["Planted"]


@dataclass(frozen=True)
class Planted:
    """A wrong belief put into an answer, with a fragment of the hint that it has to get.

    `make(ns, right)` makes the answer; `ns` is the notebook's namespace at the check, `right` the
    solution's answer.
    """

    number: str
    belief: str
    make: Callable[[dict[str, Any], Any], Any]
    hint: str
