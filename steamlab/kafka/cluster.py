"""A real Kafka of one to three nodes on this computer: start, kill, freeze, restart, stop."""

from __future__ import annotations

import errno
import shutil
import time
import weakref
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import psutil

from steamlab.client import client_config, probe
from steamlab.errors import BrokerError
from steamlab.kafka import node as nodes
from steamlab.kafka import trouble
from steamlab.kafka.archive import make_archive
from steamlab.kafka.jars import ensure_jars
from steamlab.kafka.java import find_java
from steamlab.kafka.lone import end_own, list_clusters, register
from steamlab.kafka.node import NodeStatus, find_nodes
from steamlab.kafka.profile import LOG4J2, properties
from steamlab.kafka.state import State, is_taken

__all__ = ["Cluster"]

_ROOM = 200_000_000


class Cluster:
    """One to three Kafka nodes, each broker and controller, on 127.0.0.1.

    `folder` keeps the data, the ports and the cluster id for the next time; without one
    they are deleted at the end, which is `stop` or the end of this process. `port` is the
    first choice for a new one. `config` wins over the lab profile. Nodes count from 1.

        with Cluster(brokers=3) as cluster:
            cluster.kill(2)
    """

    def __init__(
        self,
        folder: Path | None = None,
        *,
        brokers: int = 1,
        port: int | None = None,
        config: Mapping[str, object] | None = None,
    ) -> None:
        if brokers not in (1, 2, 3):
            raise BrokerError(
                f"A cluster here has 1 to 3 brokers, not {brokers}.", repair="Ask for 1 or 3."
            )
        self._temporary = folder is None
        self._outlives_us = False
        self._config = dict(config or {})
        new = State.new(brokers, port)
        self.folder = (folder or list_clusters() / new.cluster_id).absolute()
        self._state = State.load(self.folder) or new
        self._launched: dict[int, psutil.Process] = {}
        self._log_begins: dict[int, int] = {}
        self._end_own: weakref.finalize[Any, Any] | None = None

    def __repr__(self) -> str:
        return f"Cluster(brokers={self.brokers})"

    def __enter__(self) -> Cluster:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def bootstrap(self) -> str:
        """The addresses of all nodes."""
        return ",".join(f"127.0.0.1:{port}" for port in self._state.ports)

    @property
    def kafka(self) -> dict[str, Any]:
        """What clients are built from."""
        return client_config(self.bootstrap)

    @property
    def cluster_id(self) -> str:
        """What Kafka itself calls this cluster."""
        return self._state.cluster_id

    @property
    def brokers(self) -> int:
        """How many nodes the cluster has, running or not."""
        return len(self._state.ports)

    @property
    def nodes(self) -> tuple[NodeStatus, ...]:
        """Each node and its process, as they are now."""
        living = find_nodes(self.cluster_id)
        return tuple(
            nodes.node_status(number, port, living.get(number))
            for number, port in enumerate(self._state.ports, 1)
        )

    def log_path(self, node: int = 1) -> Path:
        """Return where a node writes its log."""
        return self.folder / f"node{node}" / "kafka.log"

    def outlive(self) -> Cluster:
        """Let the nodes run on when this process ends: the shared broker does."""
        self._outlives_us = True
        return self

    def start(self, *, timeout: float = 120) -> Cluster:
        """Start the nodes that do not run, and wait until each of them answers as one of ours.

        Raises `BrokerError` with what the node's log says, or `DeadlineError`.
        """
        deadline = time.monotonic() + timeout
        fresh = State.load(self.folder) is None
        try:
            self._start(deadline)
        except trouble.PortTakenError:
            if not fresh:
                raise
            # Somebody took a port after we had chosen it; nothing is lost by choosing again.
            shutil.rmtree(self.folder, ignore_errors=True)
            self._state = State.new(self.brokers, None)
            self._start(deadline)
        except OSError as error:
            raise trouble.disk_error(self.folder, error) from error
        return self

    def stop(self, *, delete: bool | None = None) -> int:
        """End all nodes and return how many ran; `delete` removes the data as well.

        Without it they stay, unless the cluster was made without a folder.
        """
        delete = self._temporary if delete is None else delete
        ended = nodes.end(find_nodes(self.cluster_id).values(), gently=not delete)
        if delete:
            shutil.rmtree(self.folder, ignore_errors=True)
        if self._end_own and (delete or not self._temporary):
            self._end_own()
        return ended

    def kill(self, node: int = 1) -> None:
        """End a node as a power cut does, and wait until it is gone."""
        nodes.end([self._living(node)], gently=False)

    def stop_node(self, node: int = 1) -> None:
        """End a node in good order: it hands over its partitions first."""
        nodes.end([self._living(node)], gently=True)

    def start_node(self, node: int = 1, *, timeout: float = 60) -> None:
        """Start a node again, and wait until it serves.

        After a kill it waits until Kafka has given up its former self: some seconds more.
        """
        self._check(node)
        deadline = time.monotonic() + timeout
        self._launch([] if self.running(node) else [node])
        self._wait([node], deadline)

    def freeze(self, node: int = 1) -> None:
        """Hold a node still: its connections stay open, and it does nothing."""
        self._living(node).suspend()

    def thaw(self, node: int = 1) -> None:
        """Let a frozen node go on."""
        self._living(node).resume()

    def running(self, node: int = 1) -> bool:
        """Tell whether a node's process lives, frozen or not."""
        self._check(node)
        return node in find_nodes(self.cluster_id)

    def _start(self, deadline: float) -> None:
        before = find_nodes(self.cluster_id)
        absent = [number for number in range(1, self.brokers + 1) if number not in before]
        try:
            self._prepare()
            self._format(deadline)
            self._launch(absent)
            self._wait(range(1, self.brokers + 1), deadline)
        except BaseException:  # also Ctrl-C: what was started here does not stay behind
            living = find_nodes(self.cluster_id)
            nodes.end([living[number] for number in absent if number in living], gently=False)
            if self._temporary:
                self.stop()
            raise
        if absent:  # from now on starts are cheaper
            make_archive(*self._jvm, self.log_path(absent[0]).parent)

    def _prepare(self) -> None:
        """Write down who we are before anything runs, so that everything can be found."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if shutil.disk_usage(self.folder).free < _ROOM:
            raise OSError(errno.ENOSPC, "too little space")
        if not self._outlives_us and not (self._end_own and self._end_own.alive):
            lone = register(self.cluster_id, self.folder, temporary=self._temporary)
            # At our exit, or as soon as nobody holds the cluster: a cell may be run twice.
            self._end_own = weakref.finalize(self, end_own, lone)
        (self.folder / "log4j2.properties").write_text(LOG4J2, "ascii")
        for number in range(1, self.brokers + 1):
            self.log_path(number).parent.mkdir(exist_ok=True)
            text = properties(number, self._state.ports, self._state.controller_ports, self._config)
            self.log_path(number).with_name("server.properties").write_text(text, "ascii")
        self._state.save(self.folder)

    def _format(self, deadline: float) -> None:
        state = self._state
        voters = zip(state.controller_ports, state.directories, strict=True)
        everyone = ",".join(f"{n}@127.0.0.1:{p}:{d}" for n, (p, d) in enumerate(voters, 1))
        storage = ("kafka.tools.StorageTool", "format", "--config=server.properties")
        ids = (f"--cluster-id={self.cluster_id}", f"--initial-controllers={everyone}")
        running = {
            number: self._run(number, *storage, *ids)
            for number in range(1, self.brokers + 1)
            if not (self.log_path(number).parent / "data" / "meta.properties").exists()
        }
        for number, process in running.items():
            try:
                failed = process.wait(max(0.1, deadline - time.monotonic()))
            except psutil.TimeoutExpired:
                process.kill()
                raise trouble.too_late(number, self.log_path(number)) from None
            if failed:
                raise self._died(number)

    def _launch(self, numbers: Iterable[int]) -> None:
        self._launched = {}
        for number in numbers:
            for ports in (self._state.ports, self._state.controller_ports):
                if is_taken(ports[number - 1]):
                    raise trouble.port_taken(ports[number - 1])
            log = self.log_path(number)
            self._log_begins[number] = log.stat().st_size if log.exists() else 0
            mark = nodes.marks(self.cluster_id, number)
            kafka = self._run(number, "kafka.Kafka", "server.properties", mark=mark)
            self._launched[number] = kafka

    def _run(self, number: int, *arguments: str, mark: str = "") -> psutil.Process:
        folder = self.log_path(number).parent
        self._jvm = find_java(), ensure_jars()
        return nodes.launch(*self._jvm, folder, arguments, mark)

    def _wait(self, numbers: Iterable[int], deadline: float) -> None:
        """Wait until each node answers with our cluster id and knows the others of them."""
        together = set(numbers)
        waiting = together
        while waiting:
            for number in together:
                if (process := self._launched.get(number)) and not nodes.lives(process):
                    raise self._died(number)
            waiting = {number for number in waiting if not self._is_ready(number, together)}
            if waiting and time.monotonic() > deadline:
                raise trouble.too_late(min(waiting), self.log_path(min(waiting)))
            time.sleep(0.05 if waiting else 0)

    def _is_ready(self, number: int, together: set[int]) -> bool:
        seen = probe(f"127.0.0.1:{self._state.ports[number - 1]}")
        return (
            seen is not None
            and seen.cluster_id == self.cluster_id
            and together <= set(seen.brokers)
        )

    def _died(self, number: int) -> BrokerError:
        begin, port = self._log_begins.get(number, 0), self._state.ports[number - 1]
        return trouble.died(number, self.log_path(number), begin, port)

    def _living(self, node: int) -> psutil.Process:
        self._check(node)
        process = find_nodes(self.cluster_id).get(node)
        if process is None:
            raise BrokerError(
                f"Node {node} does not run.", repair=f"Start it with `start_node({node})`."
            )
        return process

    def _check(self, node: int) -> None:
        if not 1 <= node <= self.brokers:
            raise BrokerError(
                f"There is no node {node}.", repair=f"Nodes are numbered 1 to {self.brokers}."
            )
