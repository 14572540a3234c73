"""What was not there, where a test failed for want of something."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError
from importlib.util import find_spec
from pathlib import Path

import pytest
from _pytest.fixtures import FixtureLookupError
from _pytest.outcomes import Failed
from tmws_channel import MAX_TEXT, WORKSPACE

# How pytest fails an async test that no plugin takes.
ASYNC_REFUSAL = "async def functions are not natively supported"


def missing_from(error: BaseException) -> str | None:
    """Return the module or fixture whose absence this error tells of, if it does."""
    match error:
        case PackageNotFoundError(name=str(name)):
            missing: str | None = f"{name} as an installed package"
        case FixtureLookupError():
            missing = f"fixture {error.argname}"
        case pytest.PytestUnknownMarkWarning():
            missing = "a plugin for a mark"
        case Failed() if str(error).startswith(ASYNC_REFUSAL):
            missing = "a plugin for async tests"
        case NameError(name=str(name)):
            missing = _behind(error, name)
        case ModuleNotFoundError(name=str(name)):
            top = name.partition(".")[0]
            missing = None if _is_ours(top) else top
        case _:
            return None
    return None if missing is None else missing[:MAX_TEXT]


def _behind(error: NameError, name: str) -> str | None:
    """Return the module for want of which an import that was tried left this name unbound."""
    try:
        tree = ast.parse(_place(error).read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    for node in ast.walk(tree):
        if isinstance(node, ast.Try | ast.With):
            imported = list(_imported(node.body))
            if any(bound == name for bound, _ in imported):
                return next((top for _, top in imported if _is_absent(top)), None)
    return None


def _place(error: BaseException) -> Path:
    """Return the file of the workspace in which an error arose."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    path = "" if trace is None else trace.tb_frame.f_code.co_filename
    if not path.startswith(f"{WORKSPACE}/"):
        raise FileNotFoundError(path)
    return Path(path)


def _imported(body: list[ast.stmt]) -> Iterator[tuple[str, str]]:
    """Return the names that the imports of a block bind, each with the module it needs."""
    for node in body:
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.partition(".")[0]
                yield alias.asname or top, top
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module is not None:
            for alias in node.names:
                yield alias.asname or alias.name, node.module.partition(".")[0]


def _is_absent(top: str) -> bool:
    try:
        return not _is_ours(top) and top not in sys.modules and find_spec(top) is None
    except (ImportError, ValueError):
        return True


def _is_ours(top: str) -> bool:
    """Tell whether the workspace itself holds a module of this name."""
    roots = [WORKSPACE, *(entry for entry in sys.path if entry.startswith(WORKSPACE))]
    return any(Path(root, top).exists() or Path(root, f"{top}.py").exists() for root in roots)
