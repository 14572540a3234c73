"""Vectors of models that serve no more."""

from __future__ import annotations

from collections.abc import Collection

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from tmws.storage.documents import next_revision
from tmws.storage.tables import documents, use_vectors, vectors


async def embedders(connection: AsyncConnection, *, besides: Collection[str]) -> list[str]:
    """Return the models that left vectors, or places of such, without these."""
    found: set[str] = set()
    for table in (vectors, use_vectors):
        found |= set(await connection.scalars(sa.select(table.c.embedder).distinct()))
    return sorted(found.difference(besides))


async def empty(connection: AsyncConnection, embedder: str, *, limit: int) -> int:
    """Take some vectors of a model away; return how many that were, 0 when none is left.

    Those of texts are emptied, as on removal, so that every index hears of it. Those of uses
    are deleted: an empty one would say that the use was forgotten.
    """
    chosen = await connection.execute(
        sa.select(vectors.c.document_id, documents.c.namespace)
        .join_from(vectors, documents, documents.c.id == vectors.c.document_id)
        .where(vectors.c.embedder == embedder, sa.func.length(vectors.c.vector) > 0)
        .order_by(vectors.c.revision)  # what is emptied goes to the end of this
        .limit(limit)
    )
    places: dict[str, list[int]] = {}
    for document_id, namespace in chosen:
        places.setdefault(namespace, []).append(document_id)
    # One namespace in a transaction: whoever locks several may wait for another who does.
    for namespace, ids in places.items():
        await connection.execute(
            vectors.update()
            .where(vectors.c.embedder == embedder, vectors.c.document_id.in_(ids))
            .values(vector=b"", revision=await next_revision(connection, namespace))
        )
        return len(ids)
    return await _delete(connection, embedder, limit)


async def _delete(connection: AsyncConnection, embedder: str, limit: int) -> int:
    live = sa.and_(use_vectors.c.embedder == embedder, sa.func.length(use_vectors.c.vector) > 0)
    chosen = list(
        await connection.scalars(sa.select(use_vectors.c.use_id).where(live).limit(limit))
    )
    await connection.execute(use_vectors.delete().where(live, use_vectors.c.use_id.in_(chosen)))
    return len(chosen)
