"""Backends are found by entry point, so another package's are chosen like our own."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Any

from tmws.domain.errors import InvalidInput


def find(port: str, name: str) -> Any:
    """Return the class registered under `tmws.<port>` with this name.

    Raises:
        InvalidInput: none is; the message lists those that are.
    """
    known = entry_points(group=f"tmws.{port}")
    for point in known:
        if point.name == name:
            return point.load()
    installed = ", ".join(sorted(point.name for point in known)) or "none"
    raise InvalidInput(f"No {port} backend {name!r} is installed. Installed: {installed}.")
