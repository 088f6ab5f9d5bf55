"""Negative controls of the kill test: three wrong workers, one death, and wrong numbers."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from typing import Any

import pytest

from steamlab.metrics import Record
from tests.killing import CRASH, differences, environment, published, running, true

pytestmark = pytest.mark.broker


def views(records: Mapping[str, Record | None]) -> int:
    """Add up the views of all days."""
    days = [each for key, each in records.items() if key.startswith("overall_conversion|2")]
    return sum(each["orders_per_view"]["denominator"] for each in days if each)


@pytest.mark.parametrize(
    ("number", "way", "sign"),
    [(83, "commit_automatically", -1), (84, "commit_after_producing", 1), (85, "forget", -1)],
)
def test_a_wrong_worker_is_found_out(
    kafka: dict[str, Any], number: int, way: str, sign: int
) -> None:
    """One death of its first stage, and views are lost or counted twice; records differ."""
    ours = environment(STEAMLAB_WRONG=way) | {CRASH: "first:output:3"}
    options: dict[str, Any] = {"environments": [ours], "module": "tests.wrong_worker"}
    with running(kafka, f"{number}.", **options) as scene:
        supervisor, codes = scene.supervisor("first"), []

        def has_died() -> bool:
            code = supervisor.processes["first"].poll()
            if code is not None:
                codes.append(code)
                ours.pop(CRASH)
            return code is not None

        scene.wait_until(has_died, "the death of the first stage")
        scene.feed.send(1000)
        scene.finish()
        assert ([-signal.SIGKILL], 2) == (codes, supervisor.starts["first"])
    want, found = true(kafka, scene.places), published(kafka, scene.places)
    assert differences(want, found)
    assert sign * views(found) > sign * views(want)
