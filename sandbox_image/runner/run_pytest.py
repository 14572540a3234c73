"""Runs pytest on the workspace and reports from inside what really happened.

Started as `python -I run_pytest.py [--plugin=MODULE ...] [--order=SEED] [--keyword=EXPR]
[--marker=EXPR] /workspace/... ...`.
The project's own configuration, conftest files and paths hold, as they must for honest
projects; plugin autoload does not, and of `addopts` only what can neither load code nor
hide tests.
"""

from __future__ import annotations

import importlib
import os
import shlex
import sys
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Protocol

sys.path.append("/opt/tmws")
sys.path.append("/opt/tools")

import pytest
from _pytest import doctest
from _pytest.config import default_plugins
from _pytest.config.exceptions import UsageError
from _pytest.config.findpaths import determine_setup
from tmws_channel import ENVIRONMENT, OUR_FOLDER, TOOLS, WORKSPACE, Send, open_channel, send_files
from tmws_guard import Guard
from tmws_options import Choice, chosen
from tmws_sources import Sources
from tmws_witness import Selection, Witness

# Packages below pytest that it has taken all it needs of, once it is loaded.
HANDED_OVER = ("iniconfig", "packaging", "pluggy", "pygments")


class Measurement(Protocol):
    """Something that is measured while the tests run."""

    def of(self, sources: Sources, send: Send, tests: Callable[[], int]) -> int:
        """Run the tests, report what was measured, and return their status."""
        ...


def own_options(targets: list[str], plugins: list[str]) -> Choice:
    """Return what of the project's own options holds; see `tmws_options`."""
    try:
        root, _, config, _ = determine_setup(
            inifile=None,
            override_ini=None,
            args=targets,
            rootdir_cmd_arg=None,
            invocation_dir=Path(WORKSPACE),
        )
        value = getattr(config.get("addopts"), "value", "")
        words = list(map(str, value)) if isinstance(value, list) else shlex.split(str(value))
    except (UsageError, ValueError):  # pytest itself will say so
        return Choice()
    return chosen(words, root, plugins)


def prepare(plugins: list[str]) -> list[ModuleType]:
    """Import whatever decides outcomes before any code of the workspace can.

    Returns the modules of the environment's plugins, which may be named by their
    package, as `pytest_asyncio` for `pytest_asyncio.plugin`.
    """
    for name in default_plugins:
        importlib.import_module(f"_pytest.{name}")
    # Made on first use otherwise, from classes that could have been replaced by then.
    doctest._init_runner_class()
    doctest._get_checker()
    if not plugins:
        return []
    sys.path.insert(0, ENVIRONMENT)
    known = entry_points(group="pytest11")
    return [
        importlib.import_module(module)
        for name in plugins
        for module in [point.module for point in known if point.module.split(".")[0] == name]
        or [name]
    ]


def open_paths() -> None:
    """Let the workspace be imported as if it were installed; nothing shadows the library."""
    paths = [path for path in (f"{WORKSPACE}/src", WORKSPACE) if Path(path).is_dir()]
    sys.path[:] = (
        [entry for entry in sys.path if entry not in {OUR_FOLDER, TOOLS, ENVIRONMENT}]
        + paths
        + [ENVIRONMENT, TOOLS]
    )
    os.environ["PYTHONPATH"] = os.pathsep.join([*paths, ENVIRONMENT, TOOLS])


def hand_over_names() -> None:
    """Let the workspace bring packages of its own that the runner is made of.

    What the runner took from them it keeps; whoever imports them from here on, the
    project's tests that is, gets the project's.
    """
    folders = [Path(folder) for folder in (f"{WORKSPACE}/src", WORKSPACE)]
    for name in HANDED_OVER:
        if any((at / name).is_dir() or (at / f"{name}.py").is_file() for at in folders):
            for loaded in [*sys.modules]:
                if loaded == name or loaded.startswith(f"{name}."):
                    del sys.modules[loaded]


def option(name: str, words: list[str]) -> str | None:
    """Return the value of an option of ours, None if it is not given."""
    return next((word.partition("=")[2] for word in words if word.startswith(f"{name}=")), None)


def run(words: list[str], measurement: Measurement | None = None) -> None:
    """Run what the words name, and end with pytest's own status."""
    targets = [word for word in words if word.startswith(WORKSPACE + "/")]
    keyword, marker = (option(name, words) for name in ("--keyword", "--marker"))
    os.chdir(WORKSPACE)
    for name in ("PYTEST_ADDOPTS", "PYTEST_PLUGINS"):
        os.environ.pop(name, None)
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    plugins = [word.partition("=")[2] for word in words if word.startswith("--plugin=")]
    own = own_options(targets, plugins)
    loaded = prepare(plugins)
    start, leave, flush = pytest.main, os._exit, (sys.stdout.flush, sys.stderr.flush)
    send = open_channel("pytest" if measurement is None else "coverage")
    sources = Sources()
    selection = Selection.of(keyword, marker)
    witness = Witness(
        send,
        Guard(plugins),
        sources,
        selection,
        own=Selection.of_project(own.overruled),
        order=option("--order", words),
    )
    finish, look, tell = witness.finish, sources.unread, send_files
    open_paths()
    hand_over_names()
    arguments = [
        f"--rootdir={WORKSPACE}",
        "--override-ini=addopts=",
        "-p",
        "no:cacheprovider",
        "--color=no",
        "--tb=short",
        "--show-capture=no",
        # Fifty failures tell as much as fifty thousand, and can be read.
        "--maxfail=50",
        "-q",
        *own.obeyed,
        *(["-k", keyword] if keyword is not None else []),
        *(["-m", marker] if marker is not None else []),
        *targets,
    ]
    unread: list[str] = []

    def tests() -> int:
        status = int(start(arguments, plugins=[witness, *loaded]))
        unread.extend(look())
        return status

    status = tests() if measurement is None else measurement.of(sources, send, tests)
    tell(send, unread, "unread")
    finish(send, status, own.overruled)
    for stream in flush:
        stream()
    # Nothing that the workspace left behind, threads or exit handlers, has a say now.
    leave(status & 0xFF)


if __name__ == "__main__":
    run(sys.argv[1:])
