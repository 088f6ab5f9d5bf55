"""A notebook's function on its way to a process of its own."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import cloudpickle
from confluent_kafka import cimpl

from steamlab.errors import LessonError

__all__ = ["pack", "unpack"]

Work = Callable[..., object]

# The client's classes say that they come from a module `cimpl`, which nobody can import:
# they would be taken apart and put together wrongly, instead of being named.
sys.modules.setdefault("cimpl", cimpl)


def pack(work: Work, bootstrap: str, arguments: tuple[Any, ...]) -> bytes:
    """Return the function, and what it is given, as bytes. Raises `LessonError`."""
    try:
        return bytes(cloudpickle.dumps((work, bootstrap, arguments)))
    except Exception as error:
        name = getattr(work, "__name__", "the function")
        raise LessonError(
            f"{name!r} cannot go to a process of its own: {error}.",
            repair="Use `me.kafka` in it, not `lesson`, and hand over all else as arguments.",
        ) from error


def unpack(packed: bytes) -> tuple[Work, str, tuple[Any, ...]]:
    """Return what was packed."""
    work, bootstrap, arguments = cloudpickle.loads(packed)
    return work, bootstrap, arguments
