"""The house itself: what is declared, locked and imported fits together and stays small."""

from __future__ import annotations

import ast
import graphlib
import importlib
import importlib.metadata
import importlib.util
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
ENVIRONMENT = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
RUNTIME: list[str] = PYPROJECT["project"]["dependencies"]
GROUPS: dict[str, list[str]] = PYPROJECT["dependency-groups"]
# imported by name, and brought by a declared dependency that is built on them
BROUGHT_ALONG = {
    "IPython": "ipykernel",
    "jupyter_client": "jupyterlab",
    "jupyter_core": "jupyterlab",
    "requests": "jgo",
    "urllib3": "jgo",
}


def modules() -> dict[str, Path]:
    """Return the package's modules by dotted name."""
    found = {}
    for path in sorted((ROOT / "steamlab").rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts).removesuffix(".__init__")] = path
    return found


MODULES = modules()
SCRIPTS = [*sorted((ROOT / "tools").glob("*.py")), *sorted((ROOT / "benchmarks").glob("*.py"))]
OURS = [*MODULES.values(), *SCRIPTS]


def tree(path: Path) -> ast.Module:
    """Parse a file."""
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(path: Path) -> Iterator[str]:
    """Yield what a module imports anywhere, functions included, except for types only."""
    parsed = tree(path)
    for_types = {
        id(inner)
        for node in ast.walk(parsed)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(parsed):
        if id(node) in for_types:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            full = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name if name in MODULES else node.module for name in full)


def pins() -> dict[str, list[str]]:
    """Return the versions that the lock pins, by package; another one may serve an old Python."""
    found: dict[str, list[str]] = {}
    for name, version in re.findall(r"(?m)^([a-z0-9][a-z0-9.-]*)==([^\s;]+)", LOCK):
        found.setdefault(name, []).append(version)
    return found


def script(name: str) -> ModuleType:
    """Import a file of tools/."""
    spec = importlib.util.spec_from_file_location(f"tools_{name}", ROOT / "tools" / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("line", [*RUNTIME, *GROUPS["test"], *GROUPS["check"], *GROUPS["build"]])
def test_every_dependency_is_locked(line: str) -> None:
    """Each dependency that pyproject.toml names is pinned in the lock, within its bounds."""
    wanted = Requirement(line)
    assert pins().get(wanted.name), f"{wanted.name} is not in requirements.lock"
    assert all(version in wanted.specifier for version in pins()[wanted.name])


def test_the_lock_holds_nothing_that_was_dropped() -> None:
    """What the lock has for the project's own sake is what pyproject.toml still names."""
    asked = re.findall(
        r"(?m)^([a-z0-9][a-z0-9.-]*)==[^#]*# via(?:[^#=]*#)*?\s+steamlab \(pyproject", LOCK
    )
    every = [*RUNTIME, *GROUPS["test"], *GROUPS["check"], *GROUPS["build"]]
    assert {Requirement(line).name for line in every} == set(asked)


def test_every_pin_has_a_hash_and_no_address() -> None:
    """Each package of the lock is held by its hashes; where it comes from is left to pip and uv."""
    entries = re.split(r"(?m)^(?=[a-z0-9][a-z0-9.-]*==)", LOCK)[1:]
    assert sum(map(len, pins().values())) == len(entries)
    assert [] == [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry]
    assert [] == re.findall(r"https?://\S*|--(?:extra-)?index-url", LOCK)


@pytest.mark.parametrize("version", ["3.11.0", "3.12.0", "3.13.0", "3.14.0"])
@pytest.mark.parametrize("system", ["linux", "darwin", "win32"])
def test_one_lock_for_all(version: str, system: str) -> None:
    """On each Python and system, every runtime dependency has exactly one pin."""
    names = {Requirement(line).name for line in RUNTIME}
    lines = re.findall(r"(?m)^([a-z0-9][a-z0-9.-]*==[^\\\n]+?)\s*\\$", LOCK)
    here = {"python_full_version": version, "sys_platform": system, "platform_system": system}
    here |= {"python_version": version[:4], "os_name": "nt" if system == "win32" else "posix"}
    locked = [Requirement(line) for line in lines]
    chosen = [each.name for each in locked if not each.marker or each.marker.evaluate(here)]
    assert {name: 1 for name in names} == {name: chosen.count(name) for name in names}


def test_conda_way_is_the_same() -> None:
    """environment.yml brings what pyproject.toml names, at the lock's versions, and the project."""
    conda = [line for line in ENVIRONMENT["dependencies"] if isinstance(line, str)]
    pip: list[str] = ENVIRONMENT["dependencies"][-1]["pip"]
    assert ["python=3.14", "pip"] == conda
    assert ["conda-forge", "nodefaults"] == ENVIRONMENT["channels"]
    assert "-e ." == pip[-1]
    latest = {name: versions[-1] for name, versions in pins().items()}
    every = [Requirement(line).name for line in (*RUNTIME, *GROUPS["test"], *GROUPS["check"])]
    assert [f"{name}=={latest[name]}" for name in every] == pip[:-1]


def test_every_conda_line_says_what_for() -> None:
    """Each pinned line of environment.yml ends in a comment."""
    text = (ROOT / "environment.yml").read_text(encoding="utf-8")
    pinned = [line for line in text.splitlines() if "==" in line]
    assert len(RUNTIME) <= len(pinned)
    assert [] == [line for line in pinned if not re.search(r"\s# \w+", line)]


def test_new_pins_reach_the_conda_way() -> None:
    """tools/lock.py writes the lock's versions into environment.yml and leaves the rest alone."""
    text = "name: x\n      - a-b==1     # why\n      - -e .\n      - c==2\n"
    expected = "name: x\n      - a-b==9     # why\n      - -e .\n      - c==2\n"
    assert expected == script("lock").environment(text, {"a-b": "9"})


def test_the_container_uses_the_same_command() -> None:
    """The devcontainer sets itself up with `make setup` on a Python that the lab supports."""
    said = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text(encoding="utf-8"))
    assert "make setup" == said["postCreateCommand"]
    assert "python:3.14-" in said["image"]


def test_every_package_is_declared() -> None:
    """pyproject.toml lists each folder of modules: flat layout finds none by itself."""
    folders = {name for name, path in MODULES.items() if path.name == "__init__.py"}
    assert folders == set(PYPROJECT["tool"]["setuptools"]["packages"])


def test_only_runtime_dependencies_are_imported() -> None:
    """The package imports nothing but the standard library and its declared dependencies."""
    owners = importlib.metadata.packages_distributions()
    declared = {Requirement(line).name.lower() for line in RUNTIME}
    strangers = set()
    for name, path in MODULES.items():
        for target in imports(path):
            top = target.split(".")[0]
            if top in sys.stdlib_module_names or top == "steamlab":
                continue
            owner = BROUGHT_ALONG.get(top) or owners.get(top, [top])[0].lower().replace("_", "-")
            if owner not in declared:
                strangers.add(f"{name} imports {top}")
    assert set() == strangers


def test_imports_point_one_way() -> None:
    """No module imports one that imports it, however far around, inside functions too."""
    graph = {name: set(imports(path)) & set(MODULES) - {name} for name, path in MODULES.items()}
    order = list(graphlib.TopologicalSorter(graph).static_order())
    assert set(MODULES) == set(order)
    assert {"steamlab.errors"} == graph["steamlab.settings"]
    assert set() == graph["steamlab.errors"]


def test_the_verbs_are_at_the_top() -> None:
    """What a person starts - the doctor, the lab, the command line - no other module imports."""
    top = {"steamlab.doctor", "steamlab.launch.lab", "steamlab.__main__"}
    users = {name for name, path in MODULES.items() if name not in top and top & set(imports(path))}
    assert set() == users


PURE = ("events", "catalog", "simulator", "windows", "metrics", "processor")


def test_data_modules_need_no_kafka() -> None:
    """Events, catalogue, planner, both ways to the metrics: all without a Kafka client."""
    pure = [name for name in MODULES if name.split(".")[1:2] and name.split(".")[1] in PURE]
    assert {f"steamlab.{name}" for name in PURE} <= set(pure)
    kafka = {name for name in pure if any("confluent" in each for each in imports(MODULES[name]))}
    assert set() == kafka


@pytest.mark.parametrize("name", sorted(MODULES))
def test_import_and_all(name: str) -> None:
    """Each module imports on this Python, and its `__all__` names what is really there."""
    module = importlib.import_module(name)
    exported: list[str] = getattr(module, "__all__", [])
    assert len(exported) == len(set(exported))
    assert [] == [each for each in exported if not hasattr(module, each)]


def public(path: Path) -> set[str]:
    """Return a module's public classes and functions; those that a decorator registers aside."""
    registered = {"app", "exercise"}
    found = set()
    for node in tree(path).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            decorators = {
                ast.unparse(each).split("(")[0].split(".")[0] for each in node.decorator_list
            }
            if not decorators & registered:
                found.add(node.name)
    return found


@pytest.mark.parametrize("name", sorted(MODULES))
def test_all_is_what_is_visible(name: str) -> None:
    """Every public function and class of a module stands in its `__all__`."""
    path = MODULES[name]
    lines = [node for node in tree(path).body if isinstance(node, ast.Assign)]
    named = [node.value for node in lines if "__all__" == ast.unparse(node.targets[0])]
    assert set() == public(path) - {each for node in named for each in ast.literal_eval(node)}


@pytest.mark.parametrize("path", OURS, ids=lambda path: str(path.relative_to(ROOT)))
def test_readable_in_an_evening(path: Path) -> None:
    """No module is longer than 300 lines, no function longer than 60."""
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 300
    functions = [n for n in ast.walk(tree(path)) if isinstance(n, ast.FunctionDef)]
    long = [n.name for n in functions if (n.end_lineno or 0) - n.lineno >= 60]
    assert [] == long


def test_most_functions_are_short() -> None:
    """Nine of ten functions of the package have at most 35 lines."""
    functions = [
        node
        for path in MODULES.values()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef)
    ]
    lengths = sorted((node.end_lineno or 0) - node.lineno + 1 for node in functions)
    assert lengths[len(lengths) * 9 // 10] <= 35


def test_every_test_states_its_fact() -> None:
    """Each test has a docstring whose first line is a sentence."""
    silent = []
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                text = ast.get_docstring(node) or ""
                if not text.split("\n")[0].endswith((".", "?", "!")):
                    silent.append(f"{path.name}::{node.name}")
    assert [] == silent


def test_importing_costs_nothing() -> None:
    """`import steamlab` loads nothing but itself; `--help` loads no Kafka client and no pandas."""
    heavy = "{'pandas', 'numpy', 'plotly', 'confluent_kafka', 'IPython', 'ipywidgets', 'jgo'}"
    check = f"import sys; print(sorted({heavy} & set(sys.modules)))"
    for code in ("import steamlab", "import steamlab.__main__", "import steamlab.doctor"):
        command = [sys.executable, "-c", f"{code}; {check}"]
        said = subprocess.run(command, capture_output=True, text=True, check=True)
        assert "[]\n" == said.stdout, code


def test_starting_kafka_needs_no_tables() -> None:
    """`steamlab up`, `down` and `status` load no pandas, and a lesson no grammar of addresses."""
    for module, heavy in (("broker", "pandas"), ("lesson", "rfc3987_syntax.syntax_helpers")):
        code = f"import sys, steamlab.{module}; print({heavy!r} in sys.modules)"
        said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert "False\n" == said.stdout, said.stderr


def test_no_machine_and_no_registry_is_named() -> None:
    """No tracked text names a path of one machine or the host of a package registry."""
    marks = ["/" + "work/", "/" + "root/", "/tm" + "p/dev", "py" + "pi.org", "python" + "hosted"]
    marks += ["maven" + ".org", "maven." + "apache", "conda." + "anaconda"]
    command = ["git", "-C", str(ROOT), "ls-files", "-z"]
    names = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("\0")
    found = [
        f"{name}: {mark}"
        for name in names
        if name and (ROOT / name).is_file()
        for mark in marks
        if mark.encode() in (ROOT / name).read_bytes()
    ]
    assert [] == found


def test_python_versions_agree() -> None:
    """pyproject.toml, the finder and the set-up speak of the same Pythons."""
    assert ">=3.11,<3.15" == PYPROJECT["project"]["requires-python"]
    finder = (ROOT / "tools" / "python.sh").read_text(encoding="utf-8")
    assert "python3.14 python3.13 python3.12 python3.11 python3 python" in finder
    settings: dict[str, Any] = PYPROJECT["tool"]
    assert "py311" == settings["ruff"]["target-version"]
    assert "3.11" == settings["mypy"]["python_version"]


def test_ci_calls_the_projects_own_commands() -> None:
    """.ci/run can be executed, parses, calls targets that exist, and never skips the browser."""
    path = ROOT / ".ci" / "run"
    text = path.read_text(encoding="utf-8")
    assert path.stat().st_mode & 0o100
    subprocess.run(["bash", "-n", str(path)], check=True)
    targets = set(re.findall(r"(?m)^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8")))
    called = set(re.findall(r"(?m)\bmake (check|test|notebooks|\w+)$", text))
    assert {"check", "test", "notebooks"} <= called <= targets
    assert "STEAMLAB_REQUIRE_BROWSER=1 run_stage 'make test on 3.14' make test" in text
