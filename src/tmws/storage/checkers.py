"""Checkers, read back as they were registered."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection

from tmws.domain.canonical import sha256_hex
from tmws.domain.checkers import MetricChecker
from tmws.domain.errors import LedgerCorrupt
from tmws.storage import artifacts, trusted
from tmws.storage.trusted import Kind


async def find(connection: AsyncConnection, name: str, workspace: str) -> MetricChecker | None:
    """Return the checker of this name, if it is for this workspace.

    Raises:
        LedgerCorrupt: what is stored is not what was registered.
    """
    kept = await trusted.find(connection, Kind.CHECKER, name)
    if kept is None or kept.workspace != workspace:
        return None
    module = await artifacts.get(connection, kept.digest) or b""
    if sha256_hex(module) != kept.digest:
        raise LedgerCorrupt(
            f"What is stored of the checker {name!r} is not what was registered. Register it anew: "
            f"tmws checkers remove {name}, then tmws checkers add."
        )
    return MetricChecker(name, workspace, kept.digest, module)
