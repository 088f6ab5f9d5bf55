"""A picture of groups that went through the same: who read what, one above the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from steamlab.charts import COLORS, template

__all__ = ["ComparisonView", "comparison_figure"]

_NOBODY = "#F6C7BC"
_INK = "#57606A"
_PARTITION_PX, _GAP_PX, _TOP_PX, _BOTTOM_PX = 17, 54, 104, 84
_MARK_LINES = 3  # words that would run into each other stand one above the other
_SHORTEST_S = 10.0
_BAR = 0.75  # of a row; plotly alone makes bars as thick as the rows of a trace lie apart


@dataclass(frozen=True)
class ComparisonView:
    """What is compared, all of it in seconds of one clock.

    `groups`: their names, from top to bottom. `members`: in the order they came. `stretches`:
    group, partition, member, begin, end. `unread`: group, partition, unread. `marks`: what
    happened, by group, as (second, words). `since`: from when on somebody should have read, by
    group; one that has not begun is absent. `now`: the right end.
    """

    groups: Sequence[str]
    partitions: Sequence[int]
    members: Sequence[str]
    stretches: pd.DataFrame
    unread: pd.DataFrame
    marks: Mapping[str, Sequence[tuple[float, str]]]
    since: Mapping[str, float]
    now: float


def comparison_figure(view: ComparisonView) -> go.Figure:
    """Draw the groups on one time axis; right of each, how long nobody read its partitions."""
    rows = len(view.groups)
    inner = len(view.partitions) * _PARTITION_PX
    height = rows * inner + (rows - 1) * _GAP_PX
    figure = make_subplots(
        rows=rows,
        cols=2,
        shared_xaxes=True,
        shared_yaxes=True,
        column_widths=[0.8, 0.2],
        horizontal_spacing=0.02,
        vertical_spacing=_GAP_PX / height if rows > 1 else 0,
    )
    for row, group in enumerate(view.groups, start=1):
        _add_group(figure, view, group, row)
    _lay_out(figure, view, height + _TOP_PX + _BOTTOM_PX)
    return figure


def _add_group(figure: go.Figure, view: ComparisonView, group: str, row: int) -> None:
    figure.add_trace(_nobody(view, group, is_first=row == 1), row=row, col=1)
    for at, member in enumerate(view.members):
        bars = _bars(view, group, member, COLORS[at % len(COLORS)], is_first=row == 1)
        figure.add_trace(bars, row=row, col=1)
    figure.add_trace(_unread(view, group), row=row, col=2)
    for second, _ in view.marks.get(group, ()):
        figure.add_vline(second, line={"width": 1, "dash": "dot", "color": _INK}, row=row, col=1)


def _nobody(view: ComparisonView, group: str, *, is_first: bool) -> go.Bar:
    """What lies behind the stretches, and shows where there is none."""
    begin = min(view.since.get(group, view.now), view.now)
    return go.Bar(
        orientation="h",
        width=_BAR,
        name="nobody reads",
        legendgroup="nobody",
        showlegend=is_first,
        base=[round(begin, 2)] * len(view.partitions),
        x=[round(view.now - begin, 2)] * len(view.partitions),
        y=list(view.partitions),
        marker={"color": _NOBODY, "cornerradius": 0},
        hovertemplate="partition %{y}<extra>nobody reads</extra>",
    )


def _bars(view: ComparisonView, group: str, member: str, color: str, *, is_first: bool) -> go.Bar:
    frame = view.stretches
    mine = frame[(frame["group"] == group) & (frame["member"] == member)]
    return go.Bar(
        orientation="h",
        width=_BAR,
        name=member,
        legendgroup=member,
        showlegend=is_first,
        base=mine["begin"].round(2).to_list(),
        x=(mine["end"] - mine["begin"]).round(2).to_list(),
        y=mine["partition"].to_list(),
        marker={"color": color, "cornerradius": 0},
        hovertemplate="partition %{y}, %{base} s to %{x} s<extra>%{fullData.name}</extra>",
    )


def _unread(view: ComparisonView, group: str) -> go.Bar:
    mine = view.unread[view.unread["group"] == group]
    return go.Bar(
        orientation="h",
        width=_BAR,
        name="unread",
        showlegend=False,
        x=mine["unread"].round(2).to_list(),
        y=mine["partition"].to_list(),
        text=[f"{seconds:.1f} s" for seconds in mine["unread"]],
        textposition="outside",
        textfont={"size": 11},
        cliponaxis=False,
        marker={"color": _NOBODY, "cornerradius": 0},
        hovertemplate="partition %{y}: nobody read it for %{x} s<extra></extra>",
    )


def _lay_out(figure: go.Figure, view: ComparisonView, height: int) -> None:
    count = len(view.partitions)
    figure.update_yaxes(range=[count - 0.4, -0.6], showgrid=False, ticks="", dtick=1)
    figure.update_yaxes(title="partition", col=1)
    marks = [mark for each in view.marks.values() for mark in each]
    first = min((second for second, _ in marks), default=view.now)
    begin = round(max(0.0, first - 0.5), 2)
    figure.update_xaxes(range=[begin, max(begin + _SHORTEST_S, view.now)], col=1)
    most = float(view.unread["unread"].max()) if len(view.unread) else 0.0
    figure.update_xaxes(range=[0, max(1.0, 1.5 * most)], nticks=4, col=2)
    rows = len(view.groups)
    figure.update_xaxes(title="seconds", row=rows, col=1)
    figure.update_xaxes(title="unread in all (seconds)", row=rows, col=2)
    for row, group in enumerate(view.groups, start=1):
        _title(figure, group, row)
    for at, (second, words) in enumerate(view.marks.get(view.groups[0], ())):
        _label(figure, second, words, 14 * (at % _MARK_LINES))
    figure.update_layout(
        template=template,
        autosize=True,
        barmode="overlay",
        height=height,
        margin={"t": _TOP_PX, "b": _BOTTOM_PX},
        legend={"orientation": "h", "y": 0, "yref": "container", "yanchor": "bottom", "x": 0},
    )


def _title(figure: go.Figure, group: str, row: int) -> None:
    """Name a group above its rows, at the left; the words of the marks stand higher."""
    axis = figure.get_subplot(row, 1).yaxis.plotly_name.replace("axis", "")
    _annotate(figure, x=0, xref="paper", y=1, yref=f"{axis} domain", text=group, size=14)


def _label(figure: go.Figure, second: float, words: str, up: int) -> None:
    _annotate(figure, x=second, xref="x", y=1, yref="paper", text=words, size=11, yshift=22 + up)


def _annotate(figure: go.Figure, *, size: int, **more: Any) -> None:
    font = {"size": size, "color": _INK}
    figure.add_annotation(showarrow=False, xanchor="left", yanchor="bottom", font=font, **more)
