"""Small notebooks for the tools' own tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lessons
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

__all__ = ["code", "notebook", "put", "words"]


def code(source: str, *tags: str, outputs: list[Any] | None = None) -> NotebookNode:
    """Make a code cell."""
    metadata = {"tags": list(tags)} if tags else {}
    return new_code_cell(source, metadata=metadata, outputs=outputs or [])


def words(source: str) -> NotebookNode:
    """Make a markdown cell."""
    return new_markdown_cell(source)


def notebook(*cells: NotebookNode | str) -> NotebookNode:
    """Make a notebook with ids that say where a cell stands; a plain string is a code cell."""
    made = new_notebook(cells=[code(cell) if isinstance(cell, str) else cell for cell in cells])
    for at, cell in enumerate(made.cells, start=1):
        cell.id = f"cell-{at}"
    return made


def put(path: Path, *cells: NotebookNode | str) -> Path:
    """Write a notebook where it is wanted."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lessons.write(notebook(*cells), path)
    return path
