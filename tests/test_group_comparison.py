"""Groups that go through the same, one above the other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd
import pytest

from steamlab import Lesson
from steamlab.drawing.comparison import ComparisonView, comparison_figure
from steamlab.errors import DeadlineError
from steamlab.group_comparison import GroupComparison

ROWS = [
    ("eager", 0, "A", 1.0, 4.0),
    ("eager", 0, "B", 5.0, 9.0),
    ("eager", 1, "A", 1.0, 9.0),
    ("consumer", 0, "A", 2.0, 9.0),
    ("consumer", 1, "B", 2.0, 9.0),
]


@pytest.fixture
def view() -> ComparisonView:
    """Two groups of two members and two partitions; in one of them nobody reads for a second."""
    return ComparisonView(
        groups=["eager", "consumer"],
        partitions=[0, 1],
        members=["A", "B"],
        stretches=pd.DataFrame(ROWS, columns=["group", "partition", "member", "begin", "end"]),
        unread=pd.DataFrame(
            [("eager", 0, 1.0), ("eager", 1, 0.0), ("consumer", 0, 0.0), ("consumer", 1, 0.0)],
            columns=["group", "partition", "unread"],
        ),
        marks={"eager": [(0.8, "A starts"), (4.0, "A killed")], "consumer": [(1.8, "A starts")]},
        since={"eager": 1.0, "consumer": 2.0},
        now=9.0,
    )


def _bars(figure: Any, name: str) -> list[tuple[str, list[float], list[float], list[int]]]:
    found = [each for each in figure.data if each.name == name]
    return [(each.xaxis, list(each.base), list(each.x), list(each.y)) for each in found]


def test_each_group_has_its_rows_on_one_time_axis(view: ComparisonView) -> None:
    """A member's stretches are bars from begin to end; both groups show the same seconds."""
    figure = comparison_figure(view)
    assert [
        ("x", [1.0, 1.0], [3.0, 8.0], [0, 1]),
        ("x3", [2.0], [7.0], [0]),
    ] == _bars(figure, "A")
    assert "x3" == figure.layout.xaxis.matches
    assert (0.3, 10.3) == figure.layout.xaxis.range == figure.layout.xaxis3.range


def test_what_nobody_reads_lies_behind_from_the_first_poll_on(view: ComparisonView) -> None:
    """Before a group's first poll nothing is missing yet; after it, what shows is unread."""
    assert [
        ("x", [1.0, 1.0], [8.0, 8.0], [0, 1]),
        ("x3", [2.0, 2.0], [7.0, 7.0], [0, 1]),
    ] == _bars(comparison_figure(view), "nobody reads")


def test_the_unread_seconds_stand_beside_each_partition(view: ComparisonView) -> None:
    """The figures are in the picture, not only its lengths."""
    texts = [list(each.text) for each in comparison_figure(view).data if each.name == "unread"]
    assert [["1.0 s", "0.0 s"], ["0.0 s", "0.0 s"]] == texts


def test_all_bars_are_equally_thick(view: ComparisonView) -> None:
    """A member of rows 0 and 5 only must not cover the rows between."""
    assert {0.75} == {each.width for each in comparison_figure(view).data}


def test_a_legend_names_each_member_once(view: ComparisonView) -> None:
    """Colours are the same in all groups, so one entry each is enough."""
    shown = [each.name for each in comparison_figure(view).data if each.showlegend]
    assert ["nobody reads", "A", "B"] == shown
    colors = {each.name: each.marker.color for each in comparison_figure(view).data}
    assert colors["A"] != colors["B"]


def test_words_tell_what_happened_in_the_first_group(view: ComparisonView) -> None:
    """Groups are named, and each has its own lines; the words are written once."""
    figure = comparison_figure(view)
    assert {"eager", "consumer", "A starts", "A killed"} == {
        each.text for each in figure.layout.annotations
    }
    assert 3 == len(figure.layout.shapes)


@pytest.fixture
def lesson(kafka: dict[str, Any]) -> Iterator[Lesson]:
    """A lesson of its own, closed afterwards with all its members."""
    lesson = Lesson("96")
    yield lesson
    lesson.close()


def _follow(me: Any, group: str, topic: str) -> None:
    from confluent_kafka import Consumer

    config = {"group.id": group, "session.timeout.ms": 3000, "heartbeat.interval.ms": 500}
    with Consumer(me.kafka | config) as consumer:
        consumer.subscribe([topic], on_assign=me.assigned, on_revoke=me.revoked, on_lost=me.lost)
        while me.stays():
            me.saw(consumer.consume(100, timeout=0.1))


def _follow_silently(me: Any, group: str, topic: str) -> None:
    from confluent_kafka import Consumer

    with Consumer(me.kafka | {"group.id": group}) as consumer:
        consumer.subscribe([topic])
        while me.stays():
            consumer.consume(100, timeout=0.1)


@pytest.mark.broker
def test_two_groups_with_members_of_the_same_name(lesson: Lesson) -> None:
    """A name belongs to its group: both have an A, and one that comes again replaces its own."""
    topic = lesson.topic("two", partitions=2)
    groups = {"left": lesson.group("left"), "right": lesson.group("right")}
    race = lesson.group_comparison(groups, topic)
    for group in groups.values():
        lesson.start("A", _follow, group, topic)
    race.settle()
    lesson.start("A", _follow, groups["left"], topic)
    race.settle().stop()
    assert ["left", "running", "running"] == [each.state for each in lesson.members]
    told = race.events.groupby("group")["what"].apply(list).to_dict()
    assert {"left": ["assigned", "revoked", "assigned"], "right": ["assigned"]} == told
    assert {"left", "right"} == set(race.timeline["group"])
    assert 0 < race.unread().set_index("group")["unread"]["left"].min()


@pytest.mark.broker
def test_what_happens_after_the_stop_is_not_looked_at(lesson: Lesson) -> None:
    """The picture and its figures stay as they were when it ended."""
    topic = lesson.topic("still", partitions=2)
    race = lesson.group_comparison({"one": lesson.group("still")}, topic)
    lesson.start("A", _follow, lesson.group("still"), topic)
    race.settle().stop()
    before, end = race.timeline, race.now()
    lesson.members[-1].leave()
    assert end == race.now()
    pd.testing.assert_frame_equal(before, race.timeline)


@pytest.mark.broker
def test_it_does_not_settle_on_members_that_say_nothing(lesson: Lesson) -> None:
    """`settle` believes the journals, so it must not be satisfied by empty ones."""
    topic = lesson.topic("silent", partitions=2)
    race: GroupComparison = lesson.group_comparison({"one": lesson.group("silent")}, topic)
    lesson.start("A", _follow_silently, lesson.group("silent"), topic)
    with pytest.raises(DeadlineError, match="have \\[0\\]"):
        race.settle(timeout=1)
