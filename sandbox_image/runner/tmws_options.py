"""Which of a project's own pytest options hold in a check.

`addopts` can load code and hide tests, so nothing in it is obeyed but what is named
here: how tests are imported and found, and what makes them stricter. What only changes
the display is passed over; the rest is overruled, and said to be.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

OBEYED = frozenset(
    {
        "--doctest-continue-on-failure",
        "--doctest-ignore-import-errors",
        "--doctest-modules",
        "--runxfail",
        "--strict",
        "--strict-config",
        "--strict-markers",
    }
)
OBEYED_WITH_VALUE = frozenset({"--doctest-glob", "--import-mode", "--pythonwarnings", "-W"})
# Parts of pytest itself, which decide nothing about what is collected.
OBEYED_PLUGINS = frozenset(
    {
        "no:faulthandler",
        "no:threadexception",
        "no:unraisableexception",
        "no:warnings",
        "pytester",
    }
)
# Options of a plugin that an environment may load.
PLUGIN_OPTIONS = {"--asyncio-mode": "pytest_asyncio"}

SHORT_DISPLAY = re.compile(r"-[vqsxl]+|-r\w*|-n(auto|logical|\d+)")
DISPLAY = re.compile(
    r"--(verbose|quiet|showlocals|no-showlocals|no-header|no-summary|full-trace|exitfirst"
    r"|disable-(pytest-)?warnings|setup-show|cache-clear|ff|failed-first|nf|new-first|pdb|pyargs"
    r"|(no-)?cov([a-z-]*)|no-cov-on-fail|benchmark-[a-z-]+|self-contained-html|force-sugar"
    r"|force-short-summary|xfail-tb|instafail|fold-skipped|no-fold-skipped)"
)
DISPLAY_WITH_VALUE = re.compile(
    r"-n|-r|--(assert|basetemp|capture|code-highlight|color|cov-[a-z-]+|dist|doctest-report"
    r"|durations(-min)?|html|junit-?xml|junit-prefix|log-[a-z-]+|maxfail|maxprocesses"
    r"|numprocesses|randomly-seed|reruns(-delay)?|show-capture|tb|timeout(-[a-z]+)?|verbosity"
    r"|cov|benchmark-[a-z-]+)"
)
TEST_NAMES = ("test_*.py", "*_test.py")


@dataclass(slots=True)
class Choice:
    """What of a project's options holds, and what was overruled."""

    obeyed: list[str] = field(default_factory=list)
    overruled: list[str] = field(default_factory=list)


def chosen(words: list[str], root: Path, plugins: Collection[str]) -> Choice:
    """Sort a project's options out.

    Args:
        root: the folder that relative paths in them start from.
        plugins: modules that are loaded whether the project asks for them or not.
    """
    choice = Choice()
    for name, value in _paired(words):
        given = name if value is None else f"{name}={value}"
        if _is_obeyed(name, value, root, plugins):
            choice.obeyed.extend([name, value] if value and not name.startswith("--") else [given])
        elif not _is_display(name, value, plugins):
            choice.overruled.append(given if value is None else f"{name} {value}")
    return choice


def _paired(words: list[str]) -> Iterator[tuple[str, str | None]]:
    """Return each option with its value, however the two are written."""
    waiting = list(words)
    while waiting:
        word = waiting.pop(0)
        name, separator, value = word.partition("=")
        if word.startswith("--") and separator:
            yield name, value
        elif word[:2] in {"-W", "-k", "-m", "-o", "-p", "-c"} and len(word) > 2 and word[1] != "-":
            yield word[:2], word[2:].removeprefix("=")
        elif _takes_value(word) and waiting and not waiting[0].startswith("-"):
            yield word, waiting.pop(0)
        else:
            yield word, None


def _takes_value(name: str) -> bool:
    return (
        name in OBEYED_WITH_VALUE
        or name in PLUGIN_OPTIONS
        or name in {"-c", "-k", "-m", "-o", "-p", "--override-ini", "--rootdir", "--confcutdir"}
        or name in {"--deselect", "--ignore", "--ignore-glob", "--config-file"}
        or DISPLAY_WITH_VALUE.fullmatch(name) is not None
    )


def _is_obeyed(name: str, value: str | None, root: Path, plugins: Collection[str]) -> bool:
    if value is None:
        return name in OBEYED
    if name == "-p":
        return value in OBEYED_PLUGINS
    if name in {"--ignore", "--ignore-glob"}:
        return _hides_nothing(name, value, root)
    return name in OBEYED_WITH_VALUE or PLUGIN_OPTIONS.get(name) in plugins


def _is_display(name: str, value: str | None, plugins: Collection[str]) -> bool:
    if name == "-p":  # what is not loaded cannot be switched off, and what is loaded already is
        return value is not None and (value.startswith("no:") or value in plugins)
    return any(pattern.fullmatch(name) for pattern in (SHORT_DISPLAY, DISPLAY, DISPLAY_WITH_VALUE))


def _hides_nothing(name: str, value: str, root: Path) -> bool:
    """Tell whether there is no test, not even in a docstring, in what is left out."""
    try:
        left_out = list(root.glob(value)) if name == "--ignore-glob" else [root / value]
    except (NotImplementedError, ValueError):  # an absolute or an empty pattern
        return False
    files = [
        file
        for path in left_out
        for file in (path.rglob("*") if path.is_dir() else [path])
        if file.is_file()
    ]
    return not any(
        any(file.match(pattern) for pattern in TEST_NAMES) or b">>> " in file.read_bytes()
        for file in files
    )
