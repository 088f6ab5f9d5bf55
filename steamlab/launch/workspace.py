"""The learner's copies of the notebooks: theirs to write in, never overwritten unasked."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from steamlab.errors import SetupError
from steamlab.settings import ROOT

__all__ = ["Workspace", "clean_copy", "make_workspace"]


@dataclass(frozen=True, slots=True)
class Workspace:
    """What became of the copies: notebook names, each list sorted."""

    folder: Path
    made: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    replaced: tuple[str, ...] = ()
    outdated: tuple[str, ...] = ()


def make_workspace(
    *, notebooks: Path = ROOT / "notebooks", folder: Path | None = None, fresh: Iterable[str] = ()
) -> Workspace:
    """Copy the notebooks that are missing, and those whose numbers stand in `fresh`.

    A copy replaced by a fresh one moves to `old/`: nothing that somebody wrote is lost.
    `outdated` names kept copies whose lesson has changed since.
    Raises `SetupError` for a number that no notebook has.
    """
    folder = folder or notebooks.parent / "workspace"
    sources = sorted(notebooks.glob("*.ipynb"))
    wanted = _chosen(sources, fresh)
    groups: dict[str, list[str]] = {"made": [], "kept": [], "replaced": [], "outdated": []}
    folder.mkdir(exist_ok=True)
    for source in sources:
        copy = folder / source.name
        groups[_place(source, copy, fresh=source in wanted)].append(source.name)
        if source.name in groups["kept"] and _origin(copy) not in (None, _digest(source)):
            groups["outdated"].append(source.name)
    return Workspace(folder, **{state: tuple(names) for state, names in groups.items()})


def clean_copy(notebook: dict[str, Any], *, origin: str) -> dict[str, Any]:
    """Return the notebook without outputs, its links turned to the course's folder.

    `origin` is kept in the metadata, to notice later that the lesson has changed.
    """
    metadata = notebook.get("metadata", {}) | {"steamlab": {"origin": origin}}
    return notebook | {"cells": [_clean(cell) for cell in notebook["cells"]], "metadata": metadata}


def _clean(cell: dict[str, Any]) -> dict[str, Any]:
    if cell["cell_type"] == "code":
        return cell | {"outputs": [], "execution_count": None}
    text = "".join(cell["source"]).replace("](solutions/", "](../notebooks/solutions/")
    return cell | {"source": text}


def _place(source: Path, copy: Path, *, fresh: bool) -> str:
    state = "replaced" if copy.exists() else "made"
    if copy.exists() and not fresh:
        return "kept"
    if copy.exists():
        _put_aside(copy)
    notebook = json.loads(source.read_text(encoding="utf-8"))
    text = json.dumps(clean_copy(notebook, origin=_digest(source)), indent=1, ensure_ascii=False)
    part = copy.with_suffix(".part")
    part.write_text(text + "\n", encoding="utf-8")
    part.replace(copy)
    return state


def _put_aside(copy: Path) -> None:
    old = copy.parent / "old"
    old.mkdir(exist_ok=True)
    number = 1
    while (target := old / f"{copy.stem}_{number}.ipynb").exists():
        number += 1
    shutil.move(copy, target)


def _chosen(sources: list[Path], fresh: Iterable[str]) -> set[Path]:
    chosen = set()
    for number in fresh:
        found = [source for source in sources if source.name.split("_")[0] == number.zfill(2)]
        if not found:
            numbers = ", ".join(source.name.split("_")[0] for source in sources) or "none"
            raise SetupError(
                f"There is no notebook {number!r}.", repair=f"Choose one of these: {numbers}."
            )
        chosen.update(found)
    return chosen


def _digest(source: Path) -> str:
    """Digest what is taught, not the stored outputs, which may differ from run to run."""
    cells = json.loads(source.read_text(encoding="utf-8"))["cells"]
    taught = json.dumps([[cell["cell_type"], "".join(cell["source"])] for cell in cells])
    return hashlib.sha256(taught.encode()).hexdigest()[:16]


def _origin(copy: Path) -> str | None:
    """Return what the copy was made from, or None where its file no longer says so."""
    try:
        metadata = json.loads(copy.read_text(encoding="utf-8"))["metadata"]
        return str(metadata["steamlab"]["origin"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
