"""The learner's copies: made where missing, without outputs, never overwritten unasked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from steamlab.errors import SetupError
from steamlab.launch.workspace import make_workspace

RAN = {"output_type": "stream", "name": "stdout", "text": "the prediction's answer"}


def write(path: Path, *code: str, text: str = "# Lesson") -> None:
    """Write a notebook that has been run: markdown first, then one cell for each code."""
    cells: list[dict[str, Any]] = [
        {"cell_type": "markdown", "id": "m", "metadata": {}, "source": [text]}
    ]
    for number, source in enumerate(code):
        cell = {"cell_type": "code", "id": f"c{number}", "metadata": {}, "source": source}
        cells.append(cell | {"outputs": [RAN], "execution_count": number + 1})
    book = {"cells": cells, "metadata": {"kernelspec": {"name": "python3"}}, "nbformat": 4}
    path.write_text(json.dumps(book | {"nbformat_minor": 5}), encoding="utf-8")


@pytest.fixture
def notebooks(tmp_path: Path) -> Path:
    """A folder of two notebooks with stored outputs."""
    folder = tmp_path / "notebooks"
    folder.mkdir()
    write(folder / "00_start.ipynb", "1 + 1", text="[solution](solutions/00_start.ipynb)")
    write(folder / "01_topics.ipynb", "2 + 2")
    return folder


def cells(path: Path) -> list[dict[str, Any]]:
    """Return the cells of a notebook file."""
    found: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return found


def test_copies_give_no_prediction_away(notebooks: Path) -> None:
    """Every notebook is copied without outputs and counts; the original keeps its own."""
    made = make_workspace(notebooks=notebooks)
    assert ("00_start.ipynb", "01_topics.ipynb") == made.made
    copy = cells(made.folder / "01_topics.ipynb")[1]
    assert ("2 + 2", [], None) == (copy["source"], copy["outputs"], copy["execution_count"])
    assert [RAN] == cells(notebooks / "01_topics.ipynb")[1]["outputs"]


def test_links_to_solutions_still_lead_there(notebooks: Path) -> None:
    """A link to a solution points from the copy to the course's folder, where it is."""
    made = make_workspace(notebooks=notebooks)
    linked = cells(made.folder / "00_start.ipynb")[0]["source"]
    assert "[solution](../notebooks/solutions/00_start.ipynb)" == linked


def test_copies_are_never_overwritten_unasked(notebooks: Path) -> None:
    """What the learner wrote survives a second run and an update of the lesson."""
    mine = make_workspace(notebooks=notebooks).folder / "01_topics.ipynb"
    mine.write_text("my own words", encoding="utf-8")
    write(notebooks / "01_topics.ipynb", "3 + 3")
    again = make_workspace(notebooks=notebooks)
    assert (("00_start.ipynb", "01_topics.ipynb"), ()) == (again.kept, again.made)
    assert "my own words" == mine.read_text(encoding="utf-8")


def test_a_fresh_copy_keeps_the_old_one(notebooks: Path) -> None:
    """Asked for by its number, a copy is replaced; each earlier one moves to old/."""
    folder = make_workspace(notebooks=notebooks).folder
    for text in ("first words", "second words"):
        (folder / "01_topics.ipynb").write_text(text, encoding="utf-8")
        assert ("01_topics.ipynb",) == make_workspace(notebooks=notebooks, fresh=["1"]).replaced
        assert "2 + 2" == cells(folder / "01_topics.ipynb")[1]["source"]
    assert "first words" == (folder / "old" / "01_topics_1.ipynb").read_text(encoding="utf-8")
    assert "second words" == (folder / "old" / "01_topics_2.ipynb").read_text(encoding="utf-8")


def test_a_changed_lesson_is_announced(notebooks: Path) -> None:
    """A copy of a lesson that has changed since is named; new outputs alone change nothing."""
    make_workspace(notebooks=notebooks)
    book = json.loads((notebooks / "01_topics.ipynb").read_text(encoding="utf-8"))
    book["cells"][1]["outputs"] = []
    (notebooks / "01_topics.ipynb").write_text(json.dumps(book), encoding="utf-8")
    assert () == make_workspace(notebooks=notebooks).outdated
    write(notebooks / "01_topics.ipynb", "3 + 3")
    assert ("01_topics.ipynb",) == make_workspace(notebooks=notebooks).outdated


def test_unknown_number(notebooks: Path) -> None:
    """A number that no notebook has is refused with those there are, before any copying."""
    with pytest.raises(SetupError) as refused:
        make_workspace(notebooks=notebooks, fresh=["7"])
    assert "There is no notebook '7'." == refused.value.sentence
    assert "Choose one of these: 00, 01." == refused.value.repair
    assert not (notebooks.parent / "workspace").exists()
