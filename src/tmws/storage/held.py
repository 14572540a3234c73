"""Held checks, read back as they were registered."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection

from tmws.domain.held import Held, opened
from tmws.storage import trusted
from tmws.storage.trusted import Kind


async def find(connection: AsyncConnection, name: str, workspace: str) -> Held | None:
    """Return the held check of this name, if it is about this workspace.

    Raises:
        LedgerCorrupt: what is stored is not what was registered.
    """
    kept = await trusted.find(connection, Kind.HELD, name)
    if kept is None or kept.workspace != workspace:
        return None
    return opened(name, workspace, kept.digest, await trusted.document(connection, kept))
