"""Time the newcomer's way: from clone to JupyterLab answering with Kafka ready, cold and warm.

    python benchmarks/cold_start.py

Clones the repository as committed into a temporary folder and runs `make lab` there, first with
empty caches, then again after `make down`. Bytes are counted by a proxy of its own.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
READY = "Ctrl-C ends JupyterLab"
REACH_S = {"cold": 60, "warm": 8}


class CountingProxy:
    """A proxy that tunnels to anywhere and counts the bytes that come back."""

    def __init__(self) -> None:
        self.fetched = 0
        self._door = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.address = f"http://127.0.0.1:{self._door.getsockname()[1]}"
        threading.Thread(target=self._welcome, daemon=True).start()

    def _welcome(self) -> None:
        while True:
            guest, _ = self._door.accept()
            threading.Thread(target=self._tunnel, args=(guest,), daemon=True).start()

    def _tunnel(self, guest: socket.socket) -> None:
        asked = b""
        with guest, contextlib.suppress(OSError):  # a side that hangs up ends the tunnel
            while b"\r\n\r\n" not in asked:
                asked += guest.recv(4096)
            host, port = asked.split()[1].decode().rsplit(":", 1)
            with socket.create_connection((host, int(port)), timeout=60) as far:
                guest.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                self._carry(guest, far)

    def _carry(self, guest: socket.socket, far: socket.socket) -> None:
        while True:
            for source in select.select([guest, far], [], [], 120)[0]:
                data = source.recv(1 << 16)
                if not data:
                    return
                (far if source is guest else guest).sendall(data)
                self.fetched += len(data) if source is far else 0


def main() -> int:
    """Measure and print; return 1 where a figure is not reached."""
    proxy = None if os.environ.get("HTTPS_PROXY") else CountingProxy()
    base = Path(tempfile.mkdtemp(prefix="steamlab-cold-"))
    clone = base / "steamlab"
    environ = surroundings(base, proxy.address if proxy else None)
    try:
        began = time.monotonic()
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        cloning = time.monotonic() - began
        took = {"cold": cloning + make_lab(clone, environ)}
        say("clone", f"{cloning:.1f} s, from this computer")
        say("fetched", f"{proxy.fetched / 1e6:.0f} MB" if proxy else "unknown: there is a proxy")
        make_down(clone, environ)
        took["warm"] = make_lab(clone, environ)
        for folder in (clone / ".venv", base / "jars", base / "home"):
            say(f"{folder.name} on disk", f"{size_mb(folder)} MB")
    finally:
        make_down(clone, environ)
        shutil.rmtree(base, ignore_errors=True)
    for name, seconds in took.items():
        verdict = "reached" if seconds <= REACH_S[name] else "NOT REACHED"
        say(name, f"{seconds:.1f} s, at most {REACH_S[name]} s: {verdict}")
    return int(any(took[name] > REACH_S[name] for name in took))


def surroundings(base: Path, proxy: str | None) -> dict[str, str]:
    """Return an environment whose caches are empty and whose Kafka is nobody else's."""
    environ = {name: value for name, value in os.environ.items() if "STEAMLAB" not in name}
    environ |= {"STEAMLAB_HOME": str(base / "home"), "STEAMLAB_CACHE": str(base / "jars")}
    environ |= {"STEAMLAB_PORT": "23092", "UV_CACHE_DIR": str(base / "uv")}
    environ |= {"PIP_CACHE_DIR": str(base / "pip"), "PYTHONUNBUFFERED": "1"}
    if proxy:
        environ |= {"HTTPS_PROXY": proxy, "https_proxy": proxy}
    return environ


def make_lab(clone: Path, environ: Mapping[str, str]) -> float:
    """Run `make lab` until it says that it is ready; return the seconds, and end it."""
    command = ["make", "-C", str(clone), "lab", "ARGS=--no-browser"]
    began = time.monotonic()
    with subprocess.Popen(
        command, env=environ, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        for line in process.stdout or ():
            if READY in line:
                took = time.monotonic() - began
                os.killpg(process.pid, signal.SIGINT)  # as Ctrl-C does: to all of them
                process.communicate(timeout=60)
                return took
            print(f"  | {line}", end="")
    raise SystemExit("make lab ended early")


def make_down(clone: Path, environ: Mapping[str, str]) -> None:
    """End the Kafka of the clone."""
    command = ["make", "-C", str(clone), "down"]
    subprocess.run(command, env=environ, check=False, capture_output=True)


def size_mb(folder: Path) -> int:
    """Return what a folder takes, each file counted once however many names it has."""
    seen = {(stat.st_dev, stat.st_ino): stat.st_size for stat in map(os.lstat, folder.rglob("*"))}
    return round(sum(seen.values()) / 1e6)


def say(name: str, figure: str) -> None:
    """Print one figure."""
    print(f"{name:>14}: {figure}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
