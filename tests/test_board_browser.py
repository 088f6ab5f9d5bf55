"""The group board in JupyterLab and a real browser: it moves while members join, leave and die."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from labdriver import LabPage, browser, jupyter_lab

from steamlab.launch.workspace import make_workspace

pytestmark = [pytest.mark.broker, pytest.mark.browser]

# Code cells of lesson 05.
SETUP, VIEWS, FOLLOW, BOARD, A, B, ASKS, KILL = 0, 5, 6, 7, 8, 10, 13, 14


@contextlib.contextmanager
def opened(folder: Path) -> Iterator[LabPage]:
    """Lesson 05 as `make lab` opens it."""
    make_workspace(folder=folder / "workspace")
    with jupyter_lab(folder, folder / "home") as server, browser() as chromium:
        page = chromium.new_page(viewport={"width": 1280, "height": 1100})
        yield LabPage(page, server, "workspace/05_consumer_groups.ipynb")


def wait_until_board_shows(lab: LabPage, **sizes: int) -> None:
    """Wait until each member has so many squares, in what plotly draws."""
    squares = (
        "figures[0].traces.filter(t => t.type === 'scatter' && t.name === name)"
        ".reduce((sum, t) => sum + t.y.length, 0)"
    )
    has = f"Object.entries(arg.sizes).every(([name, size]) => {squares} === size)"
    lab.wait_for(BOARD, f"figures.length === 1 && {has}", sizes=sizes)


def participants() -> list[psutil.Process]:
    """The members' processes, children of the lesson's kernel."""
    children = psutil.Process().children(recursive=True)
    return [each for each in children if "steamlab.members.participant" in each.cmdline()]


def test_the_board_moves_while_members_join_and_die(kafka: dict[str, Any], tmp_path: Path) -> None:
    """A has six, then A and B have three, then B is killed; no process outlives the lesson."""
    assert kafka, "the lesson finds this Kafka"
    with opened(tmp_path) as lab:
        for cell in (SETUP, VIEWS, FOLLOW, BOARD):
            lab.run(cell)
        wait_until_board_shows(lab, A=0)
        lab.run(A)
        wait_until_board_shows(lab, A=6)
        lab.wait_for(BOARD, "text.includes('stable, 1 member, 0 records behind')")
        lab.run(B)
        wait_until_board_shows(lab, A=3, B=3)
        lab.run(ASKS)
        lab.run(KILL)
        lab.wait_for(BOARD, "figures[0].shown.includes('B killed')")
        wait_until_board_shows(lab, A=6, B=0)
        assert lab.cell(BOARD).get_by_role("button", name="Stop").is_visible()
        assert 0 == lab.page.locator('[data-mime-type="application/vnd.jupyter.error"]').count()
        left = participants()
        assert 1 == len(left)
    assert [] == psutil.wait_procs(left, timeout=30)[1]
