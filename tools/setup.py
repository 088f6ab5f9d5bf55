"""Make `.venv` from the lock: what `make setup` runs, with nothing but a plain Python.

    python tools/setup.py [FOLDER]

Installs uv, which the lock pins by hash, and lets it install the rest; where uv cannot, pip does.
A second run finds the receipt in the folder and changes nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

__all__ = ["SetupFailedError", "explain", "main", "needed_space", "receipt", "set_up", "works"]

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.lock"
SPACE_MB = 1500  # measured: 790 MB of packages, 60 MB of jars, the rest for caches and Kafka's data
AGAIN = "then run the same command again: what has arrived is kept."

DISK_FULL = ("The disk is full.", f"Free about {SPACE_MB / 1000:g} GB, {AGAIN}")

# what uv and pip say -> the sentence and the repair; the first match wins
KNOWN = (
    (
        r"No space left on device|not enough space on the disk|Disk quota exceeded",
        *DISK_FULL,
    ),
    (
        r"DO NOT MATCH THE HASHES|[Hh]ash mismatch",
        "A package that arrived is not the one that requirements.lock names.",
        "Run the same command again; if this stays, something on the way changes files: "
        "try another network.",
    ),
    (
        r"CERTIFICATE_VERIFY_FAILED|invalid peer certificate|UnknownIssuer",
        "A certificate on the way to the package index is not trusted.",
        f"Set SSL_CERT_FILE and PIP_CERT to your network's certificates, {AGAIN}",
    ),
    (
        r"NewConnectionError|ConnectTimeout|Temporary failure in name resolution|Name or service"
        r"|Failed to establish|error sending request|dns error|Connection refused|ProxyError"
        r"|timed out|Network is unreachable|Connection reset|incomplete-download",
        "The package index does not answer.",
        f"Connect to the network, {AGAIN}",
    ),
    (
        r"No matching distribution found|no wheels with a matching|no usable wheels",
        "There is no ready-made package for this system.",
        "Use Python 3.11 to 3.14 on Linux (glibc 2.28 or newer), macOS 13 or newer or "
        "Windows x64, or open the repository in its devcontainer.",
    ),
    (
        r"Permission denied|Read-only file system",
        f"The lab may not write to {ROOT} or to the package cache.",
        "Clone it into a folder of your own, and run `make lab` there without sudo.",
    ),
)


class SetupFailedError(Exception):
    """The environment could not be made: one sentence, then the repair."""

    def __init__(self, sentence: str, repair: str) -> None:
        super().__init__(f"{sentence}\n{repair}")


def main(arguments: list[str]) -> int:
    """Make the environment; return 0, or 1 after saying what is wrong and how to mend it."""
    folder = Path(arguments[0]).absolute() if arguments else ROOT / ".venv"
    try:
        set_up(folder)
    except SetupFailedError as error:
        print(error, file=sys.stderr)
        return 1
    except OSError as error:
        print(explain(str(error), os.environ, _free()), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped; the same command goes on from here.", file=sys.stderr)
        return 130
    return 0


def set_up(folder: Path) -> None:
    """Bring the environment in `folder` to what the lock says, doing nothing where it is."""
    if not (3, 11) <= sys.version_info[:2] <= (3, 14):
        raise SetupFailedError(
            f"The lab needs Python 3.11 to 3.14, and this one is {sys.version.split()[0]}.",
            "Name another one: `make lab PYTHON=/path/to/python3.14`.",
        )
    wanted, have = receipt(), _read(folder / "steamlab.json")
    if wanted == have and works(folder):
        return
    began = time.monotonic()
    needed_space(folder, _free())
    same_python = {**have, "files": ""} == {**wanted, "files": ""}
    if not (same_python and works(folder)):
        _make(folder)
    _install(folder)
    (folder / "steamlab.json").write_text(json.dumps(wanted), encoding="utf-8")
    print(f"The environment is ready after {time.monotonic() - began:.0f} s.", flush=True)


def receipt() -> dict[str, str]:
    """Return what the environment hangs on: this Python, this folder, the lock's contents."""
    content = LOCK.read_bytes() + (ROOT / "pyproject.toml").read_bytes()
    return {
        "python": f"{sys.version} {sys.base_prefix}",
        "root": str(ROOT),
        "files": hashlib.sha256(content).hexdigest(),
    }


def needed_space(folder: Path, free: int) -> None:
    """Refuse a new environment where `free` bytes cannot hold it."""
    if not folder.exists() and free < SPACE_MB * 1_000_000:
        raise SetupFailedError(
            f"The disk has {free // 1_000_000} MB left, and the lab needs about {SPACE_MB}.",
            f"Free some space, {AGAIN}",
        )


def explain(output: str, environ: Mapping[str, str], free: int) -> SetupFailedError:
    """Turn what uv, pip or the system said into one sentence and a repair.

    `free`: the bytes that the disk has left. On a full one pip blames the network.
    """
    if free < 20_000_000:
        return SetupFailedError(*DISK_FULL)
    for pattern, sentence, repair in KNOWN:
        if re.search(pattern, output):
            proxy = _dead_proxy(environ) if "index does not answer" in sentence else None
            return proxy or SetupFailedError(sentence, repair)
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    last = lines[-1][:200] if lines else "it said nothing"
    return SetupFailedError(
        f"Installing the packages failed: {last}", "Mend that, and run the same command again."
    )


def _free() -> int:
    return min(shutil.disk_usage(path).free for path in (ROOT, tempfile.gettempdir()))


def _dead_proxy(environ: Mapping[str, str]) -> SetupFailedError | None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        parts = urlsplit(environ.get(name, ""))
        if not parts.hostname:
            continue
        address = (parts.hostname, parts.port or (443 if parts.scheme == "https" else 80))
        try:
            socket.create_connection(address, timeout=3).close()
        except OSError:
            return SetupFailedError(
                f"The proxy {address[0]}:{address[1]} that {name} names does not answer.",
                f"Correct it, or `unset {name}`, {AGAIN}",
            )
    return None


def _make(folder: Path) -> None:
    print(f"Making {folder.name} with Python {sys.version.split()[0]} ...", flush=True)
    base = getattr(sys, "_base_executable", None) or sys.executable
    _run([base, "-m", "venv", "--clear", str(folder)])


def _install(folder: Path) -> None:
    packages = len(re.findall(r"(?m)^\S+==", LOCK.read_text(encoding="utf-8")))
    print(f"Installing up to {packages} packages from requirements.lock ...", flush=True)
    pip = [str(_python(folder)), "-m", "pip", "--disable-pip-version-check", "-q"]
    pip += ["--retries=1", "install"]
    locked = ["--require-hashes", "-r", str(LOCK)]
    project = ["--no-deps", "--no-build-isolation", "-e", str(ROOT)]
    try:
        uv = _uv(folder, pip)
        _run([*uv, "--only-binary=:all:", *locked], show=True)
        _run([*uv, *project])
    except SetupFailedError as error:
        if (folder / "uv.txt").exists() or DISK_FULL[0] in str(error):
            raise  # what keeps pip from fetching uv keeps it from fetching the rest
        print(f"uv: {str(error).splitlines()[0]} Trying pip, which takes longer ...", flush=True)
        _run([*pip, "--only-binary=:all:", *locked], show=True)
        _run([*pip, *project])


def _uv(folder: Path, pip: list[str]) -> list[str]:
    """Install the uv of the lock, checked by its hash, and return its install command."""
    pinned = re.search(r"(?m)^uv==(?:.*\\\n)+.*", LOCK.read_text(encoding="utf-8"))
    assert pinned, "requirements.lock pins no uv"  # noqa: S101 - a test holds it
    wanted = folder / "uv.txt"
    wanted.write_text(pinned.group(), encoding="utf-8")
    _run([*pip, "--no-compile", "--no-deps", "--require-hashes", "-r", str(wanted)])
    wanted.unlink()
    uv = _python(folder).with_name("uv.exe" if os.name == "nt" else "uv")
    return [str(uv), "pip", "install", "--python", str(_python(folder))]


def _python(folder: Path) -> Path:
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def works(folder: Path) -> bool:
    """Tell whether a Python runs there, with the project and JupyterLab in its reach."""
    probe = "import steamlab, importlib.util as u; assert u.find_spec('jupyterlab')"
    command = [str(_python(folder)), "-c", probe]
    try:
        return subprocess.run(command, capture_output=True, check=False, timeout=60).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def _run(command: list[str], *, show: bool = False) -> None:
    """Run a command; pass on the lines that show progress; raise what it says when it fails."""
    environ = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")}
    lines: list[str] = []
    with subprocess.Popen(
        command,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    ) as process:
        for line in process.stdout or ():
            lines.append(line)
            if show and not re.match(r"\s*[-+~] |\s+(Built|Downloaded)|Using Python", line):
                print(f"  {line.strip()}", flush=True)
    if process.returncode:
        raise explain("".join(lines), os.environ, _free())


def _read(path: Path) -> dict[str, str]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
