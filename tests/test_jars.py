"""Fetching Kafka's jars, from a loopback repository that can misbehave."""

from __future__ import annotations

import errno
import hashlib
import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from steamlab.errors import JarError, JavaError
from steamlab.kafka import jars
from steamlab.kafka.jars import LOCK, Jar, ensure_jars, is_good, read_lock

CONTENT = {"org.one:alpha:1.0": b"alpha" * 99, "org.two:beta:2.0": b"beta" * 999}
DEAD = "http://127.0.0.1:9"
Answer = Callable[[str, int], tuple[int, bytes]]


class Repository:
    """A Maven repository on 127.0.0.1; `answer(file, nth time)` gives status and body."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.files = {jar.name: CONTENT[jar.coordinates] for jar in the_jars()}
        self.answer: Answer = lambda name, nth: (200, self.files[name])
        repository = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                name = self.path.rpartition("/")[2]
                repository.asked[name] += 1
                status, body = repository.answer(name, repository.asked[name])
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()


def the_jars() -> list[Jar]:
    """The two small jars of these tests, as a lock has them."""
    return [
        Jar(name, hashlib.sha256(data).hexdigest(), len(data)) for name, data in CONTENT.items()
    ]


@pytest.fixture
def repository(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Repository]:
    """A well-behaved repository, set as the mirror, and an empty cache."""
    repository = Repository()
    monkeypatch.setenv("STEAMLAB_MAVEN", repository.address)
    monkeypatch.setenv("STEAMLAB_CACHE", str(tmp_path / "Jürgen Größe 日"))
    monkeypatch.delenv("STEAMLAB_KAFKA_JARS", raising=False)
    yield repository
    repository.server.shutdown()
    repository.server.server_close()


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    """A lock of the two small jars."""
    return write_lock(tmp_path / "small.lock", the_jars())


def write_lock(path: Path, wanted: list[Jar]) -> Path:
    """Write a lock file."""
    lines = [f"{jar.coordinates} sha256={jar.sha256} size={jar.size}" for jar in wanted]
    path.write_text("\n".join(["# a comment", *lines]) + "\n", "utf-8")
    return path


def test_the_lock_names_forty_five_jars_of_this_kafka() -> None:
    """The committed lock is whole: 45 different files, among them Kafka itself and its logging."""
    names = [jar.name for jar in read_lock(LOCK)]
    assert 45 == len(names) == len(set(names))
    assert {"kafka_2.13-4.4.0.jar", "log4j-slf4j-impl-2.25.5.jar"} <= set(names)
    assert all(64 == len(jar.sha256) for jar in read_lock(LOCK))


def test_an_empty_cache_is_filled_in_the_order_of_the_lock(
    repository: Repository, lock: Path
) -> None:
    """Both jars come, each asked for once, verified, and nothing else is left behind."""
    paths = ensure_jars(lock=lock)
    assert ["alpha-1.0.jar", "beta-2.0.jar"] == [path.name for path in paths]
    assert list(CONTENT.values()) == [path.read_bytes() for path in paths]
    assert {"alpha-1.0.jar": 1, "beta-2.0.jar": 1} == repository.asked
    assert set(paths) == set(paths[0].parent.iterdir())


def test_the_second_time_needs_no_network(repository: Repository, lock: Path) -> None:
    """With a full cache nothing is asked for."""
    ensure_jars(lock=lock)
    repository.asked.clear()
    assert 2 == len(ensure_jars(lock=lock))
    assert not repository.asked


@pytest.mark.parametrize("damage", ["truncated", "one byte", "gone"])
def test_a_damaged_jar_is_healed_and_only_that_one(
    repository: Repository, lock: Path, damage: str
) -> None:
    """What is not the lock's bytes any more is fetched again, the other jar is not."""
    alpha = ensure_jars(lock=lock)[0]
    good = alpha.read_bytes()
    damaged = {"truncated": good[:-1], "one byte": b"A" + good[1:], "gone": b""}[damage]
    alpha.write_bytes(damaged)
    if damage == "gone":
        alpha.unlink()
    repository.asked.clear()
    ensure_jars(lock=lock)
    assert good == alpha.read_bytes()
    assert {"alpha-1.0.jar": 1} == repository.asked


@pytest.mark.parametrize("first", [(200, b"wrong"), (200, b"x" * 10_000), (503, b""), (429, b"")])
def test_one_bad_answer_is_healed(
    repository: Repository, lock: Path, first: tuple[int, bytes]
) -> None:
    """Wrong bytes once, or a busy server once: the second try brings the jar."""
    repository.answer = lambda name, nth: first if nth == 1 else (200, repository.files[name])
    assert all(map(is_good, ensure_jars(lock=lock), the_jars()))


def test_a_wrong_hash_in_the_lock_stops_and_keeps_the_good_jar(
    repository: Repository, lock: Path, tmp_path: Path
) -> None:
    """The jar is tried twice, not used, and the good one of another lock stays in the cache."""
    alpha, _ = ensure_jars(lock=lock)
    repository.asked.clear()
    wrong = Jar("org.one:alpha:1.0", "0" * 64, the_jars()[0].size)
    with pytest.raises(JarError) as caught:
        ensure_jars(lock=write_lock(tmp_path / "wrong.lock", [wrong]))
    assert (
        "alpha-1.0.jar came twice with another SHA-256 than the lock says: it was not used."
        == caught.value.sentence
    )
    assert {"alpha-1.0.jar": 2} == repository.asked
    assert is_good(alpha, the_jars()[0])


def test_a_jar_that_the_repository_does_not_have_is_one_sentence(
    repository: Repository, lock: Path
) -> None:
    """404 names the jar, and the mirror as the thing to check."""
    repository.answer = lambda name, nth: (404, b"")
    with pytest.raises(JarError) as caught:
        ensure_jars(lock=lock)
    assert "The repository answered 404 for org." in caught.value.sentence
    assert "STEAMLAB_MAVEN" in caught.value.repair


def test_no_network_on_the_first_start_is_one_sentence(
    repository: Repository, lock: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nobody answers, the error says that the first start needs a network."""
    monkeypatch.setenv("STEAMLAB_MAVEN", DEAD)
    with pytest.raises(JarError) as caught:
        ensure_jars(lock=lock)
    assert "Kafka's jars could not be fetched: no answer for " in caught.value.sentence
    assert "The first start needs a network" in caught.value.repair


def test_a_dead_proxy_is_one_sentence(
    repository: Repository, lock: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy that is not there is called by its name, not taken for a missing network."""
    monkeypatch.setenv("STEAMLAB_MAVEN", "https://repository.invalid/maven2")
    monkeypatch.setenv("HTTPS_PROXY", DEAD)
    with pytest.raises(JarError) as caught:
        ensure_jars(lock=lock)
    assert "Kafka's jars could not be fetched: the proxy for " in caught.value.sentence
    assert "Correct HTTPS_PROXY, or unset it." == caught.value.repair


def test_a_dead_proxy_does_not_matter_with_a_full_cache(
    repository: Repository, lock: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With and without a network: what is in the cache is enough."""
    ensure_jars(lock=lock)
    monkeypatch.setenv("HTTPS_PROXY", DEAD)
    monkeypatch.setenv("STEAMLAB_MAVEN", DEAD)
    assert 2 == len(ensure_jars(lock=lock))


def test_a_disk_that_fills_up_is_one_sentence(
    repository: Repository, lock: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ENOSPC while writing becomes a sentence, and no part of a jar is left."""

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(jars, "_download", full)
    with pytest.raises(JarError) as caught:
        ensure_jars(lock=lock)
    folder = Path(os.environ["STEAMLAB_CACHE"]) / "kafka-4.4.0"
    assert f"There is no space left for Kafka's jars in {folder}." == caught.value.sentence
    assert [] == list(folder.iterdir())


def test_a_disk_without_room_is_refused_before_anything_is_fetched(
    repository: Repository, lock: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Too little space is seen at once."""
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr(jars.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(JarError, match="There is no space left for Kafka's jars"):
        ensure_jars(lock=lock)
    assert not repository.asked


def test_a_cache_that_cannot_be_made_is_one_sentence(
    repository: Repository, lock: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file where the folder should be is no bare traceback."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("STEAMLAB_CACHE", str(tmp_path / "file"))
    with pytest.raises(JarError, match=r"could not be written to .*: Not a directory"):
        ensure_jars(lock=lock)


def test_a_cache_that_java_cannot_read_is_one_sentence(
    repository: Repository, lock: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An emoji in the path is refused before anything is fetched, with the way out."""
    monkeypatch.setenv("STEAMLAB_CACHE", str(tmp_path / "😀"))
    with pytest.raises(JavaError) as caught:
        ensure_jars(lock=lock)
    assert f"{tmp_path / '😀' / 'kafka-4.4.0'}, because of 😀." in caught.value.sentence
    assert "Set STEAMLAB_CACHE to a folder with a plainer name." == caught.value.repair
    assert not repository.asked


def test_two_processes_fill_one_empty_cache(repository: Repository, lock: Path) -> None:
    """Both end well, and the cache holds the two jars and nothing else."""
    code = (
        "import sys, pathlib; from steamlab.kafka import jars; "
        "jars.ensure_jars(lock=pathlib.Path(sys.argv[1]))"
    )
    both = [subprocess.Popen([sys.executable, "-c", code, lock]) for _ in range(2)]
    assert [0, 0] == [process.wait(60) for process in both]
    paths = ensure_jars(lock=lock)
    assert set(paths) == set(paths[0].parent.iterdir())
    assert all(map(is_good, paths, the_jars()))


def unpack(folder: Path, *names: str) -> Path:
    """Make a folder with files of these names."""
    folder.mkdir()
    for name in names:
        (folder / name).touch()
    return folder


def test_an_unpacked_kafka_is_used_as_it_is(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All jars of STEAMLAB_KAFKA_JARS are the class path, and nothing is fetched."""
    names = [
        f"{name}-{version}.jar"
        for name, version in (
            ("kafka-clients", "4.4.0"),
            ("kafka-server", "4.4.0"),
            ("kafka_2.13", "4.4.0"),
            ("log4j-slf4j-impl", "2.25.5"),
        )
    ]
    libs = unpack(tmp_path / "libs", *names, "README")
    monkeypatch.setenv("STEAMLAB_KAFKA_JARS", str(libs))
    assert [libs / name for name in names] == ensure_jars()
    assert not repository.asked


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        ([], "and no kafka_2.13-*.jar is there."),
        (["kafka_2.13-4.4.0.jar"], "and no kafka-server-*.jar is there."),
        (
            [
                "kafka_2.13-3.9.0.jar",
                "kafka-server-3.9.0.jar",
                "kafka-clients-3.9.0.jar",
                "log4j-slf4j-impl-2.jar",
            ],
            "which is not Kafka 4.4.0.",
        ),
    ],
    ids=["empty", "incomplete", "another version"],
)
def test_a_folder_that_is_no_such_kafka_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: list[str], sentence: str
) -> None:
    """A wrong STEAMLAB_KAFKA_JARS is refused with what is missing, before a JVM starts."""
    libs = unpack(tmp_path / "libs", *names)
    monkeypatch.setenv("STEAMLAB_KAFKA_JARS", str(libs))
    with pytest.raises(JarError) as caught:
        ensure_jars()
    assert f"STEAMLAB_KAFKA_JARS is {libs}, {sentence}" == caught.value.sentence
