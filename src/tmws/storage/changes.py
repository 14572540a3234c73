"""What happened to vectors after a revision: what an index has to hear of."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from tmws.storage.documents import Kind
from tmws.storage.tables import documents, namespaces, vectors


@dataclass(frozen=True, slots=True)
class StoredVector:
    """A vector with what is needed to decide who may find it."""

    item_id: str
    owner_id: str
    level: str
    revision: int
    vector: bytes | None


async def revision_of(connection: AsyncConnection, namespace: str) -> int:
    """Return how often the namespace was written to, whatever was written."""
    stored = await connection.scalar(
        sa.select(namespaces.c.revision).where(namespaces.c.name == namespace)
    )
    return stored or 0


async def vectors_since(
    connection: AsyncConnection,
    *,
    kind: Kind,
    namespace: str,
    embedder: str,
    revision: int,
    limit: int,
) -> list[StoredVector]:
    """Return the vectors written or taken away after a revision, oldest first.

    At most `limit`, but what was done in one revision is never parted, even if it is more.
    """
    found = (
        sa.select(
            documents.c.item_id,
            documents.c.owner_id,
            documents.c.level,
            vectors.c.revision,
            vectors.c.vector,
        )
        .join_from(vectors, documents, documents.c.id == vectors.c.document_id)
        .where(
            vectors.c.embedder == embedder,
            vectors.c.revision > revision,
            documents.c.namespace == namespace,
            documents.c.kind == kind.value,
        )
        .order_by(vectors.c.revision)
    )
    rows = [_stored(row) for row in await connection.execute(found.limit(limit + 1))]
    if len(rows) <= limit:
        return rows
    last = rows[limit].revision
    whole = [row for row in rows if row.revision < last]
    if whole:
        return whole
    same = found.where(vectors.c.revision == last)
    return [_stored(row) for row in await connection.execute(same)]


async def count_since(
    connection: AsyncConnection, kind: Kind, namespace: str, embedder: str, revision: int
) -> int:
    """Return how many vectors were written or taken away after a revision."""
    found = await connection.scalar(
        sa.select(sa.func.count())
        .select_from(vectors.join(documents, documents.c.id == vectors.c.document_id))
        .where(
            vectors.c.embedder == embedder,
            vectors.c.revision > revision,
            documents.c.namespace == namespace,
            documents.c.kind == kind.value,
        )
    )
    return found or 0


def _stored(row: sa.Row[str, str, str, int, bytes]) -> StoredVector:
    return StoredVector(*row[:4], row.vector or None)
