"""Clusters of our own: started, killed, frozen, restarted, and never lost sight of."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from steamlab import broker, topics
from steamlab.client import probe
from steamlab.errors import BrokerError, DeadlineError
from steamlab.kafka import cluster, lone
from steamlab.kafka.cluster import Cluster
from steamlab.kafka.lone import LoneCluster, lone_clusters
from steamlab.kafka.node import find_nodes, is_alive
from steamlab.kafka.profile import escape
from steamlab.kafka.state import State, free_ports, is_taken

pytestmark = pytest.mark.broker
TOPIC = topics.TopicSpec("records", 1)


def send(kafka: Cluster, count: int) -> None:
    """Send records and see each one confirmed by all in-sync replicas."""
    failed = []
    with Producer(kafka.kafka | {"acks": "all", "linger.ms": 0}) as producer:
        for number in range(count):
            producer.produce(
                TOPIC.name,
                str(number).encode(),
                on_delivery=lambda error, _: error and failed.append(error),
            )
        assert 0 == producer.flush(60)
    assert [] == failed


def read(kafka: Cluster) -> list[int]:
    """Read all records back, as numbers."""
    end = int(topics.offsets(kafka.kafka, TOPIC.name)["end"].sum())
    found: list[int] = []
    deadline = time.monotonic() + 30
    with Consumer(kafka.kafka | {"group.id": "reader", "enable.auto.commit": False}) as consumer:
        consumer.assign([TopicPartition(TOPIC.name, 0, 0)])
        while len(found) < end and time.monotonic() < deadline:
            found += [int(message.value()) for message in consumer.consume(100, 0.5)]
    return found


def wait_until(holds: Callable[[], bool], what: str, timeout: float = 30) -> None:
    """Poll until something holds."""
    deadline = time.monotonic() + timeout
    while not holds():
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def own_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home whose list of clusters belongs to this file alone."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STEAMLAB_HOME", str(home))
        yield home


@pytest.fixture(scope="module")
def single(own_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """One node in a folder with a difficult name, holding the records 0 to 9."""
    folder = tmp_path_factory.mktemp("x") / "Jürgen, Größe 日 #1 100%"
    made = Cluster(folder)
    with socket.socket() as thief:  # takes the port after the cluster has chosen it
        thief.bind(("127.0.0.1", int(made.bootstrap.partition(":")[2])))
        thief.listen()
        made.start()
    topics.create(made.kafka, [TOPIC])
    send(made, 10)
    yield made
    made.stop(delete=True)


def test_a_new_cluster_chooses_again_when_its_port_is_taken(single: Cluster) -> None:
    """The fixture's first port was stolen before the start, and the cluster came up on another."""
    seen = probe(single.bootstrap)
    assert seen is not None
    assert (single.cluster_id, {1}) == (seen.cluster_id, set(seen.brokers))


def test_a_folder_with_difficult_letters_works(single: Cluster) -> None:
    """Space, comma, hash, percent, umlauts and Japanese: the data lie below that folder."""
    assert (single.folder / "node1" / "data" / "records-0").is_dir()
    assert list(range(10)) == read(single)


def test_everything_listens_on_this_computer_only(single: Cluster) -> None:
    """Every listening socket of the node is bound to 127.0.0.1."""
    process = find_nodes(single.cluster_id)[1]
    listening = [at for at in process.net_connections("tcp") if at.status == psutil.CONN_LISTEN]
    addresses = {at.laddr.ip.removeprefix("::ffff:") for at in listening}
    assert 2 <= len(listening)
    assert {"127.0.0.1"} == addresses


@pytest.mark.skipif(os.name == "nt", reason="Windows has no sessions")
def test_a_node_is_out_of_reach_of_a_kernels_interrupt(single: Cluster) -> None:
    """Ctrl-C goes to a process group; the node is in another, and in another session."""
    node = find_nodes(single.cluster_id)[1].pid
    assert os.getpgid(node) != os.getpgid(0)
    assert os.getsid(node) != os.getsid(0)


def test_a_frozen_node_does_nothing_and_goes_on_when_thawed(single: Cluster) -> None:
    """Frozen it lives and does not answer; thawed it does."""
    single.freeze()
    assert single.running()
    assert probe(single.bootstrap, timeout=0.5) is None
    single.thaw()
    wait_until(lambda: probe(single.bootstrap) is not None, "an answer after thawing")


def test_a_killed_node_comes_back_with_its_records(single: Cluster) -> None:
    """After kill -9 and a restart all confirmed records are there, at the same address."""
    send(single, 0)
    before = single.bootstrap
    single.kill()
    assert not single.running()
    with pytest.raises(BrokerError, match=r"Node 1 does not run\. Start it with `start_node"):
        single.kill()
    single.start_node()
    assert (True, before) == (single.running(), single.bootstrap)
    assert list(range(10)) == read(single)


def test_the_same_folder_is_the_same_cluster(single: Cluster) -> None:
    """Stopped in good order and started by another object: same id, ports and records."""
    assert 1 == single.stop()
    again = Cluster(single.folder)
    assert (single.cluster_id, single.bootstrap) == (again.cluster_id, again.bootstrap)
    again.start()
    assert list(range(10)) == read(again)
    assert 1 == again.stop()
    single.start()


def test_starting_twice_changes_nothing(single: Cluster) -> None:
    """A second start of what runs leaves the same process."""
    before = single.nodes[0].pid
    single.start()
    single.start_node()
    assert before == single.nodes[0].pid


def test_three_nodes_survive_the_death_of_one(own_home: Path) -> None:
    """Three copies; a killed node is missed, writes go on, and it comes back into sync."""
    with Cluster(brokers=3) as three:
        topics.create(three.kafka, [TOPIC])
        assert [3] == topics.describe(three.kafka, TOPIC.name)["replicas"].map(len).to_list()
        leader = int(topics.describe(three.kafka, TOPIC.name)["leader"][0])
        three.kill(leader)
        assert [number != leader for number in (1, 2, 3)] == [
            three.running(number) for number in (1, 2, 3)
        ]
        send(three, 5)
        three.start_node(leader)
        in_sync = lambda: topics.describe(three.kafka, TOPIC.name)["isr"][0]  # noqa: E731
        wait_until(lambda: in_sync() == [1, 2, 3], "all three in sync")
        assert list(range(5)) == read(three)
        folder = three.folder
        pids = [node.pid for node in three.nodes]
    assert not folder.exists()
    assert not any(psutil.pid_exists(pid) for pid in pids if pid)


OWNER = """
import os, signal, sys
from steamlab.kafka.cluster import Cluster
cluster = Cluster().start()
print(cluster.cluster_id, flush=True)
if sys.argv[1] == "dies":
    os.kill(os.getpid(), signal.SIGKILL)
"""


def run_owner(how: str) -> str:
    """Let another process start a cluster and end without stopping it; return the cluster's id."""
    told = subprocess.run([sys.executable, "-c", OWNER, how], stdout=subprocess.PIPE, text=True)
    return told.stdout.strip()


def test_a_process_that_ends_takes_its_cluster_along(own_home: Path) -> None:
    """No node, no folder and no entry in the list remain after an ordinary exit."""
    cluster_id = run_owner("ends")
    assert cluster_id
    assert {} == find_nodes(cluster_id)
    assert not (own_home / "clusters" / cluster_id).exists()
    assert cluster_id not in {other.cluster_id for other in lone_clusters()}


def test_an_orphan_is_seen_and_ended_from_another_process(own_home: Path, single: Cluster) -> None:
    """A killed process leaves its node: `status` shows it, `down` ends it, and no other."""
    cluster_id = run_owner("dies")
    orphan = find_nodes(cluster_id)[1]
    seen = {other.cluster_id: other for other in broker.status().lone}
    assert seen[cluster_id].is_orphan
    assert 1 == broker.down()
    assert not orphan.is_running()
    assert not (own_home / "clusters" / cluster_id).exists()
    assert cluster_id not in {other.cluster_id for other in lone_clusters()}


def test_down_leaves_the_clusters_of_living_processes_alone(single: Cluster) -> None:
    """A lesson's own cluster is no orphan while its process lives."""
    mine = next(made for made in lone_clusters() if made.cluster_id == single.cluster_id)
    assert not mine.is_orphan
    assert 0 == broker.down()
    assert single.running()


def test_a_port_taken_at_a_restart_is_one_sentence(single: Cluster) -> None:
    """A cluster with data keeps its ports, so the error names the port and who has it."""
    single.stop()
    port = int(single.bootstrap.partition(":")[2])
    with socket.socket() as thief:
        thief.bind(("127.0.0.1", port))
        thief.listen()
        with pytest.raises(BrokerError) as caught:
            single.start()
    holder = f"{psutil.Process().name()} (pid {os.getpid()})"
    assert f"Port {port} on 127.0.0.1 is taken by {holder}." == caught.value.sentence
    assert {} == find_nodes(single.cluster_id)


def test_a_cluster_that_nobody_holds_ends_itself(
    own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cell that is run twice drops its first cluster: its nodes are ended at that moment."""
    ended: list[LoneCluster] = []
    monkeypatch.setattr(cluster, "end_own", ended.append)
    monkeypatch.setattr(cluster.nodes, "launch", lambda *_: 1 / 0)
    dropped = Cluster()
    cluster_id = dropped.cluster_id
    with pytest.raises(ZeroDivisionError):
        dropped.start()
    assert [cluster_id] == [dropped_one.cluster_id for dropped_one in ended]


def test_a_forked_child_leaves_its_parents_cluster_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """At a child's exit the parent's clean-up runs, too: only the owner itself ends nodes."""
    ended: list[LoneCluster] = []
    monkeypatch.setattr(lone, "end_lone", ended.append)
    mine = LoneCluster("id", str(tmp_path), True, os.getpid(), psutil.Process().create_time())
    lone.end_own(replace(mine, owner=os.getppid()))
    assert [] == ended
    lone.end_own(mine)
    assert [mine] == ended


def test_an_owner_is_alive_only_as_the_same_process() -> None:
    """A process number that was given away again is not the owner any more."""
    born = psutil.Process().create_time()
    assert is_alive(os.getpid(), born)
    assert not is_alive(os.getpid(), born - 3600)
    with subprocess.Popen([sys.executable, "-c", "pass"]) as child:
        was_born = psutil.Process(child.pid).create_time()
        wait_until(lambda: not is_alive(child.pid, was_born), "the child's end, seen as a zombie")


def test_a_half_written_entry_of_the_list_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process may die while it writes itself down: the others are still found."""
    monkeypatch.setenv("STEAMLAB_HOME", str(tmp_path))
    whole = lone.register("whole", tmp_path, temporary=True)
    (lone.list_clusters() / "half.json").write_text('{"cluster_id": "ha')
    assert [whole] == lone_clusters()


def test_a_setting_that_kafka_refuses_is_one_sentence(own_home: Path) -> None:
    """The error quotes Kafka's own reason, and nothing stays behind."""
    made = Cluster(config={"num.io.threads": "zero"})
    with pytest.raises(BrokerError) as caught:
        made.start()
    assert "Kafka's node 1 ended while it was starting: " in caught.value.sentence
    assert "Invalid value zero for configuration num.io.threads" in caught.value.sentence
    assert {} == find_nodes(made.cluster_id)
    assert not made.folder.exists()


def test_a_deadline_is_one_sentence_and_leaves_no_process(own_home: Path) -> None:
    """A start that takes too long ends what it started."""
    made = Cluster()
    with pytest.raises(DeadlineError, match="Kafka's node 1 was not ready in time"):
        made.start(timeout=2)
    assert {} == find_nodes(made.cluster_id)


def test_a_disk_without_room_is_refused_at_once(
    own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Less than 200 MB free: one sentence, before any JVM."""
    usage = type("Usage", (), {"free": 199_000_000})
    monkeypatch.setattr(cluster.shutil, "disk_usage", lambda _: usage)
    made = Cluster()
    with pytest.raises(BrokerError) as caught:
        made.start()
    assert f"There is no space left for Kafka's data in {made.folder}." == caught.value.sentence
    assert "STEAMLAB_HOME" in caught.value.repair


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 24 kB; skipped where we may not make one."""
    if sys.platform != "linux" or not shutil.which("mount"):
        pytest.skip("needs Linux and mount")
    options = ["mount", "-t", "tmpfs", "-o", "size=24k", "tmpfs", str(tmp_path)]
    if subprocess.run(options, capture_output=True).returncode:
        pytest.skip("may not mount a file system here")
    yield tmp_path
    subprocess.run(["umount", "-l", str(tmp_path)], check=True)


def test_a_disk_that_fills_up_during_the_start_is_one_sentence(
    tiny_disk: Path, own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kafka's own complaint about a full disk becomes the same sentence."""
    monkeypatch.setattr(cluster, "_ROOM", 0)
    with pytest.raises(BrokerError, match="There is no space left for Kafka's data in"):
        Cluster(tiny_disk / "kafka").start()


def test_a_folder_that_cannot_be_made_is_one_sentence(own_home: Path, tmp_path: Path) -> None:
    """A file where the folder should be is no bare traceback."""
    (tmp_path / "file").touch()
    with pytest.raises(BrokerError, match=r"Kafka's data cannot be written to .*Not a directory"):
        Cluster(tmp_path / "file" / "kafka").start()


@pytest.mark.parametrize("count", [0, 4])
def test_only_one_to_three_brokers(count: int) -> None:
    """Any other number is refused by name."""
    with pytest.raises(BrokerError, match=f"has 1 to 3 brokers, not {count}"):
        Cluster(brokers=count)


def test_a_node_that_does_not_exist_is_one_sentence(own_home: Path) -> None:
    """Nodes count from 1."""
    with pytest.raises(BrokerError, match=r"There is no node 0\. Nodes are numbered 1 to 1\."):
        Cluster().kill(0)


def test_ports_begin_at_the_first_choice_and_pass_over_taken_ones() -> None:
    """Of three ports from a taken one upwards, none is the taken one, all are free and differ."""
    first = free_ports(1)[0]
    with socket.socket() as thief:
        thief.bind(("127.0.0.1", first))
        thief.listen()
        assert is_taken(first)
        chosen = free_ports(3, first)
    assert first not in chosen
    assert 3 == len(set(chosen))
    assert not any(map(is_taken, chosen))


def test_ids_never_look_like_options() -> None:
    """Kafka's tools would read a leading dash as an option: of 500 ids none has it."""
    ids = [State.new(1, None).cluster_id for _ in range(500)]
    assert [] == [text for text in ids if text.startswith("-") or len(text) != 22]


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (7, "7"),
        ("a b", "a\\u0020b"),
        ("ü日", "\\u00fc\\u65e5"),
        ("😀", "\\ud83d\\ude00"),
        ("a\\b", "a\\\\b"),
        ("x\ny=1", "x\\u000ay=1"),
    ],
)
def test_settings_are_written_as_java_reads_them(value: object, written: str) -> None:
    """ASCII only, UTF-16 units, no line of their own: worked out from Properties' rules."""
    assert written == escape(value)
