"""Clusters that one process started for itself, and the list by which others find them."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from steamlab.kafka.node import end, find_nodes, is_alive
from steamlab.settings import settings

__all__ = [
    "LoneCluster",
    "end_lone",
    "end_orphans",
    "end_own",
    "list_clusters",
    "lone_clusters",
    "register",
]


@dataclass(frozen=True)
class LoneCluster:
    """A cluster of one process; `owner` is that process, `temporary` data go with it."""

    cluster_id: str
    folder: str
    temporary: bool
    owner: int
    owner_started: float

    @property
    def is_orphan(self) -> bool:
        """Whether the process that started it is gone."""
        return not is_alive(self.owner, self.owner_started)

    @property
    def nodes(self) -> int:
        """How many of its nodes run."""
        return len(find_nodes(self.cluster_id))


def register(cluster_id: str, folder: Path, *, temporary: bool) -> LoneCluster:
    """Write down that this process has a cluster, before it starts one."""
    me = psutil.Process()
    lone = LoneCluster(cluster_id, str(folder), temporary, me.pid, me.create_time())
    list_clusters().mkdir(parents=True, exist_ok=True)
    _entry(lone).write_text(json.dumps(asdict(lone)), "utf-8")
    return lone


def lone_clusters() -> list[LoneCluster]:
    """Return all clusters that processes started for themselves and have not ended."""
    found = []
    for entry in sorted(list_clusters().glob("*.json")):
        try:
            found.append(LoneCluster(**json.loads(entry.read_text("utf-8"))))
        except (OSError, ValueError, TypeError):  # ended meanwhile, or half written by a dead one
            continue
    return found


def end_orphans() -> int:
    """End the clusters whose processes are gone; return how many nodes ran."""
    return sum(end_lone(lone) for lone in lone_clusters() if lone.is_orphan)


def end_lone(lone: LoneCluster) -> int:
    """End a cluster's nodes, delete its data if they are temporary, and forget it."""
    ended = end(find_nodes(lone.cluster_id).values(), gently=not lone.temporary)
    if lone.temporary:
        shutil.rmtree(lone.folder, ignore_errors=True)
    _entry(lone).unlink(missing_ok=True)
    return ended


def end_own(lone: LoneCluster) -> None:
    """End a cluster at the exit of the process that started it; a forked child leaves it alone."""
    if os.getpid() == lone.owner:
        end_lone(lone)


def list_clusters() -> Path:
    """Return the folder of the list."""
    return settings().home / "clusters"


def _entry(lone: LoneCluster) -> Path:
    return list_clusters() / f"{lone.cluster_id}.json"
