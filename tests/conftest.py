"""One Kafka for the whole run, started only if something selected needs it."""

from __future__ import annotations

import os
import shutil
import signal
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbval.kernel
import psutil
import pytest
from xdist.scheduler import LoadScopeScheduling

from steamlab import broker, topics
from steamlab.client import client_config
from tests import exercise_counts, scheduling
from tests.kernels import OverFiles

_HOMES = Path(__file__).resolve().parent.parent / "build" / "test-home"


def pytest_configure(config: pytest.Config) -> None:
    """Give the run a home of its own; workers and the kernels of notebooks inherit it."""
    config.pluginmanager.register(FreshProgress())
    nbval.kernel.KernelManager = OverFiles
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # Started in the background, where a shell lets it ignore Ctrl-C, all its children would.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if _is_worker(config):
        return
    for left in _HOMES.glob("*-*"):
        if not psutil.pid_exists(int(left.name.split("-")[0])):
            _end(left)
    home = _HOMES / f"{os.getpid()}-{uuid.uuid4().hex[:6]}"
    home.mkdir(parents=True)
    os.environ["STEAMLAB_HOME"] = str(home)
    for name in (
        "STEAMLAB_PROGRESS",
        "STEAMLAB_RECEIPT",
        "STEAMLAB_LETTER",
    ):  # the learner's, not the run's
        os.environ.pop(name, None)


class FreshProgress:
    """Lets each notebook begin with no exercise done, and with no order placed.

    What its cells show of both is compared, and other notebooks run beside it. A plugin of its own,
    because what a conftest.py says of single tests holds below its folder.
    """

    def __init__(self) -> None:
        self._notebook: Path | None = None

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Name another file at each notebook's first cell; its kernel, started next, inherits."""
        if item.path.suffix != ".ipynb" or item.path == self._notebook:
            return
        self._notebook = item.path
        name = "-".join(item.path.with_suffix(".json").parts[-2:])
        for kind in ("progress", "receipt"):
            path = Path(os.environ["STEAMLAB_HOME"]) / kind / name
            path.unlink(missing_ok=True)
            os.environ[f"STEAMLAB_{kind.upper()}"] = str(path)


def pytest_unconfigure(config: pytest.Config) -> None:
    """End the Kafka that the run started: by then no worker is left."""
    if not _is_worker(config) and (home := os.environ.get("STEAMLAB_HOME")):
        _end(Path(home))


class ByFileAndLesson(LoadScopeScheduling):
    """Hand the run out as `tests.scheduling` says.

    xdist's own groups, `--dist loadgroup`, get lost under pytest 9.2: xdist 3.8 writes them
    where pytest does not look any more.
    """

    def __init__(self, config: pytest.Config, log: Any) -> None:
        super().__init__(config, log)
        self.workqueue = scheduling.Queue()

    def _split_scope(self, nodeid: str) -> str:
        return scheduling.scope(nodeid)

    def _assign_work_unit(self, node: Any) -> None:
        worker = int(node.gateway.id.removeprefix("gw"))
        self.workqueue.long_first = scheduling.prefers_long(worker)
        super()._assign_work_unit(node)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFileAndLesson:
    """Distribute by file and lesson, whatever `--dist` says."""
    return ByFileAndLesson(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs a browser, if there is none."""
    for item in items:
        if item.get_closest_marker("browser") and not _may_browse():
            item.add_marker(pytest.mark.skip(reason="NO CHROMIUM: the browser tests did not run"))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Count what the checks were tried with; say loudly what a missing browser left unproven."""
    if counts := exercise_counts.line(terminalreporter.stats):
        terminalreporter.write_line(counts)
    skipped = terminalreporter.stats.get("skipped", [])
    if any("NO CHROMIUM" in str(report.longrepr) for report in skipped):
        terminalreporter.write_sep("!", "NO CHROMIUM: the browser tests were skipped", red=True)


@pytest.fixture(scope="session")
def kafka() -> dict[str, Any]:
    """The settings of the run's Kafka, which the first who asks for it starts."""
    return client_config(broker.up().bootstrap)


@pytest.fixture
def another_letter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let lessons take topics of their own (`05b`), beside the notebook that runs elsewhere."""
    monkeypatch.setenv("STEAMLAB_LETTER", "b")


@pytest.fixture
def topic(kafka: dict[str, Any]) -> Iterator[str]:
    """A fresh topic of three partitions, deleted at the end."""
    name = f"test-{uuid.uuid4().hex[:10]}"
    topics.create(kafka, [topics.TopicSpec(name, 3)])
    yield name
    topics.delete(kafka, [name])


def _end(home: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STEAMLAB_HOME", str(home))
        broker.down()
    shutil.rmtree(home, ignore_errors=True)


def _is_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")


def _may_browse() -> bool:
    if os.environ.get("STEAMLAB_REQUIRE_BROWSER") == "1":
        return True
    return any(shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome"))
