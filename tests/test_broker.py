"""The shared Kafka: one for all processes, started once, found and ended from anywhere."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock

from steamlab import broker, topics
from steamlab.broker import Kafka
from steamlab.client import client_config, probe
from steamlab.errors import BrokerError, DeadlineError
from steamlab.kafka.cluster import Cluster
from steamlab.kafka.node import find_nodes
from steamlab.kafka.state import free_ports
from steamlab.settings import settings

LAG = """
from steamlab import broker, groups, topics
from steamlab.client import client_config
kafka = client_config(broker.reset().bootstrap)
topics.create(kafka, [topics.TopicSpec("things", 2)])
print([int(groups.lag(kafka, f"nobody{n}", "things")["lag"].sum()) for n in range(5)])
"""
UP = "from steamlab.broker import up; found = up(); print(found.bootstrap, found.cluster_id)"


@pytest.fixture(scope="module", autouse=True)
def own_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home for this file alone, where the first choice of a port is free."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STEAMLAB_HOME", str(home))
        patch.setenv("STEAMLAB_PORT", str(free_ports(1)[0]))
        patch.delenv("STEAMLAB_BOOTSTRAP", raising=False)
        # Another Kafka on this computer must not be taken for the one of Compose.
        patch.setattr(broker, "COMPOSE_BOOTSTRAP", "127.0.0.1:9")
        yield home


@pytest.fixture(scope="module")
def started(own_home: Path) -> Iterator[tuple[str, str]]:
    """A shared Kafka that two other processes started at once: address and cluster id."""
    both = [
        subprocess.Popen([sys.executable, "-c", UP], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    told = [process.communicate(timeout=180)[0].split() for process in both]
    assert told[0] == told[1]
    yield told[0][0], told[0][1]
    broker.down()


@pytest.mark.broker
def test_two_starts_at_once_make_one_kafka(started: tuple[str, str]) -> None:
    """Both processes got the same Kafka; it has one node, and it outlived them."""
    bootstrap, cluster_id = started
    assert [1] == list(find_nodes(cluster_id))
    assert f"127.0.0.1:{settings().port}" == bootstrap
    assert Kafka(bootstrap, cluster_id, 1, "local") == broker.find() == broker.up()


@pytest.mark.broker
def test_status_tells_what_runs(started: tuple[str, str], own_home: Path) -> None:
    """Origin, address, the node's process and size, folder and log, also as JSON."""
    bootstrap, cluster_id = started
    status = broker.status()
    node = status.nodes[0]
    process = find_nodes(cluster_id)[1]
    assert ("local", None) == (status.kafka and status.kafka.origin, status.problem)
    assert (1, settings().port, process.pid) == (node.node, node.port, node.pid)
    assert 50 < (node.resident_mb or 0) < 400
    assert status.log is not None
    assert status.log.is_file()
    plain = json.loads(json.dumps(status.as_dict()))
    assert str(own_home / "kafka") == plain["folder"]
    assert bootstrap == plain["kafka"]["bootstrap"]


@pytest.mark.broker
def test_more_brokers_than_there_are_is_one_sentence(started: tuple[str, str]) -> None:
    """A cluster does not grow by itself, and the data are not thrown away unasked."""
    with pytest.raises(BrokerError) as caught:
        broker.up(brokers=3)
    assert f"3 brokers are needed, and the Kafka at {started[0]} has 1." == caught.value.sentence
    assert "steamlab reset --brokers 3" in caught.value.repair


@pytest.mark.broker
def test_yours_comes_first_and_is_not_emptied(
    started: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """STEAMLAB_BOOTSTRAP wins over the local one, and `reset` refuses to touch it."""
    monkeypatch.setenv("STEAMLAB_BOOTSTRAP", started[0])
    assert Kafka(started[0], started[1], 1, "yours") == broker.up()
    with pytest.raises(BrokerError) as caught:
        broker.reset()
    assert f"The Kafka at {started[0]} is not ours to empty." == caught.value.sentence
    assert probe(started[0]) is not None


@pytest.mark.broker
def test_the_one_of_compose_comes_before_the_local_one(
    started: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What answers at Compose's address counts only with Compose's cluster id."""
    another_way = f"{started[0]},127.0.0.1:9"
    monkeypatch.setattr(broker, "COMPOSE_BOOTSTRAP", another_way)
    found = broker.find()
    assert "local" == (found and found.origin)
    monkeypatch.setattr(broker, "COMPOSE_CLUSTER_ID", started[1])
    found = broker.find()
    assert "docker" == (found and found.origin)


@pytest.mark.broker
def test_a_killed_node_is_started_again_with_its_topics(started: tuple[str, str]) -> None:
    """After kill -9 `up` brings the same Kafka back, and what was in it."""
    kafka = client_config(started[0])
    topics.create(kafka, [topics.TopicSpec("kept", 2)])
    Cluster(settings().home / "kafka").outlive().kill()
    assert broker.find() is None
    assert started == (broker.up().bootstrap, broker.find() and started[1])
    assert 2 == len(topics.offsets(kafka, "kept"))


@pytest.mark.broker
def test_reset_starts_an_empty_kafka(started: tuple[str, str]) -> None:
    """Another cluster id, no topics, the old process gone."""
    fresh = broker.reset()
    assert started[1] != fresh.cluster_id
    assert {} == find_nodes(started[1])
    seen = probe(fresh.bootstrap)
    assert seen is not None
    assert {} == seen.topics


@pytest.mark.broker
@pytest.mark.usefixtures("started")
def test_a_kafka_of_this_moment_knows_no_groups() -> None:
    """Asked how far one is before it has a coordinator for it, it takes nobody's process along."""
    done = subprocess.run([sys.executable, "-c", LAG], capture_output=True, text=True, timeout=180)
    assert (0, "[0, 0, 0, 0, 0]") == (done.returncode, done.stdout.strip())


@pytest.mark.broker
def test_down_leaves_no_process(started: tuple[str, str]) -> None:
    """The node that another process started is gone; the data and the ports stay."""
    running = broker.up()
    assert 1 == broker.down()
    assert {} == find_nodes(running.cluster_id)
    assert 0 == broker.down()
    status = broker.status()
    assert (None, [None]) == (status.kafka, [node.pid for node in status.nodes])
    assert (settings().home / "kafka" / "node1" / "data").is_dir()


def test_yours_that_does_not_answer_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the variable; `status` shows it instead of raising."""
    monkeypatch.setenv("STEAMLAB_BOOTSTRAP", "127.0.0.1:9")
    with pytest.raises(BrokerError) as caught:
        broker.up()
    sentence = "STEAMLAB_BOOTSTRAP is 127.0.0.1:9, and no Kafka answers there."
    assert sentence == caught.value.sentence
    assert "unset STEAMLAB_BOOTSTRAP" in caught.value.repair
    assert str(caught.value) == broker.status().problem


def test_an_address_that_is_none_is_no_answer() -> None:
    """Whatever stands in STEAMLAB_BOOTSTRAP, `probe` does not raise."""
    for nonsense in ("", "nowhere", "127.0.0.1:99999999", "http://127.0.0.1:9", "[::1]:x"):
        assert probe(nonsense) is None


def test_another_program_on_the_port_is_not_kafka() -> None:
    """A port that is open and silent gives None in time, not an exception."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        assert probe(f"127.0.0.1:{other.getsockname()[1]}", timeout=0.3) is None


def test_a_start_that_waits_too_long_for_another_is_one_sentence(own_home: Path) -> None:
    """While one process starts Kafka, the next waits for it, but not for ever."""
    with FileLock(own_home / "kafka.lock"), pytest.raises(DeadlineError) as caught:
        broker.down(timeout=0.1)
    expected = "Another process has been starting or ending Kafka for 0.1 s."
    assert expected == caught.value.sentence


def test_nothing_running_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In an empty home there is nothing to find, to end or to complain about."""
    monkeypatch.setenv("STEAMLAB_HOME", str(tmp_path / "new"))
    assert broker.find() is None
    assert 0 == broker.down()
    empty = {"kafka": None, "nodes": (), "folder": None, "log": None, "lone": (), "problem": None}
    assert empty == broker.status().as_dict()
    assert "STEAMLAB_BOOTSTRAP" not in os.environ
