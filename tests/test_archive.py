"""The archive of Kafka's classes: made once, mapped by later nodes, never in the way."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from steamlab.kafka import archive as archives
from steamlab.kafka.archive import class_options, find_archive, make_archive, prune_archives
from steamlab.kafka.cluster import Cluster
from steamlab.kafka.jars import ensure_jars
from steamlab.kafka.java import JVM_OPTIONS, clean_environment, find_java
from steamlab.kafka.node import find_nodes

STORAGE = "kafka.tools.StorageTool"
SHARED = "org.apache.kafka.server.common.MetadataVersion"  # nodes and StorageTool both load it


def whole_name(key: str, content: bytes) -> str:
    """Return the name under which an archive of these bytes counts as whole."""
    return f"{key}-{hashlib.sha256(content).hexdigest()[:16]}.jsa"


def mapped(cluster: Cluster) -> set[str]:
    """Return the archives that a cluster's node has in its memory."""
    maps = find_nodes(cluster.cluster_id)[1].memory_maps()
    return {each.path for each in maps if each.path.endswith(".jsa")}


def sources(folder: Path) -> tuple[str, str]:
    """Run a tool of Kafka as a node is run; return what it printed and where its classes lay."""
    java, jars = find_java(), ensure_jars()
    command = [java, *JVM_OPTIONS, *class_options(java, jars), "-Xlog:class+load:file=loads.txt"]
    command += ["-cp", os.pathsep.join(map(str, jars)), STORAGE, "version-mapping"]
    told = subprocess.run(
        command, cwd=folder, env=clean_environment(), capture_output=True, text=True, check=True
    )
    loads = (folder / "loads.txt").read_text("utf-8").splitlines()
    loaded = next(line for line in loads if f" {SHARED} " in line)
    return told.stdout + told.stderr, loaded.partition("source: ")[2]


@pytest.fixture(scope="module")
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cache with a difficult name and no archive; Kafka's jars lie elsewhere."""
    base = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STEAMLAB_KAFKA_JARS", str(ensure_jars()[0].parent))
        patch.setenv("STEAMLAB_CACHE", str(base / "Jürgen, Größe 日 #1 100%"))
        patch.setenv("STEAMLAB_HOME", str(base / "home"))
        yield base / "Jürgen, Größe 日 #1 100%"


@pytest.fixture(scope="module")
def made(own_cache: Path) -> Path:
    """The archive that a first start has made in the background, while its node was killed."""
    assert find_archive(find_java(), ensure_jars()) is None
    with Cluster() as first:
        first.kill()
    deadline = time.monotonic() + 240
    while list((own_cache / "archives").glob("*.part")):
        assert time.monotonic() < deadline, "never: an archive"
        time.sleep(0.1)
    found = find_archive(find_java(), ensure_jars())
    assert found is not None
    return found


@pytest.fixture
def another_cache(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache whose folder of archives is there and empty."""
    monkeypatch.setenv("STEAMLAB_CACHE", str(tmp_path))
    (tmp_path / "archives").mkdir()
    return tmp_path / "archives"


@pytest.mark.broker
@pytest.mark.skipif(not hasattr(psutil.Process, "memory_maps"), reason="needs memory maps")
def test_a_later_node_maps_the_archive(made: Path) -> None:
    """It is in the node's memory, the node keeps no list of classes, and nothing else is left."""
    with Cluster() as later:
        assert {str(made)} == mapped(later)
        assert not later.log_path().with_name("classes.txt").exists()
        assert "cds" not in later.log_path().read_text("utf-8")
    assert [made] == list(made.parent.iterdir())


@pytest.mark.broker
def test_kafkas_classes_come_from_the_archive(made: Path, tmp_path: Path) -> None:
    """The JVM itself names the archive as the source of a class of Kafka."""
    _, source = sources(tmp_path)
    assert source.startswith("shared objects file")


@pytest.mark.broker
@pytest.mark.parametrize("damage", ["truncated", "one byte", "empty"])
def test_a_damaged_archive_is_thrown_away(
    made: Path, another_cache: Path, tmp_path: Path, damage: str
) -> None:
    """Its classes come from the jars, as if it were not there; the next start may make another."""
    whole = bytearray(made.read_bytes())
    if damage == "one byte":
        whole[len(whole) // 2] ^= 0xFF
    part = {"truncated": whole[: len(whole) // 2], "one byte": whole, "empty": b""}[damage]
    damaged = another_cache / made.name
    damaged.write_bytes(part)
    _, source = sources(tmp_path)
    assert source.startswith(("file:", "jar:"))
    assert not damaged.exists()


@pytest.mark.broker
def test_an_archive_that_the_jvm_refuses_is_silent(
    made: Path, another_cache: Path, tmp_path: Path
) -> None:
    """Whole, and yet no archive of this Java: the same output from the jars, and no word more."""
    expected, _ = sources(tmp_path)
    refused = another_cache / whole_name(made.name.split("-")[0], b"not for you" * 1000)
    refused.write_bytes(b"not for you" * 1000)
    assert refused == find_archive(find_java(), ensure_jars())
    told, source = sources(tmp_path)
    assert source.startswith(("file:", "jar:"))
    assert expected == told


@pytest.mark.broker
def test_a_cache_that_cannot_be_written_is_no_trouble(
    own_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file stands where the folder should be: the node starts, and no archive is begun."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("STEAMLAB_CACHE", str(tmp_path / "file"))
    with Cluster() as cluster:
        assert cluster.running()
        assert not cluster.log_path().with_name("classes.txt").exists()
    assert [tmp_path / "file"] == list(tmp_path.iterdir())


@pytest.fixture
def begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """An empty cache, and the folders in which archives would have been begun."""
    monkeypatch.setenv("STEAMLAB_CACHE", str(tmp_path / "cache"))
    folders: list[Path] = []
    monkeypatch.setattr(archives, "_start_making", lambda part, *_: folders.append(part))
    return folders


def begin(folder: Path, listed: bytes = b"java/lang/Object\nkafka/Ka") -> None:
    """Ask for an archive of what a node has listed; the last line is being written."""
    (folder / "classes.txt").write_bytes(listed)
    make_archive(Path(shutil.which("false") or "false"), [folder / "a.jar"], folder)


def test_one_maker_at_a_time(tmp_path: Path, begun: list[Path]) -> None:
    """A second node begins nothing while the first one's archive is made; whole lines count."""
    begin(tmp_path)
    begin(tmp_path)
    assert 1 == len(begun)
    assert b"java/lang/Object\n" == (begun[0] / "classes.txt").read_bytes()


def test_a_killed_maker_blocks_nobody_for_long(tmp_path: Path, begun: list[Path]) -> None:
    """What has been unfinished for an hour is begun again."""
    begin(tmp_path)
    os.utime(begun[0], (time.time() - 3600,) * 2)
    begin(tmp_path)
    assert 2 == len(begun)


def test_other_jars_are_another_archive(tmp_path: Path, begun: list[Path]) -> None:
    """A jar that was fetched again has another time, and the JVM would refuse the old archive."""
    (tmp_path / "a.jar").write_bytes(b"one")
    begin(tmp_path)
    os.utime(tmp_path / "a.jar", (1, 1))
    begin(tmp_path)
    assert 2 == len(set(begun))


def test_without_a_list_nothing_begins(tmp_path: Path, begun: list[Path]) -> None:
    """A JVM that knows no such option writes none."""
    make_archive(find_java(), [], tmp_path)
    assert [] == begun


@pytest.mark.skipif(os.name == "nt", reason="there is no `false`")
def test_what_cannot_be_made_is_not_tried_again(tmp_path: Path, begun: list[Path]) -> None:
    """A Java that fails to write an archive leaves a note, no folder, and is asked once."""
    begin(tmp_path)
    false = Path(shutil.which("false") or "")
    maker = [archives.sys.executable, "-m", archives.__name__, begun[0], false, "a.jar"]
    subprocess.run(maker, check=True, cwd=archives.ROOT)
    assert [begun[0].with_suffix(".failed")] == list(begun[0].parent.iterdir())
    begin(tmp_path)
    assert 1 == len(begun)


def test_the_archives_used_last_are_kept(tmp_path: Path) -> None:
    """Of five, the three that a node looked up last stay."""
    for age in range(5):
        (tmp_path / f"{age}.jsa").touch()
        os.utime(tmp_path / f"{age}.jsa", (time.time() - age, 1))
    prune_archives(tmp_path)
    assert {"0.jsa", "1.jsa", "2.jsa"} == {left.name for left in tmp_path.iterdir()}
