"""Trusted refs with their files, read back as they were registered."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection

from tmws.domain.canonical import sha256_hex
from tmws.domain.errors import LedgerCorrupt
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
    document = (await trusted.contents(connection, [kept.digest])).get(kept.digest, b"")
    _require(kept.name, document, kept.digest)
    contents = await trusted.contents(connection, digests_in(document))
    for digest in digests_in(document):
        _require(kept.name, contents.get(digest, b""), digest)
    paths, files, silenced = read_document(document, contents)
    return TrustedRef(kept.name, kept.workspace, kept.source, kept.digest, paths, files, silenced)


def _require(name: str, content: bytes, digest: str) -> None:
    if sha256_hex(content) != digest:
        raise LedgerCorrupt(
            f"What is stored of the trusted ref {name!r} is not what was registered ({digest}). "
            f"Register it anew: tmws refs remove {name}, then tmws refs add."
        )
