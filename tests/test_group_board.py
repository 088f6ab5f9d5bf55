"""What the group board draws, from views made by hand."""

from __future__ import annotations

from typing import Any

import pandas as pd
import plotly.graph_objects as go

from steamlab.drawing.board import BoardView, board_figure
from steamlab.drawing.moving import MovingFigure
from steamlab.drawing.screen import trees

PLACES = [("05.views", 0), ("05.views", 1)]


def view(**more: Any) -> BoardView:
    """A group of two members, the first of which was killed; `more` replaces parts."""
    lag = pd.DataFrame(
        {
            "topic": ["05.views", "05.views"],
            "partition": [0, 1],
            "committed": pd.array([4, None], dtype="Int64"),
            "end": [10, 7],
            "lag": [6, 7],
        }
    )
    stretches = pd.DataFrame(
        [("05.views", 0, "A", 1.0, 3.0), ("05.views", 1, "B", 2.0, 5.0)],
        columns=["topic", "partition", "member", "begin", "end"],
    )
    parts: dict[str, Any] = {
        "places": PLACES,
        "members": ["A", "B"],
        "holds": {"B": frozenset(PLACES)},
        "lag": lag,
        "stretches": stretches,
        "marks": [(1.0, "A starts"), (3.0, "A killed")],
        "since": 1.0,
        "now": 5.0,
    }
    return BoardView(**parts | more)


def trace(figure: go.Figure, name: str, kind: str) -> Any:
    """The trace of that name and type."""
    return next(each for each in figure.data if (each.name, each.type) == (name, kind))


def test_who_has_what_comes_from_the_broker() -> None:
    """Squares stand at the partitions that the broker gave a member; a dead one has none."""
    figure = board_figure(view())
    assert ["partition 0", "partition 1"] == list(trace(figure, "B", "scatter").y)
    assert [] == list(trace(figure, "A", "scatter").y)


def test_lag_is_drawn_with_its_offsets() -> None:
    """Bars are as long as the lag, offsets beside it; what was never committed counts from 0."""
    bar = trace(board_figure(view()), "lag", "bar")
    assert ([6, 7], ["6 · at 4", "7 · at 0"]) == (list(bar.x), list(bar.text))
    assert ["4 of 10", "0 of 7"] == list(bar.customdata)


def test_nobody_reads_is_what_shows_between_the_stretches() -> None:
    """Behind the stretches lies one bar from the first reading until now, in each lane."""
    figure = board_figure(view())
    nobody, a = trace(figure, "nobody reads", "bar"), trace(figure, "A", "bar")
    assert ([1.0, 1.0], [4.0, 4.0]) == (list(nobody.base), list(nobody.x))
    assert ([1.0], [2.0], ["partition 0"]) == (list(a.base), list(a.x), list(a.y))
    names = [each.name for each in figure.data]
    assert names.index("nobody reads") < names.index("A")
    assert "overlay" == figure.layout.barmode


def test_the_first_partition_is_on_top() -> None:
    """The lanes stand in order, 0 on top, also while no bar is there yet."""
    axis = board_figure(view(stretches=view().stretches[:0], since=None)).layout.yaxis
    assert ("partition 0", "partition 1") == axis.categoryarray
    assert axis.range[0] > axis.range[1]


def test_several_topics_have_their_names_in_the_lanes() -> None:
    """With two topics a lane says which topic it belongs to."""
    places = [("05.store.game-views", 0), ("05.store.purchases", 0)]
    figure = board_figure(view(places=places, holds={}, stretches=view().stretches[:0]))
    assert ("game-views 0", "purchases 0") == figure.layout.yaxis.categoryarray


def test_only_the_last_minute_is_shown() -> None:
    """Marks before the shown minute are left out, the axis ends with now."""
    figure = board_figure(view(now=200.0, marks=[(1.0, "A starts"), (150.0, "A killed")]))
    words = [each.text for each in figure.layout.annotations]
    assert "A killed" in words
    assert "A starts" not in words
    assert (140.0, 200.5) == figure.layout.xaxis3.range


def test_the_board_turns_into_the_next_picture() -> None:
    """Members that come bring traces; the same widget takes them. Other axes take a new one."""
    empty = view(members=[], holds={}, stretches=view().stretches[:0], marks=[])
    shown = MovingFigure(*trees(board_figure(empty)))
    assert shown.turn_into(*trees(board_figure(view())))
    assert len(board_figure(view()).data) == len(shown.data)
    assert not shown.turn_into(*trees(go.Figure()))
