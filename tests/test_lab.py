"""What `make lab` runs: a JupyterLab that only its owner reaches, and that ends when told to."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import psutil
import pytest

from steamlab.errors import DeadlineError, SetupError
from steamlab.launch import lab as lab_module
from steamlab.launch.lab import JupyterLab, lab_command, lab_environ

ROOT = Path(__file__).resolve().parent.parent
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def get(url: str) -> Any:
    """Fetch JSON from this computer."""
    with DIRECT.open(url, timeout=10) as answer:
        return json.loads(answer.read())


@pytest.mark.slow
def test_jupyterlab_is_private(tmp_path: Path) -> None:
    """The server listens on 127.0.0.1 only, serves the folder, and nobody without the token."""
    (tmp_path / "workspace").mkdir()
    with JupyterLab(root=tmp_path, log=tmp_path / "log" / "jupyter.log") as server:
        base, token = server.wait(timeout=60)
        process = psutil.Process(server.pid)
        listening = [c for c in process.net_connections() if c.status == psutil.CONN_LISTEN]
        assert {"127.0.0.1"} == {c.laddr.ip for c in listening}
        found = get(f"{base}api/contents?token={token}")["content"]
        assert {"workspace", "log"} == {entry["name"] for entry in found}
        with pytest.raises(HTTPError, match="403"):
            get(f"{base}api/contents")
        # ... and it asks for no news and no updates: the settings in etc/jupyter are in force
        plugin = "@jupyterlab/apputils-extension:notification"
        known = get(f"{base}lab/api/settings/{plugin}?token={token}")["schema"]["properties"]
        assert ("false", False) == (
            known["fetchNews"]["default"],
            known["checkForUpdates"]["default"],
        )
        assert 0o600 == (tmp_path / "log" / "jupyter.log").stat().st_mode & 0o777
    assert not process.is_running()


def test_kernel_is_this_python() -> None:
    """The server prefers the kernel of its own environment to one of the user's."""
    assert "1" == lab_environ()["JUPYTER_PREFER_ENV_PATH"]
    assert sys.executable == lab_command(root=ROOT, port=8888)[0]


def test_root_only_where_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """--allow-root is passed to root, who could not start it otherwise, and to nobody else."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert "--allow-root" in lab_command(root=ROOT, port=8888)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert "--allow-root" not in lab_command(root=ROOT, port=8888)


def test_a_server_that_dies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A JupyterLab that ends at its start is reported with the last words of its log."""
    program = "import sys; sys.exit('no such option')"
    monkeypatch.setattr(lab_module, "lab_command", lambda **_: [sys.executable, "-c", program])
    log = tmp_path / "jupyter.log"
    with JupyterLab(root=tmp_path, log=log) as server:
        with pytest.raises(SetupError) as died:
            server.wait(timeout=30)
    assert "JupyterLab did not start." == died.value.sentence
    assert f"Its log is {log}; it ends: no such option" == died.value.repair


def test_a_server_that_is_silent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A JupyterLab that never answers ends the wait at its deadline, and is ended too."""
    program = "import time; time.sleep(600)"
    monkeypatch.setattr(lab_module, "lab_command", lambda **_: [sys.executable, "-c", program])
    with JupyterLab(root=tmp_path, log=tmp_path / "jupyter.log") as server:
        with pytest.raises(DeadlineError, match=r"JupyterLab did not answer within 0\.2 s\."):
            server.wait(timeout=0.2)
    assert not psutil.pid_exists(server.pid)


@pytest.mark.broker
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_the_lab_opens_and_ends(
    kafka: dict[str, Any], tmp_path: Path, number: signal.Signals
) -> None:
    """It prints an address that works, asks nothing when it is ended, and leaves no process."""
    environ = os.environ | {
        "STEAMLAB_BOOTSTRAP": kafka["bootstrap.servers"],
        "STEAMLAB_HOME": str(tmp_path),
        "PYTHONUNBUFFERED": "1",
    }
    command = [sys.executable, "-m", "steamlab", "lab", "--no-browser", "--port", "18888"]
    with subprocess.Popen(
        command, env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        said = ""
        for line in process.stdout:  # ends at the latest when the lab's own deadlines end it
            said += line
            if "Ctrl-C ends JupyterLab" in line:
                break
        address = re.search(r"http://127\.0\.0\.1:\d+/lab/tree/\S+00_start\.ipynb\?\S+", said)
        assert address, said
        page = DIRECT.open(address.group(), timeout=10).read().decode()
        children = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(number)
        try:
            last_words = process.communicate(timeout=30)[0]
        finally:
            process.terminate()  # where the signal does not end it, the test must
    assert "<title>JupyterLab</title>" in page
    assert f"Kafka answers at {kafka['bootstrap.servers']}." in said
    assert "JupyterLab has ended." in last_words
    assert 0 == process.returncode
    assert children
    assert not any(child.is_running() for child in children)
