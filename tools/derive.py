"""Derive the learner's notebooks from the solutions, or say which are out of sync.

    python tools/derive.py [--check]

In cells tagged `exercise` a function keeps its signature, docstring and hints, an assignment keeps
its name, a prediction loses its choice. Cells tagged `solution-only` vanish. Nothing else differs.
"""

from __future__ import annotations

import argparse
import ast
import copy
import io
import subprocess
import sys
import tokenize
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lessons import NOTEBOOKS, ROOT, learners, parse, read, solutions, tags, write
from nbformat import NotebookNode

__all__ = ["DeriveError", "blank", "derive", "learner_form", "main", "out_of_sync"]

Function = ast.FunctionDef | ast.AsyncFunctionDef
_STAYS = (ast.Import, ast.ImportFrom, ast.Expr)


class DeriveError(Exception):
    """A solution cannot be turned into an exercise; the message names the cell and the repair."""


def derive(notebooks: Path = NOTEBOOKS) -> list[Path]:
    """Write what is out of sync, without outputs, and return what was written."""
    written = []
    for solution in solutions(notebooks):
        target = notebooks / solution.name
        form = _derived(solution)
        if not (target.exists() and _content(form) == _content(read(target))):
            write(form, target)
            written.append(target)
    return written


def out_of_sync(notebooks: Path = NOTEBOOKS) -> list[str]:
    """Return one line for each learner's notebook that is missing, differs, or has no solution."""
    sources = {path.name: path for path in solutions(notebooks)}
    present = {path.name: path for path in learners(notebooks)}
    problems = [f"{name} has no solution it could come from" for name in present.keys() - sources]
    for name, source in sources.items():
        form = _derived(source)
        if name not in present:
            problems.append(f"{name} is missing")
        elif _content(form) != _content(read(present[name])):
            problems.append(f"{name} is not what its solution gives")
    return sorted(problems)


def learner_form(solution: NotebookNode) -> NotebookNode:
    """Return the learner's form of a solution, without outputs."""
    form = copy.deepcopy(solution)
    kept = []
    for at, cell in enumerate(form.cells, start=1):
        if "solution-only" in tags(cell):
            continue
        if cell.cell_type == "code":
            cell.update(source=_learner_source(cell, at), outputs=[], execution_count=None)
        kept.append(cell)
    form.cells = kept
    return form


def blank(source: str) -> str:
    """Return an exercise cell as the learner gets it, formatted."""
    lines = source.split("\n")
    end, changed = len(lines) + 1, False
    for node in reversed(parse(source).body):
        first, last = _first_line(node), _last_line(node, lines)
        if last >= end:
            raise DeriveError("two statements share a line; give each its own")
        end = first
        stub = _stub(node, source)
        if stub is not None:
            lines[first - 1 : last] = stub.split("\n")
            changed = True
    if not changed:
        raise DeriveError("nothing in it is for the learner to fill; take the tag `exercise` off")
    return _formatted("\n".join(lines))


def main(arguments: Sequence[str] | None = None, *, notebooks: Path = NOTEBOOKS) -> int:
    """Run the command; return 1 if something is out of sync or cannot be derived."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--check", action="store_true", help="write nothing, exit 1 if out of sync")
    check = parser.parse_args(arguments).check
    try:
        for path in [] if check else derive(notebooks):
            print(f"notebooks/{path.name}: derived; tools/execute.py gives it its outputs")
        problems = out_of_sync(notebooks)
    except DeriveError as error:
        problems = [str(error)]
    for problem in problems:
        print(f"notebooks/{problem}. Edit notebooks/solutions/, then run `make sync`.")
    return 1 if problems else 0


def _derived(solution: Path) -> NotebookNode:
    try:
        return learner_form(read(solution))
    except DeriveError as error:
        raise DeriveError(f"solutions/{solution.name}, {error}") from error


def _content(notebook: NotebookNode) -> Any:
    """Everything but what running a notebook changes."""
    cells = [
        {key: value for key, value in cell.items() if key not in ("outputs", "execution_count")}
        for cell in notebook.cells
    ]
    return notebook.metadata, cells


def _learner_source(cell: NotebookNode, at: int) -> str:
    source: str = cell.source
    try:
        if "exercise" in tags(cell):
            return blank(source)
        if _choices(source):
            raise DeriveError("it gives a prediction away; tag it `exercise`")
    except SyntaxError as error:
        raise DeriveError(f"cell {at}: it is no Python ({error.msg})") from error
    except DeriveError as error:
        raise DeriveError(f"cell {at}: {error}") from error
    return source


def _choices(source: str) -> list[ast.Call]:
    return [node for node in ast.walk(parse(source)) if _calls(node, "choose")]  # type: ignore[misc]


def _calls(node: ast.AST | None, method: str) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == method
    )


def _stub(node: ast.stmt, source: str) -> str | None:
    """Return what a statement leaves for the learner, or None if it stays as it is."""
    if isinstance(node, Function):
        return _function_stub(node, source)
    if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
        return _assignment_stub(node, source)
    if isinstance(node, ast.Expr) and _calls(node.value, "choose"):
        return _without_choice(node.value, source)
    if isinstance(node, _STAYS):
        return None
    kind = type(node).__name__.lower()
    raise DeriveError(f"line {node.lineno} ({kind}) would give the answer away; use a function")


def _assignment_stub(node: ast.Assign | ast.AnnAssign, source: str) -> str:
    if _calls(node.value, "predict"):
        raise DeriveError(f"the prediction in line {node.lineno} has no `.choose(...)`")
    value = "..."
    if _calls(node.value, "choose"):
        value = _without_choice(node.value, source)
    elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Tuple):
        value = ", ".join(["..."] * len(node.targets[0].elts))
    if isinstance(node, ast.AnnAssign):
        return f"{_text(node.target, source)}: {_text(node.annotation, source)} = {value}"
    return " = ".join([*(_text(target, source) for target in node.targets), value])


def _without_choice(call: ast.expr | None, source: str) -> str:
    if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute)):
        raise DeriveError("there is no choice to take away")
    return _text(call.func.value, source)


def _function_stub(node: Function, source: str) -> str:
    """Return signature, docstring, hints, and three dots."""
    lines = source.split("\n")
    line, column = _signature_end(node, source)
    header = lines[_first_line(node) - 1 : line]
    rest = header[-1][column:]
    if not rest.lstrip().startswith("#"):
        header[-1] = header[-1][:column]
    indent = " " * (node.col_offset + 4)
    doc = node.body[0] if ast.get_docstring(node, clean=False) is not None else None
    above = (doc.end_lineno or line) if doc else line
    docstring = [indent + _text(doc, source)] if doc else []
    return "\n".join([*header, *docstring, *_hints(lines[above:]), f"{indent}..."])


def _hints(lines: list[str]) -> list[str]:
    """Return the comments that stay: `# Hint: ...`, wrapped with two spaces after the `#`."""
    kept: list[str] = []
    for line in lines:
        text = line.lstrip()
        if not (text.startswith("# Hint:") or (kept and text.startswith("#  "))):
            break
        kept.append(line)
    return kept


def _signature_end(node: Function, source: str) -> tuple[int, int]:
    """Return where the colon of a `def` ends: line (from 1) and column."""
    depth, inside = 0, False
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.start[0] < node.lineno:
            continue
        inside = inside or token.string == "def"
        if token.type == tokenize.OP:
            depth += (token.string in "([{") - (token.string in ")]}")
            if inside and depth == 0 and token.string == ":":
                return token.end
    raise DeriveError(f"line {node.lineno}: the signature does not end")


def _first_line(node: ast.stmt) -> int:
    if isinstance(node, Function) and node.decorator_list:
        return node.decorator_list[0].lineno
    return node.lineno


def _last_line(node: ast.stmt, lines: list[str]) -> int:
    """Return a statement's last line; comments that trail in a function's body belong to it."""
    last = node.end_lineno or node.lineno
    if isinstance(node, Function):
        for at, line in enumerate(lines[last:], start=last + 1):
            if line.strip() and not (line[0].isspace() and line.lstrip().startswith("#")):
                break
            last = at if line.strip() else last
    return last


def _text(node: ast.AST, source: str) -> str:
    return ast.get_source_segment(source, node) or ast.unparse(node)


def _formatted(source: str) -> str:
    """Format by ruff, as `make check` will ask for: a shorter call may fit on one line now."""
    command = [sys.executable, "-m", "ruff", "format", "--stdin-filename", "cell.py", "-"]
    done = subprocess.run(
        command, input=source.encode(), cwd=ROOT, capture_output=True, check=True, timeout=60
    )
    return done.stdout.decode().rstrip("\n")


if __name__ == "__main__":
    sys.exit(main())
