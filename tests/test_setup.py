"""The way from a bare Python to the environment, and every sentence that may stand on it."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parent.parent
SH = shutil.which("sh") or "/bin/sh"
PLENTY = 10**12


@pytest.fixture
def setup(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """tools/setup.py as a module; a folder of scripts is no package."""
    spec = importlib.util.spec_from_file_location("setup_tool", ROOT / "tools" / "setup.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def find_python(path: Path | str, *, python: str = "") -> subprocess.CompletedProcess[str]:
    """Run the finder with only the given folder on PATH."""
    return subprocess.run(
        [SH, str(ROOT / "tools" / "python.sh")],
        env={"PATH": str(path), "PYTHON": python},
        cwd=path,
        capture_output=True,
        text=True,
        check=False,
    )


def fake(folder: Path, name: str, answer: str, *, code: int = 0) -> None:
    """Put a program there that answers the finder's question as it is told to."""
    program = folder / name
    program.write_text(f"#!{SH}\necho '{answer}'\nexit {code}\n", encoding="utf-8")
    program.chmod(0o755)


def test_no_python(tmp_path: Path) -> None:
    """Without any Python, setting up says so in one sentence, with what to install."""
    said = find_python(tmp_path)
    assert said.returncode == 1
    assert said.stderr.splitlines() == [
        "No Python was found, and the lab needs Python 3.11 to 3.14.",
        "Install one (Debian and Ubuntu: `sudo apt install python3 python3-venv`;"
        " macOS: `brew install python`), or take the conda way in the README.",
    ]


def test_make_stops_without_python(tmp_path: Path) -> None:
    """`make lab` on a machine without Python ends with that sentence, having made nothing."""
    make = shutil.which("make")
    assert make, "these tests need make"
    os.symlink(SH, tmp_path / "sh")
    shutil.copy(ROOT / "Makefile", tmp_path)
    shutil.copytree(ROOT / "tools", tmp_path / "tools")
    said = subprocess.run(
        [make, "-C", str(tmp_path), "lab"],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.returncode == 2
    assert said.stderr.startswith("No Python was found, and the lab needs Python 3.11 to 3.14.\n")


def test_the_newest_python_wins(tmp_path: Path) -> None:
    """3.14 is taken before 3.11, and a shim that does not run is passed over."""
    fake(tmp_path, "python3.11", "ok 3.11 /a/python3.11")
    fake(tmp_path, "python3.13", "ok 3.13 /a/python3.13")
    fake(tmp_path, "python3.14", "no such version", code=127)
    assert find_python(tmp_path).stdout == "/a/python3.13\n"
    fake(tmp_path, "python3.14", "ok 3.14 /a b/python3.14")
    assert find_python(tmp_path).stdout == "/a b/python3.14\n"


def test_the_environments_python_is_kept(tmp_path: Path) -> None:
    """A .venv is rebuilt for a newer Python, not for an older one, nor for a second of its own."""
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    fake(tmp_path / ".venv" / "bin", "python", "ok 3.13 /base/python3.13")
    fake(tmp_path, "python3.11", "ok 3.11 /a/python3.11")
    assert find_python(tmp_path).stdout == "/base/python3.13\n"
    fake(tmp_path, "python3.13", "ok 3.13 /a/python3.13")
    assert find_python(tmp_path).stdout == "/base/python3.13\n"
    fake(tmp_path, "python3.14", "ok 3.14 /a/python3.14")
    assert find_python(tmp_path).stdout == "/a/python3.14\n"
    assert find_python(tmp_path, python="python3.11").stdout == "/a/python3.11\n"


def test_a_broken_environment_is_not_asked(tmp_path: Path) -> None:
    """A .venv whose Python does not run has no say, and alone it is no Python."""
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    fake(tmp_path / ".venv" / "bin", "python", "broken", code=1)
    assert find_python(tmp_path).stderr.startswith("No Python was found")
    fake(tmp_path, "python3.11", "ok 3.11 /a/python3.11")
    assert find_python(tmp_path).stdout == "/a/python3.11\n"


def test_this_python_is_found(tmp_path: Path) -> None:
    """The question that the finder asks is answered by a real Python, this one."""
    os.symlink(sys.executable, tmp_path / "python3")
    said = find_python(tmp_path)
    assert said.returncode == 0, said.stderr
    assert Path(said.stdout.strip()).exists()


def test_python_named_by_hand(tmp_path: Path) -> None:
    """PYTHON=... is used before a newer one, and a wrong name is called wrong."""
    fake(tmp_path, "python3.14", "ok 3.14 /a/python3.14")
    fake(tmp_path, "mine", "ok 3.12 /a/mine")
    assert find_python(tmp_path, python="mine").stdout == "/a/mine\n"
    said = find_python(tmp_path, python="/nowhere/python")
    assert said.stderr.startswith("PYTHON names /nowhere/python, and that does not run.\n")


def test_python_too_old(tmp_path: Path) -> None:
    """A Python that is too old is named with its version and its place."""
    fake(tmp_path, "python3", "unfit 3.9 /usr/bin/python3")
    assert find_python(tmp_path).stderr.splitlines() == [
        "The lab needs Python 3.11 to 3.14, and this one is 3.9 (/usr/bin/python3).",
        "Install a newer one, or name it: `make lab PYTHON=/path/to/python3.14`.",
    ]


def test_python_without_venv(tmp_path: Path) -> None:
    """Debian's Python without python3-venv: the package to install is named."""
    fake(tmp_path, "python3", "no-venv 3.11 /usr/bin/python3")
    assert find_python(tmp_path).stderr.splitlines() == [
        "Python 3.11 (/usr/bin/python3) cannot make virtual environments: ensurepip is missing.",
        "Run `sudo apt install python3.11-venv`, or name another Python:"
        " `make lab PYTHON=/path/to/python3`.",
    ]


def run_setup(tmp_path: Path, **surroundings: str) -> subprocess.CompletedProcess[str]:
    """Set up an environment in a fresh folder, with empty caches and no network to rely on."""
    empty = {"PIP_CACHE_DIR": str(tmp_path / "p"), "UV_CACHE_DIR": str(tmp_path / "u")}
    hidden = ("PIP_FIND_LINKS", "PIP_INDEX_URL", "HTTPS_PROXY", "https_proxy", "ALL_PROXY")
    outside = {name: value for name, value in os.environ.items() if name not in hidden}
    return subprocess.run(
        [sys.executable, str(ROOT / "tools" / "setup.py"), str(tmp_path / "venv")],
        env=outside | empty | surroundings,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.slow
def test_no_network_on_the_first_start(tmp_path: Path) -> None:
    """With an index that does not answer, the first start says so, and leaves no receipt."""
    said = run_setup(tmp_path, PIP_INDEX_URL="http://127.0.0.1:9/simple")
    assert said.returncode == 1
    assert said.stderr.splitlines() == [
        "The package index does not answer.",
        "Connect to the network, then run the same command again: what has arrived is kept.",
    ]
    assert not (tmp_path / "venv" / "steamlab.json").exists()


@pytest.mark.slow
def test_dead_proxy(tmp_path: Path) -> None:
    """A proxy that does not answer is named, without the password that its address carries."""
    said = run_setup(tmp_path, HTTPS_PROXY="http://me:secret@127.0.0.1:9")
    assert said.returncode == 1
    assert said.stderr.splitlines() == [
        "The proxy 127.0.0.1:9 that HTTPS_PROXY names does not answer.",
        "Correct it, or `unset HTTPS_PROXY`, then run the same command again:"
        " what has arrived is kept.",
    ]
    assert "secret" not in said.stdout + said.stderr


@pytest.mark.parametrize(
    ("output", "sentence"),
    [
        (
            "error: Failed to write to the client cache\n"
            "  cause: failed to write to file `c/simple`: No space left on device (os error 28)",
            "The disk is full.",
        ),
        (
            "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.",
            "A package that arrived is not the one that requirements.lock names.",
        ),
        (
            "error: Failed to download `uv==0.13.9`\n  cause: Hash mismatch for `uv==0.13.9`",
            "A package that arrived is not the one that requirements.lock names.",
        ),
        (
            "  cause: Failed to fetch: /simple/typer/\n  cause: client error (Connect)\n"
            "  cause: invalid peer certificate: UnknownIssuer",
            "A certificate on the way to the package index is not trusted.",
        ),
        (
            "error: Request failed after 3 retries in 4.3s\n  cause: client error (Connect)\n"
            "  cause: dns error\n  cause: error resolving DNS",
            "The package index does not answer.",
        ),
        (
            "WARNING: Retrying after connection broken by 'NewConnectionError(...)'\n"
            "ERROR: No matching distribution found for uv==0.13.9",
            "The package index does not answer.",
        ),
        (
            "error: incomplete-download\nDownload failed after 6 attempts",
            "The package index does not answer.",
        ),
        (
            "ERROR: No matching distribution found for confluent-kafka==2.16.1",
            "There is no ready-made package for this system.",
        ),
        (
            "error: No solution found when resolving dependencies\n"
            "  cause: Because pandas==0.20.0 has no usable wheels",
            "There is no ready-made package for this system.",
        ),
        (
            "ERROR: Could not install packages due to an OSError: [Errno 13] Permission denied",
            f"The lab may not write to {ROOT} or to the package cache.",
        ),
        ("first\nsomething new\n", "Installing the packages failed: something new"),
        ("", "Installing the packages failed: it said nothing"),
    ],
)
def test_what_uv_and_pip_say(setup: ModuleType, output: str, sentence: str) -> None:
    """Each failure of uv and pip, in their own words, becomes one sentence and a repair."""
    said = str(setup.explain(output, {}, PLENTY)).splitlines()
    assert sentence == said[0]
    assert 2 == len(said)


def test_full_disk_is_not_blamed_on_the_network(setup: ModuleType) -> None:
    """On a full disk pip speaks of an incomplete download; the disk is what we name."""
    said = str(setup.explain("error: incomplete-download", {}, 1_000_000))
    assert "The disk is full." == said.splitlines()[0]


def test_no_space_is_seen_before_the_start(setup: ModuleType, tmp_path: Path) -> None:
    """A disk that cannot hold the lab is refused at once; an environment that exists is not."""
    with pytest.raises(setup.SetupFailedError) as refused:
        setup.needed_space(tmp_path / "new", 300_000_000)
    assert str(refused.value).splitlines() == [
        "The disk has 300 MB left, and the lab needs about 1500.",
        "Free some space, then run the same command again: what has arrived is kept.",
    ]
    setup.needed_space(tmp_path, 300_000_000)
    setup.needed_space(tmp_path / "new", 1_500_000_000)


Calls = list[list[str]]


@pytest.fixture
def recorded(setup: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Calls]:
    """The commands that setting up would have run, with an environment that always works."""
    calls: Calls = []
    monkeypatch.setattr(setup, "_run", lambda command, **_: calls.append(command))
    monkeypatch.setattr(setup, "works", lambda folder: (folder / "works").exists())

    def taken() -> Calls:
        now = calls.copy()
        calls.clear()
        return now

    return taken


def test_a_second_run_does_nothing(
    setup: ModuleType, recorded: Callable[[], Calls], tmp_path: Path
) -> None:
    """With a current receipt in a working environment no command is run."""
    (tmp_path / "works").touch()
    setup.set_up(tmp_path)
    assert 4 == len(recorded())  # the environment, uv, the lock, the project
    setup.set_up(tmp_path)
    assert [] == recorded()


def test_broken_environment_is_rebuilt(
    setup: ModuleType, recorded: Callable[[], Calls], tmp_path: Path
) -> None:
    """An environment whose Python does not run is made anew, receipt or not."""
    (tmp_path / "steamlab.json").write_text(json.dumps(setup.receipt()))
    setup.set_up(tmp_path)
    assert ["-m", "venv", "--clear", str(tmp_path)] == recorded()[0][1:]


@pytest.mark.parametrize("changed", ["python", "root"])
def test_other_python_or_moved_folder_is_rebuilt(
    setup: ModuleType, recorded: Callable[[], Calls], tmp_path: Path, changed: str
) -> None:
    """An environment of another Python, or of a folder since moved, is made anew."""
    (tmp_path / "works").touch()
    (tmp_path / "steamlab.json").write_text(json.dumps(setup.receipt() | {changed: "other"}))
    setup.set_up(tmp_path)
    assert ["-m", "venv", "--clear", str(tmp_path)] == recorded()[0][1:]


def test_changed_lock_is_installed_over_the_old(
    setup: ModuleType, recorded: Callable[[], Calls], tmp_path: Path
) -> None:
    """A new lock is installed into the environment that is there."""
    (tmp_path / "works").touch()
    (tmp_path / "steamlab.json").write_text(json.dumps(setup.receipt() | {"files": "older"}))
    setup.set_up(tmp_path)
    calls = recorded()
    assert not any("venv" in call for call in calls)
    assert any("--require-hashes" in call and str(setup.LOCK) in call for call in calls)


def test_everything_comes_with_hashes(
    setup: ModuleType, recorded: Callable[[], Calls], tmp_path: Path
) -> None:
    """uv and the lock are installed with --require-hashes; the project alone without, and alone."""
    setup.set_up(tmp_path)
    _, uv, lock, project = recorded()
    assert "--require-hashes" in uv
    assert "--require-hashes" in lock
    assert "--only-binary=:all:" in lock
    assert ["--no-deps", "--no-build-isolation", "-e", str(ROOT)] == project[-4:]


def test_pip_takes_over_where_uv_fails(
    setup: ModuleType,
    recorded: Callable[[], Calls],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """Where uv fails, pip installs the same lock, by hashes too; on a full disk it is not tried."""
    calls: Calls = []
    sentence = "The package index does not answer."

    def run(command: list[str], **_: bool) -> None:
        calls.append(command)
        if command[1:3] == ["pip", "install"]:
            raise setup.SetupFailedError(sentence, "-")

    monkeypatch.setattr(setup, "_run", run)
    setup.set_up(tmp_path)
    pip = [call for call in calls if call[1:3] == ["-m", "pip"]]
    assert ["--require-hashes", "-r", str(setup.LOCK)] == pip[1][-3:]
    assert ["-e", str(ROOT)] == pip[2][-2:]
    sentence = "The disk is full."
    (tmp_path / "steamlab.json").unlink()
    with pytest.raises(setup.SetupFailedError, match="The disk is full"):
        setup.set_up(tmp_path)


def test_setup_refuses_an_old_python(setup: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run by hand with an unfit Python, tools/setup.py says which ones fit."""
    monkeypatch.setattr(setup.sys, "version_info", (3, 10, 13))
    with pytest.raises(setup.SetupFailedError, match=r"The lab needs Python 3\.11 to 3\.14"):
        setup.set_up(Path("unused"))


def test_an_environment_that_works_is_recognised(setup: ModuleType, tmp_path: Path) -> None:
    """This environment counts as working; an empty folder and a dangling Python do not."""
    assert setup.works(Path(sys.prefix))
    assert not setup.works(tmp_path)
    (tmp_path / "bin").mkdir()
    os.symlink(tmp_path / "gone", tmp_path / "bin" / "python")
    assert not setup.works(tmp_path)
