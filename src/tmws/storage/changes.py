"""What happened to vectors after a revision: what an index has to hear of."""

from __future__ import annotations

from dataclasses import dataclass
from operator import attrgetter

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
    changed = await _changed(connection, kind, namespace, embedder, revision)
    found = sa.select(
        documents.c.item_id,
        documents.c.owner_id,
        documents.c.level,
        vectors.c.revision,
        vectors.c.vector,
    ).join_from(vectors, documents, documents.c.id == vectors.c.document_id)
    edge = await connection.scalar(
        sa.select(vectors.c.revision)
        .join_from(vectors, documents, documents.c.id == vectors.c.document_id)
        .where(*changed)
        .order_by(vectors.c.revision)
        .offset(limit)
        .limit(1)
    )
    if edge is None:
        return _stored(await connection.execute(found.where(*changed)))
    whole = _stored(await connection.execute(found.where(*changed, vectors.c.revision < edge)))
    if whole:
        return whole
    return _stored(await connection.execute(found.where(*changed, vectors.c.revision == edge)))


async def count_since(
    connection: AsyncConnection, kind: Kind, namespace: str, embedder: str, revision: int
) -> int:
    """Return how many vectors were written or taken away after a revision."""
    changed = await _changed(connection, kind, namespace, embedder, revision)
    found = await connection.scalar(
        sa.select(sa.func.count())
        .select_from(vectors.join(documents, documents.c.id == vectors.c.document_id))
        .where(*changed)
    )
    return found or 0


async def _changed(
    connection: AsyncConnection, kind: Kind, namespace: str, embedder: str, revision: int
) -> list[sa.ColumnElement[bool]]:
    """Return the conditions for what changed, worded for the index that passes over less.

    By revision it passes over what other namespaces wrote after the same number, by
    namespace over what has not changed in this one. A sum is no column of an index.
    """
    rows = await connection.execute(sa.select(namespaces.c.name, namespaces.c.revision))
    written = {row.name: row.revision for row in rows}
    own = written.pop(namespace, 0)
    of_embedder: sa.ColumnElement[str] = vectors.c.embedder
    at: sa.ColumnElement[int] = vectors.c.revision
    if own < sum(max(0, other - revision) for other in written.values()):
        of_embedder, at = of_embedder + "", at + 0
    return [
        of_embedder == embedder,
        at > revision,
        documents.c.namespace == namespace,
        documents.c.kind == kind.value,
    ]


def _stored(found: sa.CursorResult[str, str, str, int, bytes]) -> list[StoredVector]:
    rows = [
        StoredVector(item_id, owner_id, level, revision, vector or None)
        for item_id, owner_id, level, revision, vector in found.all()
    ]
    # Here, because a database would carry every vector through its sort.
    return sorted(rows, key=attrgetter("revision"))
