"""Any cell can be run twice in a row: what the first lesson promises."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path

import pytest
import toys
from execute import ExecutionError, execute
from lessons import NOTEBOOKS, read, solutions, write
from nbformat import NotebookNode

PATHS = solutions(NOTEBOOKS)


@pytest.mark.broker
@pytest.mark.usefixtures("kafka", "another_letter")
@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_every_cell_runs_twice(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each cell of a solution runs twice in a row without an error, and every check says ok."""
    monkeypatch.setenv("STEAMLAB_SPEED", "25")
    twice = tmp_path / path.name
    write(doubled(read(path)), twice)
    execute(twice)
    verdicts = list(checks(read(twice)))
    assert verdicts
    assert [] == [verdict for verdict in verdicts if not verdict.startswith("ok: ")]


def test_a_cell_that_runs_only_once_is_caught(tmp_path: Path) -> None:
    """The negative control: a cell that uses up what an earlier one made fails here."""
    path = tmp_path / "00_once.ipynb"
    write(doubled(toys.notebook("orders = [1]", "assert orders.pop()")), path)
    with pytest.raises(ExecutionError, match="pop from empty list"):
        execute(path)


def doubled(notebook: NotebookNode) -> NotebookNode:
    """Return the notebook with each code cell standing there twice."""
    cells = []
    for cell in notebook.cells:
        cells.append(cell)
        if cell.cell_type == "code":
            again = copy.deepcopy(cell)
            again.id = f"{cell.id}-again"
            cells.append(again)
    notebook.cells = cells
    return notebook


def checks(notebook: NotebookNode) -> Iterator[str]:
    """Yield what each check said."""
    for cell in notebook.cells:
        if cell.cell_type == "code" and "lesson.check(" in cell.source:
            yield "".join(cell.outputs[-1]["data"]["text/plain"])
