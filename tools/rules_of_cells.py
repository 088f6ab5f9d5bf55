"""The rules of single cells: plain Python that ends, outputs that are clean and of no machine.

Each rule is a function that yields what breaks it.
"""

from __future__ import annotations

import ast
import io
import re
import sys
import tempfile
import tokenize
from collections.abc import Iterator
from pathlib import Path

from book import Book, Problem, Rule
from lessons import ROOT, TAGS, tags

__all__ = ["HOSTS", "RULES"]

# addresses that a lesson may name; every other one could be a registry, or a private machine
HOSTS = frozenset(
    {
        "127.0.0.1",
        "localhost",
        "kafka.apache.org",
        "cwiki.apache.org",
        "issues.apache.org",
        "docs.confluent.io",
        "github.com",
        "docs.python.org",
        "pandas.pydata.org",
        "plotly.com",
        "plot.ly",
        "jupyter.org",
        "cloudevents.io",
        "en.wikipedia.org",
    }
)

_HERE = {ROOT, ROOT.parent, Path.home(), Path(sys.prefix)}
_PATHS = [re.escape(str(path)) for path in sorted(_HERE) if len(path.parts) > 1]
_MACHINE = re.compile(
    rf"(?<![\w.])({'|'.join(_PATHS)}|{re.escape(tempfile.gettempdir())}|/tmp|/home/\w+|/Users/\w+)\b"
    r"|\b[A-Z]:\\+Users|ipykernel_\d+| at 0x[0-9a-f]+>"
)
_ADDRESS = re.compile(
    r"https?://(?:[^\s/@]*@)?([\w.-]+)|\b((?:[a-z0-9-]+\.){2,}[a-z]{2,}):\d{4,5}\b"
)
_MAGIC = re.compile(r"^\s*(%|!|\?|\w[\w, ]*=\s*[%!])|\?\s*$", re.MULTILINE)
_VERDICT = re.compile(r"^(todo|not yet|ok)\b")
_WAITS = {"poll": 1, "consume": 2, "flush": 1}  # the position of their timeout


def tagged(book: Book) -> Iterator[Problem]:
    """Tags are those we know, and no comment does a tag's work."""
    for at, cell in book.cells:
        for tag in sorted(set(tags(cell)) - TAGS):
            yield Problem(at, f"the tag {tag!r} is none of {', '.join(sorted(TAGS))}")
        if re.search(r"#\s*(NBVAL_|nbval-|PYTEST_VALIDATE)", cell.source):
            yield Problem(at, "a comment steers nbval; use a tag")


def plain_python(book: Book) -> Iterator[Problem]:
    """No magics, no shell, no `;` at the end."""
    parsed = {at for at, _ in book.trees}
    for at, cell in book.code:
        if at not in parsed:
            magic = _MAGIC.search(cell.source)
            yield Problem(at, "a magic or a shell command" if magic else "it is no Python")
        elif _ends_in_semicolon(cell.source):
            yield Problem(at, "it ends in `;`, which hides nothing from the comparison")
        elif "get_ipython" in cell.source or "os.system" in cell.source:
            yield Problem(at, "a magic or a shell command")


def every_wait_ends(book: Book) -> Iterator[Problem]:
    """No endless loop, no question, no sleep, no wait without a deadline."""
    for at, tree in book.trees:
        for node in ast.walk(tree):
            if isinstance(node, ast.While) and isinstance(node.test, ast.Constant):
                yield Problem(at, "a loop without an end; count, or set a deadline")
            if isinstance(node, ast.Call):
                yield from (Problem(at, text) for text in _endless(node))


def _endless(call: ast.Call) -> Iterator[str]:
    called = call.func.attr if isinstance(call.func, ast.Attribute) else ""
    plain = call.func.id if isinstance(call.func, ast.Name) else ""
    if plain == "input":
        yield "it asks with input(), which stops every run"
    if "sleep" in (called, plain):
        yield "it sleeps; wait for what should happen, with a deadline"
    options = {keyword.arg for keyword in call.keywords}
    if called in _WAITS and len(call.args) < _WAITS[called] and "timeout" not in options:
        yield f"`.{called}` without a timeout can wait for ever"


def freshly_executed(book: Book) -> Iterator[Problem]:
    """Counts are 1..n, nothing on stderr, errors only where they are planned."""
    for expected, (at, cell) in enumerate(book.code, start=1):
        if cell.execution_count != expected:
            yield Problem(
                at, f"its count is {cell.execution_count}, not {expected}; run `make sync`"
            )
        for output in cell.outputs:
            if output.output_type == "stream" and output.name == "stderr":
                yield Problem(at, "it wrote to stderr")
            if output.output_type == "error" and "raises-exception" not in tags(cell):
                yield Problem(at, f"it failed with {output.ename}")


def of_no_machine(book: Book) -> Iterator[Problem]:
    """No path, address or memory location of the machine that ran it."""
    for at, cell in book.cells:
        for text in (cell.source, *map(str, cell.get("outputs", []))):
            if path := _MACHINE.search(text):
                yield Problem(at, f"a machine's own {path[0]!r}")
            hosts = {first or second for first, second in _ADDRESS.findall(text)}
            for host in sorted(hosts - HOSTS):
                yield Problem(at, f"the address {host!r} is not among those a lesson may name")


def escaped(book: Book) -> Iterator[Problem]:
    """Strings from events never reach the page as HTML."""
    for at, tree in book.trees:
        if any(_mentioned(node) & {"HTML", "display_html"} for node in ast.walk(tree)):
            yield Problem(at, "HTML(...) would run what an event carries; show data or Markdown")


def _mentioned(node: ast.AST) -> set[str]:
    if isinstance(node, ast.ImportFrom):
        return {alias.name for alias in node.names}
    if isinstance(node, ast.Attribute):
        return {node.attr}
    return {node.id} if isinstance(node, ast.Name) else set()


def verdicts(book: Book) -> Iterator[Problem]:
    """Stored outputs: a solution's checks say ok, a learner's todo."""
    expected = "ok" if book.is_solution else "todo"
    checks = {exercise.check: exercise.number for exercise in book.exercises}
    for at, cell in book.code:
        if at not in checks:
            continue
        texts = [str(output.get("data", {}).get("text/plain", "")) for output in cell.outputs]
        said = [found[1] for text in texts if (found := _VERDICT.match(text))]
        if not said:
            yield Problem(at, f"the check {checks[at]} shows no verdict; end the cell in it")
        elif said != [expected] * len(said):
            yield Problem(at, f"the check {checks[at]} says {said[0]!r}, not {expected!r}")


RULES: tuple[Rule, ...] = (
    tagged,
    plain_python,
    every_wait_ends,
    freshly_executed,
    of_no_machine,
    escaped,
    verdicts,
)


def _ends_in_semicolon(source: str) -> bool:
    skipped = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.ENDMARKER, tokenize.DEDENT)
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    kept = [token.string for token in tokens if token.type not in skipped]
    return kept[-1:] == [";"]
