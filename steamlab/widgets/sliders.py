"""Sliders for a running store: they only send control records, as anybody could."""

from __future__ import annotations

import html
import math
from collections.abc import Callable
from typing import Any

import ipywidgets

from steamlab.errors import LabError

__all__ = ["sliders"]

widgets: Any = ipywidgets  # it carries no types


def sliders(send: Callable[..., object], *, speed: float, scale: float, top: float) -> Any:
    """Return a box with speed, scale and pause; `send` gets one of them by name at each change.

    `top`: the largest scale that the slider reaches. What `send` raises is shown in words.
    """
    wide = {"layout": widgets.Layout(width="32em"), "continuous_update": False}
    parts = {
        "speed": widgets.FloatLogSlider(speed, min=0, max=5, readout_format=",.0f", **wide),
        "scale": widgets.FloatLogSlider(
            scale, min=math.log10(top) - 2, max=math.log10(top), readout_format=".4f", **wide
        ),
        "paused": widgets.ToggleButton(False, description="pause", icon="pause"),
    }
    parts["speed"].description, parts["scale"].description = "speed ×", "scale"
    said = widgets.HTML()
    for name, part in parts.items():
        part.observe(lambda change, name=name: _tell(send, said, name, change["new"]), "value")
    return widgets.VBox([*parts.values(), said])


def _tell(send: Callable[..., object], said: Any, name: str, value: object) -> None:
    try:
        send(**{name: value})
        said.value = ""
    except LabError as error:
        said.value = html.escape(str(error))
