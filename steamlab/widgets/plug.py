"""The plug of a broker: a button that kills it, and brings it back."""

from __future__ import annotations

import threading

import ipywidgets
from IPython.display import display

from steamlab.kafka.cluster import Cluster

__all__ = ["Plug"]

_STATES = {
    True: ("Pull the plug", "danger", "power-off", "The broker runs."),
    False: ("Plug it in again", "success", "plug", "The broker is dead (SIGKILL)."),
}


class Plug:
    """A button beside a cluster's node 1; `pull` and `restore` do what the button does."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster, self._busy = cluster, threading.Lock()
        self._button = ipywidgets.Button(layout={"width": "170px"})
        self._label = ipywidgets.Label()
        self._button.on_click(lambda _: threading.Thread(target=self._toggle, daemon=True).start())
        self._paint()
        box = ipywidgets.HBox([self._button, self._label])
        widget = box._repr_mimebundle_()
        display({**widget, "text/plain": "[ Pull the plug ]"}, raw=True)

    def pull(self) -> None:
        """Kill the broker with SIGKILL, as a power cut would; nothing happens to a dead one."""
        with self._busy:
            if self._cluster.running(1):
                self._cluster.kill(1)
            self._paint()

    def restore(self) -> None:
        """Start the broker again on the same data, and wait until it answers."""
        with self._busy:
            if not self._cluster.running(1):
                self._label.value = "The broker is starting …"
                self._cluster.start_node(1)
            self._paint()

    def _toggle(self) -> None:
        try:
            (self.pull if self._cluster.running(1) else self.restore)()
        except Exception as error:  # a thread has nobody to raise to: the label says it
            self._label.value = str(error)

    def _paint(self) -> None:
        text, style, icon, state = _STATES[self._cluster.running(1)]
        self._button.description, self._button.button_style, self._button.icon = text, style, icon
        self._label.value = state
