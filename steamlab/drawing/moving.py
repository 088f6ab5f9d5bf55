"""A FigureWidget that takes whole new figures and keeps them over a page reload."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from steamlab.charts import CONFIG

__all__ = ["MovingFigure"]

Tree = Mapping[str, Any]
_FURTHER_AXIS = re.compile(r"[xy]axis\d+")


class MovingFigure(go.FigureWidget):  # type: ignore[misc]
    """A figure on the page that turns into the next one, sending only what differs.

    plotly lets a page that opens later see only what the widget was built with: after a
    reload the chart would jump back, or stay blank. Here it sees what is shown now.
    """

    def __init__(self, traces: Sequence[Tree], layout: Tree) -> None:
        self._turn = threading.RLock()
        self._is_built = False
        super().__init__(data=list(traces), layout=dict(layout))
        self._config = dict(CONFIG)
        self._shown = list(traces), layout
        self._is_built = True

    def turn_into(self, traces: Sequence[Tree], layout: Tree) -> bool:
        """Show another figure; return False where it takes a new widget.

        It does where a trace's type differs, or the axes are not the same.
        """
        before, old_layout = self._shown
        if any(a["type"] != b["type"] for a, b in zip(before, traces, strict=False)):
            return False
        if _axes(old_layout) != _axes(layout):
            return False
        with self._turn:
            if len(traces) < len(before):
                self.data = self.data[: len(traces)]  # type: ignore[has-type]
            elif len(traces) > len(before):
                self.add_traces([dict(trace) for trace in traces[len(before) :]])
            with self.batch_update():
                for shown, old, new in zip(self.data, before, traces, strict=False):
                    _change(shown, old, new)
                _change(self.layout, old_layout, layout)
            if not before or old_layout.get("height") != layout.get("height"):
                # The first picture may be drawn before the page has laid its place out, and a
                # new height ends plotly's autosize: without this the figure stays 700 px wide.
                self._send_relayout_msg({"autosize": True})
            self._shown = list(traces), layout
        return True

    def get_state(self, key: Any = None, drop_defaults: bool = False) -> dict[str, Any]:
        """Return the widget's state, as it is now, for a page that opens."""
        with self._turn:
            if key is None and self._is_built:
                # Changed in place, the lists are not sent to the pages that are open.
                self._widget_data[:] = [trace.to_plotly_json() for trace in self.data]
                self._widget_layout.clear()
                self._widget_layout.update(self.layout.to_plotly_json())
            state: dict[str, Any] = super().get_state(key=key, drop_defaults=drop_defaults)
        return state

    # The page reports its defaults after each redraw. Nobody here asks for them, and plotly
    # would change the figure from another thread to note them down.
    def _handler_js2py_traceDeltas(self, _change: Any) -> None: ...  # noqa: N802 - plotly's name
    def _handler_js2py_layoutDelta(self, _change: Any) -> None: ...  # noqa: N802 - plotly's name


def _change(target: Any, before: Tree, after: Tree) -> None:
    old, new = dict(_leaves(before)), dict(_leaves(after))
    for path in old.keys() - new.keys():
        target[path] = None
    for path, value in new.items():
        if path not in old or not _same(old[path], value):
            target[path] = value


def _axes(layout: Tree) -> set[str]:
    """A figure has the first two of them always; a page does not take further ones later."""
    return {name for name in layout if _FURTHER_AXIS.fullmatch(name)}


def _leaves(tree: Tree, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield `("marker.color", value)`: plotly resets too much when it gets a whole object."""
    for key, value in tree.items():
        if isinstance(value, Mapping) and key not in ("template", "meta"):
            yield from _leaves(value, f"{prefix}{key}.")
        elif key != "type" or prefix:
            yield prefix + key, value


def _same(old: Any, new: Any) -> bool:
    if isinstance(old, np.ndarray) or isinstance(new, np.ndarray):
        return np.array_equal(old, new)
    try:
        return bool(old == new)
    except ValueError:  # arrays deeper inside
        return False
