"""Make requirements.lock from pyproject.toml, and bring environment.yml's pins along.

    python tools/lock.py [--upgrade | --upgrade-package NAME]

Pins stay as they are unless an upgrade is asked for. Needs the network.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

__all__ = ["environment", "main", "pins"]

ROOT = Path(__file__).resolve().parent.parent
COMPILE = (
    "uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header"
    " --no-emit-index-url --group test --group check --group build"
    " pyproject.toml --output-file requirements.lock"
)
PIN = re.compile(r"^( +- )([a-z][a-z0-9.-]*)==(\S+)(.*)$")


def main(arguments: list[str]) -> int:
    """Compile the lock, then write its versions into environment.yml."""
    uv, *options = COMPILE.split()
    command = [str(Path(sys.executable).with_name(uv)), *options, *arguments]
    subprocess.run(command, cwd=ROOT, check=True)
    path = ROOT / "environment.yml"
    locked = pins((ROOT / "requirements.lock").read_text(encoding="utf-8"))
    path.write_text(environment(path.read_text(encoding="utf-8"), locked), encoding="utf-8")
    return 0


def pins(lock: str) -> dict[str, str]:
    """Return the versions of a lock by package name."""
    return dict(re.findall(r"(?m)^([a-z0-9][a-z0-9.-]*)==([^\s;]+)", lock))


def environment(text: str, locked: dict[str, str]) -> str:
    """Return an environment.yml with each pin at its locked version, all else untouched."""
    lines = []
    for line in text.splitlines():
        if (found := PIN.match(line)) and found[2] in locked:
            line = f"{found[1]}{found[2]}=={locked[found[2]]}{found[4]}"
        lines.append(line)
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
