"""What administrators keep from agents, as their commands list it."""

from __future__ import annotations

from collections.abc import Iterable

from tmws.faces.cli.printing import Printer
from tmws.storage.trusted import Kept


def show(printer: Printer, every: Iterable[Kept], *, empty: str) -> None:
    """Print the names that stand for something, with the digest of what."""
    rows = [
        {
            "name": kept.name,
            "workspace": kept.workspace,
            "source": kept.source,
            "sha256": kept.digest,
            "created_at": kept.created_at,
        }
        for kept in every
    ]
    printer.rows(("name", "workspace", "source", "sha256", "created_at"), rows, empty=empty)
