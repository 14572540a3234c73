"""Rules of the house that imports cannot show; import-linter holds the others."""

from __future__ import annotations

import ast
import re
import tomllib
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from scripts.tracked import ROOT, tracked_files

SOURCE = ROOT / "src" / "tmws"
MODULES = sorted(SOURCE.rglob("*.py"))
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
LONGEST_FILE = 400

ROOMS = {
    ".ci": "the gate",
    "docs": "how it works and why",
    "migrations": "the schema, one change each",
    "sandbox_image": "the image that checks run in",
    "scripts": "set-up and checks of the house",
    "src": "the product",
    "tests": "what it promises",
}

CLOCK_AND_CHANCE = {
    "datetime.now", "datetime.today", "datetime.utcnow", "date.today", "time.time", "time.time_ns",
    "os.urandom", "uuid.uuid1", "uuid.uuid4", "random", "secrets",
}  # fmt: skip

# Who asks the machine, and why; everybody else is told.
OWNERS = {
    "app.py": "hands the clock and chance to those below",
    "evaluation/chance.py": "seeds orders and simulations that must repeat",
    "sandbox/engine.py": "asks the container engine for events up to its present time",
    "sandbox/slots.py": "notes when a run began, to ask the engine for events since",
}


def local(path: Path) -> str:
    return path.relative_to(SOURCE).as_posix()


def entry_points() -> list[str]:
    groups = [PROJECT["project"]["scripts"], *PROJECT["project"]["entry-points"].values()]
    return [target for group in groups for target in group.values()]


def asks_the_machine(tree: ast.AST) -> set[str]:
    """Name every use of the wall clock and of chance."""
    used: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                used |= {name.name for name in names}
            case ast.ImportFrom(module=str(module), names=names):
                used |= {module, *(f"{module}.{name.name}" for name in names)}
            case ast.Attribute(value=ast.Name(id=owner), attr=name):
                used.add(f"{owner}.{name}")
            case ast.Attribute(value=ast.Attribute(attr=owner), attr=name):
                used.add(f"{owner}.{name}")
    return used & CLOCK_AND_CHANCE


def pins(lock: str) -> dict[str, set[str]]:
    """Return the versions a lock lists, by package; some differ by Python version."""
    found: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([\w.-]+)==(\S+)", (ROOT / lock).read_text("utf-8"), re.M):
        found.setdefault(canonicalize_name(name), set()).add(version)
    return found


def test_time_and_chance_are_handed_in_below_the_faces() -> None:
    asking = {
        local(module): asks_the_machine(ast.parse(module.read_text("utf-8")))
        for module in MODULES
        if not local(module).startswith(("faces/", "testing/"))
    }
    assert {name: used for name, used in asking.items() if used and name not in OWNERS} == {}
    assert OWNERS.keys() - {name for name, used in asking.items() if used} == set()


@pytest.mark.parametrize(
    "line",
    [
        "import random",
        "from secrets import token_hex",
        "from time import time",
        "moment = datetime.now(UTC)",
        "moment = datetime.datetime.utcnow()",
        "name = uuid.uuid4()",
    ],
)
def test_the_rule_sees_every_way_to_ask_the_machine(line: str) -> None:
    assert asks_the_machine(ast.parse(line))


def test_a_module_opens_with_what_it_is_for() -> None:
    texts = {local(module): module.read_text("utf-8") for module in MODULES}
    silent = [
        name for name, text in texts.items() if text and not ast.get_docstring(ast.parse(text))
    ]
    assert silent == []


def test_a_file_tells_one_story() -> None:
    lines = {local(module): len(module.read_text("utf-8").splitlines()) for module in MODULES}
    assert {name: length for name, length in lines.items() if length > LONGEST_FILE} == {}


@pytest.mark.parametrize("target", entry_points())
def test_every_entry_point_leads_somewhere(target: str) -> None:
    module, _, name = target.partition(":")
    assert callable(getattr(import_module(module), name))


def test_the_top_level_holds_the_known_rooms_and_no_other() -> None:
    folders = {path.parts[0] for path in tracked_files() if len(path.parts) > 1}
    assert folders == ROOMS.keys()


def test_the_locks_answer_every_dependency_that_is_declared() -> None:
    project, extras = PROJECT["project"], PROJECT["project"]["optional-dependencies"]
    needed = [*project["dependencies"], *(need for extra in extras.values() for need in extra)]
    for lock, needs in {
        "requirements.lock": needed,
        "requirements-dev.lock": [*needed, *PROJECT["dependency-groups"]["dev"]],
    }.items():
        pinned = pins(lock)
        for need in map(Requirement, needs):
            versions = pinned.get(canonicalize_name(need.name), set())
            assert versions, f"{lock} lacks {need}; run make lock"
            assert all(need.specifier.contains(version) for version in versions), (lock, str(need))


def test_what_is_tested_is_what_is_shipped() -> None:
    assert pins("requirements.lock").items() <= pins("requirements-dev.lock").items()


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_locks_hold_hashes_and_no_addresses(lock: str) -> None:
    text = (ROOT / lock).read_text("utf-8")
    packages = re.findall(r"^\w.*?(?=^\w|\Z)", text, re.M | re.S)
    assert all("--hash=sha256:" in package for package in packages)
    assert "://" not in text


def test_every_decision_is_in_their_list_under_its_title() -> None:
    folder = ROOT / "docs" / "decisions"
    titles = {
        path.name: path.read_text("utf-8").splitlines()[0].partition(": ")[2]
        for path in folder.glob("[0-9]*.md")
    }
    listed = re.findall(
        r"^\| \[\d+\]\(([^)]+)\) \| (.+) \|$", (folder / "README.md").read_text(), re.M
    )
    assert dict(listed) == titles
