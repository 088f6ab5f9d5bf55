"""One frozen Settings, read from `STEAMLAB_*`, and the paths that hang on it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_cache_path, user_state_path

from steamlab.errors import SetupError

__all__ = ["ROOT", "Settings", "data_path", "settings"]

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that the surroundings decide; each field names its variable.

    `bootstrap` (`STEAMLAB_BOOTSTRAP`): somebody else's running cluster, used instead of our own.
    `kafka_jars` (`STEAMLAB_KAFKA_JARS`): the `libs` folder of an unpacked Kafka.
    `maven` (`STEAMLAB_MAVEN`): a mirror to fetch Kafka's jars from.
    `home` (`STEAMLAB_HOME`): the local broker's state, receipt and progress.
    `progress` (`STEAMLAB_PROGRESS`): which exercises are ok, a file; in the home unless told.
    `receipt` (`STEAMLAB_RECEIPT`): where the learner's order lies, a file; in the home unless told.
    `cache` (`STEAMLAB_CACHE`): the verified jars, and an archive of their classes.
    `port` (`STEAMLAB_PORT`): the local broker's first choice of a port.
    `speed` (`STEAMLAB_SPEED`): turns the store's clock up by this factor, as tests do.
    `letter` (`STEAMLAB_LETTER`): the first letter that a lesson's topics may carry behind its
    number; none, unless a test runs a lesson beside its notebook.
    """

    bootstrap: str | None
    kafka_jars: Path | None
    maven: str | None
    home: Path
    progress: Path
    receipt: Path
    cache: Path
    port: int
    speed: float
    letter: str


def settings(environ: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings afresh; raise `SetupError` where a variable makes no sense."""
    jars = environ.get("STEAMLAB_KAFKA_JARS")
    home = _path(environ, "STEAMLAB_HOME", user_state_path("steamlab"))
    return Settings(
        bootstrap=environ.get("STEAMLAB_BOOTSTRAP") or None,
        kafka_jars=Path(jars).expanduser() if jars else None,
        maven=environ.get("STEAMLAB_MAVEN") or None,
        home=home,
        progress=_path(environ, "STEAMLAB_PROGRESS", home / "progress.json"),
        receipt=_path(environ, "STEAMLAB_RECEIPT", home / "receipt.json"),
        cache=_path(environ, "STEAMLAB_CACHE", user_cache_path("steamlab")),
        port=int(_number(environ, "STEAMLAB_PORT", 29092, 1024, 65535)),
        speed=_number(environ, "STEAMLAB_SPEED", 1.0, 0.01, 10_000.0),
        letter=_letter(environ, "STEAMLAB_LETTER"),
    )


def data_path(name: str) -> Path:
    """Return the path of a file in `data/`, wherever the notebook was started."""
    return ROOT / "data" / name


def _path(environ: Mapping[str, str], name: str, default: Path) -> Path:
    return Path(environ.get(name) or default).expanduser().absolute()


def _letter(environ: Mapping[str, str], name: str) -> str:
    letter = environ.get(name) or ""
    if letter and letter not in tuple("bcdefghijklmnopqrstuvwxyz"):
        raise SetupError(
            f"{name} must be a letter from b to z, and is {letter!r}.",
            repair=f"Set it again, or `unset {name}`.",
        )
    return letter


def _number(
    environ: Mapping[str, str], name: str, default: float, low: float, high: float
) -> float:
    text = environ.get(name)
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not low <= value <= high:
        raise SetupError(
            f"{name} must be a number from {low:g} to {high:g}, and is {text!r}.",
            repair=f"Set it again, or `unset {name}`.",
        )
    return value
