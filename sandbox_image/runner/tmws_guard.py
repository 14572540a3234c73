"""Notices when the code that decides outcomes is replaced.

Remembers every function of the test framework before code of the workspace runs, and
says later which of them are no longer the same object with the same code.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Iterable, Iterator, Mapping
from operator import attrgetter, itemgetter
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
    "tmws_missing",
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
_code_of, _id = attrgetter("__code__"), id


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
        self._reads = list(_reads(self._critical))
        functions = {id(entry[3]): _function(entry[3]) for entry in self._critical if entry[4]}
        self._functions = list(functions.values())
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
        Runs before every test, so it loops over nothing by itself.
        """
        try:
            seen = [*map(_id, map(_code_of, self._functions))]
            for names, read in self._reads:
                seen.extend(map(_id, read(names)))
        except (KeyError, AttributeError):  # something was taken away
            return []
        return seen


_Entry = tuple[str, Mapping[str, Any], str, object, object]


def _changed(entries: list[_Entry]) -> list[str]:
    return [
        label
        for label, names, name, value, code in entries
        if names.get(name, _MISSING) is not value or (code is not None and _code(value) is not code)
    ]


def _reads(entries: list[_Entry]) -> Iterator[tuple[Mapping[str, Any], itemgetter[Any]]]:
    """Return for each namespace how to read all that is watched in it at once."""
    watched: dict[int, tuple[Mapping[str, Any], list[str]]] = {}
    for _, names, name, _, _ in entries:
        watched.setdefault(id(names), (names, []))[1].append(name)
    # Two at least: of one name `itemgetter` returns the thing itself.
    return ((names, itemgetter(*those, those[0])) for names, those in watched.values())


def _functions(module_name: str, module: types.ModuleType) -> Iterator[_Entry]:
    names = vars(module)
    for name, value in names.items():
        if _code(value) is not None:
            yield (f"{module_name}.{name}", names, name, value, _code(value))
        elif isinstance(value, type):
            yield (f"{module_name}.{name}", names, name, value, None)
            if value.__module__ != module_name:
                continue
            members = vars(value)
            for attribute, member in members.items():
                if _code(member) is not None:
                    label = f"{module_name}.{name}.{attribute}"
                    yield (label, members, attribute, member, _code(member))


def _code(value: object) -> object:
    function = _function(value)
    code = getattr(function, "__code__", None) if callable(function) else None
    # A stand-in of `unittest.mock` has a new one at every look.
    return code if isinstance(code, types.CodeType) else None


def _function(value: object) -> object:
    function = getattr(value, "fget", None) if isinstance(value, property) else value
    return getattr(function, "__func__", function)
