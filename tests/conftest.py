"""One Kafka for the whole run, started only if something selected needs it."""

from __future__ import annotations

import os
import re
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from steamlab import topics
from steamlab.client import client_config

_ROOT = Path(__file__).resolve().parent.parent
_HOMES = _ROOT / "build" / "test-home"
_LESSON = re.compile(r"^(\d\d)_.+\.ipynb$")
_started: list[str] = []


def pytest_configure(config: pytest.Config) -> None:
    """Give the run a home of its own; workers and kernels inherit it from the controller."""
    if _is_worker(config):
        return
    home = _HOMES / f"{os.getpid()}-{uuid.uuid4().hex[:6]}"
    home.mkdir(parents=True)
    os.environ["STEAMLAB_HOME"] = str(home)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep on one worker, one after the other, what shares a lesson or a file."""
    for item in items:
        item.add_marker(pytest.mark.xdist_group(_group(item)))
        if item.get_closest_marker("browser") is not None and not _may_browse():
            item.add_marker(pytest.mark.skip(reason="NO CHROMIUM: the browser tests did not run"))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say loudly what a missing browser left unproven."""
    skipped = terminalreporter.stats.get("skipped", [])
    if any("NO CHROMIUM" in str(report.longrepr) for report in skipped):
        terminalreporter.write_sep("!", "no chromium: the browser tests were SKIPPED", red=True)


def _group(item: pytest.Item) -> str:
    lesson = _LESSON.match(item.path.name)
    return f"lesson {lesson[1]}" if lesson else item.path.name


def _is_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")


def _may_browse() -> bool:
    if os.environ.get("STEAMLAB_REQUIRE_BROWSER") == "1":
        return True
    return any(shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome"))


@pytest.fixture(scope="session")
def kafka() -> dict[str, Any]:
    """The settings of the run's shared Kafka."""
    return client_config(os.environ.get("STEAMLAB_BOOTSTRAP", "127.0.0.1:39092"))


@pytest.fixture
def topic(kafka: dict[str, Any]) -> Iterator[str]:
    """A fresh topic of three partitions, deleted at the end."""
    name = f"test-{uuid.uuid4().hex[:10]}"
    topics.create(kafka, [topics.TopicSpec(name, 3)])
    yield name
    topics.delete(kafka, [name])
