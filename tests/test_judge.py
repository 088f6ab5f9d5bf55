"""The harness notices each way in which a check can be too kind, too strict, or worn out."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import toys
from IPython import get_ipython
from judge import Report, WrongAnswers, judge
from toy_lesson import Lesson, accept, double, six
from toys import code

from steamlab.checks import Verdict
from steamlab.progress import record
from tests.planted import Planted

RIGHT = WrongAnswers(
    planted=[
        Planted("01.1", "all", lambda ns, right: right_choice(ns, "6"), hint="count again"),
        Planted("01.2", "double is square", lambda ns, right: lambda n: n * n, hint="not square"),
        Planted("01.3", "right but one", lambda ns, right: right - ns["one"], hint="partition"),
    ],
    other_seed={"01.3": lambda ns, right: 8},
)


def right_choice(ns: dict[str, Any], option: str) -> Any:
    """Make a prediction in the notebook's namespace."""
    return ns["lesson"].predict("01.1", "How many?", ["6", "3", "1"]).choose(option)


def cells() -> list[Any]:
    """Make a solution with a prediction, a function and a value."""
    ask = 'guess = lesson.predict("01.1", "How many?", ["6", "3", "1"]).choose("3")'
    return [
        code("from toy_lesson import Lesson\n\nlesson = Lesson()\none = 1"),
        code(ask, "exercise"),
        code('lesson.check("01.1", guess)'),
        code('def twice(n):\n    """Double."""\n    return n + n', "exercise"),
        code('lesson.check("01.2", twice)'),
        code("1 / 0", "raises-exception"),
        code("partitions = 6", "exercise"),
        code('lesson.check("01.3", partitions)'),
    ]


def run(folder: Path, wrong: WrongAnswers = RIGHT, made: list[Any] | None = None) -> Report:
    """Judge the toy solution."""
    return judge(toys.put(folder / "01_toy.ipynb", *(made or cells())), Lesson, wrong)


def test_good_checks_pass_and_everything_is_counted(tmp_path: Path) -> None:
    """Three exercises: 2 choices, 10 mutants of the function, 5 of the value, all refused.

    The function is nothing, an error, its first result, an echo, four changes of its result;
    6 is 7, 5, 0, 7 again, and 8 for another seed.
    """
    report = run(tmp_path)
    assert [] == report.failures
    assert (3, 3, 3) == (report.blanks, report.solutions, report.planted)
    assert 2 + 8 + 5 == report.refused
    assert {"01.1", "01.2", "01.3"} == set(report.seconds)
    assert str(report).startswith("3 exercises: 3 blanks todo, 3 solutions ok, 3 planted answers")


def test_the_process_is_left_as_it_was(tmp_path: Path) -> None:
    """The check is the lesson's own again, the shell is gone, the lesson is closed."""
    check, main, folder, closed = Lesson.check, sys.modules["__main__"], Path.cwd(), Lesson.closed
    run(tmp_path)
    assert check is Lesson.check
    assert main is sys.modules["__main__"]
    assert folder == Path.cwd()
    assert get_ipython() is None
    assert closed + 1 == Lesson.closed


def test_wrong_answers_leave_no_progress(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the many answers that are tried, only the solution's own verdict may be kept."""

    def kept(lesson: Lesson, number: str, answer: Any) -> Verdict:
        record(number, (verdict := check(lesson, number, answer)).state)
        return verdict

    check = Lesson.check
    monkeypatch.setattr(Lesson, "check", kept)
    monkeypatch.setitem(Lesson.checks, "01.3", accept)
    monkeypatch.setenv("STEAMLAB_PROGRESS", str(tmp_path / "progress.json"))
    made = cells()
    made[-2].source = "partitions = ..."
    run(tmp_path, made=made)
    noted = json.loads((tmp_path / "progress.json").read_text("utf-8"))
    assert {"01.1": "ok", "01.2": "ok", "01.3": "todo"} == {
        number: note["state"] for number, note in noted.items()
    }
    assert noted["01.3"]["ok_at"] is None


def worn_out() -> Any:
    """Make a check that accepts the right answer once."""
    asked: list[Any] = []

    def check(answer: Any) -> Verdict:
        verdict = six(answer)
        asked.extend([answer] * (verdict.state == "ok"))
        return verdict if len(asked) < 2 else Verdict("not yet", "again?")

    return check


def one_call(answer: Any) -> Verdict:
    """Accept a function after one call, so a remembered result will do."""
    return Verdict("ok", "4.") if answer(2) == 4 else Verdict("not yet", "not square: 4.")


def any_number(answer: Any) -> Verdict:
    """Accept whatever number comes back."""
    return Verdict("ok" if isinstance(answer(2), int) else "not yet", "4.")


def fragile(answer: Any) -> Verdict:
    """Divide by the answer: a zero ends in an error, not in a verdict."""
    return six(36 / (6 / answer))


@pytest.mark.parametrize(
    ("number", "check", "complaint"),
    [
        ("01.3", accept, "01.3: the mutant 'plus one' is taken for right: fine."),
        ("01.3", accept, "01.3: the mutant \"another seed's answer\" is taken for right: fine."),
        ("01.3", accept,
         "01.3: the planted 'right but one' should be 'not yet' and is 'ok': fine."),
        ("01.2", accept, "01.2: the mutant 'returns nothing' is taken for right: fine."),
        ("01.2", any_number, "01.2: the mutant 'result plus one' is taken for right: 4."),
        ("01.1", accept, "01.1: the mutant 'choice 6' is taken for right: fine."),
        ("01.2", one_call, "01.2: the mutant 'remembers its first result' is taken for right: 4."),
        ("01.3", lambda _: Verdict("not yet", "no."),
         "01.3: the solution should be 'ok' and is 'not yet': no."),
        ("01.3", lambda a: Verdict("ok" if a == 6 else "not yet", "no."),
         "01.3: the planted 'right but one' gets no 'partition': no."),
        ("01.3", worn_out(),
         "01.3: the solution after the wrong answers should be 'ok' and is 'not yet': again?"),
        ("01.3", fragile,
         "01.3: the check of the mutant 'empty' raised ZeroDivisionError: division by zero"),
    ],
)  # fmt: skip
def test_a_bad_check_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: str, check: Any, complaint: str
) -> None:
    """Too kind, too strict, hintless, fragile or worn out: the harness says which."""
    monkeypatch.setitem(Lesson.checks, number, check)
    assert complaint in run(tmp_path).failures


def test_a_blank_that_is_not_todo_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stub that is judged like an answer is a failure, whatever the verdict."""
    monkeypatch.setattr(Lesson, "blanks_are_todo", False)
    monkeypatch.setitem(Lesson.checks, "01.3", accept)
    report = run(tmp_path)
    assert "01.3: the blank should be 'todo' and is 'ok': fine." in report.failures
    assert 0 == report.blanks


def test_a_stale_planted_number_is_noticed(tmp_path: Path) -> None:
    """Wrong answers to exercises that there are not are failures."""
    stale = Planted("01.9", "gone", lambda ns, right: 1, hint="x")
    report = run(tmp_path, WrongAnswers([stale], other_seed={"01.8": lambda ns, right: 1}))
    assert [
        "01.9: 'gone' is planted, and there is no such",
        "01.8: it is in OTHER_SEED, and there is no such exercise",
    ] == report.failures


def test_a_planted_answer_that_cannot_be_made_is_noticed(tmp_path: Path) -> None:
    """An error in the planted module is a failure with its message."""
    broken = Planted("01.3", "broken", lambda ns, right: ns["gone"], hint="x")
    failures = run(tmp_path, WrongAnswers([broken])).failures
    assert ["01.3: the planted 'broken' cannot be made: KeyError: 'gone'"] == failures


def test_an_accepted_mutant_needs_a_check_that_accepts_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A free parameter is accepted with a reason; a stale entry is a failure."""
    accepted = WrongAnswers(accepted={("01.3", "plus one"): "7 would do", ("01.3", "gone"): "?"})
    stale = "01.3: the mutant 'gone' is ACCEPTED, and is refused or not made now"
    refused = "01.3: the mutant 'plus one' is ACCEPTED, and is refused or not made now"
    assert sorted([stale, refused]) == sorted(run(tmp_path, accepted).failures)
    monkeypatch.setitem(Lesson.checks, "01.3", lambda a: Verdict("ok", "") if a in (6, 7) else
                        Verdict("not yet", ""))  # fmt: skip
    report = run(tmp_path, accepted)
    assert 1 == report.accepted
    assert stale in report.failures
    assert refused not in report.failures


def test_a_check_that_never_ran_is_noticed(tmp_path: Path) -> None:
    """A cell that raises ends the run; what it kept from running is named."""
    made = cells()
    made[5] = code("1 / 0")
    assert [
        "cell 6 raised ZeroDivisionError: division by zero",
        "01.3: its check was never run",
    ] == run(tmp_path, made=made).failures


def test_a_break_that_broke_nothing_is_noticed(tmp_path: Path) -> None:
    """A cell tagged raises-exception has to raise."""
    made = cells()
    made[5] = code("1 / 1", "raises-exception")
    assert (
        "cell 6 is tagged raises-exception and raised nothing" in run(tmp_path, made=made).failures
    )


def test_a_check_without_its_exercise_is_noticed(tmp_path: Path) -> None:
    """An answer that no exercise cell makes has no blank to try."""
    made = cells()
    made[6] = code("partitions = 6")
    failures = run(tmp_path, made=made).failures
    assert ["01.3: no exercise cell makes `partitions`"] == failures


def test_an_answer_of_unknown_kind_is_noticed(tmp_path: Path) -> None:
    """Where no mutant can be made, the harness asks for another seed's answer."""
    made = cells()
    made[6] = code("partitions = object()", "exercise")
    complaint = "01.3: no mutant is known of a object; plant OTHER_SEED"
    assert complaint in run(tmp_path, WrongAnswers(), made=made).failures


def test_the_source_of_a_function_is_known(tmp_path: Path) -> None:
    """`inspect.getsource` works on a cell's functions, as in a notebook."""
    made = [*cells(), code("import inspect\n\nassert 'Double' in inspect.getsource(twice)")]
    assert [] == run(tmp_path, made=made).failures


def test_double_means_twice() -> None:
    """The toy's own check tells a square from a double."""
    assert "ok" == double(lambda n: 2 * n).state
    assert "add, not square: 5 gave 25." in double(lambda n: n * n if n > 2 else 4).text
