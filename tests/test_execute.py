"""Notebooks are run in fresh kernels and stored so that the next run gives the same file."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest
import toys
from execute import ExecutionError, execute, normalise
from lessons import read
from nbformat import NotebookNode
from nbformat.v4 import new_output
from toys import code, notebook, words

PLOTLY = "application/vnd.plotly.v1+json"
PICTURE = """\
import plotly.graph_objects as go

go.Figure(go.Bar(x=["a"], y=[1]))"""
pytestmark = pytest.mark.slow  # kernels start

WIDGET = """\
import ipywidgets

ipywidgets.IntSlider(3)"""


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A notebook with a bit of everything, run once, while a wrong kernel is registered."""
    folder = tmp_path_factory.mktemp("täglich lab")
    spec = folder / "data" / "kernels" / "python3" / "kernel.json"
    spec.parent.mkdir(parents=True)
    wrong = {"argv": ["/bin/false"], "display_name": "wrong", "language": "python"}
    spec.write_text(json.dumps(wrong))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_DATA_DIR", str(folder / "data"))
        path = toys.put(
            folder / "01_toy.ipynb",
            words("# 01 Toy"),
            "import os\nimport sys\n\nprint('one', flush=True)\nos.system('')\nprint('two')",
            "os.path.basename(os.getcwd()), sys.executable",
            PICTURE,
            WIDGET,
            code("import json\n\njson.loads('{')", "raises-exception"),
        )
        execute(path)
    return path


def outputs(path: Path, cell: int) -> list[NotebookNode]:
    """Return the stored outputs of a cell, counted from 1."""
    return list(read(path).cells[cell - 1].outputs)


def test_a_run_is_nobodys_progress(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Verdicts given meanwhile go to a file that ends with the run, not to the learner's."""
    monkeypatch.setenv("STEAMLAB_HOME", str(tmp_path / "home"))
    check = "from steamlab.progress import progress, record\n\nrecord('00.1', 'ok')\n"
    path = toys.put(tmp_path / "01_toy.ipynb", check + "progress().ok")
    execute(path)
    assert "1" == outputs(path, 1)[0].data["text/plain"]
    assert not (tmp_path / "home").exists()


def test_cells_are_counted_from_one(executed: Path) -> None:
    """Code cells carry 1..n, and results the count of their cell."""
    counts = [c.execution_count for c in read(executed).cells if c.cell_type == "code"]
    assert [1, 2, 3, 4, 5] == counts
    assert 2 == outputs(executed, 3)[0].execution_count


def test_it_runs_in_its_folder_by_this_python(executed: Path) -> None:
    """The kernel is the Python of the environment, even where another is called python3."""
    shown = outputs(executed, 3)[0].data["text/plain"]
    assert repr((executed.parent.name, sys.executable)) == shown


def test_prints_are_one_output(executed: Path) -> None:
    """Streams are merged, however the kernel cut them."""
    assert ["one\ntwo\n"] == [output.text for output in outputs(executed, 2)]


def test_a_chart_is_stored_as_data(executed: Path) -> None:
    """A plotly chart leaves its JSON and no picture, page or bundle."""
    assert [[PLOTLY]] == [sorted(output.data) for output in outputs(executed, 4)]


def test_a_widget_leaves_its_text_and_no_state(executed: Path) -> None:
    """Views and state of widgets are random and dead; the text stays."""
    assert [["text/plain"]] == [sorted(output.data) for output in outputs(executed, 5)]
    assert {"kernelspec", "language_info"} == set(read(executed).metadata)
    assert "model_id" not in executed.read_text()


def test_a_planned_error_names_no_file_of_this_machine(executed: Path) -> None:
    """The traceback keeps the notebook's own frame and the message, without library frames."""
    error = outputs(executed, 6)[0]
    assert "JSONDecodeError" == error.ename
    shown = re.sub(r"\x1b\[\d+m", "", "".join(error.traceback))
    assert "Cell In[5]" in shown
    assert "decoder.py" not in shown


def test_metadata_is_minimal(executed: Path) -> None:
    """No timing, no interpreter version; cells keep their tags alone."""
    stored = read(executed)
    assert {"name": "python"} == stored.metadata.language_info
    assert "python3" == stored.metadata.kernelspec.name
    assert [{}, {}, {}, {}, {}, {"tags": ["raises-exception"]}] == [
        c.metadata for c in stored.cells
    ]
    assert ["cell-1", "cell-2", "cell-3", "cell-4", "cell-5", "cell-6"] == [
        cell.id for cell in stored.cells
    ]


@pytest.mark.parametrize(
    ("source", "timeout", "complaint"),
    [
        ("n = 6\nn / 0", 60, "ZeroDivisionError: division by zero"),
        ("import time\n\ntime.sleep(60)", 1, "It did not end within 1 s."),
        ("import os\n\nos._exit(1)", 60, "The kernel died."),
        ("import sys\n\nprint('!', file=sys.stderr)", 60, "It wrote to stderr: !"),
    ],
)
def test_a_failure_names_the_cell_and_keeps_the_file(
    tmp_path: Path, source: str, timeout: float, complaint: str
) -> None:
    """The message holds file, cell, source and error; the stored notebook is untouched."""
    path = toys.put(tmp_path / "01_toy.ipynb", words("# 01 Toy"), "import math", source)
    before = path.read_bytes()
    with pytest.raises(ExecutionError) as caught:
        execute(path, timeout=timeout)
    message = str(caught.value)
    assert message.startswith(f"{path}, cell 3:\n\n    {source.split(chr(10))[0]}\n")
    assert complaint in message
    assert before == path.read_bytes()


def test_a_notebook_that_grew_too_large_is_refused(tmp_path: Path) -> None:
    """Above 600 kB nothing is written, and the message names the cell."""
    path = toys.put(tmp_path / "01_toy.ipynb", "1", "print('x' * 700_000)")
    with pytest.raises(ExecutionError, match=r"7\d\d kB, and 600 kB is the limit. Cell 2 "):
        execute(path)
    assert None is read(path).cells[1].execution_count
    assert ["01_toy.ipynb"] == [entry.name for entry in tmp_path.iterdir()]


def test_a_break_that_broke_nothing_is_refused() -> None:
    """A cell tagged raises-exception has to raise."""
    calm = notebook(code("1 / 1", "raises-exception"))
    with pytest.raises(ExecutionError, match="raised nothing"):
        normalise(calm)


def test_neighbouring_prints_become_one() -> None:
    """Prints are joined where nothing stands between them, and never with another kind."""
    first, second, third = (new_output("stream", name="stdout", text=text) for text in "abc")
    chart = new_output("display_data", {PLOTLY: {}})
    made = notebook(code("show()", outputs=[first, second, chart, third]))
    normalise(made)
    assert ["ab", None, "c"] == [output.get("text") for output in made.cells[0].outputs]


def test_ids_are_stable_and_single() -> None:
    """Ids stay as they are; a missing one gets its place, a doubled one is told apart."""
    made = notebook("1", "2", "3")
    made.cells[0].id, made.cells[1].id = "mine", "mine"
    made.cells[2].pop("id")
    normalise(made)
    assert ["mine", "mine-2", "cell-3"] == [cell.id for cell in made.cells]


def test_a_picture_beside_a_chart_goes_and_alone_stays() -> None:
    """JupyterLab's renderer adds a PNG to each chart; only such a one is dropped."""
    chart = new_output("display_data", {PLOTLY: {}, "image/png": "x"}, metadata={"n": 1})
    photo = new_output("display_data", {"image/png": "x"})
    made = notebook(code("show()", outputs=[chart, photo]))
    normalise(made)
    assert [[PLOTLY], ["image/png"]] == [list(output.data) for output in made.cells[0].outputs]
    assert {} == made.cells[0].outputs[0].metadata
