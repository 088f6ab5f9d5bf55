"""Records to DataFrame: one row a record, hostile bytes included."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
import pandas as pd
from confluent_kafka import Message

__all__ = ["row", "to_frame"]

RECORD_COLUMNS = ("topic", "partition", "offset", "key")
_MAX_DEPTH = 32
_MAX_FIELDS = 64

_parse = msgspec.json.Decoder().decode


def row(message: Message) -> dict[str, Any]:
    """Return a record as one flat dict: topic, partition, offset, key, then the event's fields.

    A value that is no JSON object stands under `value` as text, a tombstone as None. An event
    field named like a record column goes under `value.<name>`.
    """
    record: dict[str, Any] = {
        "topic": message.topic(),
        "partition": message.partition(),
        "offset": message.offset(),
        "key": _text(message.key()),
    }
    fields = _fields(message.value())
    for name in RECORD_COLUMNS:
        if name in fields:
            fields[f"value.{name}"] = fields.pop(name)
    return record | fields


def to_frame(messages: Iterable[Message]) -> pd.DataFrame:
    """Return the records as a DataFrame, sorted by topic, partition and offset."""
    rows = [row(message) for message in messages]
    names = dict.fromkeys((*RECORD_COLUMNS, *(name for each in rows for name in each)))
    frame = pd.DataFrame(rows, columns=list(names))
    return frame.sort_values(["topic", "partition", "offset"], ignore_index=True)


def _text(data: bytes | str | None) -> str | None:
    return data.decode("utf-8", "backslashreplace") if isinstance(data, bytes) else data


def _fields(value: bytes | str | None) -> dict[str, Any]:
    if value is None:
        return {"value": None}
    try:
        parsed = _parse(value)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        parsed = None
    if isinstance(parsed, dict) and len(parsed) <= _MAX_FIELDS and not _is_deep(parsed):
        return parsed
    return {"value": _text(value)}


def _is_deep(parsed: object) -> bool:
    """Deeper values cannot be shown: their repr() alone exhausts the stack."""
    level = [parsed]
    for _ in range(_MAX_DEPTH):
        level = [
            child
            for each in level
            for child in (each.values() if isinstance(each, dict) else each)  # type: ignore[attr-defined]
            if isinstance(child, (dict, list))
        ]
        if not level:
            return False
    return True
