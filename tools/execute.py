"""Run notebooks from top to bottom in fresh kernels and store what they showed, normalised.

    python tools/execute.py [NOTEBOOK ...]      (default: all, solutions and learner's forms)

Kafka is the shared one: `STEAMLAB_BOOTSTRAP`, or the one that `steamlab up` starts. The store's
clock runs 25 times as fast unless `STEAMLAB_SPEED` says otherwise. A notebook is written only when
all of it ran, so a failure leaves the stored outputs as they were.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from ipykernel.kernelspec import get_kernel_dict
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from lessons import MAX_BYTES, learners, read, solutions, tags, write
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode

__all__ = ["ExecutionError", "execute", "main", "normalise"]

_KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
_PLOTLY = "application/vnd.plotly.v1+json"
_VIEW = "application/vnd.jupyter.widget-view+json"
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


class ExecutionError(Exception):
    """A notebook did not run as it should; the message names file and cell."""


class _OwnPython(AsyncKernelManager):
    """Starts the Python that runs this file, whatever kernels the user has registered."""

    @property
    def kernel_spec(self) -> KernelSpec:
        return KernelSpec(resource_dir="", **get_kernel_dict())


def execute(path: Path, *, timeout: float = 120) -> None:
    """Run one notebook in its folder and store it normalised; `timeout` is per cell."""
    notebook = read(path)
    cell = _Position()
    client = NotebookClient(
        notebook,
        kernel_manager_class=_OwnPython,
        timeout=timeout,
        startup_timeout=120,
        store_widget_state=False,
        record_timing=False,
        on_cell_start=cell.enter,
        extra_arguments=["--log-level=ERROR"],  # of the kernel itself, which listens on 127.0.0.1
        resources={"metadata": {"path": str(path.parent)}},
    )
    try:
        with tempfile.TemporaryDirectory() as folder:  # the verdicts are nobody's progress
            progress = str(Path(folder) / "progress.json")
            client.execute(env=dict(os.environ) | {"STEAMLAB_PROGRESS": progress})
    except CellExecutionError as error:
        raise ExecutionError(cell.tell(path, f"{error.ename}: {error.evalue}")) from None
    except CellTimeoutError:
        raise ExecutionError(cell.tell(path, f"It did not end within {timeout:g} s.")) from None
    except DeadKernelError:
        raise ExecutionError(cell.tell(path, "The kernel died.")) from None
    normalise(notebook, path)
    _write_within_limit(notebook, path)


def normalise(notebook: NotebookNode, path: Path = Path("notebook")) -> None:
    """Leave only what the next run shows again; refuse stderr, and breaks that broke nothing."""
    notebook.metadata = {"kernelspec": _KERNEL, "language_info": {"name": "python"}}
    notebook.nbformat_minor = max(notebook.nbformat_minor, 5)
    _give_ids(notebook)
    count = 0
    for at, cell in enumerate(notebook.cells, start=1):
        cell.metadata = {"tags": tags(cell)} if tags(cell) else {}
        if cell.cell_type != "code":
            continue
        count += 1
        cell.execution_count = count
        cell.outputs = _merged([_output(output, count) for output in cell.outputs])
        _refuse(cell, _Position(at, cell.source), path)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 1 at the first notebook that fails."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("notebooks", nargs="*", type=Path, help="default: all, both forms")
    chosen = parser.parse_args(arguments).notebooks or [*solutions(), *learners()]
    os.environ.setdefault("STEAMLAB_SPEED", "25")
    from steamlab import broker  # here, so that the functions above need no Kafka

    broker.up()
    for path in chosen:
        began = time.monotonic()
        try:
            execute(path)
        except ExecutionError as error:
            print(error, file=sys.stderr)
            return 1
        print(f"{path}: {time.monotonic() - began:.1f} s, {path.stat().st_size / 1000:.0f} kB")
    return 0


class _Position:
    """The cell that runs, for messages."""

    def __init__(self, at: int = 0, source: str = "") -> None:
        self.at, self.source = at, source

    def enter(self, *, cell: NotebookNode, cell_index: int) -> None:
        self.at, self.source = cell_index + 1, cell.source

    def tell(self, path: Path, what: str) -> str:
        indented = "\n".join("    " + line for line in self.source.split("\n"))
        return f"{path}, cell {self.at}:\n\n{indented}\n\n{what}"


def _refuse(cell: NotebookNode, position: _Position, path: Path) -> None:
    for output in cell.outputs:
        if output.output_type == "stream" and output.name == "stderr":
            raise ExecutionError(position.tell(path, f"It wrote to stderr: {output.text}"))
    broke = any(output.output_type == "error" for output in cell.outputs)
    if "raises-exception" in tags(cell) and not broke:
        raise ExecutionError(
            position.tell(path, "It is tagged raises-exception and raised nothing.")
        )


def _output(output: NotebookNode, count: int) -> NotebookNode:
    """Return an output without what only this run knows."""
    if output.output_type == "error":
        _clean_error(output)
    if output.output_type in ("execute_result", "display_data"):
        _clean_data(output)
    if output.output_type == "execute_result":
        output.execution_count = count
    return output


def _merged(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Join neighbouring prints; nbclient's own joining takes minutes over a long line."""
    kept: list[NotebookNode] = []
    for output in outputs:
        last = kept[-1] if kept else None
        if last and output.output_type == "stream" and last.get("name") == output.name:
            last.text += output.text
        else:
            kept.append(output)
    return kept


def _clean_data(output: NotebookNode) -> None:
    """Drop pictures of plotly charts, and views of widgets that die with the kernel."""
    output.metadata = {}
    output.data.pop(_VIEW, None)
    if _PLOTLY in output.data:
        output.data.pop("image/png", None)


def _clean_error(output: NotebookNode) -> None:
    """Drop the frames outside the notebook: they name folders of this machine."""
    output.traceback = [
        part for part in output.traceback if not _COLOUR.sub("", part).startswith("File ")
    ]


def _give_ids(notebook: NotebookNode) -> None:
    """Keep the ids there are; a missing or doubled one gets its place as its name."""
    seen: set[str] = set()
    for at, cell in enumerate(notebook.cells, start=1):
        name = cell.get("id") or f"cell-{at}"
        while name in seen:
            name = f"{name}-{at}"
        cell.id = name
        seen.add(name)


def _write_within_limit(notebook: NotebookNode, path: Path) -> None:
    trial = path.with_suffix(".part")
    try:
        write(notebook, trial)
        size = trial.stat().st_size
        if size > MAX_BYTES:
            raise ExecutionError(
                f"{path}: {size / 1000:.0f} kB, and {MAX_BYTES / 1000:.0f} kB is the limit. "
                f"Cell {_largest(notebook)} shows most of it; draw fewer points or traces."
            )
        trial.replace(path)
    finally:
        trial.unlink(missing_ok=True)


def _largest(notebook: NotebookNode) -> int:
    sizes: list[tuple[int, int]] = [
        (len(str(cell.get("outputs", ""))), at) for at, cell in enumerate(notebook.cells, start=1)
    ]
    return max(sizes)[1]


if __name__ == "__main__":
    sys.exit(main())
