"""What a right value becomes when it is emptied, made constant, or off by one."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import functools
import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from confluent_kafka.cimpl import NewTopic

__all__ = ["Change", "changes", "same"]

_ITEMS = 4  # of a tuple
_COLUMNS = 6  # of a DataFrame
_EACH = 8  # changes of an item or a field

Change = tuple[str, Any]


def same(one: Any, other: Any) -> bool:
    """Tell whether two answers are of one type and equal, whatever they are made of."""
    if type(one) is not type(other):
        return False
    if isinstance(one, pd.DataFrame | pd.Series | pd.Index):
        return bool(one.equals(other))
    if isinstance(one, np.ndarray):
        return bool(np.array_equal(one, other))
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, NewTopic):
        return same(_fields(one), _fields(other))
    return bool(one == other)


def changes(value: Any) -> list[Change]:
    """Return what a value becomes when it is emptied, made constant, or off by one."""
    found = list(_changes(value))
    return [(name, changed) for name, changed in found if not same(changed, value)]


@functools.singledispatch
def _changes(value: Any) -> Iterator[Change]:
    """Change each field of a dataclass or struct; nothing else is known of other types."""
    for name, old in _fields(value).items():
        for how, new in itertools.islice(changes(old), _EACH):
            yield f"{name} {how}", _with(value, name, new)


@_changes.register
def _(value: bool) -> Iterator[Change]:
    yield "flipped", not value


@_changes.register
def _(value: int) -> Iterator[Change]:
    kind = type(value)
    yield from [("plus one", kind(value + 1)), ("minus one", kind(value - 1))]
    yield from [("empty", kind(0)), ("constant", kind(7))]


@_changes.register(float)
@_changes.register(decimal.Decimal)
def _(value: Any) -> Iterator[Change]:
    kind = type(value)
    yield from [("plus one", kind(value + 1)), ("times 1.01", value * kind("1.01"))]
    yield from [("empty", kind(0)), ("constant", kind(7))]


@_changes.register
def _(value: np.generic) -> Iterator[Change]:
    for name, changed in changes(value.item()):
        yield name, type(value)(changed)


@_changes.register
def _(value: str) -> Iterator[Change]:
    yield "changed", str(int(value) + 1) if value.isdecimal() else value + "x"
    yield from [("empty", ""), ("constant", "constant")]


@_changes.register
def _(value: bytes) -> Iterator[Change]:
    yield from [("changed", value + b"x"), ("empty", b""), ("constant", b"constant")]


@_changes.register
def _(value: datetime.datetime) -> Iterator[Change]:
    yield "plus one hour", value + datetime.timedelta(hours=1)
    yield "minus one second", value - datetime.timedelta(seconds=1)


@_changes.register
def _(value: datetime.date) -> Iterator[Change]:
    yield "plus one day", value + datetime.timedelta(days=1)


@_changes.register
def _(value: datetime.timedelta) -> Iterator[Change]:
    yield from [("doubled", value * 2), ("empty", value * 0)]


@_changes.register
def _(value: list) -> Iterator[Change]:  # type: ignore[type-arg]  # of anything
    kind = type(value)
    yield "empty", kind()
    if value:
        first, *rest = value
        yield "constant", kind([first] * len(value))
        yield "drop one", kind(value[:-1])
        yield "add one", kind([*value, _changed(value[-1])])
        yield "change one", kind([_changed(first), *rest])


@_changes.register
def _(value: tuple) -> Iterator[Change]:  # type: ignore[type-arg]  # of anything
    yield "drop one", tuple(value[:-1])
    for at, item in enumerate(value[:_ITEMS]):
        for how, new in itertools.islice(changes(item), _EACH):
            items = [*value[:at], new, *value[at + 1 :]]
            yield f"item {at + 1} {how}", _like_tuple(value, items)


@_changes.register(set)
@_changes.register(frozenset)
def _(value: Any) -> Iterator[Change]:
    kind = type(value)
    yield "empty", kind()
    if value:
        first = min(value, key=repr)
        yield "drop one", kind(value - {first})
        yield "add one", kind(value | {_changed(first)})
        yield "change one", kind((value - {first}) | {_changed(first)})


@_changes.register
def _(value: dict) -> Iterator[Change]:  # type: ignore[type-arg]  # of anything
    is_config = _is_config(value)
    yield "empty", {}
    for key, name in _named_keys(value, is_config):
        yield f"without {name}", {other: value[other] for other in value if other != key}
        yield f"other {name}", value | {key: _changed(value[key])}
    if value and not is_config:  # one more setting breaks nothing
        last = list(value)[-1]
        yield "add one", value | {_changed(last): value[last]}
        yield "constant", dict.fromkeys(value, next(iter(value.values())))


@_changes.register
def _(value: pd.DataFrame) -> Iterator[Change]:
    yield "empty", value.iloc[:0]
    if len(value):
        yield "constant", value.iloc[[0] * len(value)].set_axis(value.index)
        yield "drop one", value.iloc[:-1]
        yield "add one", pd.concat([value, value.iloc[-1:]], ignore_index=_is_counted(value))
    for at in range(min(_COLUMNS, value.shape[1]) if len(value) else 0):
        column = value.iloc[:, at].tolist()
        changed = value.copy()
        changed.isetitem(at, [_changed(column[0]), *column[1:]])
        yield f"change one {value.columns[at]}", changed


@_changes.register
def _(value: pd.Series) -> Iterator[Change]:
    for name, frame in changes(value.to_frame("value")):
        yield name, frame["value"].rename(value.name)


@_changes.register(np.ndarray)
@_changes.register(pd.Index)
def _(value: Any) -> Iterator[Change]:
    for name, items in changes(value.tolist()):
        yield name, np.array(items) if isinstance(value, np.ndarray) else pd.Index(items)


def _changed(value: Any) -> Any:
    """Return a value off by a little, and one of another kind where no change is known."""
    return next((changed for _, changed in changes(value)), "changed")


def _like_tuple(value: Any, items: list[Any]) -> Any:
    return type(value)(*items) if hasattr(value, "_fields") else tuple(items)


def _is_config(value: dict[Any, Any]) -> bool:
    return any(isinstance(key, str) and ("." in key or key == "acks") for key in value)


def _named_keys(value: dict[Any, Any], is_config: bool) -> list[tuple[Any, str]]:
    """Return the keys to change: of settings all of them, of data the first and the last."""
    keys = list(value)
    if is_config:
        return [(key, key) for key in keys]
    ends = {"the first": keys[:1], "the last": keys[1:][-1:]}
    return [(key, name) for name, found in ends.items() for key in found]


def _is_counted(frame: pd.DataFrame) -> bool:
    return isinstance(frame.index, pd.RangeIndex)


def _fields(value: Any) -> Mapping[str, Any]:
    if isinstance(value, NewTopic):
        fields = {"topic": value.topic, "num_partitions": value.num_partitions}
        return fields | {"config": dict(value.config or {})}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    return {name: getattr(value, name) for name in getattr(value, "__struct_fields__", ())}


def _with(value: Any, name: str, new: Any) -> Any:
    if isinstance(value, NewTopic):
        return NewTopic(**{**_fields(value), name: new})
    return type(value)(**{**_fields(value), name: new})
