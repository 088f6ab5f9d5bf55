"""The shared Kafka of all lessons: find it or start it, look at it, end it, from any process.

Whose it is, first match wins: yours (`STEAMLAB_BOOTSTRAP`), the one of `docker compose up`,
the local one that `up` starts and that runs until `down`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from confluent_kafka.admin import ClusterMetadata  # type: ignore[attr-defined]
from filelock import FileLock, Timeout

from steamlab.client import probe
from steamlab.errors import BrokerError, DeadlineError
from steamlab.kafka.cluster import Cluster
from steamlab.kafka.lone import LoneCluster, end_orphans, lone_clusters
from steamlab.kafka.node import NodeStatus
from steamlab.kafka.state import State
from steamlab.kafka.trouble import no_answer
from steamlab.members import orphans
from steamlab.settings import settings

__all__ = [
    "COMPOSE_BOOTSTRAP",
    "COMPOSE_CLUSTER_ID",
    "Cluster",
    "Kafka",
    "Status",
    "down",
    "find",
    "reset",
    "status",
    "up",
]

# What docker-compose.yml says too; a test compares them.
COMPOSE_BOOTSTRAP = "127.0.0.1:29092"
COMPOSE_CLUSTER_ID = "c3RlYW1sYWItY29tcG9zZQ"


@dataclass(frozen=True)
class Kafka:
    """A running Kafka, how many brokers answer, and whose it is."""

    bootstrap: str
    cluster_id: str
    brokers: int
    origin: Literal["yours", "docker", "local"]


@dataclass(frozen=True)
class Status:
    """What runs: the shared Kafka, if any, the local one's nodes, and other clusters of ours.

    `folder` and `log` belong to the local one; `lone` are clusters that single processes
    started for themselves; `problem` is a sentence where something is wrong.
    """

    kafka: Kafka | None
    nodes: tuple[NodeStatus, ...]
    folder: Path | None
    log: Path | None
    lone: tuple[LoneCluster, ...]
    problem: str | None

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON can carry it."""
        plain = asdict(self)
        for name in ("folder", "log"):
            plain[name] = plain[name] and str(plain[name])
        for told, cluster in zip(plain["lone"], self.lone, strict=True):
            told |= {"orphan": cluster.is_orphan, "nodes": cluster.nodes}
        return plain


def up(*, brokers: int = 1, timeout: float = 120) -> Kafka:
    """Return the shared Kafka; start the local one, or its missing nodes, where needed.

    At least `brokers` brokers, or `BrokerError`: a cluster does not grow by itself.
    """
    deadline = time.monotonic() + timeout
    found = find()
    if found is None or _is_incomplete(found):
        with _lock(timeout):
            found = find()  # somebody may have been quicker
            if found is None or _is_incomplete(found):
                found = _start(brokers, deadline)
    if found.brokers < brokers:
        raise _too_few(found, brokers)
    return found


def find() -> Kafka | None:
    """Return the shared Kafka if it answers; `BrokerError` if yours is set and does not."""
    if yours := settings().bootstrap:
        seen = probe(yours, timeout=5)
        if seen is None:
            raise no_answer(yours)
        return Kafka(yours, str(seen.cluster_id), len(seen.brokers), "yours")
    local = _find_local()
    if local and COMPOSE_BOOTSTRAP in local.bootstrap.split(","):
        return local  # two cannot have one address: no need to ask again
    return _find_docker() or local


def down(*, timeout: float = 60) -> int:
    """End the local Kafka, clusters and members whose lessons are gone; return how many nodes ran.

    The data stay. Yours, and that of docker compose, are left alone.
    """
    with _lock(timeout):
        local = _local()
        orphans.end_orphans()
        return (local.stop() if local else 0) + end_orphans()


def reset(*, brokers: int | None = None, timeout: float = 120) -> Kafka:
    """End the local Kafka, delete its data, start it anew; with as many brokers, unless told."""
    deadline = time.monotonic() + timeout
    found = find()
    if found and found.origin != "local":
        raise BrokerError(
            f"The Kafka at {found.bootstrap} is not ours to empty.",
            repair=(
                "Run `docker compose down -v` and `docker compose up -d --wait`."
                if found.origin == "docker"
                else "Delete its topics yourself, or `unset STEAMLAB_BOOTSTRAP`."
            ),
        )
    with _lock(timeout):
        before = _local()
        if before:
            before.stop(delete=True)
        return _start(brokers or (before.brokers if before else 1), deadline)


def status() -> Status:
    """Look at everything that runs, without starting or ending anything."""
    problem = None
    try:
        kafka = find()
    except BrokerError as error:
        kafka, problem = None, str(error)
    local = _local()
    nodes = local.nodes if local else ()
    if kafka is None and any(node.pid for node in nodes):
        problem = (
            "The local Kafka runs and does not answer. Run `steamlab down`, then `steamlab up`."
        )
    return Status(
        kafka=kafka,
        nodes=nodes,
        folder=local.folder if local else None,
        log=local.log_path() if local else None,
        lone=tuple(lone_clusters()),
        problem=problem,
    )


def _find_docker() -> Kafka | None:
    seen = probe(COMPOSE_BOOTSTRAP)
    if seen is None or seen.cluster_id != COMPOSE_CLUSTER_ID:
        return None
    return Kafka(_addresses(seen), COMPOSE_CLUSTER_ID, len(seen.brokers), "docker")


def _find_local() -> Kafka | None:
    local = _local()
    seen = probe(local.bootstrap) if local else None
    if local is None or seen is None or seen.cluster_id != local.cluster_id:
        return None
    return Kafka(local.bootstrap, local.cluster_id, len(seen.brokers), "local")


def _start(brokers: int, deadline: float) -> Kafka:
    orphans.end_orphans()
    end_orphans()
    local = _local() or Cluster(_folder(), brokers=brokers, port=settings().port)
    local.outlive().start(timeout=max(1, deadline - time.monotonic()))
    return Kafka(local.bootstrap, local.cluster_id, local.brokers, "local")


def _local() -> Cluster | None:
    return Cluster(_folder()) if State.load(_folder()) else None


def _is_incomplete(found: Kafka) -> bool:
    """Tell whether a node of the local Kafka is down: `up` starts it again."""
    local = _local() if found.origin == "local" else None
    # Not by asking Kafka: it counts a dead broker in until it misses its heartbeats.
    return local is not None and any(node.pid is None for node in local.nodes)


def _folder() -> Path:
    return settings().home / "kafka"


def _addresses(seen: ClusterMetadata) -> str:
    return ",".join(f"{broker.host}:{broker.port}" for broker in seen.brokers.values())


@contextmanager
def _lock(timeout: float) -> Iterator[None]:
    """Let one process at a time start or end the local Kafka."""
    settings().home.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(settings().home / "kafka.lock", timeout=timeout):
            yield
    except Timeout as error:
        raise DeadlineError(
            f"Another process has been starting or ending Kafka for {timeout:g} s.",
            repair="Wait for it, or look with `steamlab status`.",
        ) from error


def _too_few(found: Kafka, brokers: int) -> BrokerError:
    return BrokerError(
        f"{brokers} brokers are needed, and the Kafka at {found.bootstrap} has {found.brokers}.",
        repair={
            "local": f"Run `steamlab reset --brokers {brokers}`: it deletes the local data.",
            "docker": "The top of docker-compose.yml says how to start three.",
            "yours": "Add brokers, or `unset STEAMLAB_BOOTSTRAP`.",
        }[found.origin],
    )
