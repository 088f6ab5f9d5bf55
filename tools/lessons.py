"""What the tools share: where the notebooks are, what a cell is tagged with, how one is kept."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any, cast

import nbformat
from nbformat import NotebookNode

__all__ = [
    "MAX_BYTES",
    "NAME",
    "NOTEBOOKS",
    "ROOT",
    "TAGS",
    "learners",
    "number",
    "parse",
    "read",
    "solutions",
    "tags",
    "write",
]

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = ROOT / "notebooks"
MAX_BYTES = 600_000  # of a notebook with its outputs
NAME = re.compile(r"\d\d_[a-z0-9]+(_[a-z0-9]+)*\.ipynb")
TAGS = frozenset(
    {
        "exercise",  # the learner fills this cell; `derive` blanks it
        "solution-only",  # only in notebooks/solutions/
        "raises-exception",  # breaks on purpose
        "nbval-ignore-output",  # differs from run to run, and its markdown says so
        "nbval-check-output",
    }
)


def solutions(notebooks: Path = NOTEBOOKS) -> list[Path]:
    """Return the sources of the lessons, in order."""
    return sorted((notebooks / "solutions").glob("*.ipynb"))


def learners(notebooks: Path = NOTEBOOKS) -> list[Path]:
    """Return the derived notebooks, in order."""
    return sorted(notebooks.glob("*.ipynb"))


def number(path: Path) -> str:
    """Return a lesson's two digits."""
    return path.name[:2]


def read(path: Path) -> NotebookNode:
    """Read a notebook of any minor version."""
    return cast(NotebookNode, nbformat.read(path, as_version=4))  # type: ignore[no-untyped-call]


def write(notebook: NotebookNode, path: Path) -> None:
    """Write a notebook as JupyterLab and ruff do, so that nothing but content ever differs."""
    text: str = nbformat.writes(notebook)  # type: ignore[no-untyped-call]
    path.write_text(text.rstrip("\n") + "\n", encoding="utf-8")


def tags(cell: NotebookNode) -> list[str]:
    """Return a cell's tags."""
    return list(cell.metadata.get("tags", []))


def parse(source: str) -> ast.Module:
    """Parse a cell's source, which may await at its top level; raise `SyntaxError` for magics."""
    flags = ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    tree: Any = compile(source, "<cell>", "exec", flags=flags, dont_inherit=True)
    return cast(ast.Module, tree)
