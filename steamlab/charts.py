"""The course's look, and its few static figures: plain data in, a plotly figure out."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import plotly.io as pio
from plotly.io.base_renderers import MimetypeRenderer

from steamlab.drawing.escape import escape_tree

__all__ = [
    "COLORS",
    "CONFIG",
    "MIME",
    "bars",
    "install",
    "lines",
    "mime_bundle",
    "partition_logs",
    "template",
]

MIME = "application/vnd.plotly.v1+json"
# No "Share chart..." button: the course sends nothing anywhere.
CONFIG: dict[str, Any] = {"displaylogo": False, "showSendToCloud": False}

# Okabe and Ito's palette, told apart with any colour vision; its yellow, faint on white, is last.
COLORS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#56B4E9", "#CC79A7", "#7F7F7F", "#F0E442")
_INK, _SOFT, _GRID = "#24292F", "#57606A", "#E7EAEE"
_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
_FEW = 8  # offsets are drawn at least, or a box looks like a bar
_WIDE = 24  # offsets beside each other whose boxes still hold a key
_MOST_NUMBERED = 12
_MOST_DOTTED = 30


def _axis(**more: Any) -> dict[str, Any]:
    return {
        "automargin": True,
        "gridcolor": _GRID,
        "linecolor": "#C9D1D9",
        "tickcolor": "#C9D1D9",
        "tickfont": {"size": 12, "color": _SOFT},
        "title": {"font": {"size": 13, "color": _SOFT}, "standoff": 10},
        "zeroline": False,
        **more,
    }


template = go.layout.Template(
    layout={
        "font": {"family": _FONT, "size": 13, "color": _INK},
        "title": {"x": 0, "xref": "container", "xanchor": "left", "pad": {"l": 18}, "y": 0.97}
        | {"yanchor": "top", "font": {"size": 16, "weight": 600}},
        "colorway": list(COLORS),
        "colorscale": {"sequential": "Cividis", "sequentialminus": "Cividis"},
        "paper_bgcolor": "white",
        "plot_bgcolor": "white",
        "margin": {"l": 56, "r": 24, "t": 56, "b": 48},
        "barcornerradius": 3,
        "bargap": 0.25,
        "hoverlabel": {"bgcolor": "white", "bordercolor": "#C9D1D9", "align": "left"}
        | {"font": {"family": _FONT, "size": 13, "color": _INK}},
        "legend": {"title": {"font": {"color": _SOFT}}, "font": {"size": 12}},
        "xaxis": _axis(showgrid=False, showline=True, ticks="outside", ticklen=4),
        "yaxis": _axis(showline=False),
    },
    data={"scatter": [{"line": {"width": 2.5}, "marker": {"size": 7}}]},
)


class _Renderer(MimetypeRenderer):  # type: ignore[misc]
    """Show a figure as JupyterLab's plotly mime type, strings escaped, nothing to share."""

    def to_mimebundle(self, fig_dict: dict[str, Any]) -> dict[str, Any]:
        return mime_bundle(fig_dict)


def install() -> None:
    """Make the course's look and renderer plotly's defaults, for `px` as well."""
    pio.templates["steamlab"] = template
    pio.templates.default = "steamlab"
    pio.renderers["steamlab"] = _Renderer()
    pio.renderers.default = "steamlab"


def mime_bundle(figure: dict[str, Any], *, escaped: bool = False) -> dict[str, Any]:
    """Return a figure's dictionary as a notebook output; escape what is not `escaped` yet."""
    shown = {**(figure if escaped else escape_tree(figure)), "config": CONFIG}
    return {
        MIME: json.loads(pio.to_json(shown, validate=False, remove_uids=False)),
        "text/plain": "(chart)",
    }


def bars(
    df: pd.DataFrame,
    x: str,
    y: str,
    *,
    horizontal: bool = False,
    title: str = "",
    x_title: str | None = None,
    y_title: str | None = None,
    height: int = 340,
) -> go.Figure:
    """Draw one bar a row: column `x` names it, column `y` is its length.

    Lay them `horizontal` where the names are long. The axes are called as the columns are,
    or by `x_title` and `y_title`: what is counted, with its unit.
    """
    names, lengths = ("y", "x") if horizontal else ("x", "y")
    figure = go.Figure(
        go.Bar(
            {names: df[x], lengths: df[y]},
            orientation="h" if horizontal else "v",
            text=df[y] if len(df) <= _MOST_NUMBERED else None,
            textposition="outside",
            cliponaxis=False,
            hovertemplate=f"%{{{names}}}: %{{{lengths}}}<extra></extra>",
        )
    )
    of_names = {"type": "category", "title_text": x if x_title is None else x_title}
    of_lengths = {"rangemode": "tozero", "title_text": y if y_title is None else y_title}
    if horizontal:  # the first row on top
        figure.update_yaxes(of_names, autorange="reversed", showgrid=False, ticklabelstandoff=6)
        figure.update_xaxes(of_lengths, showgrid=True, showline=False, ticks="")
    else:
        figure.update_xaxes(of_names).update_yaxes(of_lengths)
    return _finished(figure, title, height)


def lines(
    df: pd.DataFrame,
    x: str,
    y: str,
    *,
    color: str | None = None,
    title: str = "",
    x_title: str | None = None,
    y_title: str | None = None,
    height: int = 340,
) -> go.Figure:
    """Draw `y` over `x`, one line for each value of the column `color`, in sorted order."""
    groups = [((), df)] if color is None else list(df.groupby([color], sort=True))
    figure = go.Figure(
        [
            go.Scatter(
                x=group[x],
                y=group[y],
                name=str(name[0]) if name else None,
                mode="lines+markers" if len(group) <= _MOST_DOTTED else "lines",
                showlegend=color is not None,
            )
            for name, group in groups
        ]
    )
    figure.update_xaxes(title_text=x if x_title is None else x_title)
    figure.update_yaxes(rangemode="tozero", title_text=y if y_title is None else y_title)
    figure.update_layout(legend_title_text=color or "", hovermode="x unified")
    return _finished(figure, title, height)


def partition_logs(
    df: pd.DataFrame,
    *,
    key: str = "key",
    partitions: int | None = None,
    title: str = "",
    height: int | None = None,
) -> go.Figure:
    """Draw each partition as a log: one box a record at its offset, coloured by its key.

    Reads the columns partition, offset and the one named by `key`. `partitions` draws the
    empty ones too; it is counted from the records where it is not given.
    """
    rows = max([int(partitions or 0), *(df["partition"].astype(int) + 1)], default=0)
    names = df[key].map(lambda each: "no key" if pd.isna(each) else str(each))
    found = sorted(set(names) - {"no key"}) + (["no key"] if (names == "no key").any() else [])
    figure = go.Figure(
        [
            _boxes(
                df[names == name], name, "#D0D7DE" if name == "no key" else COLORS[i % len(COLORS)]
            )
            for i, name in enumerate(found)
        ]
    )
    first, last = (int(df["offset"].min()), int(df["offset"].max())) if len(df) else (0, 0)
    is_wide = last - first >= _WIDE  # the boxes are too narrow for their keys
    figure.update_layout(
        barmode="overlay",
        bargap=0.3,
        showlegend=is_wide and len(found) <= len(COLORS),
        legend={"title": {"text": key}, "traceorder": "normal"},
        uniformtext={"minsize": 9, "mode": "hide"},
    )
    figure.update_xaxes(
        title_text="offset (oldest to newest)",
        range=[first - 0.7, max(last, first + _FEW - 1) + 0.7],
        dtick=None if is_wide else 1,
    )
    figure.update_yaxes(
        range=[rows - 0.4, -0.6],
        tickvals=list(range(rows)),
        ticktext=[f"partition {number}" for number in range(rows)],
        ticklabelstandoff=8,
        showgrid=True,  # an empty partition has its lane too
    )
    return _finished(figure, title, height or 130 + 44 * max(rows, 1))


def _boxes(df: pd.DataFrame, name: str, color: str) -> go.Bar:
    offsets = df["offset"].to_numpy(np.int64)
    return go.Bar(
        orientation="h",
        name=name,
        base=offsets - 0.46,
        x=np.full(len(df), 0.92),
        y=df["partition"].to_numpy(np.int64),
        customdata=offsets,
        text=[name] * len(df),
        textposition="inside",
        insidetextanchor="middle",
        textangle=0,
        marker={"color": color},
        hovertemplate="partition %{y}, offset %{customdata}: %{text}<extra></extra>",
    )


def _finished(figure: go.Figure, title: str, height: int) -> go.Figure:
    figure.update_layout(template=template, title_text=title or None, height=height)
    if not title:
        figure.update_layout(margin_t=24)
    return figure
