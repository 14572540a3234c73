"""Backends are found by entry point, so another package's are chosen like our own."""

from __future__ import annotations

import functools
from collections.abc import Callable
from importlib.metadata import EntryPoint, distributions
from typing import Any

from tmws.domain.errors import BackendUnavailable, InvalidInput


@functools.cache
def _installed() -> tuple[EntryPoint, ...]:
    """Return every backend of every package: looked for once, because it takes 15 ms."""
    return tuple(
        point
        for package in distributions()
        for point in package.entry_points
        if point.group.startswith("tmws.")
    )


def find(port: str, name: str) -> Any:
    """Return the class registered under `tmws.<port>` with this name.

    Raises:
        InvalidInput: none is; the message lists those that are.
    """
    return _named(port, name).load()


def deferred(port: str, name: str, **arguments: Any) -> Callable[..., Any]:
    """Return what makes the backend with these and later arguments, its module imported then.

    What it makes fails with BackendUnavailable where a package it needs is missing.

    Raises:
        InvalidInput: none is registered; the message lists those that are.
    """
    point = _named(port, name)

    def make(**more: Any) -> Any:
        try:
            return point.load()(**arguments, **more)
        except ModuleNotFoundError as error:
            raise BackendUnavailable(
                f"The {port} backend {name!r} needs the package {error.name!r}. "
                f"Run: pip install 'tmws[{name}]'.",
                retryable=False,
            ) from error

    return make


def _named(port: str, name: str) -> EntryPoint:
    known = [point for point in _installed() if point.group == f"tmws.{port}"]
    for point in known:
        if point.name == name:
            return point
    installed = ", ".join(sorted(point.name for point in known)) or "none"
    raise InvalidInput(f"No {port} backend {name!r} is installed. Installed: {installed}.")
