"""Plumbing for a course that teaches Apache Kafka by running a game store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from steamlab.lesson import Lesson

__all__ = ["Lesson", "__version__"]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Import `Lesson` when it is asked for: the command line has no need of charts."""
    if name == "Lesson":
        from steamlab.lesson import Lesson

        return Lesson
    raise AttributeError(f"module 'steamlab' has no attribute {name!r}")
