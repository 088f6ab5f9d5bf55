"""Look at everything that the lab needs, and name the repair of what is wrong."""

from __future__ import annotations

import importlib.metadata
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from steamlab.launch.findings import Finding, Report, guarded
from steamlab.launch.health import health
from steamlab.settings import ROOT, settings

__all__ = ["doctor", "installed"]

_SPACE_MB, _MEMORY_MB = 300, 300


def doctor() -> Report:
    """Look at everything, in about a second; start, fetch and change nothing.

    The round trip makes a topic of its own and deletes it.
    """
    looks: tuple[Callable[[], Finding], ...] = (
        _python, _packages, _checkout, _kernel, _memory, _disk, _java, _jars, _docker,
    )  # fmt: skip
    with ThreadPoolExecutor(len(looks) + 1) as pool:
        kafka = pool.submit(lambda: list(health()))
        findings = list(pool.map(_guarded, looks))
        return Report((*findings, *kafka.result()))


def _guarded(look: Callable[[], Finding]) -> Finding:
    return guarded(look, name=look.__name__.strip("_"), repair="Run `make setup`.")


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    fits = (3, 11) <= sys.version_info[:2] <= (3, 14)
    return Finding(
        "python", fits, f"{version}, {sys.executable}", "Use 3.11 to 3.14: `make setup`."
    )


def _packages() -> Finding:
    """Compare what is installed of our direct dependencies with the lock."""
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    pinned: dict[str, list[str]] = {}  # a package may have another version on an older Python
    for name, version in re.findall(r"(?m)^([a-z0-9.-]+)==([^\s;]+)", lock):
        pinned.setdefault(name, []).append(version)
    names = [re.split(r"[^\w-]", line)[0] for line in importlib.metadata.requires("steamlab") or ()]
    wrong = []
    for name in names:
        have, locked = installed(name), pinned.get(name, [])
        if have not in locked:
            wrong.append(f"{name} is {have or 'missing'}, the lock says {' or '.join(locked)}")
    seen = "; ".join(wrong) or f"{len(names)} as in requirements.lock"
    return Finding("packages", not wrong, seen, "Run `make setup`.")


def installed(name: str) -> str | None:
    """Return the version of a package that is here, None of one that is not."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _checkout() -> Finding:
    here = (ROOT / "requirements.lock").is_file() and (ROOT / "notebooks").is_dir()
    return Finding("checkout", here, str(ROOT), "Install the clone itself: `pip install -e .`.")


def _kernel() -> Finding:
    """Check that a notebook's kernel `python3` is this Python."""
    from jupyter_client.kernelspec import KernelSpecManager

    spec = KernelSpecManager().get_kernel_spec("python3")
    started = spec.argv[0]
    # a bare name stands for the Python that runs JupyterLab
    same = not Path(started).is_absolute() or Path(started).parent == Path(sys.executable).parent
    repair = "Start JupyterLab with `make lab`, and choose the kernel `Python 3 (ipykernel)`."
    return Finding(
        "kernel", same, "python3 is this Python" if same else f"python3 runs {started}", repair
    )


def _memory() -> Finding:
    import psutil

    free = psutil.virtual_memory().available // 1_000_000
    repair = f"Close something: Kafka and a notebook need {_MEMORY_MB} MB."
    return Finding("memory", free >= _MEMORY_MB, f"{free} MB available", repair)


def _disk() -> Finding:
    folder = settings().home
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(existing).free // 1_000_000
    repair = "Free some space, or set STEAMLAB_HOME to another disk."
    return Finding("disk", free >= _SPACE_MB, f"{free} MB free for {folder}", repair)


def _java() -> Finding:
    from steamlab.kafka.java import find_java, java_version

    java = find_java()
    return Finding("java", True, f"{java_version(java)}, {java}")


def _jars() -> Finding:
    from steamlab.kafka.jars import KAFKA_VERSION, LOCK, is_good, read_lock

    if jars := settings().kafka_jars:
        return Finding("jars", jars.is_dir(), str(jars), "Correct STEAMLAB_KAFKA_JARS.")
    folder = settings().cache / f"kafka-{KAFKA_VERSION}"
    locked = read_lock(LOCK)
    bad = [jar for jar in locked if not is_good(folder / jar.name, jar)]
    seen = f"{len(locked) - len(bad)} of {len(locked)} as in the lock, {folder}"
    needed = settings().bootstrap is None
    return Finding("jars", not (bad and needed), seen, "`steamlab up` fetches them.")


def _docker() -> Finding:
    """Report Docker without asking for it: the course does not need it."""
    docker = shutil.which("docker")
    if docker is None:
        return Finding("docker", True, "not here, and not needed")
    command = [docker, "compose", "version", "--short"]
    try:
        told = subprocess.run(  # noqa: S603 - the docker of PATH, asked for its version
            command, capture_output=True, text=True, check=False, timeout=2
        )
    except (OSError, subprocess.TimeoutExpired):
        return Finding("docker", True, "does not answer, and is not needed")
    seen = f"compose {told.stdout.strip()}" if told.returncode == 0 else "without compose"
    return Finding("docker", True, f"{seen}; not needed")
