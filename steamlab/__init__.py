"""Plumbing for a course that teaches Apache Kafka by running a game store."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from steamlab.lesson import Lesson

__all__ = ["Lesson", "__version__"]

__version__ = "0.1.0"

# plotly asks for nbformat, that for jsonschema, and that compiles a grammar of web addresses:
# a quarter of what importing a lesson costs. Absent, jsonschema only checks no such addresses.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]


def __getattr__(name: str) -> Any:
    """Import `Lesson` when it is asked for: the command line has no need of charts."""
    if name == "Lesson":
        from steamlab.lesson import Lesson

        return Lesson
    raise AttributeError(f"module 'steamlab' has no attribute {name!r}")
