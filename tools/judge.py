"""Judge the checks of a lesson: run its solution, and at each check try blank and wrong answers.

A check must say todo to the blank, ok to the solution, anything but ok to every mutant, "not yet"
with the right hint to every planted wrong answer, and ok to the solution once more at the end.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import derive
import exercises
from IPython.core.interactiveshell import InteractiveShell
from lessons import read, tags
from mutants import Mutant, Recorder, mutants
from traitlets.config import Config

from steamlab.progress import paused

__all__ = ["Planted", "Report", "WrongAnswers", "judge"]

Make = Callable[[dict[str, Any], Any], Any]


class Planted(Protocol):
    """A wrong answer with a fragment of the hint that it must get."""

    number: str
    belief: str
    make: Make
    hint: str


@dataclass(frozen=True)
class WrongAnswers:
    """What is known to be wrong about a lesson, and which mutants are right after all, and why."""

    planted: Sequence[Planted] = ()
    other_seed: Mapping[str, Make] = field(default_factory=dict)
    accepted: Mapping[tuple[str, str], str] = field(default_factory=dict)


@dataclass
class Report:
    """What was tried, as counts, and what went wrong, as sentences; `seconds` is per exercise."""

    blanks: int = 0
    solutions: int = 0
    refused: int = 0
    accepted: int = 0
    equal: int = 0
    planted: int = 0
    failures: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)

    def __str__(self) -> str:
        return (
            f"{len(self.seconds)} exercises: {self.blanks} blanks todo, {self.solutions} solutions "
            f"ok, {self.planted} planted answers hinted, {self.refused} mutants refused "
            f"({self.equal} equal to the solution, {self.accepted} accepted with a reason)"
        )


def judge(path: Path, lesson_class: Any, wrong: WrongAnswers) -> Report:
    """Run a solution in this process, with `lesson_class.check` watched, and return the report."""
    notebook = read(path)
    with _shell() as shell, _at_home_in(path.parent):
        referee = _Referee(notebook, lesson_class.check, wrong, shell)
        lesson_class.check, original = referee.watched(), lesson_class.check
        try:
            referee.report.failures += _run(notebook, shell)
        finally:
            lesson_class.check = original
            for lesson in referee.lessons:
                getattr(lesson, "close", lambda: None)()
    referee.end()
    return referee.report


class _Referee:
    """Stands in for a lesson's `check`, and tries everything else before it answers."""

    def __init__(
        self, notebook: Any, check: Callable[..., Any], wrong: WrongAnswers, shell: Any
    ) -> None:
        self.report = Report()
        self.lessons: list[Any] = []
        self._sources = [cell.source for cell in notebook.cells]
        self._exercises = {exercise.number: exercise for exercise in exercises.find(notebook)}
        self._check, self._wrong, self._shell = check, wrong, shell
        self._used: set[tuple[str, str]] = set()

    def watched(self) -> Callable[..., Any]:
        """Return the method that takes the place of `check`."""

        def check(lesson: Any, number: str, answer: Any) -> Any:
            if number not in self.report.seconds:
                began = time.monotonic()
                self.report.seconds[number] = 0.0
                with paused():
                    self._try_everything(lesson, number, answer)
                self.report.seconds[number] = round(time.monotonic() - began, 1)
            return self._check(lesson, number, answer)

        return check

    def end(self) -> None:
        """Say what was never reached: exercises, planted answers, accepted mutants."""
        for number in sorted(self._exercises.keys() - self.report.seconds.keys()):
            self._fail(number, "its check was never run")
        for planted in self._wrong.planted:
            if planted.number not in self._exercises:
                self._fail(planted.number, f"{planted.belief!r} is planted, and there is no such")
        for number, name in self._wrong.accepted.keys() - self._used:
            self._fail(number, f"the mutant {name!r} is ACCEPTED, and is refused or not made now")
        for number in self._wrong.other_seed.keys() - self._exercises.keys():
            self._fail(number, "it is in OTHER_SEED, and there is no such exercise")

    def _try_everything(self, lesson: Any, number: str, answer: Any) -> None:
        if lesson not in self.lessons:
            self.lessons.append(lesson)
        if number not in self._exercises:
            return self._fail(number, "its number is not spelled out in the call of `check`")
        self._try_blank(lesson, number)
        recorder = Recorder(answer) if callable(answer) else None
        self._try_solution(lesson, number, recorder.answer if recorder else answer, "")
        self._try_mutants(lesson, number, answer, recorder.results if recorder else [])
        for planted in self._wrong.planted:
            if planted.number == number:
                self._try_planted(lesson, planted, answer)
        self._try_solution(lesson, number, answer, " after the wrong answers")
        return None

    def _try_blank(self, lesson: Any, number: str) -> None:
        exercise = self._exercises[number]
        if not exercise.cell:
            return self._fail(number, f"no exercise cell makes `{exercise.answer}`")
        try:
            namespace = dict(self._shell.user_ns)
            _run_in(namespace, derive.blank(self._sources[exercise.cell - 1]), self._shell)
            answer = eval(exercise.answer, namespace)  # noqa: S307 - the notebook's own expression
        except Exception as error:
            return self._fail(number, f"the blank cell raised {type(error).__name__}: {error}")
        verdict = self._ask(lesson, number, answer, "the blank")
        if verdict and self._expect(verdict, "todo", number, "the blank"):
            self.report.blanks += 1
        return None

    def _try_solution(self, lesson: Any, number: str, answer: Any, when: str) -> None:
        verdict = self._ask(lesson, number, answer, "the solution" + when)
        if verdict and self._expect(verdict, "ok", number, "the solution" + when) and not when:
            self.report.solutions += 1

    def _try_mutants(self, lesson: Any, number: str, answer: Any, results: list[Any]) -> None:
        made = list(self._mutants(number, answer, results))
        if not made:
            self._fail(number, f"no mutant is known of a {type(answer).__name__}; plant OTHER_SEED")
        for mutant in made:
            verdict = self._ask(lesson, number, mutant.answer, f"the mutant {mutant.name!r}")
            if verdict is None or verdict.state != "ok":
                self.report.refused += verdict is not None
            elif (number, mutant.name) in self._wrong.accepted:
                self._used.add((number, mutant.name))
                self.report.accepted += 1
            elif mutant.is_right():
                self.report.equal += 1
            else:
                self._fail(number, f"the mutant {mutant.name!r} is taken for right: {verdict.text}")

    def _mutants(self, number: str, answer: Any, results: list[Any]) -> Iterator[Mutant]:
        yield from mutants(answer, results)
        if number in self._wrong.other_seed:
            other = self._wrong.other_seed[number](self._shell.user_ns, answer)
            yield Mutant("another seed's answer", other)

    def _try_planted(self, lesson: Any, planted: Planted, right: Any) -> None:
        what = f"the planted {planted.belief!r}"
        try:
            answer = planted.make(self._shell.user_ns, right)
        except Exception as error:
            return self._fail(
                planted.number, f"{what} cannot be made: {type(error).__name__}: {error}"
            )
        verdict = self._ask(lesson, planted.number, answer, what)
        if verdict is None or not self._expect(verdict, "not yet", planted.number, what):
            return None
        if planted.hint not in verdict.text:
            return self._fail(planted.number, f"{what} gets no {planted.hint!r}: {verdict.text}")
        self.report.planted += 1
        return None

    def _ask(self, lesson: Any, number: str, answer: Any, what: str) -> Any:
        """Return the verdict; a check that raises has failed, whatever the answer was."""
        try:
            return self._check(lesson, number, answer)
        except Exception as error:
            return self._fail(number, f"the check of {what} raised {type(error).__name__}: {error}")

    def _expect(self, verdict: Any, state: str, number: str, what: str) -> bool:
        if verdict.state != state:
            self._fail(
                number, f"{what} should be {state!r} and is {verdict.state!r}: {verdict.text}"
            )
        return bool(verdict.state == state)

    def _fail(self, number: str, sentence: str) -> None:
        self.report.failures.append(f"{number}: {sentence}")


def _run(notebook: Any, shell: InteractiveShell) -> list[str]:
    """Run the cells in order; return what stopped it."""
    for at, cell in enumerate(notebook.cells, start=1):
        if cell.cell_type != "code":
            continue
        result = shell.run_cell(cell.source, store_history=True)
        error = result.error_before_exec or result.error_in_exec
        breaks = "raises-exception" in tags(cell)
        if breaks and error is None:
            return [f"cell {at} is tagged raises-exception and raised nothing"]
        if error is not None and not breaks:
            return [f"cell {at} raised {type(error).__name__}: {error}"]
    return []


def _run_in(namespace: dict[str, Any], source: str, shell: InteractiveShell) -> None:
    """Run source in a namespace beside the shell's; tracebacks and `inspect` still find it."""
    name = shell.compile.cache(source)
    exec(compile(source, name, "exec"), namespace)  # noqa: S102 - the notebook's own cell


@contextmanager
def _shell() -> Iterator[InteractiveShell]:
    """Give a shell as a notebook has one: displays work, and the source of functions is known."""
    main = sys.modules["__main__"]
    config = Config({"HistoryManager": {"enabled": False}})
    shell = InteractiveShell.instance(config=config)
    try:
        yield shell
    finally:
        InteractiveShell.clear_instance()
        shell.restore_sys_module_state()
        sys.modules["__main__"] = main


@contextmanager
def _at_home_in(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
