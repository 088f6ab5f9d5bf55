"""From a start that failed to one sentence and a repair."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

from steamlab.errors import BrokerError, DeadlineError, LabError
from steamlab.kafka.state import holder

__all__ = ["PortTakenError", "died", "disk_error", "no_answer", "port_taken", "too_late"]


class PortTakenError(BrokerError):
    """A port that a node needs belongs to another program."""


def port_taken(port: int) -> PortTakenError:
    """Return the error for a port that somebody else has, and name who, where that is known."""
    return PortTakenError(
        f"Port {port} on 127.0.0.1 is taken by {holder(port)}.",
        repair="End that program; `steamlab reset` would choose other ports, without the data.",
    )


def died(node: int, log: Path, since: int, port: int) -> BrokerError:
    """Say why a node ended, from what it wrote to its log since this start."""
    said = log.read_bytes()[since:].decode("utf-8", "replace")
    if "Address already in use" in said:
        return port_taken(port)
    # On a full disk the log, too, may end before the reason.
    if "No space left on device" in said or shutil.disk_usage(log.parent).free < 1_000_000:
        return disk_error(log.parent.parent, OSError(errno.ENOSPC, ""))
    reason = next((line for line in said.splitlines() if "Exception" in line), "It left no reason.")
    return BrokerError(
        f"Kafka's node {node} ended while it was starting: {reason[:300]}",
        repair=f"Its log is {log}; `steamlab reset` starts afresh, without the data.",
    )


def too_late(node: int, log: Path) -> DeadlineError:
    """Return the error for a node that runs and does not get ready."""
    return DeadlineError(
        f"Kafka's node {node} was not ready in time.",
        repair=f"Close other programs and run it again; its log is {log}.",
    )


def no_answer(bootstrap: str) -> LabError:
    """Return the error for somebody else's cluster that is not there."""
    return BrokerError(
        f"STEAMLAB_BOOTSTRAP is {bootstrap}, and no Kafka answers there.",
        repair="Start that cluster, or `unset STEAMLAB_BOOTSTRAP` to use a local one.",
    )


def disk_error(folder: Path, error: OSError) -> BrokerError:
    """Return the error for a folder that cannot be written."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return BrokerError(
            f"There is no space left for Kafka's data in {folder}.",
            repair="Free 200 MB, or set STEAMLAB_HOME to a folder on another disk.",
        )
    return BrokerError(
        f"Kafka's data cannot be written to {folder}: {error.strerror or error}.",
        repair="Make it writable, or set STEAMLAB_HOME to another folder.",
    )
