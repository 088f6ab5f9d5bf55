"""Who a cluster is for life: its id, its ports, its nodes' directories; kept in cluster.json."""

from __future__ import annotations

import base64
import json
import os
import random
import socket
import uuid
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

__all__ = ["State", "free_ports", "holder", "is_taken"]


@dataclass(frozen=True)
class State:
    """What every start of a cluster needs to be the same cluster again."""

    cluster_id: str
    ports: list[int]
    controller_ports: list[int]
    directories: list[str]

    @classmethod
    def new(cls, brokers: int, port: int | None) -> State:
        """Make up a cluster; its ports begin at `port` where they are free."""
        ports = free_ports(2 * brokers, port)
        directories = [_kafka_id() for _ in range(brokers)]
        return cls(_kafka_id(), ports[:brokers], ports[brokers:], directories)

    @classmethod
    def load(cls, folder: Path) -> State | None:
        """Return the cluster of a folder, or None where there is none yet."""
        try:
            return cls(**json.loads((folder / "cluster.json").read_text("utf-8")))
        except (FileNotFoundError, NotADirectoryError):
            return None

    def save(self, folder: Path) -> None:
        """Keep it: whole, or not at all."""
        part = folder / "cluster.json.part"
        part.write_text(json.dumps(asdict(self)), "utf-8")
        part.replace(folder / "cluster.json")


def is_taken(port: int) -> bool:
    """Tell whether a broker could not listen on a port."""
    with socket.socket() as probe:
        if os.name != "nt":  # as the broker does: a port in TIME_WAIT is free
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def free_ports(count: int, first: int | None = None) -> list[int]:
    """Return free ports: from `first` upwards where that works, else by chance.

    They lie below the range from which systems take ports for outgoing connections:
    one that a stopped node left must still be free when it comes back.
    """
    chances = random.sample(range(20_000, 32_000), 500)
    wanted = [*range(first, min(first + 20, 65_536)), *chances] if first else chances
    with ExitStack() as held:
        chosen: list[int] = []
        for port in wanted:
            socket_ = held.enter_context(socket.socket())
            if os.name != "nt":
                socket_.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with suppress(OSError):
                socket_.bind(("127.0.0.1", port))
                chosen.append(port)
            if len(chosen) == count:
                return chosen
    raise OSError(f"no {count} free ports below 32000")


def holder(port: int) -> str:
    """Return who listens on a port, as far as the system tells: `python (pid 123)`."""
    with suppress(psutil.Error, OSError):
        for connection in psutil.net_connections("tcp"):
            listens = connection.status == psutil.CONN_LISTEN and connection.pid
            if listens and getattr(connection.laddr, "port", None) == port:
                return f"{psutil.Process(connection.pid).name()} (pid {connection.pid})"
    return "another program"


def _kafka_id() -> str:
    """Make an id as Kafka does; one with a leading dash would read as an option."""
    while (text := base64.urlsafe_b64encode(uuid.uuid4().bytes).decode()[:22]).startswith("-"):
        pass
    return text
