"""Every rule of a lesson's form has a notebook that breaks it, and is noticed."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

import pytest
import toys
from book import Book, Shape
from lessons import ROOT, learners, solutions
from lint_notebooks import RULES, lint, main
from nbformat import NotebookNode
from nbformat.v4 import new_output
from rules_of_form import ALLOWED_IGNORED
from toys import code, notebook, words

Change = Callable[[NotebookNode], None]

OPENING = """\
# 07 Toy lesson

One sentence that promises something.

**You will be able to**
- say which
- predict what
- size a group

35 minutes · after 03 · uses the broker that is already running"""
CLOSING = """\
### What we saw
- A toy.

**Try changing** `n` to 7.

**At work.** Alert on toys."""


def good() -> NotebookNode:
    """Make a solution that breaks no rule: 25 code cells, 3 predictions, 2 exercises."""
    cells = [words(OPENING), code('from steamlab import Lesson\n\nlesson = Lesson("07")')]
    for k in (1, 2, 3):
        ask = f'guess_{k} = lesson.predict("07.{k}", "How?", ["6", "3"]).choose("3")'
        cells += [words("Predict first."), code(ask, "exercise"), words("Run it.")]
        cells += [code("n = 6\nn"), checked(f"07.{k}", f"guess_{k}")]
    for k in (4, 5):
        cells += [words("Your turn."), code(f"def f_{k}():\n    return {k}", "exercise")]
        cells += [checked(f"07.{k}", f"f_{k}"), words("What did the check say?")]
    cells += [words("It breaks."), code("n = 0\n1 / n", "raises-exception", outputs=[ERROR])]
    cells += [words("The chart is live."), code("n = 6\nshow(n)", "nbval-ignore-output")]
    for _ in range(8):
        cells += [words("Look."), code("n = 6\nn + 1"), words("You saw it.")]
    cells += [words("This differs."), code("lesson.progress()", "nbval-ignore-output")]
    return counted(notebook(*cells, words(CLOSING)))


ERROR = new_output("error", ename="ZeroDivisionError", evalue="division by zero", traceback=[])


def checked(number: str, name: str) -> NotebookNode:
    """Make a cell with a check that said ok."""
    said = new_output("execute_result", {"text/plain": "ok: six."}, execution_count=1)
    return code(f'# the broker knows\nlesson.check("{number}", {name})', outputs=[said])


def counted(made: NotebookNode) -> NotebookNode:
    """Give the code cells their counts."""
    for count, cell in enumerate(code_cells(made), start=1):
        cell.execution_count = count
    return made


def code_cells(made: NotebookNode) -> list[NotebookNode]:
    """Return the code cells."""
    return [cell for cell in made.cells if cell.cell_type == "code"]


def problems(made: NotebookNode, path: str = "notebooks/solutions/07_toy.ipynb") -> list[str]:
    """Lint a notebook in memory; a path that is not there has no size and no neighbours."""
    return [problem.text for problem in lint(Book(Path("nowhere") / path, made))]


def first_plain(made: NotebookNode) -> NotebookNode:
    """Return a code cell that carries no tag and no check."""
    return next(cell for cell in made.cells if cell.source == "n = 6\nn + 1")


def source(text: str) -> Change:
    """Change the source of a plain code cell."""
    return lambda made: first_plain(made).update(source=text)


def opening(old: str, new: str) -> Change:
    """Change the opening."""
    return lambda made: made.cells[0].update(source=OPENING.replace(old, new))


def closing(old: str, new: str) -> Change:
    """Change the closing."""
    return lambda made: made.cells[-1].update(source=CLOSING.replace(old, new))


def prose(text: str) -> Change:
    """Change the words above the first prediction."""
    return lambda made: made.cells[2].update(source=text)


def tag(*tags: str) -> Change:
    """Change the tags of a plain code cell."""
    return lambda made: first_plain(made).metadata.update(tags=list(tags))


def shows(*outputs: NotebookNode) -> Change:
    """Change what a plain code cell shows."""
    return lambda made: first_plain(made).update(outputs=list(outputs))


def replace(old: str, new: str) -> Change:
    """Change the first cell that holds some text."""

    def change(made: NotebookNode) -> None:
        cell = next(cell for cell in made.cells if old in cell.source)
        cell.source = cell.source.replace(old, new)

    return change


def without(number: int) -> Change:
    """Take a number of plain code cells out, with the words after them."""

    def change(made: NotebookNode) -> None:
        for _ in range(number):
            at = made.cells.index(first_plain(made))
            del made.cells[at : at + 2]
        counted(made)

    return change


def more_code(number: int) -> Change:
    """Put code cells without words behind the others."""

    def change(made: NotebookNode) -> None:
        made.cells[-1:-1] = [code("n = 6\nn") for _ in range(number)]
        counted(made)

    return change


def all_code(text: str) -> Change:
    """Change every code cell that is not tagged and holds no check."""

    def change(made: NotebookNode) -> None:
        for cell in code_cells(made)[1:]:
            if not cell.metadata.get("tags") and "check(" not in cell.source:
                cell.source = text

    return change


def ignoring(number: int) -> Change:
    """Ignore the outputs of a number of cells, with words that say why."""

    def change(made: NotebookNode) -> None:
        for _ in range(number):
            at = made.cells.index(first_plain(made))
            made.cells[at].update(source="n = 7\nn", metadata={"tags": ["nbval-ignore-output"]})
            made.cells[at - 1].source = "Times vary."

    return change


def uncounted(made: NotebookNode) -> None:
    """Forget one count."""
    first_plain(made).execution_count = None


def verdict(text: str) -> Change:
    """Change what the first check said."""

    def change(made: NotebookNode) -> None:
        cell = next(cell for cell in made.cells if "check(" in cell.source)
        cell.outputs[0].data["text/plain"] = text

    return change


def silent(made: NotebookNode) -> None:
    """Forget what the first check said."""
    next(cell for cell in made.cells if "check(" in cell.source).outputs = []


def stream(name: str, text: str) -> NotebookNode:
    """Make what a print leaves."""
    return new_output("stream", name=name, text=text)


BROKEN: list[tuple[Change, str]] = [
    (replace('Lesson("07")', 'Lesson("08")'), 'no cell makes Lesson("07")'),
    (opening("# 07 Toy", "# Toy"), "it does not begin with `# 07 Title`"),
    (opening("One sentence that promises something.\n\n", ""), "no promise stands under the title"),
    (opening("- size a group\n", ""),
     "`You will be able to` with three to five points is missing"),
    (opening("You will be able to", "Aims"),
     "`You will be able to` with three to five points is missing"),
    (opening("35 minutes · ", ""), "it does not say how many minutes"),
    (opening("35", "50"), "50 minutes, and a lesson has 25 to 45"),
    (opening("after 03 · ", ""), "it does not say after which lesson, as in `after 03`"),
    (opening("uses the", "the"), "it does not say what it uses or starts"),
    (opening("One sentence", "![badge](badge.svg) One sentence"),
     "it shows a picture; the opening is words"),
    (lambda made: made.cells.pop(0), "the first cell is not markdown"),
    (without(6), "19 code cells, and a lesson has 20 to 35"),
    (more_code(11), "36 code cells, and a lesson has 20 to 35"),
    (more_code(8), "31 markdown cells for 33 code cells"),
    (more_code(1), "the last code cell is not `lesson.progress()`"),
    (replace("lesson.progress()", "lesson"), "the last code cell is not `lesson.progress()`"),
    (all_code("n"), "the median cell has 1 lines, and 2 to 4 is right"),
    (all_code("\n".join("n" * 13)), "a tenth of the cells has more than 13 lines; 12 is the limit"),
    (source("\n".join("n" * 26)), "26 lines, and 25 is the limit"),
    (source(""), "it is empty"),
    (ignoring(2), "16 % of the code cells go uncompared, and 15 % is the limit"),
    (tag("nbval-ignore-output"), "its output is ignored, and the markdown before does not say why"),
    (tag("excercise"), "the tag 'excercise' is none of exercise, nbval-check-output, "
     "nbval-ignore-output, raises-exception, solution-only"),
    (source("# NBVAL_IGNORE_OUTPUT\nn"), "a comment steers nbval; use a tag"),
    (source("%time n"), "a magic or a shell command"),
    (source("%%bash\nls"), "a magic or a shell command"),
    (source("!ls"), "a magic or a shell command"),
    (source("files = !ls"), "a magic or a shell command"),
    (source("n?"), "a magic or a shell command"),
    (source('get_ipython().run_line_magic("ls", "")'), "a magic or a shell command"),
    (source("def"), "it is no Python"),
    (source("n + 1;  # quiet"), "it ends in `;`, which hides nothing from the comparison"),
    (source("while True:\n    break"), "a loop without an end; count, or set a deadline"),
    (source('name = input("?")'), "it asks with input(), which stops every run"),
    (source("time.sleep(1)"), "it sleeps; wait for what should happen, with a deadline"),
    (source("sleep(1)"), "it sleeps; wait for what should happen, with a deadline"),
    (source("consumer.poll()"), "`.poll` without a timeout can wait for ever"),
    (source("consumer.consume(100)"), "`.consume` without a timeout can wait for ever"),
    (source("producer.flush()"), "`.flush` without a timeout can wait for ever"),
    (prose("Simply look."),
     "the word 'simply': what is easy for one reader is not for another"),
    (prose("It was just sent."),
     "the word 'just': what is easy for one reader is not for another"),
    (uncounted, "its count is None, not 17; run `make sync`"),
    (shows(stream("stderr", "!")), "it wrote to stderr"),
    (shows(ERROR), "it failed with ZeroDivisionError"),
    (shows(stream("stdout", f"{ROOT}/data")), f"a machine's own {str(ROOT.parent)!r}"),
    (source('open("/tmp/events")'), "a machine's own '/tmp'"),
    (prose("Look into /home/ada/lab."), "a machine's own '/home/ada'"),
    (shows(stream("stdout", "<object object at 0x7f00>")), "a machine's own ' at 0x7f00>'"),
    (prose("See https://registry.example/simple."),
     "the address 'registry.example' is not among those a lesson may name"),
    (shows(stream("stdout", "from mirror.of.example:8443")),
     "the address 'mirror.of.example' is not among those a lesson may name"),
    (source("from IPython.display import HTML"),
     "HTML(...) would run what an event carries; show data or Markdown"),
    (source("display.HTML(name)"),
     "HTML(...) would run what an event carries; show data or Markdown"),
    (closing("What we saw", "Summary"), "no section `What we saw`"),
    (closing("Try changing", "Change"), "no section `Try changing`"),
    (closing("At work", "Later"), "no section `At work`"),
    (replace('lesson.predict("07.3", "How?", ["6", "3"]).choose("3")', "6"),
     "2 predictions, and a lesson has at least three"),
    (replace('lesson.check("07.5", f_5)', "f_5"), "an exercise that no lesson.check judges"),
    (replace('lesson.check("07.5", f_5)', 'lesson.check("07.6", f_5)'),
     "the checks are 07.1, 07.2, 07.3, 07.4, 07.6; number them 07.1 to .k"),
    (replace('lesson.check("07.5"', 'lesson.check("05.5"'), 'the check is not called "07.k"'),
    (replace('"07.5", f_5', '"07.5", n'), "no exercise cell makes the answer `n`"),
    (replace('"07.5", f_5', '"07.5", f_4'), "the next code cell does not check this exercise"),
    (verdict("not yet, because"), "the check 07.1 says 'not yet', not 'ok'"),
    (silent, "the check 07.1 shows no verdict; end the cell in it"),
]  # fmt: skip


def test_a_good_lesson_has_no_problems() -> None:
    """The notebook that the others are made from breaks no rule."""
    assert [] == problems(good())


@pytest.mark.parametrize(("change", "problem"), BROKEN)
def test_a_broken_rule_is_noticed(change: Change, problem: str) -> None:
    """Each rule names what breaks it."""
    made = good()
    change(made)
    assert problem in problems(made)


def test_every_rule_is_broken_by_one_of_them() -> None:
    """No rule of the lint is without a notebook above or below that breaks it."""
    broken = set()
    for change, _ in BROKEN:
        made = good()
        change(made)
        book = Book(Path("nowhere/solutions/07_toy.ipynb"), made)
        broken |= {rule.__name__ for rule in RULES if list(rule(book))}
    assert {"size"} == {rule.__name__ for rule in RULES} - broken


@pytest.mark.parametrize("name", ["7_toy.ipynb", "07-toy.ipynb", "07_Toy.ipynb", "07_a toy.ipynb"])
def test_the_name_has_one_form(name: str) -> None:
    """Two digits and lower case words, joined by underscores."""
    assert any("the name is not two digits" in problem for problem in problems(good(), name))


def test_the_start_is_free_in_form() -> None:
    """Lesson 00 needs no count of cells, no predictions and no lesson before it."""
    made = good()
    without(6)(made)
    text = OPENING.replace("# 07", "# 00").replace("35 minutes · after 03", "15 minutes")
    made.cells[0].source = text
    for cell in made.cells:
        cell.source = cell.source.replace("07", "00")
    assert [] == problems(made, "solutions/00_start.ipynb")


def test_a_learners_form_gives_nothing_away() -> None:
    """In notebooks/ a choice is a leak, and every check says todo."""
    found = problems(good(), "notebooks/07_toy.ipynb")
    assert 3 == found.count("it gives a prediction away; run `make sync`")
    assert "the check 07.4 says 'ok', not 'todo'" in found


def test_an_allowed_output_needs_no_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """The allow-list names lesson and cell, with a reason."""
    made = good()
    tag("nbval-ignore-output")(made)
    assert [] != problems(made)
    ignored = [c for c in code_cells(made) if "nbval-ignore-output" in c.metadata.get("tags", [])]
    place = ("07", next(cell.id for cell in ignored if cell.source == "n = 6\nn + 1"))
    monkeypatch.setitem(ALLOWED_IGNORED, place, "the broker chooses")
    assert [] == problems(made)


def test_a_live_chart_needs_no_words() -> None:
    """That a live chart differs from run to run is no news."""
    made = good()
    tag("nbval-ignore-output")(made)
    source("lesson.live(purchases, draw)\nn")(made)
    assert [] == [text for text in problems(made) if "ignored" in text]


def test_code_in_prose_may_say_just() -> None:
    """Only words are held to the rule, not code, and not the address of a link."""
    made = good()
    prose("See `just` and [the start](just.ipynb).\n\n```\njust\n```")(made)
    assert [] == problems(made)


def test_the_closing_leads_to_the_next_lesson(tmp_path: Path) -> None:
    """Where a later lesson lies in the folder, the closing links it; the last one need not."""
    path = toys.put(tmp_path / "solutions" / "07_toy.ipynb", *good().cells)
    assert [] == lint(Book(path))
    toys.put(tmp_path / "solutions" / "09_later.ipynb")
    toys.put(tmp_path / "solutions" / "08_next.ipynb")
    assert ["no link to the next lesson, 08_next.ipynb"] == [p.text for p in lint(Book(path))]
    linked = copy.deepcopy(good())
    linked.cells[-1].source += "\n\nNext: [08](08_next.ipynb)"
    assert [] == lint(Book(path, linked))


def test_a_heavy_notebook_is_noticed(tmp_path: Path) -> None:
    """600 kB with outputs is the limit."""
    made = good()
    shows(stream("stdout", "x" * 700_000))(made)
    found = lint(Book(toys.put(tmp_path / "solutions" / "07_toy.ipynb", *made.cells)))
    assert any("and 600 kB is the limit" in problem.text for problem in found)


def test_the_shape_is_counted() -> None:
    """The figures of the good lesson, counted by hand."""
    shape = Shape.of(Book(Path("nowhere/07_toy.ipynb"), good()))
    assert (25, 31, 35, 2, 3, 1) == (
        shape.code_cells,
        shape.markdown_cells,
        shape.minutes,
        shape.exercises,
        shape.predictions,
        shape.breaks,
    )
    assert (2, 2) == (shape.median, shape.longest)
    assert "25 code cells (lines: median 2, p90 2, longest 2), 1.24 markdown cells" in str(shape)


def test_the_command_prints_shape_and_problems(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 0 with a line per notebook; exit 1 with the cells that break a rule."""
    path = toys.put(tmp_path / "solutions" / "07_toy.ipynb", *good().cells)
    assert 0 == main([str(path)])
    assert capsys.readouterr().out.startswith(f"{path}: 25 code cells")
    toys.put(path, *good().cells[:-1])
    assert 1 == main([str(path)])
    assert "  no section `At work`\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    "path", [*solutions(), *learners()], ids=lambda p: f"{p.parent.name}/{p.stem}"
)
def test_the_lessons_keep_the_rules(path: Path) -> None:
    """Every notebook of the course, in both forms, breaks no rule."""
    assert [] == [f"cell {problem.cell}: {problem.text}" for problem in lint(Book(path))]
