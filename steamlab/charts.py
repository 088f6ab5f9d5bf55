"""The course's look, and its few static figures: plain data in, a plotly figure out."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import plotly.io as pio
from plotly.io.base_renderers import MimetypeRenderer

from steamlab.escape import escape_tree

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
_MANY_KEYS = len(COLORS)


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
        | {"yanchor": "top", "font": {"size": 16}},
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
    title: str = "",
    x_title: str | None = None,
    y_title: str | None = None,
    height: int = 340,
) -> go.Figure:
    """Draw one bar a row: `x` names it, `y` is its length. Axes say the columns' names."""
    figure = go.Figure(
        go.Bar(
            x=df[x],
            y=df[y],
            text=df[y] if len(df) <= 12 else None,
            textposition="outside",
            cliponaxis=False,
            hovertemplate="%{x}: %{y}<extra></extra>",
        )
    )
    figure.update_xaxes(type="category", title_text=x if x_title is None else x_title)
    figure.update_yaxes(rangemode="tozero", title_text=y if y_title is None else y_title)
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
                mode="lines+markers" if len(group) <= 30 else "lines",
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
    figure.update_layout(
        barmode="overlay",
        bargap=0.3,
        showlegend=len(found) <= _MANY_KEYS,
        legend={"title": {"text": key}, "traceorder": "normal"},
        uniformtext={"minsize": 9, "mode": "hide"},
    )
    figure.update_xaxes(
        title_text="offset (oldest to newest)", showgrid=False, rangemode="nonnegative"
    )
    if not df.empty and int(df["offset"].max()) < 30:
        figure.update_xaxes(dtick=1 if int(df["offset"].max()) < 16 else 2)
    figure.update_yaxes(
        range=[rows - 0.4, -0.6],
        tickvals=list(range(rows)),
        ticktext=[f"partition {number}" for number in range(rows)],
        showgrid=False,
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
