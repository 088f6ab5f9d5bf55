"""Strings from events are shown letter by letter, whatever they hold."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import plotly.express as px

from steamlab.drawing.escape import escape, escape_tree, marked_strings

EVIL = "<img src=x onerror=alert(1)>"
TAME = "&lt;img src=x onerror=alert(1)>"


def _tree(figure: Any) -> dict[str, Any]:
    return {
        "data": [trace.to_plotly_json() for trace in figure.data],
        "layout": figure.layout.to_plotly_json(),
    }


def test_tags_and_entities_lose_their_meaning() -> None:
    """An ampersand is escaped first, so an entity in an event stays the letters that it is."""
    assert "&lt;b>Tom &amp; Jerry &amp;lt;/b>" == escape("<b>Tom & Jerry &lt;/b>")


def test_data_is_escaped_whole() -> None:
    """Arrays, names and the categories of an axis hold nothing but data."""
    tree = {
        "data": [{"name": EVIL, "x": np.array([EVIL, "Hades"], object), "y": [1, 2]}],
        "layout": {"xaxis": {"categoryarray": ["a&b"], "ticktext": (EVIL,)}},
    }
    expected = {
        "data": [{"name": TAME, "x": [TAME, "Hades"], "y": [1, 2]}],
        "layout": {"xaxis": {"categoryarray": ["a&amp;b"], "ticktext": [TAME]}},
    }
    assert expected == escape_tree(tree)
    assert EVIL == tree["data"][0]["name"], "the caller's figure is left alone"


def test_markup_of_the_author_stays_and_an_event_in_it_does_not() -> None:
    """In a title only what came from an event is escaped, and only once."""
    tree = {
        "layout": {
            "title": {"text": f"<b>Top</b>: {EVIL} & more"},
            "annotations": [{"text": f"<i>{EVIL}</i>"}],
        }
    }
    expected = {
        "layout": {
            "title": {"text": f"<b>Top</b>: {TAME} & more"},
            "annotations": [{"text": f"<i>{TAME}</i>"}],
        }
    }
    assert expected == escape_tree(tree, [EVIL])


def test_strings_inside_each_other_are_escaped_once() -> None:
    """The longest string wins; what was escaped is not escaped again."""
    escaped = escape_tree({"title": "A&<b> and &"}, ["&", "A&<b>"])
    assert "A&amp;&lt;b> and &amp;" == escaped["title"]


def test_a_name_that_plotly_express_writes_into_a_template_is_escaped() -> None:
    """px puts the value of `color` into the hover template, between its own tags."""
    figure = px.bar(pd.DataFrame({"game": [EVIL], "n": [1]}), x="n", y="n", color="game")
    template = escape_tree(_tree(figure))["data"][0]["hovertemplate"]
    assert EVIL not in template
    assert template.startswith(f"game={TAME}<br>")
    assert template.endswith("<extra></extra>")


def test_numbers_stay_arrays_and_dates_become_text() -> None:
    """A widget would send dates as nanoseconds, or in the time zone of the computer."""
    dates = np.array(["2025-11-17T20:00:00", "NaT"], "datetime64[s]")
    numbers = np.array([1.5, 2.5])
    tree = escape_tree({"x": dates, "y": numbers})
    assert ["2025-11-17T20:00:00", None] == tree["x"]
    assert numbers is tree["y"]


def test_the_strings_of_an_event_are_found_at_any_depth() -> None:
    """Keys and nested values may end up in a chart as well as top-level ones."""
    event = {"a": 1, "b": "plain", "c<d": [{"e": "x&y"}, ["<"], None]}
    assert ["c<d", "x&y", "<"] == list(marked_strings(event))
