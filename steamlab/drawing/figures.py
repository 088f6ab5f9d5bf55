"""Call a learner's chart function, and say in words what is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Callable

import pandas as pd
import plotly.graph_objects as go

from steamlab.errors import LabError, LessonError

__all__ = ["MissingColumnError", "figure_of", "words"]

_NOT_A_COLUMN = re.compile(r"is not the name of a column .*received: (\S+)", re.DOTALL)


class MissingColumnError(LessonError):
    """The chart function asked for a column that no event has had."""


def figure_of(chart: Callable[[pd.DataFrame], go.Figure], frame: pd.DataFrame) -> go.Figure:
    """Return `chart(frame)`. Raises `LessonError` for a missing column, and for no figure."""
    try:
        figure = chart(frame)
    except (KeyError, AttributeError, ValueError) as error:
        if (name := _missing_column(error, frame)) is None:
            raise
        raise MissingColumnError(
            f"The chart asks for the column {name!r}, which the events do not have.",
            repair=f"They have: {', '.join(map(str, frame.columns))}.",
        ) from error
    if not isinstance(figure, go.Figure):
        kind = type(figure).__name__
        raise LessonError(
            f"The chart function must return a plotly figure, and returned {kind}.",
            repair="End it with the figure, as in `lambda df: px.histogram(df, x='region')`.",
        )
    return figure


def _missing_column(error: Exception, frame: pd.DataFrame) -> str | None:
    name: object = None
    if isinstance(error, KeyError) and error.args:
        name = error.args[0]
    elif isinstance(error, AttributeError) and isinstance(error.obj, pd.DataFrame):
        name = error.name
    elif found := _NOT_A_COLUMN.search(str(error)):
        name = found[1]
    return name if isinstance(name, str) and name not in frame.columns else None


def words(error: BaseException) -> str:
    """Return an error as a sentence for the status line."""
    return str(error) if isinstance(error, LabError) else f"{type(error).__name__}: {error}"
