"""Small notebooks for the tools' own tests; `import toys` comes first, it finds the tools."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

_ROOT = Path(__file__).resolve().parent.parent
for _folder in (_ROOT, _ROOT / "tools"):  # folders of scripts are no packages
    if str(_folder) not in sys.path:
        sys.path.insert(0, str(_folder))

import lessons  # noqa: E402 - it is found from here on

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
