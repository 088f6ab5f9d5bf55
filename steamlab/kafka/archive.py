"""Start the JVM with half the work: map Kafka's classes from a file instead of loading them.

Java calls it class data sharing. The first node lists the classes that it loads; then a process
of its own, of the lowest priority, makes the archive, once for a Java and a set of jars; nodes
that start later map it. Without an archive, or with a damaged one, a node only starts slower.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from threading import Thread
from typing import Any

import psutil

from steamlab.kafka.java import JVM_OPTIONS, clean_environment
from steamlab.settings import ROOT, settings

__all__ = ["class_options", "find_archive", "make_archive", "prune_archives"]

_LIST = "classes.txt"
_KEPT = 3
_ROOM = 200_000_000
_TIMEOUT = 300


def class_options(java: Path, class_path: Sequence[Path]) -> list[str]:
    """Return the options by which a JVM uses the archive or, without one, lists its classes."""
    if archive := find_archive(java, class_path):
        # The JVM may still refuse it. Then it goes on without, and need not say so in Kafka's log.
        return [f"-XX:SharedArchiveFile={archive}", "-Xshare:auto", "-Xlog:cds*=off"]
    return [f"-XX:DumpLoadedClassList={_LIST}"]


def find_archive(java: Path, class_path: Sequence[Path]) -> Path | None:
    """Return the archive of exactly this Java and these jars; delete it if it is damaged."""
    with suppress(OSError):
        for archive in _folder().glob(f"{_key(java, class_path)}-*.jsa"):
            seen = archive.stat()
            # Java 17 crashes on a truncated one, so the name holds what the bytes must be.
            if archive.stem.endswith(f"-{_digest(archive, seen.st_size, seen.st_mtime_ns)}"):
                with suppress(OSError):  # the cache may be read-only
                    os.utime(archive, ns=(time.time_ns(), seen.st_mtime_ns))
                return archive
            archive.unlink()
    return None


def make_archive(java: Path, class_path: Sequence[Path], node_folder: Path) -> None:
    """Begin to make the archive from what a node has listed so far, unless it is there or begun.

    Returns at once. Where it cannot be made, in a read-only cache for instance, nothing happens.
    """
    listed = node_folder / _LIST
    with suppress(OSError):
        classes = listed.read_bytes()
        with suppress(OSError):  # Windows keeps what the node still writes
            listed.unlink()
        if find_archive(java, class_path) is None and (part := _claim(_key(java, class_path))):
            (part / _LIST).write_bytes(classes[: classes.rfind(b"\n") + 1])
            _start_making(part, java, class_path)


def _folder() -> Path:
    return settings().cache / "archives"


def _key(java: Path, class_path: Sequence[Path]) -> str:
    """Return a name for all that an archive hangs on: the Java, the jars and our options.

    Where that Java lies is left out: the environments of two clones share an archive.
    """
    home = java.resolve().parent.parent
    parts = [home / "release", home / "lib" / "modules", java.resolve(), *class_path]
    stats = [(part.name, part.stat()) for part in parts if part.exists()]
    facts = [(name, seen.st_size, seen.st_mtime_ns) for name, seen in stats]
    return hashlib.sha256(repr((facts, class_path, JVM_OPTIONS)).encode()).hexdigest()[:16]


@lru_cache
def _digest(archive: Path, size: int, mtime_ns: int) -> str:
    """Return the digest of a file's bytes; size and time only tell whether to compute it again."""
    with archive.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def _claim(key: str) -> Path | None:
    """Return a new folder to make the archive in, or None: another does, or it did not work."""
    folder = _folder()
    part = folder / f"{key}.part"
    folder.mkdir(parents=True, exist_ok=True)
    if os.pathsep in str(folder) or (folder / f"{key}.failed").exists():
        return None
    if shutil.disk_usage(folder).free < _ROOM:
        return None
    with suppress(FileNotFoundError):
        if time.time() - part.stat().st_mtime > 2 * _TIMEOUT:  # its maker was killed
            shutil.rmtree(part)
    try:
        part.mkdir()
    except FileExistsError:
        return None
    return part


def _start_making(part: Path, java: Path, class_path: Sequence[Path]) -> None:
    # Out of reach of Ctrl-C, but in our session: elsewhere Linux would forget its priority.
    apart: dict[str, Any] = {"creationflags": 0x200} if os.name == "nt" else {"process_group": 0}
    maker = subprocess.Popen(  # noqa: S603 - this module
        [sys.executable, "-m", __name__, *map(str, (part, java, *class_path))],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=ROOT,
        **apart,
    )
    Thread(target=maker.wait, daemon=True).start()  # so that no zombie stays


def _make(part: Path, java: Path, class_path: Sequence[Path]) -> None:
    """Make the archive in its claimed folder, then put it in: all or nothing."""
    psutil.Process().nice(getattr(psutil, "IDLE_PRIORITY_CLASS", 19))  # Windows has classes
    try:
        if _dump(part, java, class_path):
            made = part / "made.jsa"
            seen = made.stat()
            digest = _digest(made, seen.st_size, seen.st_mtime_ns)
            os.replace(made, part.with_name(f"{part.stem}-{digest}.jsa"))
            prune_archives(part.parent)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _dump(part: Path, java: Path, class_path: Sequence[Path]) -> bool:
    """Let the JVM write the archive; what it cannot do now it need not try at each start."""
    files = (f"-XX:SharedClassListFile={part / _LIST}", f"-XX:SharedArchiveFile={part}/made.jsa")
    joined = os.pathsep.join(map(str, class_path))
    try:
        code = subprocess.run(  # noqa: S603 - the Java that runs the nodes
            [java, *JVM_OPTIONS, "-Xshare:dump", *files, "-cp", joined],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=part,
            env=clean_environment(),
            timeout=_TIMEOUT,
        ).returncode
    except subprocess.TimeoutExpired:
        code = 1
    if code > 0:
        part.with_suffix(".failed").touch()
    return code == 0


def prune_archives(folder: Path) -> None:
    """Keep the three archives that were used last: an update of Java or Kafka adds one."""
    newest = sorted(folder.glob("*.jsa"), key=lambda archive: -archive.stat().st_atime)
    for archive in newest[_KEPT:]:
        with suppress(OSError):  # Windows keeps what a node has mapped
            archive.unlink()


if __name__ == "__main__":
    _make(Path(sys.argv[1]), Path(sys.argv[2]), [Path(jar) for jar in sys.argv[3:]])
