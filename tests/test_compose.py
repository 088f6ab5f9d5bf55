"""docker-compose.yml, proven without Docker: by the image's own start class."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from steamlab import broker, topics
from steamlab.client import client_config
from steamlab.kafka.jars import KAFKA_VERSION, ensure_jars
from steamlab.kafka.java import JVM_OPTIONS, clean_environment, find_java
from steamlab.kafka.profile import LAB, LOG4J2, by_size
from steamlab.kafka.state import free_ports
from steamlab.settings import ROOT

TEXT = (ROOT / "docker-compose.yml").read_text("utf-8")
SERVICES: dict[str, Any] = yaml.safe_load(TEXT)["services"]
ONE, THREE = ["kafka"], ["kafka-1", "kafka-2", "kafka-3"]
LOG4J2_YAML = """\
Configuration:
  Appenders: {Console: {name: OUT, PatternLayout: {pattern: "[%d] %p %m (%c)%n"}}}
  Loggers: {Root: {level: info, AppenderRef: {ref: OUT}}}
"""


def environment(service: str) -> dict[str, str]:
    """A service's environment as Docker would hand it over."""
    return {name: str(value) for name, value in SERVICES[service]["environment"].items()}


def variable(setting: str) -> str:
    """The image's name for a Kafka setting."""
    return "KAFKA_" + setting.replace("_", "__").replace("-", "___").replace(".", "_").upper()


@pytest.mark.parametrize("names", [ONE, THREE])
def test_the_lab_values_are_those_of_the_local_kafka(names: list[str]) -> None:
    """Each setting of the lab profile stands in each broker's environment, with its value."""
    wanted = {variable(name): str(value) for name, value in (LAB | by_size(len(names))).items()}
    for name in names:
        given = environment(name)
        assert wanted == {key: given.get(key) for key in wanted}


def test_every_published_port_is_bound_to_this_computer() -> None:
    """Nothing that Compose publishes can be reached from another computer."""
    published = {name: service.get("ports", []) for name, service in SERVICES.items()}
    assert {"kafka", "kafka-1", "kafka-2", "kafka-3", "ui"} == set(published)
    for ports in published.values():
        assert 1 == len(ports)
        assert ports[0].startswith("127.0.0.1:")


def test_images_are_pinned_by_exact_version() -> None:
    """The brokers are the Kafka of the lock, and nothing says latest."""
    images = {name: service["image"] for name, service in SERVICES.items()}
    assert {f"apache/kafka:{KAFKA_VERSION}"} == {images[name] for name in ONE + THREE}
    assert all(re.search(r":v?\d+\.\d+\.\d+$", image) for image in images.values())


def test_brokers_keep_data_in_volumes_and_are_checked() -> None:
    """Each broker has a volume of its own where its data lie, and a health check."""
    volumes = [SERVICES[name]["volumes"] for name in ONE + THREE]
    assert [[f"{name}:/var/lib/kafka/data"] for name in ONE + THREE] == volumes
    for name in ONE + THREE:
        assert "/var/lib/kafka/data" == environment(name)["KAFKA_LOG_DIRS"]
        assert "</dev/tcp/127.0.0.1/9092" == SERVICES[name]["healthcheck"]["test"][-1]
    assert set(ONE + THREE) == set(yaml.safe_load(TEXT)["volumes"])


def test_profiles_choose_the_brokers() -> None:
    """Without a profile there is one broker; the others wait to be asked for."""
    profiles = {name: service.get("profiles") for name, service in SERVICES.items()}
    three = {name: ["three"] for name in THREE}
    assert {"kafka": None, "ui": ["ui"], **three} == profiles


def test_the_course_knows_the_cluster_by_address_and_id() -> None:
    """What `find` looks for is what the file starts, in both sizes."""
    for first in ("kafka", "kafka-1"):
        assert broker.COMPOSE_CLUSTER_ID == environment(first)["CLUSTER_ID"]
        advertised = environment(first)["KAFKA_ADVERTISED_LISTENERS"]
        assert f"HOST://{broker.COMPOSE_BOOTSTRAP}" == advertised.split(",")[1]


@pytest.fixture(scope="module", params=[ONE, THREE], ids=["one", "three"])
def composed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[list[str], dict[str, str]]]:
    """Kafka as the image would start it: service names, and each one's host address here.

    Names become 127.0.0.1, ports free ones, the volume a folder; all else is as in the file.
    """
    names: list[str] = request.param
    inside, control, host = (free_ports(len(names)) for _ in range(3))
    hosts = {}
    started = []
    swaps: dict[str, str] = {}
    for at, name in enumerate(names):
        swaps[f"@{name}:9093"] = f"@127.0.0.1:{control[at]}"
    try:
        for at, name in enumerate(names):
            folder = tmp_path_factory.mktemp(name)
            published = SERVICES[name]["ports"][0].rpartition(":")[2]
            mine = swaps | {
                "//:9093": f"//127.0.0.1:{control[at]}",
                "//:9092": f"//127.0.0.1:{inside[at]}",
                f"//:{published}": f"//127.0.0.1:{host[at]}",
                f"//{name}:9092": f"//127.0.0.1:{inside[at]}",
                f"127.0.0.1:{published}": f"127.0.0.1:{host[at]}",
                "/var/lib/kafka/data": str(folder / "data"),
            }
            hosts[name] = f"127.0.0.1:{host[at]}"
            started.append(start_as_image(folder, swap(environment(name), mine)))
        yield names, hosts
    finally:
        for process in started:
            process.kill()
        psutil.wait_procs(started, timeout=20)


def swap(given: Mapping[str, str], places: Mapping[str, str]) -> dict[str, str]:
    """Put this computer's places where the file has the container's."""
    mapped = {}
    for key, value in given.items():
        for old, new in places.items():
            value = value.replace(old, new)
        mapped[key] = value
    return mapped


def start_as_image(folder: Path, given: Mapping[str, str]) -> psutil.Popen:
    """Let the image's start class write the settings and format, then start Kafka from them."""
    default, mounted, final = (folder / name for name in ("default", "mounted", "final"))
    for path in (default, mounted, final):
        path.mkdir()
    (default / "server.properties").touch()
    for name in ("log4j2.yaml", "tools-log4j2.yaml"):
        (default / name).write_text(LOG4J2_YAML, "utf-8")
    (folder / "log4j2.properties").write_text(LOG4J2, "ascii")
    jars = os.pathsep.join(map(str, ensure_jars()))
    log4j = f"-Dlog4j2.configurationFile={(folder / 'log4j2.properties').as_uri()}"
    java = [str(find_java()), *JVM_OPTIONS, log4j, "-cp", jars]
    wrapper = ["kafka.docker.KafkaDockerWrapper", "setup", "-D", default, "-M", mounted]
    clean = {k: v for k, v in clean_environment().items() if not k.startswith("KAFKA_")}
    setup = subprocess.run(
        [*java, *wrapper, "-F", final], env=clean | dict(given), capture_output=True, text=True
    )
    assert 0 == setup.returncode, setup.stdout + setup.stderr
    with (folder / "kafka.log").open("wb") as log:
        command = [*java, "kafka.Kafka", str(final / "server.properties")]
        return psutil.Popen(
            command, env=clean, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=folder
        )


@pytest.mark.broker
def test_the_image_starts_from_the_file(
    composed: tuple[list[str], dict[str, str]],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """`up` finds the composed Kafka with all brokers, and the store's topics fit into it."""
    names, hosts = composed
    monkeypatch.delenv("STEAMLAB_BOOTSTRAP", raising=False)
    monkeypatch.setenv("STEAMLAB_HOME", str(tmp_path))
    monkeypatch.setattr(broker, "COMPOSE_BOOTSTRAP", hosts[names[0]])
    found = wait_for_docker(len(names))
    assert ("docker", len(names)) == (found.origin, found.brokers)
    assert set(hosts.values()) == set(found.bootstrap.split(","))
    assert found == broker.up(brokers=len(names))

    kafka = client_config(found.bootstrap)
    topics.create(kafka, topics.ALL_TOPICS)
    purchases = topics.describe(kafka, "store.purchases")
    assert {len(names)} == set(purchases["replicas"].map(len))

    with pytest.raises(broker.BrokerError, match="is not ours to empty"):
        broker.reset()
    assert 0 == broker.down()


def wait_for_docker(brokers: int) -> broker.Kafka:
    """Wait as `docker compose up --wait` does, until all brokers are in."""
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        found = broker.find()
        if found and found.brokers == brokers:
            return found
        time.sleep(0.1)
    raise AssertionError(f"the composed Kafka never had {brokers} brokers")
