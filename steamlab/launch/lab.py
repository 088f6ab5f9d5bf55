"""What `make lab` runs: Kafka, the learner's copies, and JupyterLab on the first lesson."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
import webbrowser
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from urllib.error import URLError
from urllib.parse import quote

from steamlab.errors import DeadlineError, SetupError
from steamlab.launch.workspace import Workspace, make_workspace
from steamlab.settings import ROOT, settings

__all__ = ["JupyterLab", "lab", "lab_command", "lab_environ"]

_LOCAL = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # 127.0.0.1 needs no proxy


def lab(
    *,
    notebook: str = "00_start.ipynb",
    fresh: Sequence[str] = (),
    browser: bool = True,
    port: int = 8888,
    say: Callable[[str], None] = print,
    timeout: float = 120,
) -> None:
    """Start Kafka and JupyterLab side by side, open the lesson, stay until Ctrl-C.

    Kafka keeps running afterwards. Raises what `broker.up` raises, and `SetupError`
    where JupyterLab does not start.
    """
    workspace = make_workspace(fresh=fresh)
    _say_copies(workspace, say)
    say("Starting Kafka and JupyterLab ...")
    stopped = contextlib.suppress(KeyboardInterrupt)
    with stopped, _ended_by_signals(), JupyterLab(root=ROOT, port=port) as server:
        from steamlab.broker import up  # its imports take a moment, and JupyterLab has started

        kafka = up(timeout=timeout)
        say(f"Kafka answers at {kafka.bootstrap}.")
        base, token = server.wait(timeout=timeout)
        path = quote(f"{workspace.folder.name}/{notebook}")
        address = f"{base}lab/tree/{path}?token={token}"
        say(f"JupyterLab is ready. If no browser opens, open this address:\n\n    {address}\n")
        if browser and _has_screen():
            webbrowser.open(address)
        say("Ctrl-C ends JupyterLab. Kafka keeps running until `make down` or `steamlab down`.")
        server.stay()
    say("\nJupyterLab has ended. `make lab` opens it again, `make down` ends Kafka.")


def lab_command(*, root: Path, port: int) -> list[str]:
    """Return the command that serves `root`: on 127.0.0.1 only, with a token, asking nothing."""
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--log-level=WARN"]
    command += [f"--ServerApp.root_dir={root}", "--ServerApp.ip=127.0.0.1", f"--port={port}"]
    command += ["--ServerApp.answer_yes=True", "--LanguageServerManager.autodetect=False"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")  # containers; nobody else can reach 127.0.0.1 or the token
    return command


def lab_environ() -> dict[str, str]:
    """Return the surroundings with the course's JupyterLab settings and this Python's kernel."""
    environ = dict(os.environ)
    paths = [str(ROOT / "etc" / "jupyter"), environ.get("JUPYTER_CONFIG_PATH")]
    environ["JUPYTER_CONFIG_PATH"] = os.pathsep.join(path for path in paths if path)
    return environ | {"JUPYTER_PREFER_ENV_PATH": "1"}


@dataclass
class JupyterLab:
    """A JupyterLab server as a child process; its own words go to a log file."""

    root: Path
    port: int = 8888
    log: Path | None = None
    _process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> JupyterLab:
        """Start the server; `wait` says when it answers."""
        self.log = self.log or settings().home / "jupyterlab.log"
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.log.unlink(missing_ok=True)
        handle = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)  # holds the token
        with os.fdopen(handle, "wb") as log:
            command = lab_command(root=self.root, port=self.port)
            self._process = subprocess.Popen(  # noqa: S603 - our own command
                command, env=lab_environ(), cwd=self.root, stdout=log, stderr=log
            )
        return self

    def __exit__(self, *_: object) -> None:
        """End the server and with it its kernels."""
        process = self._running
        if process.poll() is None:
            process.terminate()
        try:
            process.wait(10)
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            process.kill()
            process.wait(10)

    @property
    def pid(self) -> int:
        """The server's process id."""
        return self._running.pid

    @property
    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise SetupError("JupyterLab is not started.", repair="Use `with JupyterLab(...)`.")
        return self._process

    def wait(self, *, timeout: float = 60) -> tuple[str, str]:
        """Wait until the server answers; return its address, ending in a slash, and the token."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if self._running.poll() is not None:
                raise SetupError("JupyterLab did not start.", repair=self._last_words())
            with contextlib.suppress(OSError, ValueError, KeyError, URLError):
                from jupyter_core.paths import jupyter_runtime_dir

                told = Path(jupyter_runtime_dir()) / f"jpserver-{self.pid}.json"
                server = json.loads(told.read_text(encoding="utf-8"))
                _LOCAL.open(server["url"] + "api", timeout=2).close()
                return str(server["url"]), str(server["token"])
            time.sleep(0.05)
        raise DeadlineError(
            f"JupyterLab did not answer within {timeout:g} s.", repair=self._last_words()
        )

    def stay(self) -> None:
        """Return when the server ends."""
        self._running.wait()

    def _last_words(self) -> str:
        log = self.log
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log else []
        said = [line.strip() for line in lines if line.strip()]
        return f"Its log is {log}; it ends: {said[-1] if said else '(empty)'}"


@contextlib.contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Let a closed terminal and `kill` end the lab as Ctrl-C does."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    names = [name for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {name: signal.signal(getattr(signal, name), stop) for name in names}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(getattr(signal, name), handler)


def _has_screen() -> bool:
    """Tell whether a browser could open: on a bare terminal, Python would start a text one."""
    names = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
    return not sys.platform.startswith("linux") or any(os.environ.get(name) for name in names)


def _say_copies(workspace: Workspace, say: Callable[[str], None]) -> None:
    if workspace.made or workspace.replaced:
        names = ", ".join(workspace.made + workspace.replaced)
        say(f"Copied into {workspace.folder.name}/: {names}.")
    if workspace.replaced:
        say(f"Your earlier copies are in {workspace.folder.name}/old/.")
    for name in workspace.outdated:
        number = name.split("_")[0]
        say(f"{name} has a newer version: `steamlab lab --fresh {number}` brings it.")
