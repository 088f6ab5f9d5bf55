"""What is written can be typed: every verb is described, every described command exists."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from steamlab.__main__ import app

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
TEXT = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
VERBS: dict[str, Any] = get_command(app).commands  # type: ignore[attr-defined]
TARGETS = set(re.findall(r"(?m)^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8")))


def options(verb: str) -> list[str]:
    """Return the long options of a verb, without --help."""
    return [
        name
        for each in VERBS[verb].params
        for name in each.opts
        if name.startswith("--") and name != "--help"
    ]


def commands(text: str) -> Iterator[list[str]]:
    """Yield the words of each command in code blocks and in inline code, comments cut off."""
    blocks = re.findall(r"(?ms)^```[a-z]*\n(.*?)^```", text)
    inline = re.findall(r"(?<!`)`([^`\n]+)`(?!`)", text)
    for line in [*(line for block in blocks for line in block.splitlines()), *inline]:
        for command in re.split(r"\s(?:&&|\|)\s", line.split(" #")[0]):
            words = command.removeprefix("$ ").split()
            while words and re.fullmatch(r"[A-Z_]+=\S*", words[0]):
                words.pop(0)
            if words:
                yield words


COMMANDS = [
    *commands(TEXT),
    *(words for page in sorted((ROOT / "steamlab").rglob("*.py"))
      for words in commands(page.read_text(encoding="utf-8"))),
]  # fmt: skip


def test_commands_are_found() -> None:
    """This reader sees a command in a block, behind a variable, and inside a line."""
    text = "Run `make lab`.\n```sh\nSTEAMLAB_PORT=1 steamlab up --brokers 3  # three\n```\n"
    expected = [["steamlab", "up", "--brokers", "3"], ["make", "lab"]]
    assert expected == list(commands(text))


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_every_verb_and_option_is_written_down(verb: str) -> None:
    """README or CONTRIBUTING shows `steamlab VERB`, and each of its options."""
    assert re.search(rf"steamlab {verb}\b", TEXT), f"`steamlab {verb}` is nowhere"
    assert [] == [name for name in options(verb) if not re.search(rf"{name}\b", TEXT)]


def test_every_target_is_written_down() -> None:
    """README or CONTRIBUTING shows every target of the Makefile, and `make` alone prints it."""
    helped = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert [] == [name for name in sorted(TARGETS) if not re.search(rf"make {name}\b", TEXT)]
    shown = TARGETS - {"help"}
    assert [] == [name for name in sorted(shown) if f"@echo 'make {name} " not in helped]


def test_every_make_command_exists() -> None:
    """Every `make X` in the documents, and in our own messages, is a target."""
    asked = {words[1] for words in COMMANDS if words[0] == "make" and words[1:]}
    assert "lab" in asked
    assert set() == {name for name in asked if name.isalpha()} - TARGETS


def test_every_steamlab_command_exists() -> None:
    """Every `steamlab X --y` in the documents, and in our own messages, can be typed."""
    wrong = []
    for words in COMMANDS:
        if words[:3] == ["python", "-m", "steamlab"]:
            words = words[2:]
        if Path(words[0]).name != "steamlab" or len(words) < 2 or not words[1].isalpha():
            continue
        known = options(words[1]) if words[1] in VERBS else []
        used = [word.split("=")[0] for word in words if word.startswith("--") and len(word) > 2]
        if words[1] not in VERBS or set(used) - {*known, "--debug", "--help"}:
            wrong.append(" ".join(words))
    assert [] == wrong


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    """Each link to a file of the repository, and to a heading of the same page, has its target."""
    text = page.read_text(encoding="utf-8")
    headings = {
        re.sub(r"[^\w\- ]", "", line.lstrip("# ").lower()).replace(" ", "-")
        for line in text.splitlines()
        if line.startswith("#")
    }
    lost = []
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith("#"):
            lost += [target] if target[1:] not in headings else []
        elif "://" not in target and not (page.parent / target.split("#")[0]).exists():
            lost.append(target)
    assert [] == lost
