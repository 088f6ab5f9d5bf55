"""The learner's form comes from the solution, and gives no answer away."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import toys
from derive import DeriveError, blank, derive, learner_form, main, out_of_sync
from lessons import ROOT, learners, read, solutions, write
from nbformat import NotebookNode
from toys import code, notebook, words

FUNCTION = '''\
def idle(members: list[str], *, assignor: str = "range") -> list[str]:
    """Name the members that hold nothing."""
    # Hint: look at one topic
    #   at a time.
    # the answer is this
    return members[4:]
    # and a comment that trails'''


def test_the_learners_notebooks_are_in_sync() -> None:
    """What is committed in notebooks/ is what the solutions give today."""
    assert [] == out_of_sync()


def test_there_are_lessons_in_both_forms() -> None:
    """The notebooks are discovered, and there are some."""
    names = [path.name for path in solutions()]
    assert "00_start.ipynb" in names
    assert names == [path.name for path in learners()]


def test_a_function_keeps_signature_docstring_and_hints() -> None:
    """The body goes, with its comments, inside it and behind it."""
    assert (
        'def idle(members: list[str], *, assignor: str = "range") -> list[str]:\n'
        '    """Name the members that hold nothing."""\n'
        "    # Hint: look at one topic\n"
        "    #   at a time.\n"
        "    ..."
    ) == blank(FUNCTION)


@pytest.mark.parametrize(
    ("source", "stub"),
    [
        ("def f(a): return a", "def f(a): ..."),
        (
            "def f(\n    a={1: 2}, b=lambda x: x,\n) -> dict[str, int]:\n    return a",
            "def f(\n    a={1: 2},\n    b=lambda x: x,\n) -> dict[str, int]: ...",
        ),
        ("@cache\ndef f():\n    # so\n    return 6", "@cache\ndef f(): ..."),
        (
            'def f():\n    """Say.\n\n    More.\n    """\n\n    return 6',
            'def f():\n    """Say.\n\n    More.\n    """\n    ...',
        ),
        ("def f():  # noqa: N802\n    return 6", "def f():  # noqa: N802\n    ..."),
        ("async def f():\n    return 6", "async def f(): ..."),
        ("def f():\n    return 1\n\n\ndef g():\n    return 2", "def f(): ...\n\n\ndef g(): ..."),
        ("n = 6  # because of 1,000 a minute", "n = ..."),
        ("n: int = 6", "n: int = ..."),
        ("a = b = 6", "a = b = ..."),
        ("a, b = 6, 7", "a, b = ..., ..."),
        ('config["acks"] = "all"', 'config["acks"] = ...'),
        ("settings = {\n    # the point\n    'acks': 'all',\n}", "settings = ..."),
        (
            "from math import ceil\n\n# how many?\nn = ceil(1.5)\nn",
            "from math import ceil\n\n# how many?\nn = ...\nn",
        ),
        ("ä = 'größer'\nn = 'ß'; ", "ä = ...\nn = ..."),
        (
            'g = lesson.predict("01.1", "How?", ["6", "3"]).choose("3")',
            'g = lesson.predict("01.1", "How?", ["6", "3"])',
        ),
        (
            'g = lesson.predict(\n    "01.1", "How?", ["6", "3"]\n).choose("3")',
            'g = lesson.predict("01.1", "How?", ["6", "3"])',
        ),
        ('g.choose("3")', "g"),
    ],
)
def test_what_an_exercise_cell_becomes(source: str, stub: str) -> None:
    """Functions, assignments, predictions and mixed cells, as ruff would format them."""
    assert stub == blank(source)


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("for n in range(3):\n    seen.add(n)", "line 1 (for)"),
        ("class Answer:\n    n = 6", "line 1 (classdef)"),
        ("total += 6", "line 1 (augassign)"),
        ("print(6)", "nothing in it"),
        ('g = lesson.predict("01.1", "How?", ["6"])', "has no `.choose(...)`"),
        ("a = 1; b = 2", "share a line"),
    ],
)
def test_what_would_give_the_answer_away_is_refused(source: str, complaint: str) -> None:
    """A statement that cannot be blanked is an error, never copied."""
    with pytest.raises(DeriveError, match=None) as caught:
        blank(source)
    assert complaint in str(caught.value)


def test_nothing_else_differs() -> None:
    """Other cells, ids, tags and metadata stay; solution-only cells and outputs go."""
    solution = notebook(
        words("# 01 Toy"),
        "import math",
        code("n = 6", "exercise"),
        code("assert n == 6", "solution-only"),
        code("1 / 0", "raises-exception"),
    )
    solution.cells[1].execution_count = 1
    form = learner_form(solution)
    assert ["cell-1", "cell-2", "cell-3", "cell-5"] == [cell.id for cell in form.cells]
    assert ["# 01 Toy", "import math", "n = ...", "1 / 0"] == [cell.source for cell in form.cells]
    assert [["exercise"], ["raises-exception"]] == [c.metadata.tags for c in form.cells[2:]]
    assert form.cells[1].execution_count is None
    assert "n = 6" == solution.cells[2].source


@pytest.mark.parametrize(
    ("cell", "complaint"),
    [
        (code('lesson.predict("01.1", "How?", ["6"]).choose("6")'), "it gives a prediction away"),
        (code("%matplotlib inline"), "it is no Python"),
        (code("print(6)", "exercise"), "nothing in it"),
    ],
)
def test_the_complaint_names_file_and_cell(
    tmp_path: Path, cell: NotebookNode, complaint: str
) -> None:
    """Who reads the message knows where to go."""
    toys.put(tmp_path / "solutions" / "01_toy.ipynb", words("# 01 Toy"), cell)
    with pytest.raises(DeriveError) as caught:
        derive(tmp_path)
    assert f"solutions/01_toy.ipynb, cell 2: {complaint}" in str(caught.value)


def test_out_of_sync_is_noticed_and_repaired(tmp_path: Path) -> None:
    """Missing, changed and orphaned notebooks each give a line; deriving repairs the first two."""
    toys.put(tmp_path / "solutions" / "01_toy.ipynb", code("n = 6", "exercise"))
    toys.put(tmp_path / "solutions" / "02_toy.ipynb", code("n = 7", "exercise"))
    toys.put(tmp_path / "02_toy.ipynb", code("n = 7", "exercise"))
    toys.put(tmp_path / "09_gone.ipynb", "n = 1")
    orphan = "09_gone.ipynb has no solution it could come from"
    assert [
        "01_toy.ipynb is missing",
        "02_toy.ipynb is not what its solution gives",
        orphan,
    ] == out_of_sync(tmp_path)
    assert ["01_toy.ipynb", "02_toy.ipynb"] == [path.name for path in derive(tmp_path)]
    assert [orphan] == out_of_sync(tmp_path)


def test_outputs_are_no_difference(tmp_path: Path) -> None:
    """A learner's form that was executed is in sync, and deriving leaves its outputs alone."""
    toys.put(tmp_path / "solutions" / "01_toy.ipynb", code("n = 6", "exercise"))
    derive(tmp_path)
    executed = read(tmp_path / "01_toy.ipynb")
    executed.cells[0].execution_count = 1
    write(executed, tmp_path / "01_toy.ipynb")
    assert [] == out_of_sync(tmp_path)
    assert [] == derive(tmp_path)
    assert 1 == read(tmp_path / "01_toy.ipynb").cells[0].execution_count


def test_ruff_leaves_the_derived_notebook_alone(tmp_path: Path) -> None:
    """`ruff format` finds nothing to do in what was derived."""
    cells = [code(FUNCTION.replace("idle", f"idle_{n}"), "exercise") for n in range(2)]
    toys.put(tmp_path / "solutions" / "01_toy.ipynb", *cells, code("a, b = 6, 7", "exercise"))
    derive(tmp_path)
    command = [sys.executable, "-m", "ruff", "format", "--check", str(tmp_path / "01_toy.ipynb")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (0, "1 file already formatted\n") == (done.returncode, done.stdout)


def test_check_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--check` names what is out of sync and exits 1."""
    toys.put(tmp_path / "solutions" / "01_toy.ipynb", code("n = 6", "exercise"))
    assert 1 == main(["--check"], notebooks=tmp_path)
    assert "notebooks/01_toy.ipynb is missing" in capsys.readouterr().out
    assert [] == learners(tmp_path)
    assert 0 == main([], notebooks=tmp_path)
    assert 0 == main(["--check"], notebooks=tmp_path)
