"""Fetch Kafka's jars once, verify them every time."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from steamlab.errors import JarError
from steamlab.kafka.java import readable
from steamlab.settings import settings

if TYPE_CHECKING:
    from requests import RequestException, Session
    from requests.adapters import HTTPAdapter

__all__ = ["KAFKA_VERSION", "LOCK", "Jar", "ensure_jars", "is_good", "read_lock"]

KAFKA_VERSION = "4.4.0"
LOCK = Path(__file__).with_name(f"kafka-{KAFKA_VERSION}.lock")
_THREADS = 6
_OFFLINE = "The first start needs a network: connect, or copy the folder from another machine."


@dataclass(frozen=True)
class Jar:
    """One line of the lock: group:artifact:version, and what its file must be."""

    coordinates: str
    sha256: str
    size: int

    @property
    def name(self) -> str:
        """The file's name."""
        _, artifact, version = self.coordinates.split(":")
        return f"{artifact}-{version}.jar"


def ensure_jars(*, lock: Path = LOCK, progress: bool = True) -> list[Path]:
    """Return Kafka's class path; fetch what is missing or damaged, verify everything.

    Raises `JarError` or, for a folder whose name Java cannot read, `JavaError`.
    """
    if folder := settings().kafka_jars:
        return _unpacked(folder)
    folder = settings().cache / f"kafka-{KAFKA_VERSION}"
    readable(folder, repair="Set STEAMLAB_CACHE to a folder with a plainer name.")
    jars = read_lock(lock)
    missing = [jar for jar in jars if not is_good(folder / jar.name, jar)]
    if missing:
        _fetch_all(missing, folder, progress)
    return [folder / jar.name for jar in jars]


def read_lock(path: Path) -> list[Jar]:
    """Return the jars that a lock names, in its order."""
    lines = (line.split() for line in path.read_text("utf-8").splitlines())
    return [
        Jar(words[0], words[1].removeprefix("sha256="), int(words[2].removeprefix("size=")))
        for words in lines
        if words and words[0] != "#"
    ]


def is_good(path: Path, jar: Jar) -> bool:
    """Tell whether a file is there and is the jar of the lock, byte for byte."""
    try:
        if path.stat().st_size != jar.size:
            return False
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == jar.sha256
    except OSError:
        return False


def _fetch_all(jars: Sequence[Jar], folder: Path, progress: bool) -> None:
    import requests  # 0.3 s with jgo, and only needed when something is missing

    total = sum(jar.size for jar in jars)
    _make_room(folder, total)
    # disable=None: a bar in a terminal, nothing in a notebook's cell or a log
    bar = tqdm(
        total=total,
        desc="Kafka",
        unit="B",
        unit_scale=True,
        leave=False,
        disable=None if progress else True,
    )
    with requests.Session() as session, bar, ThreadPoolExecutor(_THREADS) as pool:
        session.mount("https://", _patient_adapter())
        session.mount("http://", _patient_adapter())
        # The biggest first, so that no thread is left alone with it at the end.
        biggest_first = sorted(jars, key=lambda jar: -jar.size)
        fetching = {pool.submit(_fetch, session, jar, folder): jar for jar in biggest_first}
        try:
            for done in as_completed(fetching):
                done.result()
                bar.update(fetching[done].size)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _make_room(folder: Path, size: int) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise _disk_error(folder, error) from error
    if free < 2 * size:
        raise _no_space(folder)


def _fetch(session: Session, jar: Jar, folder: Path) -> None:
    """Download one jar beside its place, verify it there, then put it in: all or nothing.

    Tried twice. Two processes may do the same at once: both put the same bytes in.
    """
    try:
        with tempfile.TemporaryDirectory(
            prefix=".part-", dir=folder, ignore_cleanup_errors=True
        ) as part:
            for last_try in (False, True):
                problem = _download(session, jar, Path(part) / jar.name)
                if problem is None:
                    os.replace(Path(part) / jar.name, folder / jar.name)
                    return
                if last_try:
                    raise problem
    except OSError as error:
        raise _disk_error(folder, error) from error


def _download(session: Session, jar: Jar, to: Path) -> JarError | None:
    """Write a jar to a file; return what is wrong with it."""
    import requests

    try:
        with session.get(_address(jar), stream=True, timeout=30) as answer:
            answer.raise_for_status()
            with to.open("wb") as file:
                for chunk in answer.iter_content(1 << 16):
                    file.write(chunk)
                    if file.tell() > jar.size:
                        break
    except requests.RequestException as error:
        problem = _network_error(jar, error)
        problem.__cause__ = error
        return problem
    return None if is_good(to, jar) else _wrong_bytes(jar)


def _address(jar: Jar) -> str:
    """Ask jgo, which knows the public repository and how its folders are called."""
    from jgo.maven import MavenContext

    context = MavenContext()
    artifact = context.create_dependency(jar.coordinates).artifact
    repository = settings().maven or next(iter(context.remote_repos.values()))
    return f"{repository.rstrip('/')}/{artifact.component.path_prefix.as_posix()}/{jar.name}"


def _patient_adapter() -> HTTPAdapter:
    """Keep connections open from jar to jar, and wait where a busy server asks for it."""
    from requests.adapters import HTTPAdapter
    from urllib3.util import Retry

    retry = Retry(2, connect=0, status_forcelist=(429, 502, 503, 504), backoff_factor=0.5)
    return HTTPAdapter(pool_maxsize=_THREADS, max_retries=retry)


def _unpacked(folder: Path) -> list[Path]:
    """Return the jars of an unpacked Kafka's `libs` folder."""
    readable(folder, repair="Move Kafka to a folder with a plainer name.")
    jars = sorted(folder.glob("*.jar"))
    names = [jar.name for jar in jars]
    needed = ("kafka_2.13-", "kafka-server-", "kafka-clients-", "log4j-slf4j-impl-")
    if lacking := [part for part in needed if not any(name.startswith(part) for name in names)]:
        raise JarError(
            f"STEAMLAB_KAFKA_JARS is {folder}, and no {lacking[0]}*.jar is there.",
            repair="Set it to the `libs` folder of an unpacked Kafka, or unset it.",
        )
    if f"kafka_2.13-{KAFKA_VERSION}.jar" not in names:
        raise JarError(
            f"STEAMLAB_KAFKA_JARS is {folder}, which is not Kafka {KAFKA_VERSION}.",
            repair=f"Set it to the `libs` folder of Kafka {KAFKA_VERSION}, or unset it.",
        )
    return [jar.absolute() for jar in jars]


def _network_error(jar: Jar, error: RequestException) -> JarError:
    if error.response is not None:
        return JarError(
            f"The repository answered {error.response.status_code} for {jar.coordinates}.",
            repair="Run it again later; if STEAMLAB_MAVEN is set, check it.",
        )
    if "Proxy" in type(error).__name__:
        return JarError(
            f"Kafka's jars could not be fetched: the proxy for {jar.name} does not answer.",
            repair="Correct HTTPS_PROXY, or unset it.",
        )
    return JarError(
        f"Kafka's jars could not be fetched: no answer for {jar.name}.", repair=_OFFLINE
    )


def _wrong_bytes(jar: Jar) -> JarError:
    return JarError(
        f"{jar.name} came twice with another SHA-256 than the lock says: it was not used.",
        repair="Check STEAMLAB_MAVEN and your proxy: somebody changes files on the way.",
    )


def _disk_error(folder: Path, error: OSError) -> JarError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return _no_space(folder)
    return JarError(
        f"Kafka's jars could not be written to {folder}: {error.strerror}.",
        repair="Make it writable, or set STEAMLAB_CACHE to another folder.",
    )


def _no_space(folder: Path) -> JarError:
    return JarError(
        f"There is no space left for Kafka's jars in {folder}.",
        repair="Free 100 MB, or set STEAMLAB_CACHE to a folder on another disk.",
    )
