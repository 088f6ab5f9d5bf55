"""Drive JupyterLab in a real browser, as a learner would: open, run, look, press, reload."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Locator, Page, sync_playwright

from steamlab.launch.lab import JupyterLab

__all__ = ["CELLS", "LabPage", "browser", "jupyter_lab"]

_QUIET = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run")
_SILENT = ("--disable-background-networking", "--disable-component-update", "--disable-sync")
_SLOW_MS = 120_000  # how long a busy computer may take; what a test proves has its own deadline

_IDLE = re.compile(r"Python 3.*\| Idle")  # the status bar; before, JupyterLab drops key strokes
CELLS = ".jp-Notebook .jp-CodeCell"

# What plotly shows in one cell: its own data, typed arrays made plain.
_FIGURES = """cell => [...cell.querySelectorAll('.js-plotly-plot')].map(plot => ({
  traces: (plot._fullData || []).map(trace => ({
    type: trace.type, name: trace.name,
    x: Array.from(trace.x || []), y: Array.from(trace.y || []), text: trace.text})),
  title: plot.layout?.title?.text || '',
  shown: [...plot.querySelectorAll('text')].map(each => each.textContent),
  config: plot._context ? {showSendToCloud: plot._context.showSendToCloud} : {},
}))"""


@contextlib.contextmanager
def jupyter_lab(root: Path, home: Path) -> Iterator[tuple[str, str]]:
    """Serve `root` with the course's settings and nobody's own; yield address and token."""
    folders = {
        name: str(home / name.lower())
        for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")
    }
    before = {name: os.environ.get(name) for name in folders}
    os.environ.update(folders)
    try:
        with JupyterLab(root, 18_888, home / "jupyterlab.log") as server:
            yield server.wait(timeout=_SLOW_MS / 1000)
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextlib.contextmanager
def browser() -> Iterator[Browser]:
    """Start the computer's own chromium, without a window."""
    names = ("chromium", "chromium-browser", "google-chrome")
    path = next((found for name in names if (found := shutil.which(name))), None)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=[*_QUIET, *_SILENT])
        try:
            yield chromium
        finally:
            chromium.close()


class LabPage:
    """One notebook, open in JupyterLab. Cells are code cells, counted from 0."""

    def __init__(self, page: Page, server: tuple[str, str], notebook: str) -> None:
        self.page = page
        base, token = server
        page.set_default_timeout(_SLOW_MS)
        page.goto(f"{base}lab/tree/{notebook}?token={token}&reset")
        self._wait_until_ready()

    def save(self) -> None:
        """Save the notebook, as Ctrl-S does, and wait until it is saved."""
        self.page.locator(CELLS).first.click()
        self.page.keyboard.press("Control+s")
        self.page.locator(".jp-mod-dirty").wait_for(state="detached")

    def reload(self) -> None:
        """Load the page again, as F5 does; the kernel runs on, saved outputs come back."""
        self.save()
        self.page.reload()
        self._wait_until_ready()

    def cell(self, number: int) -> Locator:
        """Return a code cell."""
        return self.page.locator(CELLS).nth(number)

    def run(self, number: int) -> None:
        """Run one cell and wait until it has ended."""
        before = self.prompt(number)
        self.start(number)
        self.wait_until_ran(number, after=before)

    def start(self, number: int) -> None:
        """Run one cell without waiting for it."""
        self.cell(number).locator(".cm-content").first.click()
        self.page.keyboard.press("Control+Enter")

    def run_all(self) -> None:
        """Press `Run All Cells` in the menu."""
        self.page.locator(".lm-MenuBar-item", has_text="Run").first.click()
        self.page.get_by_text("Run All Cells", exact=True).click()

    def prompt(self, number: int) -> str:
        """Return a cell's prompt: `[ ]:`, `[*]:` while it runs, `[3]:`."""
        return self.cell(number).locator(".jp-InputPrompt").first.inner_text().strip()

    def wait_until_ran(self, number: int, *, after: str = "[ ]:") -> None:
        """Wait until a cell has a new execution number."""
        self.page.wait_for_function(
            f"([number, after]) => {{ const cell = document.querySelectorAll('{CELLS}')[number];"
            " const said = cell.querySelector('.jp-InputPrompt').innerText.trim();"
            " return /\\d/.test(said) && said !== after; }",
            arg=[number, after],
        )

    def text(self, number: int) -> str:
        """Return all text of a cell's output."""
        return self.cell(number).locator(".jp-Cell-outputWrapper").inner_text()

    def figures(self, number: int) -> list[dict[str, Any]]:
        """Return what plotly shows in a cell: traces, title, texts."""
        found: list[dict[str, Any]] = self.cell(number).evaluate(_FIGURES)
        return found

    def wait_for(
        self, number: int, condition: str, *, timeout_ms: float = _SLOW_MS, **more: Any
    ) -> None:
        """Wait until a JavaScript condition over `figures` and `text` of a cell holds."""
        self.page.wait_for_function(
            f"([number, arg]) => {{ const cell = document.querySelectorAll('{CELLS}')[number];"
            # what is out of sight JupyterLab may not have drawn
            " cell.scrollIntoView({block: 'nearest'});"
            f" const figures = ({_FIGURES})(cell), text = cell.innerText;"
            f" return {condition}; }}",
            arg=[number, more],
            timeout=timeout_ms,
        )

    def _wait_until_ready(self) -> None:
        self.page.locator(CELLS).first.wait_for()
        self.page.get_by_text(_IDLE).first.wait_for()
