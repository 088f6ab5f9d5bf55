"""Strings from events, made harmless where they are shown: HTML and plotly's small markup."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

__all__ = ["escape", "escape_tree", "marked_strings"]


def escape(text: str) -> str:
    """Return text that HTML and plotly show letter by letter, tags and entities included."""
    return text.replace("&", "&amp;").replace("<", "&lt;")


def marked_strings(value: object) -> Iterator[str]:
    """Yield the strings inside a JSON value, its keys included, that markup could hide in."""
    if isinstance(value, str):
        if "<" in value or "&" in value:
            yield value
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield from marked_strings(key)
            yield from marked_strings(each)
    elif isinstance(value, (list, tuple)) or (
        isinstance(value, np.ndarray) and value.dtype.kind in "OU"
    ):
        for each in value:
            yield from marked_strings(each)


def escape_tree(tree: Mapping[str, Any], strings: Iterable[str] = ()) -> dict[str, Any]:
    """Return a figure's JSON tree with every string from an event escaped.

    Data is escaped whole: arrays, names, the categories of an axis. In titles, annotations and
    templates, which may carry markup on purpose, only `strings` and what the data holds is.
    """
    return _Escape({*strings, *_data_strings(tree)}).tree(tree)


def _data_strings(tree: Mapping[str, Any]) -> Iterator[str]:
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from _data_strings(value)
        elif _is_data(key, value):
            yield from marked_strings(value)
        elif isinstance(value, (list, tuple)):
            for each in value:
                if isinstance(each, Mapping):
                    yield from _data_strings(each)


def _is_data(key: str, value: object) -> bool:
    if key == "name":
        return True
    if isinstance(value, np.ndarray):
        return not key.endswith("template")
    is_list = isinstance(value, (list, tuple))
    return is_list and not key.endswith("template") and not _holds_objects(value)


def _holds_objects(value: Any) -> bool:
    """Annotations, shapes, buttons: a list of objects, with titles and texts of their own."""
    return len(value) > 0 and isinstance(value[0], Mapping)


class _Escape:
    def __init__(self, strings: set[str]) -> None:
        # One pass, the longest first: an escaped string is never escaped again.
        longest = sorted(strings, key=lambda each: (-len(each), each))
        self._known = re.compile("|".join(map(re.escape, longest))) if longest else None

    def tree(self, tree: Mapping[str, Any]) -> dict[str, Any]:
        return {
            key: value if key == "template" else self._value(key, value)
            for key, value in tree.items()
        }

    def _value(self, key: str, value: Any) -> Any:
        if isinstance(value, Mapping):
            return self.tree(value)
        if _is_data(key, value):
            return _data(value)
        if isinstance(value, (list, tuple)):
            return [self._value(key, each) for each in value]
        return self._text(value) if isinstance(value, str) else value

    def _text(self, text: str) -> str:
        return self._known.sub(lambda found: escape(found[0]), text) if self._known else text


def _data(value: Any) -> Any:
    """Dates become text as well: a widget would send them in the computer's own time zone."""
    if isinstance(value, str):
        return escape(value)
    if isinstance(value, np.ndarray):
        if value.dtype.kind == "M":
            return [None if each == "NaT" else each for each in np.datetime_as_string(value)]
        return [_data(each) for each in value] if value.dtype.kind in "OU" else value
    return [_data(each) for each in value] if isinstance(value, (list, tuple)) else value
