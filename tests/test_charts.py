"""The course's look, and figures that are drawn the same way every time."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pandas as pd
import plotly.express as px
import plotly.io as pio
import pytest

from steamlab import charts

VIEWS = pd.DataFrame({"game": ["Hades", "Portal 2"], "views": [3, 1]})
RECORDS = pd.DataFrame(
    {
        "partition": [0, 0, 2, 0],
        "offset": [4, 5, 0, 7],
        "key": ["ann", "bob", "ann", None],
    }
)


@pytest.fixture
def defaults() -> Iterator[None]:
    """Put plotly's defaults back afterwards."""
    template, renderer = pio.templates.default, pio.renderers.default
    yield
    pio.templates.default, pio.renderers.default = template, renderer


@pytest.mark.usefixtures("defaults")
def test_install_gives_every_figure_the_look_and_nothing_to_share() -> None:
    """A figure of plotly express gets our colours, and no button that sends it anywhere."""
    charts.install()
    figure = px.bar(VIEWS, x="game", y="views")
    bundle = pio.renderers["steamlab"].to_mimebundle(figure.to_dict())
    assert "#0072B2" == figure.data[0].marker.color
    assert {"displaylogo": False, "showSendToCloud": False} == bundle[charts.MIME]["config"]
    assert "steamlab" == pio.renderers.default
    assert {charts.MIME, "text/plain"} == bundle.keys(), "no second copy as HTML"


def test_an_output_is_escaped() -> None:
    """Whatever a learner plots from events is shown as text."""
    figure = charts.bars(pd.DataFrame({"game": ["<b>x</b>"], "n": [1]}), "game", "n")
    assert ["&lt;b>x&lt;/b>"] == charts.mime_bundle(figure.to_dict())[charts.MIME]["data"][0]["x"]


def test_figures_are_small_and_the_same_every_time() -> None:
    """A notebook keeps its figures: below 15 kB each, equal when drawn again."""
    many = pd.DataFrame(
        {"partition": 0, "offset": range(300), "key": [f"u{i}" for i in range(300)]}
    )
    for draw in (
        lambda: charts.bars(VIEWS, "game", "views"),
        lambda: charts.lines(VIEWS, "game", "views", color="game"),
        lambda: charts.partition_logs(RECORDS),
        lambda: charts.partition_logs(many.assign(key="one")),
    ):
        first, second = (json.dumps(charts.mime_bundle(draw().to_dict())) for _ in range(2))
        assert first == second
        assert 15_000 > len(first)


def test_bars_stand_or_lie_and_say_their_axes() -> None:
    """The names are categories in the given order; lying bars start on top."""
    standing = charts.bars(VIEWS, "game", "views", y_title="views per hour")
    lying = charts.bars(VIEWS, "game", "views", horizontal=True)
    assert ["Hades", "Portal 2"] == list(standing.data[0].x) == list(lying.data[0].y)
    assert [3, 1] == list(standing.data[0].y) == list(lying.data[0].x)
    assert ("game", "views per hour") == (
        standing.layout.xaxis.title.text,
        standing.layout.yaxis.title.text,
    )
    assert "reversed" == lying.layout.yaxis.autorange


def test_lines_are_one_a_group_in_sorted_order() -> None:
    """Colours stay with their group from run to run."""
    data = pd.DataFrame({"minute": [0, 0, 1], "n": [1, 2, 3], "source": ["b", "a", "b"]})
    figure = charts.lines(data, "minute", "n", color="source")
    assert [("a", [2]), ("b", [1, 3])] == [(each.name, list(each.y)) for each in figure.data]
    assert "source" == figure.layout.legend.title.text


def test_a_record_is_a_box_at_its_offset_in_its_partition() -> None:
    """Gaps stay gaps, keys have colours in sorted order, no key is grey."""
    figure = charts.partition_logs(RECORDS)
    boxes = [
        (trace.name, list(trace.y), [int(each) for each in trace.customdata])
        for trace in figure.data
    ]
    assert [("ann", [0, 2], [4, 0]), ("bob", [0], [5]), ("no key", [0], [7])] == boxes
    assert [3.54, -0.46] == list(figure.data[0].base)
    assert ("#0072B2", "#E69F00", "#D0D7DE") == tuple(each.marker.color for each in figure.data)


def test_an_empty_partition_has_its_lane() -> None:
    """What is not there must be seen not to be there."""
    lanes = charts.partition_logs(RECORDS).layout.yaxis.ticktext
    assert ("partition 0", "partition 1", "partition 2") == lanes
    assert 6 == len(charts.partition_logs(RECORDS, partitions=6).layout.yaxis.ticktext)
    empty = charts.partition_logs(RECORDS.iloc[:0], partitions=2)
    assert 2 == len(empty.layout.yaxis.ticktext)


def test_no_two_colours_are_the_same() -> None:
    """Eight series are told apart."""
    assert 8 == len(set(charts.COLORS))
