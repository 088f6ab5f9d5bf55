"""The closing line of a run counts what the checks were tried with."""

from __future__ import annotations

from types import SimpleNamespace

from exercise_counts import line


def test_reports_are_added_up_whatever_their_outcome() -> None:
    """Two lessons' counts are one line; other reports and other properties are left out."""
    first = [("checks solutions", 2), ("checks blanks", 2), ("checks planted", 5)]
    second = [("checks solutions", 1), ("checks refused", 9), ("seconds", 3), ("checks equal", 1)]
    reports = {
        "passed": [SimpleNamespace(user_properties=first), SimpleNamespace()],
        "failed": [SimpleNamespace(user_properties=second)],
    }
    assert (
        "checks: 3 solutions ok, 2 blanks todo, 5 planted answers hinted, 9 mutants refused "
        "(1 equal to the solution, 0 accepted with a reason)"
    ) == line(reports)


def test_without_exercises_there_is_no_line() -> None:
    """A run that judged no lesson says nothing about checks."""
    assert "" == line({"passed": [SimpleNamespace(user_properties=[("seconds", 3)])]})
