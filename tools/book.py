"""A notebook under the lint: its cells, its figures, what is wrong with it."""

from __future__ import annotations

import ast
import re
import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import exercises
from lessons import number, parse, read, tags
from nbformat import NotebookNode

__all__ = ["Book", "Problem", "Rule", "Shape", "line_count", "prose"]

_CODE_IN_PROSE = re.compile(r"```.*?```|`[^`]*`|\]\([^)]*\)", re.DOTALL)


@dataclass(frozen=True)
class Problem:
    """What breaks a rule, in the cell of that number (from 1), or 0 for the notebook as a whole."""

    cell: int
    text: str


class Book:
    """A notebook under the lint: its cells, counted from 1, and what they say."""

    def __init__(self, path: Path, notebook: NotebookNode | None = None) -> None:
        self.path = path
        self.notebook = notebook if notebook is not None else read(path)
        self.number = number(path)
        self.is_solution = path.parent.name == "solutions"
        self.cells: list[tuple[int, NotebookNode]] = list(enumerate(self.notebook.cells, start=1))
        self.code = [(at, cell) for at, cell in self.cells if cell.cell_type == "code"]
        self.markdown = [(at, cell) for at, cell in self.cells if cell.cell_type == "markdown"]

    @cached_property
    def trees(self) -> list[tuple[int, ast.Module]]:
        """The cells that are Python, parsed."""
        return [(at, tree) for at, cell in self.code if (tree := _tree(cell.source)) is not None]

    @cached_property
    def exercises(self) -> list[exercises.Exercise]:
        """The notebook's checks."""
        return exercises.find(self.notebook)

    def calls(self, method: str) -> Iterator[tuple[int, ast.Call]]:
        """Yield the calls of `something.method(...)` with their cell's number."""
        for at, tree in self.trees:
            yield from ((at, call) for call in exercises.calls(tree, method))


Rule = Callable[[Book], Iterator[Problem]]


@dataclass(frozen=True)
class Shape:
    """The figures of a lesson; `ignored` is a share, `median`, `p90` and `longest` count lines."""

    code_cells: int
    median: float
    p90: float
    longest: int
    markdown_cells: int
    words: int
    ignored: float
    minutes: int | None
    exercises: int
    predictions: int
    breaks: int

    @classmethod
    def of(cls, book: Book) -> Shape:
        """Measure a notebook."""
        lines = [line_count(cell) for _, cell in book.code] or [0]
        tagged = [tag for _, cell in book.code for tag in tags(cell)]
        minutes = re.search(
            r"\b(\d+) minutes\b", book.markdown[0][1].source if book.markdown else ""
        )
        predictions = sum(exercise.is_prediction for exercise in book.exercises)
        return cls(
            code_cells=len(book.code),
            median=statistics.median(lines),
            p90=statistics.quantiles([*lines, *lines], n=10, method="inclusive")[8],
            longest=max(lines),
            markdown_cells=len(book.markdown),
            words=sum(len(prose(cell.source).split()) for _, cell in book.markdown),
            ignored=tagged.count("nbval-ignore-output") / max(1, len(book.code)),
            minutes=int(minutes[1]) if minutes else None,
            exercises=len(book.exercises) - predictions,
            predictions=predictions,
            breaks=tagged.count("raises-exception"),
        )

    def __str__(self) -> str:
        per_code = self.markdown_cells / max(1, self.code_cells)
        return (
            f"{self.code_cells} code cells (lines: median {self.median:g}, p90 {self.p90:g}, "
            f"longest {self.longest}), {per_code:.2f} markdown cells per code cell, "
            f"{self.words:,} words, {self.ignored * 100:.0f} % ignored outputs, "
            f"{self.minutes} minutes, {self.exercises} exercises, "
            f"{self.predictions} predictions, {self.breaks} breaks"
        )


def line_count(cell: NotebookNode) -> int:
    """Count a cell's lines; blank ones, which the formatter asks for, are no reading."""
    return sum(bool(line.strip()) for line in cell.source.split("\n"))


def prose(source: str) -> str:
    """Return markdown without code and link targets."""
    return _CODE_IN_PROSE.sub(" ", source)


def _tree(source: str) -> ast.Module | None:
    try:
        return parse(source)
    except SyntaxError:
        return None
