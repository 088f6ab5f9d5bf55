"""The doctor: what it looks at, what it says, and that it sees each thing that can be wrong."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka.admin import AdminClient

from steamlab import doctor as doctor_module
from steamlab.doctor import doctor
from steamlab.errors import BrokerError
from steamlab.launch import health as health_module
from steamlab.launch.findings import Finding, Report, guarded
from steamlab.launch.health import addresses, health, port_owner, round_trip

GOOD = Finding("java", True, "17, /usr/bin/java")
BAD = Finding("kafka", False, "does not run.", "Run `steamlab up`.")


def found(report: Report, name: str) -> Finding:
    """Return the finding of that name."""
    return next(each for each in report.findings if each.name == name)


def test_all_is_well_in_one_line() -> None:
    """Without failures a report is one line, green in a notebook, of nothing that varies."""
    report = Report((GOOD,))
    line = "Everything is ready: Python, the packages, the kernel, Java and Kafka."
    assert line == repr(report)
    assert line in report._repr_html_()
    assert "#0a7d33" in report._repr_html_()
    assert "17" not in repr(report)


def test_failures_come_with_their_repairs() -> None:
    """A report with failures shows those, and only those, each with its repair."""
    report = Report((GOOD, BAD))
    assert "FAIL  kafka: does not run. Run `steamlab up`." == repr(report)
    assert f"ok    java: 17, /usr/bin/java\n{BAD}" == str(report)
    assert (BAD,) == report.failures
    assert not report.ok


def test_what_is_shown_is_escaped() -> None:
    """Text from outside cannot become HTML in a notebook."""
    report = Report((Finding("kafka", False, "<script>x</script>", "Mend."),))
    assert "<script>" not in report._repr_html_()


def test_json() -> None:
    """As JSON a report says whether all is well, and every finding."""
    said = json.loads(Report((GOOD, BAD)).to_json())
    assert (False, ["java", "kafka"]) == (said["ok"], [each["name"] for each in said["findings"]])


def test_an_error_is_a_finding() -> None:
    """A look that raises becomes a failed finding, with the error's own repair where it has one."""

    def ours() -> Finding:
        raise BrokerError("It sleeps.", repair="Wake it.")

    def other() -> Finding:
        raise ValueError("odd")

    assert Finding("x", False, "It sleeps.", "Wake it.") == guarded(ours, name="x", repair="-")
    assert Finding("x", False, "ValueError: odd", "-") == guarded(other, name="x", repair="-")


@pytest.fixture
def no_kafka(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Surroundings in which no Kafka runs and nothing has been fetched."""
    monkeypatch.delenv("STEAMLAB_BOOTSTRAP", raising=False)
    monkeypatch.setenv("STEAMLAB_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("STEAMLAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("STEAMLAB_PORT", "21986")


@pytest.mark.usefixtures("no_kafka")
def test_without_kafka() -> None:
    """Where Kafka does not run and its jars are missing, both are said, and nothing is started."""
    report = doctor()
    assert {"jars", "kafka"} == {each.name for each in report.failures}
    assert "does not run; port 21986 is free." == found(report, "kafka").seen
    assert found(report, "jars").seen.startswith("0 of 45 as in the lock")
    assert found(report, "python").ok


@pytest.mark.usefixtures("no_kafka")
def test_a_package_that_differs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A package of another version than the lock's is named with both versions."""
    real = doctor_module.installed
    monkeypatch.setattr(
        doctor_module, "installed", lambda name: "0.1" if name == "plotly" else real(name)
    )
    finding = found(doctor(), "packages")
    assert not finding.ok
    assert finding.seen.startswith("plotly is 0.1, the lock says ")
    assert "Run `make setup`." == finding.repair


@pytest.mark.usefixtures("no_kafka")
def test_a_foreign_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel `python3` that belongs to another Python is named: the usual wrong kernel."""
    from jupyter_client.kernelspec import KernelSpecManager

    spec = SimpleNamespace(argv=["/opt/other/bin/python", "-m", "ipykernel_launcher"])
    monkeypatch.setattr(KernelSpecManager, "get_kernel_spec", lambda *_: spec)
    finding = found(doctor(), "kernel")
    assert (False, "python3 runs /opt/other/bin/python") == (finding.ok, finding.seen)


@pytest.mark.usefixtures("no_kafka")
def test_little_memory_and_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Too little memory or disk is a failure that names what is needed."""
    import shutil

    import psutil

    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=99_000_000))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=99_000_000))
    report = doctor()
    assert (False, "99 MB available") == (found(report, "memory").ok, found(report, "memory").seen)
    assert not found(report, "disk").ok


def test_a_taken_port_is_named() -> None:
    """Who listens on Kafka's port is said; a free port is called free."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        said = port_owner(port)
        assert said.startswith("does not run; ")
        assert said.endswith(f" uses port {port}, so Kafka will choose another.")
        assert "python" in said
    assert f"does not run; port {port} is free." == port_owner(port)


@contextmanager
def advertising(monkeypatch: pytest.MonkeyPatch, port: int) -> Iterator[None]:
    """Let every cluster seem to advertise 127.0.0.1 with that port."""
    broker = SimpleNamespace(host="127.0.0.1", port=port)
    metadata = SimpleNamespace(brokers={1: broker})
    with monkeypatch.context() as patch:
        patch.setattr(AdminClient, "list_topics", lambda *_, **__: metadata)
        yield


def test_an_address_that_leads_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker that advertises an address out of reach is found, with both addresses."""
    with advertising(monkeypatch, 9):
        finding = addresses("127.0.0.1:29092")
    assert not finding.ok
    assert (
        "Kafka answers at 127.0.0.1:29092, but names 127.0.0.1:9, which does not answer"
    ) == finding.seen
    with socket.create_server(("127.0.0.1", 0)) as server:
        with advertising(monkeypatch, server.getsockname()[1]):
            assert addresses("127.0.0.1:29092").ok


@pytest.mark.slow
def test_a_cluster_that_stopped_answering(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cluster that no longer answers fails at its addresses, and no record is sent."""
    kafka = SimpleNamespace(brokers=1, bootstrap="127.0.0.1:9", origin="yours")
    monkeypatch.setattr("steamlab.broker.find", lambda: kafka)
    looked = {each.name: each for each in health()}
    assert ["kafka", "addresses"] == list(looked)
    assert not looked["addresses"].ok
    assert "Run `steamlab down`, then `steamlab up`." == looked["addresses"].repair


class Restless:
    """A uuid4 whose bytes are others each time they are looked at."""

    hex = "0123456789abcdef"

    @property
    def bytes(self) -> bytes:
        """Return bytes that equal nothing."""
        return _Odd(b"sent")


class _Odd(bytes):
    def __eq__(self, other: object) -> bool:
        return False

    __hash__ = bytes.__hash__


@pytest.mark.broker
def test_a_record_that_does_not_come_back(
    kafka: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cluster that answers, but returns another record than was sent, fails the round trip."""
    monkeypatch.setattr("steamlab.launch.health.uuid4", Restless)
    finding = round_trip(kafka["bootstrap.servers"])
    assert (False, "no record came back") == (finding.ok, finding.seen)


@pytest.mark.broker
def test_all_is_well(kafka: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """With Kafka running everything is ready, and the round trip leaves no topic behind."""
    monkeypatch.setenv("STEAMLAB_BOOTSTRAP", kafka["bootstrap.servers"])
    report = doctor()
    assert report.ok, str(report)
    assert found(report, "round trip").seen.startswith("a record went and came back in ")
    left = AdminClient(kafka).list_topics(timeout=10).topics
    assert [] == [name for name in left if name.startswith("steamlab.doctor-")]


def test_health_says_what_find_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where somebody else's cluster does not answer, that error is the finding."""

    def find() -> None:
        raise BrokerError("No answer.", repair="Look.")

    monkeypatch.setattr("steamlab.broker.find", find)
    assert [Finding("kafka", False, "No answer.", "Look.")] == list(health_module.health())
