"""Trusted refs with their files, read back as they were registered."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection

from tmws.domain.trusted_refs import TrustedRef, digests_in, read_document
from tmws.storage import trusted
from tmws.storage.trusted import Kind


async def newest(connection: AsyncConnection, workspace: str) -> TrustedRef | None:
    """Return the ref of a workspace that was registered last.

    Raises:
        LedgerCorrupt: what is stored is not what was registered.
    """
    kept = await trusted.newest(connection, Kind.REF, workspace)
    if kept is None:
        return None
    document = await trusted.document(connection, kept)
    contents = await trusted.contents(connection, digests_in(document))
    for digest in digests_in(document):
        trusted.require_registered(kept, contents.get(digest, b""), digest)
    paths, files, silenced = read_document(document, contents)
    return TrustedRef(kept.name, kept.workspace, kept.source, kept.digest, paths, files, silenced)
