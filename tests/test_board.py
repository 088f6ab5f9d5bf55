"""The picture of a group: what stands on it for a given state, without a broker."""

from __future__ import annotations

import pandas as pd

from steamlab.drawing.board import BoardView, board_figure
from steamlab.members.timeline import COLUMNS

PLACES = [("05.store.views", partition) for partition in range(2)]
LAG = pd.DataFrame([(*place, 1, 3, 2) for place in PLACES]).set_axis(
    ["topic", "partition", "committed", "end", "lag"], axis=1
)


def view(*marks: tuple[float, str], members: tuple[str, ...] = ()) -> BoardView:
    """A board at 60 s on which these things happened and nobody has anything."""
    nothing = pd.DataFrame(columns=list(COLUMNS))
    return BoardView(PLACES, members, {}, LAG, nothing, marks, since=None, now=60.0)


def test_partitions_are_named_before_anybody_joins() -> None:
    """The first axis has a point in each row, if an invisible one."""
    first = board_figure(view()).data[0]
    assert ("partition 0", "partition 1") == first.y
    assert 0 == first.marker.opacity


def test_what_happens_to_several_at_once_is_said_once() -> None:
    """Each has its line on the time axis; words that would cover each other are one."""
    marks = [(30.0, "A starts"), (31.0, "C starts"), (30.5, "B starts"), (31.5, "B killed")]
    layout = board_figure(view(*marks, (40.0, "B starts"), members=("A", "B", "C"))).layout
    said = [each.text for each in layout.annotations if each.xref == "x3"]
    assert ["A, B, C start", "B killed", "B starts"] == said
    assert 5 == len(layout.shapes)
