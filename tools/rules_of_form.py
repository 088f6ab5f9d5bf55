"""The rules of a lesson's form: names, opening, shape, words, exercises, closing.

Each rule is a function that yields what breaks it.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

import exercises
from book import Book, Problem, Rule, Shape, line_count, prose
from lessons import MAX_BYTES, NAME, tags

__all__ = ["ALLOWED_IGNORED", "FREE_FORM", "RULES"]

FREE_FORM = frozenset({"00", "35", "36"})  # first and last two lessons: no counts, no fixed minutes

# (lesson, cell id) -> why its output may differ, where the markdown before it cannot say so
ALLOWED_IGNORED: dict[tuple[str, str], str] = {}

_DIFFERS = re.compile(
    r"\b(differ\w*|var(y|ies)|live|mov(es?|ing)|depends?|your (own|machine|computer)|every run)\b",
    re.IGNORECASE,
)
_LIVE = ("live", "group_board", "group_comparison")  # what moves while it is looked at
_FILLER = re.compile(r"\b(simply|just)\b", re.IGNORECASE)


def name(book: Book) -> Iterator[Problem]:
    """Files are called `NN_slug.ipynb`, and the lesson calls itself by the same number."""
    if not NAME.fullmatch(book.path.name):
        yield Problem(0, "the name is not two digits, _, lower case words joined by _")
    if not re.search(rf'Lesson\(\s*"{book.number}"', "\n".join(c.source for _, c in book.code)):
        yield Problem(0, f'no cell makes Lesson("{book.number}")')


def opening(book: Book) -> Iterator[Problem]:
    """The first cell: title, promise, what one will be able to do, minutes, after what, uses."""
    first = book.notebook.cells[0] if book.notebook.cells else None
    if first is None or first.cell_type != "markdown":
        yield Problem(1, "the first cell is not markdown")
        return
    text: str = first.source
    blocks = [block.strip() for block in re.split(r"\n\s*\n", text)]
    if not re.match(rf"# {book.number} \S", text):
        yield Problem(1, f"it does not begin with `# {book.number} Title`")
    if len(blocks) < 2 or blocks[1].startswith(("#", "**", "-", "!")):
        yield Problem(1, "no promise stands under the title")
    points = re.findall(r"^- ", text.partition("You will be able to")[2], re.MULTILINE)
    if not 3 <= len(points) <= 5:
        yield Problem(1, "`You will be able to` with three to five points is missing")
    yield from _facts_line(book, text)
    if re.search(r"!\[|<img", text):
        yield Problem(1, "it shows a picture; the opening is words")


def _facts_line(book: Book, text: str) -> Iterator[Problem]:
    minutes = re.search(r"\b(\d+) minutes\b", text)
    if not minutes:
        yield Problem(1, "it does not say how many minutes")
    elif book.number not in FREE_FORM and not 25 <= int(minutes[1]) <= 45:
        yield Problem(1, f"{minutes[1]} minutes, and a lesson has 25 to 45")
    if book.number != "00" and not re.search(r"\bafter \d\d\b", text):
        yield Problem(1, "it does not say after which lesson, as in `after 03`")
    if not re.search(r"\b(uses|starts)\b", text):
        yield Problem(1, "it does not say what it uses or starts")


def shape(book: Book) -> Iterator[Problem]:
    """Cells are small, many enough and not too many, and each has words."""
    figures = Shape.of(book)
    if book.number not in FREE_FORM and not 20 <= figures.code_cells <= 35:
        yield Problem(0, f"{figures.code_cells} code cells, and a lesson has 20 to 35")
    if not 2 <= figures.median <= 4:
        yield Problem(0, f"the median cell has {figures.median:g} lines, and 2 to 4 is right")
    if figures.p90 > 12:
        yield Problem(
            0, f"a tenth of the cells has more than {figures.p90:g} lines; 12 is the limit"
        )
    if figures.markdown_cells < figures.code_cells:
        yield Problem(
            0, f"{figures.markdown_cells} markdown cells for {figures.code_cells} code cells"
        )
    for at, cell in book.code:
        if (lines := line_count(cell)) > 25:
            yield Problem(at, f"{lines} lines, and 25 is the limit")
        if not cell.source.strip():
            yield Problem(at, "it is empty")


def ignored_outputs(book: Book) -> Iterator[Problem]:
    """Few outputs go uncompared, and the words before each say why."""
    ignored = [(at, cell) for at, cell in book.code if "nbval-ignore-output" in tags(cell)]
    if len(ignored) > 0.15 * len(book.code):
        share = len(ignored) / len(book.code)
        yield Problem(
            0, f"{share * 100:.0f} % of the code cells go uncompared, and 15 % is the limit"
        )
    live = {at for method in _LIVE for at, _ in book.calls(method)}
    for at, cell in ignored:
        before = [words.source for place, words in book.markdown if place < at]
        allowed = (book.number, cell.get("id")) in ALLOWED_IGNORED
        if at not in live and not allowed and not (before and _DIFFERS.search(before[-1])):
            yield Problem(at, "its output is ignored, and the markdown before does not say why")


def no_filler(book: Book) -> Iterator[Problem]:
    """Nothing in a lesson is done "simply" or "just"."""
    for at, cell in book.markdown:
        for found in sorted({word.lower() for word in _FILLER.findall(prose(cell.source))}):
            yield Problem(at, f"the word {found!r}: what is easy for one reader is not for another")


def closing(book: Book) -> Iterator[Problem]:
    """The end: what we saw, try changing, at work, and the way to the next lesson."""
    text = "\n\n".join(cell.source for _, cell in book.markdown)
    for title in ("What we saw", "Try changing", "At work"):
        if not re.search(rf"^(#+ |\*\*){title}\b", text, re.MULTILINE | re.IGNORECASE):
            yield Problem(0, f"no section `{title}`")
    later = sorted(path.name for path in book.path.parent.glob("*.ipynb"))
    following = next((other for other in later if other > book.path.name), None)
    if following and f"]({following})" not in text:
        yield Problem(0, f"no link to the next lesson, {following}")


def predictions(book: Book) -> Iterator[Problem]:
    """From 01 on there are three predictions, and a learner's copy gives none away."""
    asked = len(list(book.calls("predict")))
    if book.number != "00" and asked < 3:
        yield Problem(0, f"{asked} predictions, and a lesson has at least three")
    if not book.is_solution:
        for at, _ in book.calls("choose"):
            yield Problem(at, "it gives a prediction away; run `make sync`")


def judged(book: Book) -> Iterator[Problem]:
    """Each exercise is checked in the next code cell, each check has an exercise, in order."""
    for at in exercises.unchecked(book.notebook):
        yield Problem(at, "an exercise that no lesson.check judges")
    places = [at for at, _ in book.code]
    for exercise in book.exercises:
        if not re.fullmatch(rf"{book.number}\.[1-9]\d*", exercise.number):
            yield Problem(exercise.check, f'the check is not called "{book.number}.k"')
        if not exercise.cell:
            yield Problem(exercise.check, f"no exercise cell makes the answer `{exercise.answer}`")
        elif not exercise.is_prediction and exercise.check != _following(places, exercise.cell):
            yield Problem(exercise.cell, "the next code cell does not check this exercise")
    numbers = [exercise.number for exercise in book.exercises]
    wanted = [f"{book.number}.{k}" for k in range(1, len(numbers) + 1)]
    if sorted(numbers, key=_place) != wanted:
        yield Problem(0, f"the checks are {', '.join(numbers)}; number them {book.number}.1 to .k")


def progress(book: Book) -> Iterator[Problem]:
    """The last code cell shows which exercises are ok."""
    at, last = book.code[-1] if book.code else (0, None)
    if last is None or last.source.strip() != "lesson.progress()":
        yield Problem(at, "the last code cell is not `lesson.progress()`")


def size(book: Book) -> Iterator[Problem]:
    """A notebook stays light."""
    if book.path.exists() and (size := book.path.stat().st_size) > MAX_BYTES:
        yield Problem(0, f"{size / 1000:.0f} kB, and {MAX_BYTES / 1000:.0f} kB is the limit")


RULES: tuple[Rule, ...] = (
    name,
    opening,
    shape,
    ignored_outputs,
    no_filler,
    closing,
    predictions,
    judged,
    progress,
    size,
)


def _following(places: list[int], cell: int) -> int | None:
    return next(itertools.dropwhile(lambda place: place <= cell, places), None)


def _place(number: str) -> int:
    digits = number.partition(".")[2]
    return int(digits) if digits.isdigit() else 0
