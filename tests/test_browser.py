"""Lesson 00 in JupyterLab and a real browser, as a learner meets it."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from confluent_kafka import Producer
from jupyter_client.blocking.client import BlockingKernelClient
from labdriver import CELLS, LabPage, browser, jupyter_lab
from nbformat.v4 import new_code_cell, new_notebook

from steamlab.launch.workspace import make_workspace

pytestmark = [pytest.mark.broker, pytest.mark.browser]

NOTEBOOK = "workspace/00_start.ipynb"
LETTER = "n"  # topics of its own, beside those of the notebook that another worker runs
TOPIC = f"00{LETTER}.store.purchases"
SETUP, CHART, ASKS = 0, 1, 3  # code cells
MOVING = "figures.length === 1 && /[1-9]\\d* of 400 events/.test(text)"
ORDER = {
    "eventType": "purchase",
    "timestamp": "2025-11-21T17:05:00Z",
    "userId": "user_test",
    "orderId": "order_of_the_test",
    "games": [{"gameId": "game_010", "price": 777.25}],
    "totalAmount": 777.25,
    "paymentMethod": "paypal",
    "region": "SE",
}
HAS_ORDER = "figures.some(each => each.traces.some(trace => trace.y.includes(777.25)))"


@contextlib.contextmanager
def opened(folder: Path, speed: str) -> Iterator[LabPage]:
    """Lesson 00 as `make lab` opens it; `speed` is the factor on the store's clock."""
    make_workspace(folder=folder / "workspace")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STEAMLAB_SPEED", speed)
        patch.setenv("STEAMLAB_LETTER", LETTER)
        with jupyter_lab(folder, folder / "home") as server, browser() as chromium:
            page = chromium.new_page(viewport={"width": 1280, "height": 1000})
            yield LabPage(page, server, NOTEBOOK)


@pytest.fixture(scope="module")
def lab(kafka: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabPage]:
    """The lesson with its first cell run, and the store at a walking pace."""
    assert kafka, "the lesson finds this Kafka"
    with opened(tmp_path_factory.mktemp("lab"), speed="0.25") as lab:
        lab.run(SETUP)
        yield lab


@pytest.fixture
def chart(lab: LabPage) -> LabPage:
    """The lesson's chart, started by running its cell, and moving."""
    lab.run(CHART)
    lab.wait_for(CHART, MOVING)
    return lab


def order(kafka: dict[str, Any]) -> None:
    """Send an order to the lesson's topic; return when Kafka has it."""
    with Producer(kafka) as producer:
        producer.produce(TOPIC, json.dumps(ORDER), ORDER["userId"])
        assert 0 == producer.flush(30)


def threads() -> int:
    """Ask the lesson's kernel how many charts move in it."""
    (connection,) = Path(os.environ["JUPYTER_RUNTIME_DIR"]).glob("kernel-*.json")
    client = BlockingKernelClient(connection_file=str(connection))
    client.load_connection_file()
    client.start_channels()
    count = "sum(each.name == 'live-chart' for each in __import__('threading').enumerate())"
    told = client.execute(
        "", silent=True, user_expressions={"n": count}, reply=True, timeout=60, store_history=False
    )
    client.stop_channels()
    return int(told["content"]["user_expressions"]["n"]["data"]["text/plain"])


def seen(lab: LabPage) -> int:
    """The count in the status line."""
    return int(lab.text(CHART).split(" of 400 events")[0].split()[-1])


def test_the_lesson_runs_from_a_fresh_kernel(kafka: dict[str, Any], tmp_path: Path) -> None:
    """It opens, nothing asks for news or trust, all cells run, every blank exercise says todo."""
    assert kafka, "the lesson finds this Kafka"
    with opened(tmp_path, speed="25") as lab:
        assert lab.page.get_by_role("heading", name="00 Start: your first order").is_visible()
        lab.run_all()
        lab.wait_until_ran(lab.page.locator(".jp-Notebook .jp-CodeCell").count() - 1)
        assert 0 == lab.page.locator(".jp-Dialog").count()
        for kind in ("stderr", "error"):
            shown = lab.page.locator(f'[data-mime-type="application/vnd.jupyter.{kind}"]')
            assert [] == shown.all_inner_texts()
        # all text, also of cells that are scrolled out of sight
        said = " ".join(lab.page.locator(".jp-OutputArea-output").all_text_contents())
        assert 2 == said.lower().count("todo:")


def test_an_event_is_in_the_chart_within_two_seconds(chart: LabPage, kafka: dict[str, Any]) -> None:
    """Sent by this test, seen in what plotly draws."""
    order(kafka)
    chart.wait_for(CHART, HAS_ORDER, timeout_ms=2000)


def test_the_chart_is_as_wide_as_the_page(chart: LabPage) -> None:
    """plotly's own default would be 700 pixels."""
    widths = chart.cell(CHART).evaluate(
        "cell => { const plot = cell.querySelector('.js-plotly-plot');"
        " return [plot._fullLayout.width, plot.parentElement.clientWidth]; }"
    )
    assert widths[0] == widths[1] > 700


def test_the_stop_button_stops_it(chart: LabPage, kafka: dict[str, Any]) -> None:
    """The picture stays, as an ordinary output; what comes later is not in it."""
    chart.cell(CHART).get_by_role("button", name="Stop").click()
    chart.wait_for(CHART, "figures.length === 1 && !text.includes('Stop')")
    assert 0 == threads()
    order(kafka)
    assert 0 == chart.cell(CHART).locator(".jupyter-widgets").count()
    assert not any(777.25 in each["y"] for each in chart.figures(CHART)[0]["traces"])


def test_the_stop_button_works_while_a_cell_waits(chart: LabPage) -> None:
    """The next cell asks for all 400 orders; the button must not wait for it."""
    before = chart.prompt(ASKS)
    chart.start(ASKS)
    chart.page.wait_for_function(
        "([cells, n]) => document.querySelectorAll(cells)[n].innerText.includes('[*]:')",
        arg=[CELLS, ASKS],
    )
    chart.cell(CHART).get_by_role("button", name="Stop").click()
    chart.wait_until_ran(ASKS, after=before)
    assert 0 == threads()


def test_a_page_reload_keeps_it(chart: LabPage, kafka: dict[str, Any]) -> None:
    """The chart is back with all that was in it, goes on, and can be stopped."""
    order(kafka)
    chart.wait_for(CHART, HAS_ORDER)
    before = seen(chart)
    chart.reload()
    chart.wait_for(CHART, f"{MOVING} && {HAS_ORDER}")
    # JupyterLab may build a restored output twice; in between its text is gone.
    seen_now = "Number((text.match(/(\\d+) of 400/) || [0, 0])[1])"
    chart.wait_for(CHART, f"{seen_now} > arg.before + 3", before=before)
    chart.cell(CHART).get_by_role("button", name="Stop").click()
    chart.wait_for(CHART, "text.includes('Stopped after')")
    assert 0 == threads()


def test_a_rerun_leaves_one_thread(chart: LabPage) -> None:
    """However often the cell is run; the earlier run's widgets leave the page."""
    for _ in range(2):
        chart.run(CHART)
        chart.wait_for(CHART, MOVING)
    assert 1 == threads()
    assert 1 == len(chart.figures(CHART))


HOSTILE = "<img src=x onerror='document.title=1'>"
SHOWS = """
import plotly.express as px
from steamlab import charts
from steamlab.client import client_config
from steamlab.live import LiveChart
charts.install()
def draw(df):
    return px.bar(df, x="gameName", y="n", color="gameName", title=f"Top: {{df.gameName[0]}}")
chart = LiveChart(client_config({bootstrap!r}), {topic!r}, draw)
"""


def test_a_hostile_name_is_text_on_the_page(
    lab: LabPage, kafka: dict[str, Any], topic: str, tmp_path: Path
) -> None:
    """In the title, the legend, at the axis and in the hover label: letters, no picture."""
    code = SHOWS.format(bootstrap=kafka["bootstrap.servers"], topic=topic)
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    nbformat.write(new_notebook(cells=[new_code_cell(code)], metadata=kernel), tmp_path / "h.ipynb")
    with Producer(kafka) as producer:
        producer.produce(topic, json.dumps({"gameName": HOSTILE, "n": 3}))
    with jupyter_lab(tmp_path, tmp_path / "home") as server:
        context = lab.page.context.browser.new_context()  # type: ignore[union-attr]
        page = LabPage(context.new_page(), server, "h.ipynb")
        page.run(0)
        page.wait_for(0, "figures.length === 1 && figures[0].traces.length === 1")
        page.cell(0).locator(".js-plotly-plot .bars path").first.hover(force=True)
        page.page.locator(".hoverlayer text").first.wait_for()
        shown = page.figures(0)[0]["shown"]
        assert 4 <= sum(HOSTILE in text for text in shown), shown
        assert 0 == page.cell(0).locator("img").count()
        context.close()
