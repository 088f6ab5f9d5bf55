"""Print the shape of every notebook, and what breaks the rules of a lesson.

    python tools/lint_notebooks.py [NOTEBOOK ...]      (default: all, solutions and learner's forms)

Exits 1 if anything breaks a rule. The rules are in rules_of_form.py and rules_of_cells.py.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import rules_of_cells
import rules_of_form
from book import Book, Problem, Shape
from lessons import ROOT, learners, solutions

__all__ = ["RULES", "lint", "main"]

RULES = (*rules_of_form.RULES, *rules_of_cells.RULES)


def lint(book: Book) -> list[Problem]:
    """Return everything in a notebook that breaks a rule, from top to bottom."""
    problems = {problem for rule in RULES for problem in rule(book)}
    return sorted(problems, key=lambda problem: (problem.cell, problem.text))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 1 if a notebook breaks a rule."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("notebooks", nargs="*", type=Path, help="default: all, both forms")
    found = 0
    for path in parser.parse_args(arguments).notebooks or [*solutions(), *learners()]:
        book = Book(path)
        print(f"{_short(path)}: {Shape.of(book)}")
        for problem in lint(book):
            place = f"cell {problem.cell}: " if problem.cell else ""
            print(f"  {place}{problem.text}")
            found += 1
    if found:
        print(
            f"{found} problem{'s' * (found > 1)}. Edit notebooks/solutions/, then run `make sync`."
        )
    return 1 if found else 0


def _short(path: Path) -> Path:
    return path.relative_to(ROOT) if path.is_relative_to(ROOT) else path


if __name__ == "__main__":
    sys.exit(main())
