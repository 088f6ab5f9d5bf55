"""The live chart in a real kernel: who owns it, and what is saved with the notebook."""

from __future__ import annotations

import json
import subprocess
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook

from steamlab import charts, topics
from steamlab.drawing import screen
from steamlab.frames import send
from tests.kernels import OverFiles

pytestmark = pytest.mark.broker

SETUP = """
import threading
from steamlab import charts
from steamlab.client import client_config
from steamlab.live import LiveChart
charts.install()
kafka, topic = client_config({bootstrap!r}), {topic!r}
def per_user(df):
    return charts.bars(df.groupby("userId", as_index=False).size(), "userId", "size")
def moving():
    return sum(thread.name == "live-chart" for thread in threading.enumerate())
"""
START = "chart = LiveChart(kafka, topic, per_user)"


class Kernel:
    """A kernel, and cells with an id, as JupyterLab sends them."""

    def __init__(self) -> None:
        self._manager = OverFiles(kernel_name="python3")
        self._manager.start_kernel(stderr=subprocess.DEVNULL)
        self._client = self._manager.blocking_client()
        self._client.start_channels()
        self._client.wait_for_ready(timeout=120)

    def run(self, code: str, cell: str | None = None, value: str = "moving()") -> str:
        """Run code in a cell; return what an expression is worth afterwards."""
        content = {"code": code, "silent": False, "store_history": True, "allow_stdin": False}
        content |= {"user_expressions": {"value": value}, "stop_on_error": True}
        told = self._client.session.msg("execute_request", content)
        told["metadata"] = {} if cell is None else {"cellId": cell}
        self._client.shell_channel.send(told)
        while (reply := self._client.get_shell_msg(timeout=60))["parent_header"].get(
            "msg_id"
        ) != told["header"]["msg_id"]:
            pass
        assert "ok" == reply["content"]["status"], reply["content"].get("evalue")
        return str(reply["content"]["user_expressions"]["value"]["data"]["text/plain"])

    def end(self) -> None:
        """End the kernel."""
        self._client.stop_channels()
        self._manager.shutdown_kernel(now=True)


@pytest.fixture(scope="module")
def started() -> Iterator[Kernel]:
    """One kernel for this file."""
    own = Kernel()
    yield own
    own.end()


@pytest.fixture
def kernel(started: Kernel, kafka: dict[str, Any], topic: str) -> Iterator[Kernel]:
    """The kernel, set up for this test's topic; its charts are stopped afterwards."""
    started.run(SETUP.format(bootstrap=kafka["bootstrap.servers"], topic=topic))
    yield started
    started.run("from steamlab import live\nfor each in list(live._charts): each.stop()")


def test_running_a_cell_again_leaves_one_thread(kernel: Kernel) -> None:
    """What the cell started before has ended, however often it is run."""
    assert ["1", "1", "1"] == [kernel.run(START, "cell-a") for _ in range(3)]


def test_running_a_cell_again_takes_its_widgets_away(kernel: Kernel) -> None:
    """Nothing piles up, and what is left can be told to a page that is loaded again."""
    kernel.run("from ipywidgets.widgets.widget import Widget, _instances as widgets")
    counts = [kernel.run(START, "cell-w", value="len(widgets)") for _ in range(3)]
    assert 1 == len(set(counts))
    told = "len(Widget.get_manager_state()['state'])"
    assert counts[0] == kernel.run("", value=told)


def test_two_charts_of_a_cell_live_together(kernel: Kernel) -> None:
    """They do not stop each other, and the next run stops both."""
    assert "2" == kernel.run(f"{START}; other = LiveChart(kafka, topic, per_user)", "cell-b")
    assert "1" == kernel.run(START, "cell-b")


def test_charts_of_other_cells_stay(kernel: Kernel) -> None:
    """Neither the topic nor the code decides, only the cell."""
    assert ["1", "2"] == [kernel.run(START, cell) for cell in ("cell-c", "cell-d")]


def test_front_ends_without_cell_ids_stop_nothing(kernel: Kernel) -> None:
    """Two charts of one topic in Voila must not stop each other."""
    assert ["1", "2"] == [kernel.run(START) for _ in range(2)]


SAVED = {  # each chart stands in its first cell; `show` ends when the 12 events are there
    "ends while its cell runs": ["show().wait()"],
    "ends in a later cell": ["later = show()", "later.df.userId.tolist()"],
    "had ended before it was asked": ["ended = show()", "ended._thread.join(60)", "len(ended.df)"],
    "failed": ["LiveChart(kafka, topic, wrong, until=12)._thread.join(60)"],
}
MORE = """
def show():
    return LiveChart(kafka, topic, per_user, until=12)
def wrong(df):
    raise ValueError("<b>no</b>")
"""


@pytest.fixture(scope="module")
def saved(kafka: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> NotebookNode:
    """A notebook that nbclient has run, as the course's own are before they are committed."""
    topic = f"test-{uuid.uuid4().hex[:10]}"
    topics.create(kafka, [topics.TopicSpec(topic, 3)])
    send(kafka, topic, [{"userId": f"u{i % 3}"} for i in range(12)])
    setup = SETUP.format(bootstrap=kafka["bootstrap.servers"], topic=topic) + MORE
    cells = [setup, *(each for several in SAVED.values() for each in several)]
    notebook = new_notebook(
        cells=[new_code_cell(each) for each in cells],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
    )
    NotebookClient(notebook, timeout=60, store_widget_state=False).execute()
    topics.delete(kafka, [topic])
    return notebook


def _saved_output(notebook: NotebookNode, case: str) -> Any:
    (cell,) = [each for each in notebook.cells if each.source == SAVED[case][0]]
    (output,) = cell.outputs
    return output.data


@pytest.mark.parametrize("case", list(SAVED)[:3])
def test_an_ordinary_figure_is_saved(saved: NotebookNode, case: str) -> None:
    """The last picture is stored, whenever the chart has ended, and no widget."""
    output = _saved_output(saved, case)
    assert {charts.MIME, "text/plain"} == output.keys()
    assert "(live chart)" == output["text/plain"]
    figure = output[charts.MIME]
    assert ["u0", "u1", "u2"] == figure["data"][0]["x"]
    assert figure["config"]["showSendToCloud"] is False
    assert 15_000 > len(json.dumps(output))


def test_what_went_wrong_is_saved_in_words(saved: NotebookNode) -> None:
    """A chart that failed leaves its sentence, escaped, where the picture would be."""
    output = _saved_output(saved, "failed")
    assert {"text/html", "text/plain"} == output.keys()
    assert "The chart stopped: ValueError: &lt;b>no&lt;/b>" in output["text/html"]


@pytest.mark.parametrize(("server", "closed"), [("jupyterlab/4", 1), ("voila/0.5", 0)])
def test_voila_keeps_replaced_widgets(
    monkeypatch: pytest.MonkeyPatch, server: str, closed: int
) -> None:
    """Its page opens after the kernel has run, and would miss what was closed."""
    monkeypatch.setenv("SERVER_SOFTWARE", server)
    calls: list[int] = []

    class Widget:
        def close(self) -> None:
            calls.append(1)

    screen._close(Widget())  # noqa: SLF001
    assert closed == len(calls)
