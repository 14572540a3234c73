"""Runs pytest on the workspace and reports from inside what really happened.

Started as `python -I run_pytest.py [--keyword=EXPR] /workspace/... ...`. The project's
own configuration, conftest files and paths hold, as they must for honest projects;
`addopts` and plugin autoload do not, since both can load code or hide tests.
"""

from __future__ import annotations

import importlib
import os
import shlex
import sys
from pathlib import Path

sys.path.append("/opt/tmws")
sys.path.append("/opt/tools")

import pytest
from _pytest.config import default_plugins
from _pytest.config.exceptions import UsageError
from _pytest.config.findpaths import determine_setup
from tmws_channel import OUR_FOLDER, TOOLS, WORKSPACE, open_channel
from tmws_guard import Guard
from tmws_sources import Sources
from tmws_witness import Witness


def safe_options(targets: list[str]) -> list[str]:
    """Return those of the project's own options that are obeyed.

    Only how test modules are imported matters for honest projects and cannot hide
    a test; everything else in `addopts` is dropped.
    """
    try:
        *_, config, _ = determine_setup(
            inifile=None,
            override_ini=None,
            args=targets,
            rootdir_cmd_arg=None,
            invocation_dir=Path(WORKSPACE),
        )
        value = getattr(config.get("addopts"), "value", "")
        words = list(value) if isinstance(value, list) else shlex.split(str(value))
    except (UsageError, ValueError):  # pytest itself will say so
        return []
    text = " ".join(map(str, words)).replace("--import-mode ", "--import-mode=")
    modes = {f"--import-mode={mode}" for mode in ("prepend", "append", "importlib")}
    return [word for word in text.split() if word in modes]


def open_paths() -> None:
    """Let the workspace be imported as if it were installed; nothing shadows the library."""
    paths = [path for path in (f"{WORKSPACE}/src", WORKSPACE) if Path(path).is_dir()]
    sys.path[:] = (
        [entry for entry in sys.path if entry not in {OUR_FOLDER, TOOLS}] + paths + [TOOLS]
    )
    os.environ["PYTHONPATH"] = os.pathsep.join([*paths, TOOLS])


def main() -> None:
    """Run what the arguments name, and end with pytest's own status."""
    options = [word for word in sys.argv[1:] if word.startswith("--keyword=")]
    targets = [word for word in sys.argv[1:] if word.startswith(WORKSPACE + "/")]
    keyword = options[0].partition("=")[2] if options else None
    os.chdir(WORKSPACE)
    for name in ("PYTEST_ADDOPTS", "PYTEST_PLUGINS"):
        os.environ.pop(name, None)
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    obeyed = safe_options(targets)
    for name in default_plugins:
        importlib.import_module(f"_pytest.{name}")
    run, leave, flush = pytest.main, os._exit, (sys.stdout.flush, sys.stderr.flush)
    send = open_channel("pytest")
    sources = Sources()
    witness = Witness(send, Guard(), sources, keyword)
    finish = witness.finish
    open_paths()
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
        *obeyed,
        *(["-k", keyword] if keyword is not None else []),
        *targets,
    ]
    status = int(run(arguments, plugins=[witness]))
    finish(send, status)
    for stream in flush:
        stream()
    # Nothing that the workspace left behind, threads or exit handlers, has a say now.
    leave(status & 0xFF)


main()
