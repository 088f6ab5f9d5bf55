"""An environment of its own for each engine, made by uv, kept for the next time."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Environment", "NotInstalledError"]


class NotInstalledError(Exception):
    """An engine cannot be had here: why, in one line."""


@dataclass(frozen=True)
class Environment:
    """What an engine is installed from: pinned packages, and the Pythons that it has wheels for."""

    name: str
    packages: tuple[str, ...]
    pythons: tuple[str, ...] = ("3.14", "3.13", "3.12", "3.11")

    def install(self, home: Path) -> Path:
        """Return the environment's Python, made only where it is not there yet.

        Raises `NotInstalledError`.
        """
        folder = home / self.name
        python, receipt = folder / "bin" / "python", folder / "packages.json"
        wanted = json.dumps([*self.packages])
        if receipt.exists() and receipt.read_text(encoding="utf-8") == wanted:
            return python
        print(f"installing {' '.join(self.packages)} ...", flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        self._make(folder)
        options = ["-q", "--only-binary=:all:", "--python", str(python)]
        _uv("pip", "install", *options, *self.packages)
        receipt.write_text(wanted, encoding="utf-8")
        return python

    def _make(self, folder: Path) -> None:
        """Make it with this Python if it fits, with one of this computer, or with a fetched one."""
        own = f"{sys.version_info.major}.{sys.version_info.minor}"
        here = str(getattr(sys, "_base_executable", sys.executable))
        tries = [[here]] if own in self.pythons else []
        tries += [[version, "--no-python-downloads"] for version in self.pythons]
        tries += [[self.pythons[0]]]
        for number, options in enumerate(tries, 1):
            try:
                return _uv("venv", "-q", "--clear", str(folder), "--python", *options)
            except NotInstalledError:
                if number == len(tries):
                    raise NotInstalledError(
                        f"no Python {' or '.join(self.pythons)} here, and none could be fetched"
                    ) from None
        return None


def _uv(*arguments: str) -> None:
    uv = Path(sys.executable).with_name("uv")
    if not uv.exists():
        raise NotInstalledError("there is no uv in this environment: run `make setup`")
    environ = {key: value for key, value in os.environ.items() if key != "VIRTUAL_ENV"}
    done = subprocess.run(
        [uv, *arguments], env=environ, capture_output=True, text=True, timeout=900
    )
    if done.returncode:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        cause = next((line for line in lines if line.startswith("cause: ")), lines[-1])
        raise NotInstalledError(cause.removeprefix("cause: ")[:200])
