"""Held checks, read back as they were registered."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection

from tmws.domain.canonical import sha256_hex
from tmws.domain.errors import LedgerCorrupt
from tmws.domain.held import Held, opened
from tmws.storage import artifacts, trusted
from tmws.storage.trusted import Kind


async def find(connection: AsyncConnection, name: str, workspace: str) -> Held | None:
    """Return the held check of this name, if it is about this workspace.

    Raises:
        LedgerCorrupt: what is stored is not what was registered.
    """
    kept = await trusted.find(connection, Kind.HELD, name)
    if kept is None or kept.workspace != workspace:
        return None
    stored = await artifacts.get(connection, kept.digest) or b""
    if sha256_hex(stored) != kept.digest:
        raise LedgerCorrupt(
            f"What is stored of the held check {name!r} is not what was registered. Register it "
            f"anew: tmws held remove {name}, then tmws held add."
        )
    return opened(name, workspace, kept.digest, stored)
