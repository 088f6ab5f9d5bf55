"""One node of a cluster: a JVM of its own that outlives us, and how to find it again.

A node is known by what stands on its command line, its cluster's id: a process id may
meanwhile belong to somebody else, a state file may be gone, the command line stays.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psutil

from steamlab.kafka.archive import class_options
from steamlab.kafka.java import JVM_OPTIONS, clean_environment

__all__ = [
    "NodeStatus",
    "end",
    "find_nodes",
    "is_alive",
    "launch",
    "lives",
    "marks",
    "node_status",
]

_CLUSTER = "-Dsteamlab.cluster="
_NODE = "-Dsteamlab.node="


@dataclass(frozen=True)
class NodeStatus:
    """One node as `status` shows it; `since` is RFC 3339, None of a node that is down."""

    node: int
    port: int
    pid: int | None
    resident_mb: int | None
    since: str | None


def launch(
    java: Path, class_path: Sequence[Path], folder: Path, arguments: Sequence[str], mark: str = ""
) -> psutil.Process:
    """Start a JVM in a folder, its output in kafka.log there; `mark` makes it findable."""
    command = [
        str(java),
        *JVM_OPTIONS,
        *class_options(java, class_path),
        f"-Dlog4j2.configurationFile={(folder.parent / 'log4j2.properties').as_uri()}",
        *mark.split(),
        "-cp",
        os.pathsep.join(map(str, class_path)),
        *arguments,
    ]
    # In a session of its own: Ctrl-C and a kernel's interrupt do not reach it.
    apart = {"creationflags": 0x200} if os.name == "nt" else {"start_new_session": True}
    with (folder / "kafka.log").open("ab") as log:  # a file: an unread pipe would block it
        started = subprocess.Popen(  # noqa: S603 - our own list
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env=clean_environment(),
            **apart,
        )
    process = psutil.Process(started.pid)
    started.returncode = 0  # it outlives this object, which need not warn about that
    return process


def marks(cluster_id: str, node: int) -> str:
    """Return the JVM arguments by which `find_nodes` knows a node."""
    return f"{_CLUSTER}{cluster_id} {_NODE}{node}"


def find_nodes(cluster_id: str) -> dict[int, psutil.Process]:
    """Return the living nodes of a cluster, whoever started them."""
    found = {}
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if f"{_CLUSTER}{cluster_id}" in words:
            number = next(word for word in words if word.startswith(_NODE))
            found[int(number.removeprefix(_NODE))] = process
    return dict(sorted(found.items()))


def lives(process: psutil.Process) -> bool:
    """Tell whether a process that was launched here runs, also while its JVM is being loaded."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def end(processes: Iterable[psutil.Process], *, gently: bool, timeout: float = 15) -> int:
    """End nodes and wait until they are gone; return how many there were.

    Gently: Kafka hands over its partitions and closes its files; else as a power cut does.
    """
    living = list(processes)
    for process in living:
        with suppress(psutil.NoSuchProcess):
            if gently:
                process.terminate()
                process.resume()  # a frozen node could not hear it
            else:
                process.kill()
    _, stubborn = psutil.wait_procs(living, timeout=timeout)
    for process in stubborn:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(stubborn, timeout=timeout)
    return len(living)


def node_status(node: int, port: int, process: psutil.Process | None) -> NodeStatus:
    """Return what `status` tells about a node."""
    if process is not None:
        with suppress(psutil.Error):
            since = datetime.fromtimestamp(process.create_time(), tz=UTC)
            megabytes = round(process.memory_info().rss / 1e6)
            when = since.isoformat(timespec="seconds").replace("+00:00", "Z")
            return NodeStatus(node, port, process.pid, megabytes, when)
    return NodeStatus(node, port, None, None, None)


def is_alive(pid: int, started: float) -> bool:
    """Tell whether a process still runs, and is not a later one with the same number."""
    try:
        process = psutil.Process(pid)
        dead = process.status() == psutil.STATUS_ZOMBIE
        # The clock may have been set since: a minute's difference is the same process.
        return not dead and abs(process.create_time() - started) < 60
    except psutil.Error:
        return False
