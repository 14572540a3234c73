"""Notices when the code that decides outcomes is replaced.

Remembers every function of the test framework before code of the workspace runs, and
says later which of them are no longer the same object with the same code.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

FRAMEWORK = (
    "_pytest",
    "coverage",
    "doctest",
    "pluggy",
    "pytest",
    "run_pytest",
    "tmws_channel",
    "tmws_coverage",
    "tmws_guard",
    "tmws_options",
    "tmws_sources",
    "tmws_witness",
    "unittest",
)
# Where outcomes are made: looked at after every test, the rest once at the end.
CRITICAL = (
    "_pytest.assertion",
    "_pytest.doctest",
    "_pytest.outcomes",
    "_pytest.python",
    "_pytest.python_api",
    "_pytest.raises",
    "_pytest.reports",
    "_pytest.runner",
    "_pytest.skipping",
    "_pytest.unittest",
    "doctest",
    "pluggy._callers",
    "pluggy._hooks",
    "tmws_witness",
    "unittest.case",
)

_MISSING = object()


class Guard:
    """What the framework looked like before the workspace could touch it.

    Args:
        plugins: modules of the environment that belong to the framework here.
    """

    def __init__(self, plugins: Iterable[str] = ()) -> None:
        framework = {*FRAMEWORK, *(name.split(".")[0] for name in plugins)}
        builtin_names = vars(sys.modules["builtins"])
        self._entries = [
            entry
            for name, module in sorted(sys.modules.items())
            if name.split(".")[0] in framework and isinstance(module, types.ModuleType)
            for entry in _functions(name, module)
        ] + [
            ("builtins." + name, builtin_names, name, value, None)
            for name, value in builtin_names.items()
            if not name.startswith("_") or name in {"__import__", "__build_class__"}
        ]
        self._critical = [entry for entry in self._entries if entry[0].startswith(CRITICAL)]
        self._as_it_was = self._now()
        self._codes = {id(entry[4]) for entry in self._entries if entry[4] is not None}

    def knows(self, function: object) -> bool:
        """Tell whether this function is one of the framework's own."""
        return id(_code(function)) in self._codes

    def changed(self) -> list[str]:
        """Return the names of what was replaced, out of everything."""
        return _changed(self._entries)

    def changed_now(self) -> list[str]:
        """Return the names of what was replaced, out of what makes outcomes."""
        return [] if self._now() == self._as_it_was else _changed(self._critical)

    def _now(self) -> list[int]:
        """Return which functions and codes there are, to be compared all at once.

        By identity: an object that stands in could claim to equal what it replaces.
        """
        values = [names.get(name) for _, names, name, _, _ in self._critical]
        codes = [getattr(value, "__code__", None) for value in values]
        return [*map(id, values), *map(id, codes)]


_Entry = tuple[str, Mapping[str, Any], str, object, object]


def _changed(entries: list[_Entry]) -> list[str]:
    return [
        label
        for label, names, name, value, code in entries
        if names.get(name, _MISSING) is not value or (code is not None and _code(value) is not code)
    ]


def _functions(module_name: str, module: types.ModuleType) -> Iterator[_Entry]:
    for name, value in vars(module).items():
        if _code(value) is not None:
            yield (f"{module_name}.{name}", vars(module), name, value, _code(value))
        elif isinstance(value, type):
            yield (f"{module_name}.{name}", vars(module), name, value, None)
            if value.__module__ != module_name:
                continue
            for attribute, member in vars(value).items():
                if _code(member) is not None:
                    label = f"{module_name}.{name}.{attribute}"
                    yield (label, vars(value), attribute, member, _code(member))


def _code(value: object) -> object:
    function = getattr(value, "fget", None) if isinstance(value, property) else value
    function = getattr(function, "__func__", function)
    code = getattr(function, "__code__", None) if callable(function) else None
    # A stand-in of `unittest.mock` has a new one at every look.
    return code if isinstance(code, types.CodeType) else None
