"""Events in a file: one JSON envelope a line, in order of arrival."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

import msgspec

from steamlab import topics
from steamlab.errors import SetupError
from steamlab.replay.stretch import BATCH, Events, Record, Stretch

__all__ = ["envelope", "lines", "target"]

_NAMES = [spec.name for spec in topics.STORE_TOPICS]
_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])


def envelope(record: Record) -> bytes:
    """Return one line: topic, key, headers, arrival, and the event as it is (`value` or `raw`)."""
    kind, key, value, headers = record
    names = {name: text.decode() for name, text in headers}
    line: dict[str, object] = {
        "topic": _NAMES[kind],
        "key": key.decode(),
        "headers": names,
        "arrivedAt": names["ce_arrived"],
    }
    try:
        _OBJECT.decode(value)
    except msgspec.DecodeError:
        line["raw"] = value.decode("utf-8", "replace")
    else:
        line["value"] = msgspec.Raw(value)
    return msgspec.json.encode(line) + b"\n"


def lines(chunks: Iterable[Events], *, share: float = 1.0) -> Iterator[tuple[list[bytes], int]]:
    """Yield envelopes in batches, each batch with the arrival of its last event."""
    for chunk in chunks:
        stretch = Stretch(chunk)
        for low in range(0, len(stretch), BATCH):
            high = min(low + BATCH, len(stretch))
            batch = [envelope(record) for record in stretch.records(low, high, share)]
            yield batch, int(stretch.arrival_ms[high - 1])


@contextlib.contextmanager
def target(name: str) -> Iterator[IO[bytes]]:
    """Open a file that appears, whole, only if the block ends well; "-" is stdout.

    Raises `SetupError` where nothing can be written.
    """
    if name == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    path = Path(name).resolve()  # the file that a link names is replaced, not the link
    try:
        # A device or a pipe cannot be replaced by a file.
        with path.open("wb") if path.exists() and not path.is_file() else _whole(path) as file:
            yield file
    except OSError as error:
        raise SetupError(
            f"Cannot write {name}: {(error.strerror or str(error)).lower()}.",
            repair="Choose another file with `--out`.",
        ) from error


@contextlib.contextmanager
def _whole(path: Path) -> Iterator[IO[bytes]]:
    handle, part = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
        os.chmod(part, path.stat().st_mode & 0o777 if path.exists() else 0o644)
        os.replace(part, path)
    except BaseException:
        os.unlink(part)
        raise
