"""What a live chart shows in a notebook: the figure, a status line, a stop button."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

import ipywidgets
import plotly.graph_objects as go
from IPython import get_ipython
from IPython.display import display

from steamlab.charts import mime_bundle
from steamlab.drawing.escape import escape, escape_tree
from steamlab.drawing.moving import MovingFigure
from steamlab.drawing.ownership import execution

__all__ = ["Mood", "Screen", "trees"]

Mood = Literal["waits", "moves", "away", "done", "failed"]
Tree = Mapping[str, Any]

_PLAIN = "(live chart)"
_COLORS: dict[Mood, str] = {
    "waits": "#8C959F",
    "moves": "#009E73",
    "away": "#E69F00",
    "done": "#57606A",
    "failed": "#D55E00",
}
_LINE = (
    '<div role="status" style="display:flex;align-items:center;gap:8px;line-height:1.4;'
    'font-size:13px;color:var(--jp-ui-font-color1,#24292f)">'
    '<span style="flex:none;width:9px;height:9px;border-radius:50%;background:{color}"></span>'
    "<span>{text}</span></div>"
)


class Screen:
    """A box in the output of the cell that runs now; it may be changed from any thread."""

    def __init__(
        self, on_stop: Callable[[], object], height: int, first: go.Figure | None = None
    ) -> None:
        self._cell, self._run = execution()
        # Shown empty at once: the page loads plotly, 5 MB, while the first events are on their way.
        hidden = {"visible": False}
        layout = {"height": height, "autosize": True, "xaxis": hidden, "yaxis": hidden}
        self._figure = MovingFigure(*(([], layout) if first is None else trees(first)))
        self._last: tuple[list[dict[str, Any]], dict[str, Any]] | None = None
        self._frozen: dict[str, Any] | None = None
        self._slot = ipywidgets.VBox([self._figure])
        self._line = ipywidgets.HTML(layout={"flex": "1 1 auto", "margin": "0"})
        self._stop = ipywidgets.Button(
            description="Stop",
            icon="stop",
            tooltip="Stop reading. The chart stays as it is.",
            layout={"width": "84px", "flex": "0 0 auto", "margin": "0"},
        )
        self._stop.on_click(lambda _: on_stop())
        # ipykernel answers a widget where it was made, in the main thread, which waits while a
        # cell runs. Without this note the front end's own thread for widgets hears the click.
        vars(self._stop.comm).pop("_reply_subshell_id", None)
        self._bar = ipywidgets.HBox(
            [self._line, self._stop],
            layout={"align_items": "center", "padding": "6px 10px 8px 18px", "min_height": "46px"},
        )
        self._box = ipywidgets.VBox(
            [self._slot, self._bar], layout={"border": "1px solid #D0D7DE", "margin": "4px 0"}
        )
        bundle = {**self._box._repr_mimebundle_(), "text/plain": _PLAIN}
        self._handle = display(bundle, raw=True, display_id=True)

    @classmethod
    def open(
        cls, on_stop: Callable[[], object], height: int, first: go.Figure | None = None
    ) -> Screen | None:
        """Show a screen, with a first figure; return None where there is no notebook for it."""
        shell = get_ipython()
        return None if getattr(shell, "kernel", None) is None else cls(on_stop, height, first)

    def draw(self, traces: list[dict[str, Any]], layout: dict[str, Any]) -> None:
        """Show a figure, given as escaped trees of its traces and its layout."""
        self._last = traces, layout
        if not self._figure.turn_into(traces, layout):
            before, self._figure = self._figure, MovingFigure(traces, layout)
            self._slot.children = [self._figure]
            _close(before)

    def say(self, mood: Mood, text: str) -> None:
        """Show a status line. The text is escaped here."""
        self._line.value = _LINE.format(color=_COLORS[mood], text=escape(text))

    def freeze(self) -> None:
        """Replace the widgets by an ordinary output, which is saved with the notebook."""
        self._stop.disabled = True
        self._stop.layout.display = "none"
        if self._last is None:
            self._frozen = {"text/html": self._line.value, "text/plain": _PLAIN}
        else:
            traces, layout = self._last
            # Escaped already: a Figure only turns the arrays into compact JSON.
            figure = go.Figure(data=traces, layout=layout, skip_invalid=True).to_dict()
            self._frozen = mime_bundle(figure, escaped=True) | {"text/plain": _PLAIN}
        self._update()

    def freeze_again(self) -> None:
        """Freeze once more from a later cell, for front ends that missed it the first time.

        nbclient only records what comes while a cell runs, as messages of that very cell.
        """
        _, run = execution()
        if self._frozen is not None and self._cell is None and run not in (None, self._run):
            self._run = run
            self._update()

    def close(self) -> None:
        """Take the widgets away, once the cell's output is gone.

        Boxes first: a box whose child is closed cannot tell its state, and then a page that
        is loaded again gets no widget at all.
        """
        for widget in (self._box, self._bar, self._slot, self._line, self._stop, self._figure):
            _close(widget)

    def _update(self) -> None:
        self._handle.update(self._frozen, raw=True)


def trees(
    figure: go.Figure, strings: Iterable[str] = ()
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return a figure's traces and its layout as `Screen.draw` takes them, escaped.

    `strings`: further ones from events; see `escape_tree`.
    """
    strings = set(strings)
    traces = [escape_tree(each.to_plotly_json(), strings) for each in figure.data]
    return traces, escape_tree(figure.layout.to_plotly_json(), strings)


def _close(widget: ipywidgets.Widget) -> None:
    """Voila's page opens after the kernel has run, and needs every widget to be there."""
    if os.environ.get("SERVER_SOFTWARE", "").startswith("voila"):
        return
    parts = [getattr(widget, name, None) for name in ("layout", "style")]
    widget.close()
    for part in parts:
        if isinstance(part, ipywidgets.Widget):
            part.close()
