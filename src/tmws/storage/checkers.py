"""Checkers, read back as they were registered."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection

from tmws.domain.checkers import MetricChecker
from tmws.storage import trusted
from tmws.storage.trusted import Kind


async def find(connection: AsyncConnection, name: str, workspace: str) -> MetricChecker | None:
    """Return the checker of this name, if it is for this workspace.

    Raises:
        LedgerCorrupt: what is stored is not what was registered.
    """
    kept = await trusted.find(connection, Kind.CHECKER, name)
    if kept is None or kept.workspace != workspace:
        return None
    module = await trusted.document(connection, kept)
    return MetricChecker(name, workspace, kept.digest, module)
