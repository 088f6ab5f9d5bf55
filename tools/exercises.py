"""What is to be filled in a notebook: exercises and predictions, found by their checks."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from lessons import parse, tags
from nbformat import NotebookNode

__all__ = ["Exercise", "calls", "find", "names", "unchecked"]


@dataclass(frozen=True)
class Exercise:
    """One `lesson.check(number, answer)`, and the exercise cell that its answer comes from.

    `answer` is source text; `check` and `cell` count from 1; `cell` is 0 where no exercise
    cell before the check makes a name that the answer uses.
    """

    number: str
    answer: str
    check: int
    cell: int
    is_prediction: bool


def find(notebook: NotebookNode) -> list[Exercise]:
    """Return every check of a notebook in order; its number is "" where it is not spelled out."""
    found: list[Exercise] = []
    made: dict[str, int] = {}
    predictions: set[int] = set()
    for at, cell, tree in _code(notebook):
        if "exercise" in tags(cell):
            made |= dict.fromkeys(names(tree), at)
            if list(calls(tree, "predict")):
                predictions.add(at)
        for call in calls(tree, "check"):
            answer = call.args[1] if len(call.args) > 1 else ast.Constant(None)
            home = max((made.get(name, 0) for name in _used(answer)), default=0)
            number = _literal(call.args[0]) if call.args else ""
            found.append(Exercise(number, ast.unparse(answer), at, home, home in predictions))
    return found


def unchecked(notebook: NotebookNode) -> list[int]:
    """Return the exercise cells, counted from 1, whose answers no check judges."""
    judged = {exercise.cell for exercise in find(notebook)}
    tagged = [at for at, cell, _ in _code(notebook) if "exercise" in tags(cell)]
    return [at for at in tagged if at not in judged]


def calls(tree: ast.AST, method: str) -> Iterator[ast.Call]:
    """Yield the calls of `something.method(...)`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr == method:
                yield node


def names(tree: ast.Module) -> set[str]:
    """Return what a cell defines or assigns at its top level."""
    found: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.Assign):
            found |= {name for target in node.targets for name in _used(target)}
        elif isinstance(node, ast.AnnAssign):
            found |= _used(node.target)
        elif isinstance(node, ast.Expr):  # `guess.choose("6")` answers for `guess`
            found |= {name for call in calls(node, "choose") for name in _used(call.func)}
    return found


def _code(notebook: NotebookNode) -> Iterator[tuple[int, NotebookNode, ast.Module]]:
    for at, cell in enumerate(notebook.cells, start=1):
        if cell.cell_type == "code":
            try:
                yield at, cell, parse(cell.source)
            except SyntaxError:  # the lint says so
                continue


def _used(node: ast.AST) -> set[str]:
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}


def _literal(node: ast.expr) -> str:
    return str(node.value) if isinstance(node, ast.Constant) else ""
