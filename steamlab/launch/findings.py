"""What the doctor found: one line each, and the repair of what is wrong."""

from __future__ import annotations

import html
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass

from steamlab.errors import LabError

__all__ = ["Finding", "Report", "guarded"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at: whether it is as it should be, what was seen, how to mend it."""

    name: str
    ok: bool
    seen: str
    repair: str = ""

    def __str__(self) -> str:
        """Return one line for a terminal."""
        tail = f" {self.repair}" if self.repair and not self.ok else ""
        return f"{'ok  ' if self.ok else 'FAIL'}  {self.name}: {self.seen}{tail}"


@dataclass(frozen=True, slots=True, repr=False)
class Report:
    """All findings; in a notebook one green line, or the failures with their repairs.

    `str(report)` lists everything, with versions, folders and ports.
    """

    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Tell whether nothing failed."""
        return not self.failures

    @property
    def failures(self) -> tuple[Finding, ...]:
        """The findings that need a repair."""
        return tuple(finding for finding in self.findings if not finding.ok)

    def __repr__(self) -> str:
        # no versions, ports or folders: this text is stored in a notebook and compared
        if self.ok:
            return "Everything is ready: Python, the packages, the kernel, Java and Kafka."
        return "\n".join(str(finding) for finding in self.failures)

    def __str__(self) -> str:
        """Return one line for each finding."""
        return "\n".join(str(finding) for finding in self.findings)

    def _repr_html_(self) -> str:
        colour = "#0a7d33" if self.ok else "#b3261e"
        lines = html.escape(repr(self)).replace("\n", "<br>")
        return f'<div style="color: {colour}; font-weight: 600">{lines}</div>'

    def to_json(self) -> str:
        """Return the findings for another program."""
        return json.dumps({"ok": self.ok, "findings": [asdict(each) for each in self.findings]})


def guarded(look: Callable[[], Finding], *, name: str, repair: str) -> Finding:
    """Make a finding of an error, so that one broken thing does not hide the others."""
    try:
        return look()
    except LabError as error:
        return Finding(name, False, error.sentence, error.repair)
    except Exception as error:
        return Finding(name, False, f"{type(error).__name__}: {error}", repair)
