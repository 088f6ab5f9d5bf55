"""Mutants are wrong answers, made from right ones of any kind."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest
import toys  # noqa: F401 - finds the tools
from changes import changes, same
from confluent_kafka.admin import NewTopic
from mutants import Recorder, mutants


@dataclass(frozen=True)
class Bound:
    """A small answer of the learner's own type."""

    count: int
    which: str


class Choice:
    """As much of a prediction as the mutants see."""

    def __init__(self, number: str, question: str, options: tuple[str, ...]) -> None:
        self.number, self.question, self.options = number, question, options
        self.value: str | None = None

    def choose(self, option: str) -> Choice:
        """Choose an option."""
        self.value = option
        return self


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (True, {"flipped": False}),
        (6, {"plus one": 7, "minus one": 5, "empty": 0, "constant": 7}),
        (0, {"plus one": 1, "minus one": -1, "constant": 7}),
        (2.0, {"plus one": 3.0, "times 1.01": 2.02, "empty": 0.0, "constant": 7.0}),
        (np.int64(6), {"plus one": 7, "minus one": 5, "empty": 0, "constant": 7}),
        ("all", {"changed": "allx", "empty": "", "constant": "constant"}),
        ("604800000", {"changed": "604800001", "empty": "", "constant": "constant"}),
        (b"a", {"changed": b"ax", "empty": b"", "constant": b"constant"}),
        ([], {}),
        (
            [1, 2],
            {
                "empty": [],
                "constant": [1, 1],
                "drop one": [1],
                "add one": [1, 2, 3],
                "change one": [2, 2],
            },
        ),
        (
            {1},
            {"empty": set(), "drop one": set(), "add one": {1, 2}, "change one": {2}},
        ),
        (
            (3, "a"),
            {
                "drop one": (3,),
                "item 1 plus one": (4, "a"),
                "item 1 minus one": (2, "a"),
                "item 1 empty": (0, "a"),
                "item 1 constant": (7, "a"),
                "item 2 changed": (3, "ax"),
                "item 2 empty": (3, ""),
                "item 2 constant": (3, "constant"),
            },
        ),
        (
            {"acks": "all", "linger.ms": 5},
            {
                "empty": {},
                "without acks": {"linger.ms": 5},
                "other acks": {"acks": "allx", "linger.ms": 5},
                "without linger.ms": {"acks": "all"},
                "other linger.ms": {"acks": "all", "linger.ms": 6},
            },
        ),
        (
            {0: 5, 1: 6, 2: 7},
            {
                "empty": {},
                "without the first": {1: 6, 2: 7},
                "other the first": {0: 6, 1: 6, 2: 7},
                "without the last": {0: 5, 1: 6},
                "other the last": {0: 5, 1: 6, 2: 8},
                "add one": {0: 5, 1: 6, 2: 7, 3: 7},
                "constant": {0: 5, 1: 5, 2: 5},
            },
        ),
        (
            Bound(1, "a"),
            {
                "count plus one": Bound(2, "a"),
                "count minus one": Bound(0, "a"),
                "count empty": Bound(0, "a"),
                "count constant": Bound(7, "a"),
                "which changed": Bound(1, "ax"),
                "which empty": Bound(1, ""),
                "which constant": Bound(1, "constant"),
            },
        ),
        (
            datetime.date(2025, 11, 17),
            {"plus one day": datetime.date(2025, 11, 18)},
        ),
        (
            np.array([1, 2]),
            {
                "empty": np.array([]),
                "constant": np.array([1, 1]),
                "drop one": np.array([1]),
                "add one": np.array([1, 2, 3]),
                "change one": np.array([2, 2]),
            },
        ),
        (object(), {}),
    ],
)
def test_what_a_value_becomes(value: Any, expected: dict[str, Any]) -> None:
    """Emptied, constant, one too many, one too few, one different; never the value itself."""
    found = dict(changes(value))
    assert list(expected) == list(found)
    for name, wanted in expected.items():
        assert list(wanted) == list(found[name]) if np.ndim(wanted) else wanted == found[name]


def test_what_a_table_becomes() -> None:
    """Rows go, come and change; each column is changed once."""
    frame = pd.DataFrame({"minute": ["20:00", "20:01"], "revenue": [1.0, 2.0]})
    found = {name: changed.to_numpy().tolist() for name, changed in changes(frame)}
    assert {
        "empty": [],
        "constant": [["20:00", 1.0], ["20:00", 1.0]],
        "drop one": [["20:00", 1.0]],
        "add one": [["20:00", 1.0], ["20:01", 2.0], ["20:01", 2.0]],
        "change one minute": [["20:00x", 1.0], ["20:01", 2.0]],
        "change one revenue": [["20:00", 2.0], ["20:01", 2.0]],
    } == found


def test_what_a_topic_becomes() -> None:
    """A NewTopic's name, partitions and settings are changed one at a time."""
    found = dict(changes(NewTopic("a", num_partitions=6, config={"retention.ms": "5"})))
    assert 7 == found["num_partitions plus one"].num_partitions
    assert {"retention.ms": "6"} == found["config other retention.ms"].config
    assert {} == found["config without retention.ms"].config
    assert "ax" == found["topic changed"].topic


def test_a_prediction_gets_every_other_choice() -> None:
    """Each option but the right one."""
    right = Choice("01.1", "How many?", ("6", "3", "1")).choose("3")
    assert ["choice 6", "choice 1"] == [mutant.name for mutant in mutants(right)]
    assert ["6", "1"] == [mutant.answer.value for mutant in mutants(right)]


def double(numbers: list[int], *, extra: int = 0) -> int:
    """Return twice the sum."""
    return 2 * sum(numbers) + extra


def made(function: Any, *calls: Any) -> dict[str, Any]:
    """Return a function's mutants, by name, after it was called as a check would."""
    recorder = Recorder(function)
    for arguments in calls:
        recorder.answer(arguments)
    return {mutant.name: mutant.answer for mutant in mutants(function, recorder.results)}


def test_a_functions_mutants_look_like_it_and_are_wrong() -> None:
    """Name and signature stay; what comes back does not."""
    found = made(double, [1, 2])
    assert [
        "remembers its first result",
        "returns nothing",
        "raises",
        "echoes numbers",
        "echoes extra",
        "result plus one",
        "result minus one",
        "result empty",
        "result constant",
    ] == list(found)
    assert [6, 6] == [found["remembers its first result"](n) for n in ([1, 2], [5])]
    assert found["returns nothing"]([1]) is None
    assert [1] == found["echoes numbers"]([1])
    assert 0 == found["echoes extra"]([1])
    assert 3 == found["result plus one"]([1])
    assert "double" == found["result plus one"].__name__
    assert not hasattr(found["raises"], "__wrapped__")
    with pytest.raises(RuntimeError):
        found["raises"]([1])


def test_generators_stay_generators() -> None:
    """A result that is consumed once is changed and handed on as an iterator."""

    def evens(until: int) -> Iterator[int]:
        yield from range(0, until, 2)

    found = made(evens, 6)
    assert [0, 2] == list(found["result drop one"](6))
    assert [[0, 2, 4], [0, 2, 4]] == [list(found["remembers its first result"](6)) for _ in "ab"]


def test_a_mutant_that_was_never_wrong_says_so() -> None:
    """A change that fits none of the results in its check leaves the function right."""
    recorder = Recorder(list)
    recorder.answer((1,))
    found = {mutant.name: mutant for mutant in mutants(list, recorder.results)}
    drop = found["result drop one"]
    assert not drop.is_right()
    assert [] == drop.answer(())
    assert drop.is_right()
    assert [] == drop.answer((1,))
    assert not drop.is_right()


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        (1, 1, True),
        (1, True, False),
        (1, 1.0, False),
        ([1, (2,)], [1, (2,)], True),
        ({"a": 1}, {"a": 2}, False),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, False),
        (np.array([1]), np.array([1]), True),
        (pd.DataFrame({"a": [1]}), pd.DataFrame({"a": [1]}), True),
        (pd.DataFrame({"a": [1]}), pd.DataFrame({"a": [2]}), False),
        ([pd.DataFrame({"a": [1]})], [pd.DataFrame({"a": [1]})], True),
        (NewTopic("a", 1), NewTopic("a", 1), True),
    ],
)
def test_same_means_type_and_content(one: Any, other: Any, equal: bool) -> None:
    """Whether a mutant is the right answer again is told for tables, too."""
    assert equal is same(one, other)
