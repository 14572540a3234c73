"""Answers one question, in a process of its own, and is gone.

Started as `python -I tmws_answer.py call MODULE:NAME` with `[arguments, keywords]` as JSON
on standard input, or as `python -I tmws_answer.py script PATH WORD...`. This process is
the tested code's: whatever it does here, it can only give an answer.
"""

from __future__ import annotations

import dataclasses
import importlib
import json
import os
import runpy
import sys
from pathlib import Path
from typing import Any

WORKSPACE = "/workspace"
OUR_FOLDER = "/opt/tmws"
MAX_NAME = 200


def open_paths(first: str | None = None) -> list[str]:
    """Let the workspace be imported as if it were installed; return its roots."""
    roots = [path for path in (f"{WORKSPACE}/src", WORKSPACE) if Path(path).is_dir()]
    library = [entry for entry in sys.path if entry != OUR_FOLDER]
    sys.path[:] = [*([first] if first else []), *library, *roots]
    os.environ["PYTHONPATH"] = os.pathsep.join(roots)
    return roots


def plain(value: Any) -> Any:
    """Return what JSON can write of arrays and records."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    if callable(listed := getattr(value, "tolist", None)):
        return listed()
    raise TypeError(f"{type(value).__name__} has no JSON form")


def answer(entry: str, arguments: list[Any], keywords: dict[str, Any]) -> dict[str, Any]:
    """Call what the entry names and say what came of it."""
    roots = open_paths()
    module, _, name = entry.partition(":")
    try:
        found: Any = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
        return {"returned": found(*arguments, **keywords)}
    except ModuleNotFoundError as error:
        top = str(error.name).partition(".")[0]
        inside = [Path(root, each) for root in roots for each in (top, f"{top}.py")]
        if top == module.partition(".")[0] or any(path.exists() for path in inside):
            return {"raised": type(error).__name__}
        return {"missing": top[:MAX_NAME]}
    except BaseException as error:
        return {"raised": type(error).__name__[:MAX_NAME]}


def main() -> None:
    """Answer, on what was standard output before the tested code could print there."""
    if sys.argv[1] == "script":
        script = sys.argv[2]
        open_paths(str(Path(script).parent))
        sys.argv = sys.argv[2:]
        runpy.run_path(script, run_name="__main__")
        return
    arguments, keywords = json.loads(sys.stdin.buffer.read())
    out = os.dup(1)
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 0)
    os.dup2(nowhere, 1)
    told = answer(sys.argv[2], arguments, keywords)
    try:
        text = json.dumps(told, default=plain)
    except (TypeError, ValueError, RecursionError) as error:
        text = json.dumps({"unwritable": str(error)[:MAX_NAME]})
    with os.fdopen(out, "wb") as stream:
        stream.write(text.encode())
    os._exit(0)


main()
