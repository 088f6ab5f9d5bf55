"""A figure on the page turns into the next one, and a page that opens later sees the last."""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest

from steamlab.drawing.moving import MovingFigure

BAR = {"type": "bar", "name": "a", "x": ["p", "q"], "y": np.array([1, 2])}


def _shown(figure: go.FigureWidget) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """What a page is told that opens now."""
    state = figure.get_state()
    traces = [
        {name: value for name, value in trace.items() if name != "uid"}
        for trace in state["_widget_data"]
    ]
    layout = {name: value for name, value in state["_widget_layout"].items() if name != "template"}
    return traces, layout


def test_a_page_that_opens_later_sees_the_newest_data() -> None:
    """After a reload the chart must not fall back to what the widget was built with."""
    figure = MovingFigure([BAR], {"height": 300})
    figure.turn_into([BAR | {"y": np.array([5, 6])}], {"height": 300})
    assert [5, 6] == _shown(figure)[0][0]["y"]


def test_plotly_alone_would_show_the_first_data() -> None:
    """The reason for our own `get_state`: when this fails, plotly does it by itself."""
    figure = go.FigureWidget([BAR])
    figure.data[0].y = [5, 6]
    assert [1, 2] == list(_shown(figure)[0][0]["y"])


def test_titles_ranges_and_names_change_too() -> None:
    """The layout belongs to the picture; what the next one does not say is taken back."""
    before = {"title": {"text": "one"}, "xaxis": {"range": [0, 1], "dtick": 1}}
    figure = MovingFigure([BAR], before)
    after = {"title": {"text": "two"}, "xaxis": {"range": [0, 9]}}
    assert figure.turn_into([BAR | {"name": "b"}], after)
    traces, layout = _shown(figure)
    assert "b" == traces[0]["name"]
    assert {"title": {"text": "two"}, "xaxis": {"range": [0, 9]}} == layout


@pytest.mark.parametrize("counts", [(1, 3), (3, 1), (0, 2), (2, 0)])
def test_traces_come_and_go_in_the_same_widget(counts: tuple[int, int]) -> None:
    """A new widget would cost the page 5 MB each time that a new game appears."""
    first, second = ([BAR | {"name": f"{n}-{i}"} for i in range(n)] for n in counts)
    figure = MovingFigure(first, {})
    assert figure.turn_into(second, {})
    assert [trace["name"] for trace in second] == [each["name"] for each in _shown(figure)[0]]


def test_another_type_of_trace_takes_another_widget() -> None:
    """plotly cannot turn a bar into a line in place; nothing is changed then."""
    figure = MovingFigure([BAR], {})
    assert not figure.turn_into([{"type": "scatter", "x": [1], "y": [1]}], {})
    assert "bar" == _shown(figure)[0][0]["type"]


def test_only_what_differs_is_sent() -> None:
    """An unchanged picture costs the page nothing."""
    figure = MovingFigure([BAR], {"title": {"text": "same"}})
    sent: list[Any] = []
    figure.observe(lambda change: sent.append(change["new"]), names=["_py2js_update"])
    figure.turn_into([BAR | {"y": np.array([1, 2])}], {"title": {"text": "same"}})
    assert [] == [each for each in sent if each]
    figure.turn_into([BAR | {"y": np.array([1, 3])}], {"title": {"text": "same"}})
    assert [["y"]] == [list(each["style_data"]) for each in sent if each]


def test_what_a_page_reports_back_changes_nothing() -> None:
    """plotly would note a page's defaults in the figure, from another thread than the chart's."""
    figure = MovingFigure([BAR], {})
    uid = figure.data[0].uid
    figure._js2py_traceDeltas = {  # noqa: SLF001 - this is how a page reports
        "trace_edit_id": figure._last_trace_edit_id,  # noqa: SLF001
        "trace_deltas": [{"uid": uid, "name": "from the page"}],
    }
    assert "a" == figure.data[0].name


def test_the_share_button_is_off() -> None:
    """The course sends nothing anywhere."""
    assert MovingFigure([BAR], {}).get_state()["_config"]["showSendToCloud"] is False
