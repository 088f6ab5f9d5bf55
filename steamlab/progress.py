"""Which exercises are ok: kept in a local file, shown at the end of a lesson and on the shell.

The file is `progress.json` in the lab's home: `{"05.1": {"state": …, "at": …, "ok_at": …}}`, the
last verdict and when it was given, and when the first ok was. What was ok once stays ok.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock

from steamlab.checks import exercises
from steamlab.settings import ROOT, settings

__all__ = ["Exercise", "LessonProgress", "Progress", "paused", "progress", "record"]

_MARKS = {"ok": "✅", "not yet": "🟠", "todo": "⬜"}

_paused = ContextVar("paused", default=False)


@dataclass(frozen=True, slots=True)
class Exercise:
    """One exercise: `state` is the last verdict's, and `ok_at` when it was ok for the first time.

    The times are ISO 8601 in UTC; None where nothing was checked yet, or was never ok.
    """

    number: str
    state: str = "todo"
    at: str | None = None
    ok_at: str | None = None

    @property
    def is_ok(self) -> bool:
        """Whether it has ever been ok."""
        return self.ok_at is not None

    def __str__(self) -> str:
        past = " (was ok)" if self.is_ok and self.state != "ok" else ""
        return f"{_MARKS['ok' if self.is_ok else self.state]} {self.number}{past}"


@dataclass(frozen=True, slots=True)
class LessonProgress:
    """A lesson of the course with its exercises; `notebook` is its file's name."""

    number: str
    title: str
    notebook: str
    exercises: tuple[Exercise, ...] = ()

    @property
    def ok(self) -> int:
        """How many exercises are ok."""
        return sum(exercise.is_ok for exercise in self.exercises)

    def __str__(self) -> str:
        return "  ".join(map(str, self.exercises)) or "no exercises"


@dataclass(frozen=True)
class Progress:
    """The course's lessons, and which exercises are ok; `lesson` is the number that is looked at.

    `problem` says in a sentence or two why the file could not be read, or not all of it.
    """

    lessons: tuple[LessonProgress, ...]
    lesson: str = ""
    problem: str = ""

    def __repr__(self) -> str:
        return "\n".join(self._lines(link=False))

    def _repr_markdown_(self) -> str:
        return "\n\n".join(self._lines(link=True))

    def as_dict(self) -> dict[str, Any]:
        """Return what `steamlab progress --json` prints."""
        lessons = [asdict(lesson) | {"ok": lesson.ok} for lesson in self.lessons]
        return {"ok": self.ok, "exercises": self.exercises, "lessons": lessons} | {
            "file": str(settings().progress),
            "problem": self.problem or None,
        }

    @property
    def ok(self) -> int:
        """How many exercises of the course are ok."""
        return sum(lesson.ok for lesson in self.lessons)

    @property
    def exercises(self) -> int:
        """How many exercises the course has."""
        return sum(len(lesson.exercises) for lesson in self.lessons)

    def _lines(self, *, link: bool) -> Iterator[str]:
        if self.problem:
            yield self.problem
        for lesson in self.lessons:
            if lesson.number == self.lesson:
                yield str(lesson)
                yield f"{lesson.ok} of {len(lesson.exercises)} in this lesson are ok."
        if not self.lesson:
            yield f"{self.ok} of {self.exercises} in the whole course are ok."
        later = next((each for each in self.lessons if each.number > self.lesson), None)
        if later is None:
            yield "There is no later lesson yet."
        else:
            name = f"{later.number} {later.title}"
            yield f"Next: {f'[{name}]({later.notebook})' if link else name}"


def progress(*, lesson: str = "", notebooks: Path = ROOT / "notebooks") -> Progress:
    """Return how far the learner is, without Kafka and without running a lesson."""
    try:
        noted, problem = _noted(settings().progress)
    except OSError as error:
        noted, problem = {}, f"{settings().progress} cannot be read: {error.strerror}."
    lessons = []
    for path in sorted(notebooks.glob("[0-9][0-9]_*.ipynb")):
        number = path.name[:2]
        found = tuple(_exercise(each, noted) for each in exercises(number))
        lessons.append(LessonProgress(number, _title(path), path.name, found))
    return Progress(tuple(lessons), lesson, problem)


def record(number: str, state: str) -> None:
    """Keep a verdict; where that is not possible, say so in a sentence and go on."""
    if _paused.get():
        return
    file = settings().progress
    try:
        _record(file, number, state)
    except (OSError, NotImplementedError) as error:
        reason = getattr(error, "strerror", None) or error
        print(f"This verdict counts, but could not be kept in {file}: {reason}.")


@contextmanager
def paused() -> Iterator[None]:
    """Keep no verdicts meanwhile: for those who try a check with answers that nobody gave."""
    token = _paused.set(True)
    try:
        yield
    finally:
        _paused.reset(token)


def _record(file: Path, number: str, state: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(file.with_suffix(".lock"), timeout=5):
        noted, problem = _noted(file)
        if problem:
            print(f"{problem} The file as it was is kept as {_keep_aside(file)}.")
        now = datetime.now(UTC).isoformat(timespec="seconds")
        ok_at = _exercise(number, noted).ok_at or (now if state == "ok" else None)
        noted[number] = {"state": state, "at": now, "ok_at": ok_at}
        part = file.with_suffix(".part")
        part.write_text(json.dumps(noted, indent=1, sort_keys=True) + "\n", "utf-8")
        part.replace(file)


def _noted(file: Path) -> tuple[dict[str, Any], str]:
    """Return what is readable of the file, and a sentence if that is not all of it."""
    try:
        found = json.loads(file.read_bytes())
    except FileNotFoundError:
        return {}, ""
    except (ValueError, RecursionError):
        return {}, f"{file} is damaged, and no note in it can be read."
    notes = found if isinstance(found, dict) else {}
    good = {number: note for number, note in notes.items() if _is_note(note)}
    if good == found:
        return good, ""
    return good, f"{file} is damaged; of its notes {len(good)} can be read."


def _is_note(note: object) -> bool:
    if not isinstance(note, dict) or str(note.get("state")) not in _MARKS:
        return False
    times = note.get("at"), note.get("ok_at")
    if note["state"] == "ok" and times[1] is None:
        return False
    return isinstance(times[0], str) and isinstance(times[1], str | None)


def _keep_aside(file: Path) -> Path:
    """Copy a damaged file to a name of its own."""
    number = 1
    while (aside := file.with_name(f"{file.stem}.damaged-{number}.json")).exists():
        number += 1
    return Path(shutil.copy2(file, aside))


def _exercise(number: str, noted: dict[str, Any]) -> Exercise:
    note = noted.get(number, {})
    return Exercise(number, note.get("state", "todo"), note.get("at"), note.get("ok_at"))


def _title(path: Path) -> str:
    """Return what stands behind the number in a notebook's first line, else words of its name."""
    try:
        first = "".join(json.loads(path.read_bytes())["cells"][0]["source"])
    except (OSError, ValueError, LookupError, TypeError):
        first = ""
    found = re.match(r"# \d\d (.+)", first)
    return found[1] if found else path.stem[3:].replace("_", " ")
