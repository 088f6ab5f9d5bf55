"""The edges of the sixteen definitions, each worked by hand; and wrong variants told apart."""

from __future__ import annotations

import pytest

from steamlab.events import event_ms
from steamlab.metrics import METRICS
from tests.metric_cases import CASES, Case, expand
from tests.stream import found, tables


def failures(case: Case) -> list[str]:
    """Name what the metrics say other than the case expects."""
    until_ms = None if case.at is None else event_ms(f"2025-11-21T{case.at}Z")
    seen = found(
        tables(*case.events, until_ms=until_ms),
        only={short.split("|")[0] for short in case.expected},
        is_instant=case.at is not None,
    )
    wrong = []
    for short, fields in case.expected.items():
        record = seen.get(expand(short))
        shown = None if record is None else {name: record.get(name) for name in fields or {}}
        if fields != shown and not (fields is None and record is None):
            wrong.append(f"{short}: expected {fields}, saw {shown or record}")
    return wrong


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.fact)
def test_definition_at_its_edge(case: Case) -> None:
    """Each case says in its name what holds."""
    assert [] == failures(case)


def test_every_metric_has_cases() -> None:
    """Each metric of the table is expected in at least two cases."""
    named = [{short.split("|")[0] for short in case.expected} for case in CASES]
    assert [] == [each.name for each in METRICS if sum(each.name in names for names in named) < 2]
