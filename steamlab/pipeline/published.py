"""The records of `analytics.metrics` as a reader of the topic has them: the last of each key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from steamlab.pipeline.logs import read_log
from steamlab.pipeline.places import Places
from steamlab.processor.chapters import CHAPTERS
from steamlab.processor.records import Record
from steamlab.topics import METRICS_TOPIC

__all__ = ["in_order", "read_open", "read_published"]

_read = msgspec.json.Decoder(dict[str, Any]).decode
_FINAL = b'"final":true}'  # the last field, as the second stage writes it
_ORDER = [name for chapter in CHAPTERS for name in chapter.names]


def read_published(kafka: Mapping[str, Any], places: Places) -> dict[str, Record]:
    """Return what is published by now, by key, as far as it is committed."""
    return {name: _read(value) for name, value in _newest(kafka, places).items()}


def read_open(kafka: Mapping[str, Any], places: Places) -> dict[str, Record | None]:
    """Return what is published by now, by key; None stands for a record that is final."""
    return {
        name: None if value.endswith(_FINAL) else _read(value)
        for name, value in _newest(kafka, places).items()
    }


def _newest(kafka: Mapping[str, Any], places: Places) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for message in read_log(kafka, places.metrics, range(METRICS_TOPIC.partitions)):
        name, value = bytes(message.key() or b"").decode(), message.value()
        if value is None:
            found.pop(name, None)
        else:
            found[name] = value
    return found


def in_order(found: Mapping[str, Record]) -> list[Record]:
    """Return records metric by metric in order of time, those since the start last.

    That is the order of `steamlab metrics`, so that the two can be compared line by line.
    """

    def place(record: Record) -> tuple[int, str, str]:
        dimension = "".join((record["dimension"] or {}).values())
        return _ORDER.index(record["metric"]), record["windowStart"] or "~", dimension

    return sorted(found.values(), key=place)
