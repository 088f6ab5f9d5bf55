"""The proof of lesson 02: what happens where nothing could be proven."""

from __future__ import annotations

from typing import Any, cast

import pytest

from steamlab.checks import Verdict, ok, proof


class _Quiet:
    """Stands in for a cluster where nothing is asked of it."""

    def __enter__(self) -> _Quiet:
        return self

    def __exit__(self, *error: object) -> None: ...


@pytest.mark.parametrize(
    ("verdicts", "said", "rounds"),
    [
        ([None, ok("proven")], "ok: proven", 2),
        ([ok("proven"), None], "ok: proven", 1),
        ([None, None], "not yet, because you proved none.", 2),
    ],
)
def test_a_kill_before_the_first_answer_is_tried_again_once(
    monkeypatch: pytest.MonkeyPatch, verdicts: list[Verdict | None], said: str, rounds: int
) -> None:
    """The second round counts; who proves nothing in both is told to send as events come."""
    left = list(verdicts)
    monkeypatch.setattr(proof, "Cluster", _Quiet)
    monkeypatch.setattr(proof, "_kill_and_compare", lambda *arguments: left.pop(0))
    anything = cast(Any, None)
    assert repr(proof.judge_with_a_kill(anything, anything)).startswith(said)
    assert rounds == len(verdicts) - len(left)


def test_an_order_has_one_fate() -> None:
    """Untrue, unknown, doubled and missing ids are named; two true sets pass."""
    held, sent = {"a", "b"}, {"a", "b", "c"}
    assert proof.judge_sets({"a", "b"}, {"c"}, held, sent) is None
    for stored, failed, hint in (
        ({"a", "c"}, {"b"}, "claim 1 orders"),
        ({"a"}, {"c"}, "1 of 3 orders are in neither set"),
        ({"a", "b"}, {"b", "c"}, "in both sets"),
        ({"a", "b"}, {"c", "d"}, "never an order"),
    ):
        assert hint in repr(proof.judge_sets(stored, failed, held, sent))
