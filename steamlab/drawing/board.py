"""A picture of a consumer group: who has what, how far behind it is, who read what when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from steamlab.charts import COLORS, template

__all__ = ["BoardView", "board_figure"]

Place = tuple[str, int]
_NOBODY = "#F6C7BC"
_INK = "#57606A"
_ROW_PX, _FRAME_PX, _LEGEND_PX = 30, 170, 24
_SHOWN_S = 60.0
_MARK_LINES = 3  # words that would run into each other stand one above the other


@dataclass(frozen=True)
class BoardView:
    """What the board shows: the partitions, the members in the order they came, and the rest.

    `holds`: each member's partitions, as the broker says. `lag`: topic, partition, committed,
    end, lag. `stretches`: topic, partition, member, begin, end in seconds since the board
    opened. `marks`: what happened to members, as (second, words). `since`: from when on
    somebody should have read. `now`: seconds since the board opened.
    """

    places: Sequence[Place]
    members: Sequence[str]
    holds: Mapping[str, frozenset[Place]]
    lag: pd.DataFrame
    stretches: pd.DataFrame
    marks: Sequence[tuple[float, str]]
    since: float | None
    now: float


def board_figure(view: BoardView) -> go.Figure:
    """Draw a group: left its assignment, in the middle its lag, right the time axis."""
    figure = make_subplots(
        rows=1,
        cols=3,
        shared_yaxes=True,
        horizontal_spacing=0.03,
        column_widths=[0.2, 0.2, 0.6],
        subplot_titles=("who has it", "lag · committed offset", "who read it (seconds)"),
    )
    labels = dict(zip(view.places, _labels(view.places), strict=True))
    figure.add_trace(_rows(view, list(labels.values())), row=1, col=1)
    figure.add_trace(_nobody(view, list(labels.values())), row=1, col=3)
    figure.add_trace(_lag(view, labels), row=1, col=2)
    for at, name in enumerate(view.members):
        color = COLORS[at % len(COLORS)]
        figure.add_trace(_squares(view, name, labels, color), row=1, col=1)
        figure.add_trace(_stretches(view, name, labels, color), row=1, col=3)
    _lay_out(figure, view, list(labels.values()))
    return figure


def _labels(places: Sequence[Place]) -> list[str]:
    if len({topic for topic, _ in places}) == 1:
        return [f"partition {partition}" for _, partition in places]
    return [f"{topic.rpartition('.')[2]} {partition}" for topic, partition in places]


def _rows(view: BoardView, labels: list[str]) -> go.Scatter:
    """Nothing to be seen: an axis without a point would not name its partitions."""
    return go.Scatter(
        mode="markers",
        name="partitions",
        showlegend=False,
        x=[next(iter(view.members), " ")] * len(labels),
        y=labels,
        marker={"opacity": 0},
        hoverinfo="skip",
    )


def _nobody(view: BoardView, labels: list[str]) -> go.Bar:
    """What lies behind the stretches, and shows where there is none."""
    begin = view.now if view.since is None else view.since
    return go.Bar(
        orientation="h",
        name="nobody reads",
        base=[round(begin, 2)] * len(labels),
        x=[round(max(0.0, view.now - begin), 2)] * len(labels),
        y=labels,
        marker={"color": _NOBODY, "cornerradius": 0},
        hovertemplate="%{y}<extra>nobody reads</extra>",
    )


def _lag(view: BoardView, labels: Mapping[Place, str]) -> go.Bar:
    rows = view.lag.set_index(["topic", "partition"]).reindex(list(labels)).fillna(0).astype(int)
    offsets = [f"{row.committed:,} of {row.end:,}" for row in rows.itertuples()]
    return go.Bar(
        orientation="h",
        name="lag",
        showlegend=False,
        x=rows["lag"].to_list(),
        y=list(labels.values()),
        text=[f"{row.lag:,} · at {row.committed:,}" for row in rows.itertuples()],
        customdata=offsets,
        textposition="outside",
        cliponaxis=False,
        marker={"color": "#AFB8C1"},
        hovertemplate="%{y}: committed offset %{customdata}, lag %{x}<extra></extra>",
    )


def _squares(view: BoardView, name: str, labels: Mapping[Place, str], color: str) -> go.Scatter:
    mine = [labels[place] for place in sorted(view.holds.get(name, ())) if place in labels]
    return go.Scatter(
        mode="markers",
        name=name,
        showlegend=False,
        x=[name] * len(mine),
        y=mine,
        marker={"symbol": "square", "size": 17, "color": color},
        hovertemplate="%{y} is with %{x}<extra></extra>",
    )


def _stretches(view: BoardView, name: str, labels: Mapping[Place, str], color: str) -> go.Bar:
    mine = view.stretches[view.stretches["member"] == name]
    return go.Bar(
        orientation="h",
        name=name,
        base=mine["begin"].round(2).to_list(),
        x=(mine["end"] - mine["begin"]).round(2).to_list(),
        y=[labels[place] for place in zip(mine["topic"], mine["partition"], strict=True)],
        marker={"color": color, "cornerradius": 0},
        hovertemplate="%{y}, %{base} s to %{x} s<extra>%{fullData.name}</extra>",
    )


def _window(view: BoardView) -> tuple[float, float]:
    """The last minute, from when on something happened."""
    first = min((second for second, _ in view.marks), default=view.now)
    begin = max(0.0, first - 1, view.now - _SHOWN_S)
    return begin, max(begin + 10, view.now + 0.5)


def _lay_out(figure: go.Figure, view: BoardView, labels: list[str]) -> None:
    # Numbers above and below the rows: 0 on top, whatever the first bars are.
    figure.update_yaxes(
        categoryorder="array", categoryarray=labels, range=[len(labels) - 0.4, -0.6]
    )
    figure.update_yaxes(showgrid=False, ticks="")
    members = list(view.members) or [" "]
    figure.update_xaxes(
        type="category",
        categoryorder="array",
        categoryarray=members,
        range=[-0.6, len(members) - 0.4],
        tickvals=members,
        row=1,
        col=1,
    )
    most = int(view.lag["lag"].max()) if len(view.lag) else 0
    figure.update_xaxes(range=[0, max(10, 2.2 * most)], nticks=4, row=1, col=2)
    begin, end = _window(view)
    figure.update_xaxes(range=[begin, end], row=1, col=3)
    figure.update_layout(
        template=template,
        autosize=True,
        barmode="overlay",
        bargap=0.35,
        height=_FRAME_PX + _ROW_PX * max(3, len(labels)),
        margin={"t": 92, "b": 78},
        legend={
            "orientation": "h",
            "y": -_LEGEND_PX / (_ROW_PX * max(3, len(labels))),
            "yanchor": "top",
            "x": 1,
            "xanchor": "right",
        },
    )
    figure.update_annotations(font={"size": 13, "color": _INK}, yshift=46)
    _mark(figure, [mark for mark in view.marks if mark[0] >= begin])


def _mark(figure: go.Figure, marks: Sequence[tuple[float, str]]) -> None:
    """Draw lines with words on the time axis; all at once, for one by one plotly is slow."""
    figure.layout.shapes = [
        {
            "type": "line",
            "xref": "x3",
            "x0": second,
            "x1": second,
            "yref": "y3 domain",
            "y0": 0,
            "y1": 1,
            "line": {"width": 1, "dash": "dot", "color": _INK},
        }
        for second, _ in marks
    ]
    words = [
        {
            "x": second,
            "xref": "x3",
            "y": 1,
            "yref": "paper",
            "yshift": 14 * (at % _MARK_LINES),
            "text": text,
            "showarrow": False,
            "xanchor": "left",
            "yanchor": "bottom",
            "font": {"size": 11, "color": _INK},
        }
        for at, (second, text) in enumerate(_together(marks))
    ]
    figure.layout.annotations = [*figure.layout.annotations, *words]


def _together(marks: Sequence[tuple[float, str]]) -> list[tuple[float, str]]:
    """Say once what happened to several members within two seconds: `B, C, D start`."""
    runs: list[tuple[float, float, str, list[str]]] = []  # first, last, what, members
    for second, words in sorted(marks):
        member, _, what = words.partition(" ")
        if runs and runs[-1][2] == what and second - runs[-1][1] < 2:
            runs[-1] = (runs[-1][0], second, what, [*runs[-1][3], member])
        else:
            runs.append((second, second, what, [member]))
    return [
        (first, f"{', '.join(names)} {what if len(names) == 1 else what.removesuffix('s')}")
        for first, _, what, names in runs
    ]
