"""Which exercises are ok: kept in a file, never silently lost, never in the way of a check."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import toys
from exercises import find
from lessons import NOTEBOOKS, number, read, solutions

from steamlab.checks import exercises, ok
from steamlab.lesson import Lesson
from steamlab.progress import Exercise, Progress, paused, progress, record
from steamlab.widgets.predict import Prediction


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The progress file of a home that nobody has used."""
    monkeypatch.setenv("STEAMLAB_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("STEAMLAB_PROGRESS", raising=False)
    return tmp_path / "home" / "progress.json"


@pytest.fixture
def course(tmp_path: Path) -> Path:
    """Notebooks of lessons 00 and 01, and of 98, which has no checks."""
    folder = tmp_path / "notebooks"
    toys.put(folder / "00_start.ipynb", toys.words("# 00 Start: an order\n\nMore."))
    toys.put(folder / "01_topics.ipynb", toys.words("# 01 Topics\n"))
    (folder / "98_own_words.ipynb").write_text("{", "utf-8")
    return folder


def states(found: Progress) -> dict[str, str]:
    """Return the last verdicts that are not todo."""
    every = [exercise for lesson in found.lessons for exercise in lesson.exercises]
    return {exercise.number: exercise.state for exercise in every if exercise.state != "todo"}


@pytest.mark.parametrize("path", solutions(NOTEBOOKS), ids=lambda path: path.stem)
def test_the_checks_are_the_exercises(path: Path) -> None:
    """What is registered for a lesson, without running it, is what its notebook checks."""
    found = [exercise.number for exercise in find(read(path))]
    by_number = sorted(found, key=lambda each: int(each.partition(".")[2]))  # 05.10 after 05.9
    assert by_number == exercises(number(path))


def test_nothing_is_known_at_first(file: Path, course: Path) -> None:
    """Every exercise is todo, lessons have their titles, and looking makes no file."""
    found = progress(notebooks=course)
    assert [("00", "Start: an order"), ("01", "Topics"), ("98", "own words")] == [
        (lesson.number, lesson.title) for lesson in found.lessons
    ]
    assert (0, 9, {}, "") == (found.ok, found.exercises, states(found), found.problem)
    assert not file.parent.exists()


def test_a_verdict_is_kept(file: Path, course: Path) -> None:
    """Number, state and time are kept, and the rest stays todo."""
    record("01.1", "ok")
    record("01.2", "not yet")
    record("00.1", "todo")
    found = progress(notebooks=course)
    assert {"01.1": "ok", "01.2": "not yet"} == states(found)
    assert 1 == found.ok
    first = found.lessons[1].exercises[0]
    assert first.at == first.ok_at
    assert str(first.at).endswith("+00:00")
    assert {"00.1", "01.1", "01.2"} == set(json.loads(file.read_text("utf-8")))


def test_ok_once_stays_ok(file: Path, course: Path) -> None:
    """A later todo or not yet is noted, and does not take the ok away."""
    record("01.1", "ok")
    since = json.loads(file.read_text("utf-8"))["01.1"]["ok_at"]
    for state in ("not yet", "todo"):
        record("01.1", state)
        found = progress(notebooks=course)
        assert 1 == found.ok
        assert (state, since) == (
            found.lessons[1].exercises[0].state,
            found.lessons[1].exercises[0].ok_at,
        )
        assert "✅ 01.1 (was ok)" == str(found.lessons[1].exercises[0])


def test_not_yet_is_not_ok(file: Path, course: Path) -> None:
    """The negative control: without an ok nothing counts."""
    record("01.1", "not yet")
    record("01.1", "todo")
    assert (0, {}) == (progress(notebooks=course).ok, states(progress(notebooks=course)))


def test_what_a_lesson_shows(file: Path, course: Path) -> None:
    """The lesson's line, its count, and the next lesson, linked in Markdown."""
    record("00.2", "ok")
    shown = progress(lesson="00", notebooks=course)
    lines = [
        "⬜ 00.1  ✅ 00.2",
        "1 of 2 in this lesson are ok.",
        "Next: 01 Topics",
    ]
    assert lines == repr(shown).split("\n")
    marked = shown._repr_markdown_().split("\n\n")
    assert [*lines[:2], "Next: [01 Topics](01_topics.ipynb)"] == marked
    last = repr(progress(lesson="98", notebooks=course)).split("\n")
    assert ["no exercises", "There is no later lesson yet."] == [last[0], last[-1]]


def test_the_marks() -> None:
    """Each state has a mark of its own."""
    marks = [str(Exercise("05.1", state))[0] for state in ("not yet", "todo")]
    assert ["🟠", "⬜", "✅"] == [*marks, str(Exercise("05.1", "ok", "t", "t"))[0]]


@pytest.mark.parametrize(
    ("content", "kept"),
    [
        (b"", {}),
        (b"{", {}),
        (b"\xff\xfe\x00", {}),
        (b"[" * 100_000, {}),
        (b"[1]", {}),
        (b'{"01.1": 5}', {}),
        (b'{"01.1": {"state": "ok", "at": "t", "ok_at": null}}', {}),
        (b'{"01.1": {"state": "great", "at": "t", "ok_at": null}}', {}),
        (
            b'{"01.1": {"state": "ok", "at": "t", "ok_at": "t"}, "01.2": {"state": []}}',
            {"01.1": "ok"},
        ),
    ],
    ids=["empty", "cut", "no-text", "deep", "list", "number", "never", "state", "half"],
)
def test_a_broken_file_is_kept_aside(
    file: Path, course: Path, content: bytes, kept: dict[str, str], capsys: Any
) -> None:
    """It is said, what is readable stays, the old bytes are kept, and counting goes on."""
    file.parent.mkdir()
    file.write_bytes(content)
    found = progress(lesson="01", notebooks=course)
    assert kept == states(found)
    assert found.problem in repr(found)
    assert found.problem.startswith(f"{file} is damaged")
    record("01.3", "ok")
    aside = file.with_name("progress.damaged-1.json")
    assert content == aside.read_bytes()
    assert f"{found.problem} The file as it was is kept as {aside}.\n" == capsys.readouterr().out
    after = progress(notebooks=course)
    assert ("", kept | {"01.3": "ok"}) == (after.problem, states(after))


def test_two_broken_files_are_both_kept(file: Path) -> None:
    """The second one does not take the first one's place."""
    file.parent.mkdir()
    for content in ("{1", "{2"):
        file.write_text(content)
        record("01.1", "ok")
    kept = sorted(file.parent.glob("progress.damaged-*.json"))
    assert ["{1", "{2"] == [path.read_text() for path in kept]


@pytest.mark.slow
def test_many_processes_at_once(file: Path, course: Path) -> None:
    """Four processes note a hundred verdicts each, and none of them is lost."""
    code = "import sys\nfrom steamlab.progress import record\n"
    code += "for n in range(100): record(f'{sys.argv[1]}.{n}', 'ok')"
    started = [
        subprocess.Popen([sys.executable, "-c", code, str(process)], env=os.environ)
        for process in range(4)
    ]
    assert [0] * 4 == [process.wait(60) for process in started]
    noted = json.loads(file.read_text("utf-8"))
    assert {f"{process}.{n}" for process in range(4) for n in range(100)} == set(noted)
    assert ["progress.json", "progress.lock"] == sorted(path.name for path in file.parent.iterdir())


def test_nothing_is_kept_while_paused(file: Path) -> None:
    """Whoever tries a check with wrong answers leaves no verdict behind."""
    with paused():
        record("01.1", "ok")
    assert not file.exists()
    record("01.2", "ok")
    assert ["01.2"] == list(json.loads(file.read_text("utf-8")))


def blank(topic: str) -> int:
    """Return the number of records."""


def test_check_keeps_the_verdict(file: Path) -> None:
    """`lesson.check` notes what it says, and `lesson.progress` shows it."""
    lesson = cast(Any, SimpleNamespace(number="01"))
    guess = Prediction("01.1", "How many?", ["3", "6"])
    for exercise, answer in (("01.1", guess), ("01.4", blank)):
        assert "todo" == Lesson.check(lesson, exercise, answer).state
    assert {"01.1", "01.4"} == set(json.loads(file.read_text("utf-8")))
    record("01.4", "ok")
    assert "⬜ 01.1  ⬜ 01.2  ⬜ 01.3  ✅ 01.4" in repr(Lesson.progress(lesson))
    assert "\n1 of 7 in this lesson are ok." in repr(Lesson.progress(lesson))


@pytest.mark.parametrize("trouble", ["home", "file"])
def test_a_check_answers_where_nothing_can_be_kept(
    file: Path, trouble: str, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A home that is no folder, a file that is one: one sentence, and the verdict all the same."""
    if trouble == "home":
        file.parent.write_text("in the way")
    else:
        file.mkdir(parents=True)
    monkeypatch.setattr("steamlab.lesson.judge", lambda *_: ok("six."))
    assert "ok: six." == repr(Lesson.check(cast(Any, None), "01.1", 6))
    said = capsys.readouterr().out
    assert said.startswith(f"This verdict counts, but could not be kept in {file}: ")
    assert 1 == len(said.splitlines())
    assert f"{file} cannot be read: " in repr(progress(lesson="01"))


def test_a_verdict_costs_next_to_nothing(file: Path) -> None:
    """A file of the whole course stays small, however often it is written."""
    for k in range(200):
        record(f"01.{k % 40}", "ok")
    assert 40 == len(json.loads(file.read_text("utf-8")))
    assert 5000 > file.stat().st_size


def steamlab(*words: str) -> subprocess.CompletedProcess[str]:
    """Run the command line as a program does, in plain ASCII."""
    surroundings = os.environ | {"COLUMNS": "120", "PYTHONIOENCODING": "ascii"}
    command = [sys.executable, "-m", "steamlab", *words]
    return subprocess.run(command, env=surroundings, capture_output=True, text=True, timeout=60)


def test_the_command_lists_what_is_left(file: Path) -> None:
    """A line for each lesson: how many are ok, which are not yet, which are todo; no Kafka."""
    record("00.1", "ok")
    record("00.2", "not yet")
    said = steamlab("progress")
    assert (0, "") == (said.returncode, said.stderr)
    line = next(line for line in said.stdout.splitlines() if " 00 " in line)
    assert ["00", "Start:", "your", "first", "order", "1", "of", "2", "00.2"] == line.split()
    assert f"1 of the course's {progress().exercises} exercises are ok.\n" in said.stdout


def test_the_command_speaks_json(file: Path) -> None:
    """`--json` has every lesson with its exercises, the file, and what is wrong with it."""
    record("00.1", "ok")
    record("00.1", "not yet")
    told = json.loads(steamlab("progress", "--json").stdout)
    assert (1, str(file), None) == (told["ok"], told["file"], told["problem"])
    lesson = told["lessons"][0]
    assert ("00", 1, "00_start.ipynb") == (lesson["number"], lesson["ok"], lesson["notebook"])
    first, second = lesson["exercises"]
    assert ("00.1", "not yet", first["at"]) == (first["number"], first["state"], first["at"])
    assert first["ok_at"] is not None
    assert {"number": "00.2", "state": "todo", "at": None, "ok_at": None} == second


def test_the_command_names_a_damaged_file(file: Path) -> None:
    """A damaged file is a sentence under the table, not a trace."""
    file.parent.mkdir()
    file.write_text("{")
    said = steamlab("progress")
    assert (0, "") == (said.returncode, said.stderr)
    assert f"{file} is damaged, and no note in it can be read.\n" in said.stdout
