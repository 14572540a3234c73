"""What a model has not read yet, whatever kind of thing it is."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from tmws.storage import documents, memories, patterns, uses
from tmws.storage.documents import Kind
from tmws.storage.tables import documents as documents_table
from tmws.storage.tables import namespaces, vectors

Text = tuple[str, str]
"""Id and text."""

_TEXTS = {Kind.PATTERN: patterns.searchable_texts, Kind.MEMORY: memories.searchable_texts}


async def unread(connection: AsyncConnection, *, embedder: str, limit: int) -> list[Text]:
    """Return some texts that a model has not read: of patterns and memories first, then of uses."""
    for kind, texts_of in _TEXTS.items():
        ids = await documents.lacking(connection, kind=kind, embedder=embedder, limit=limit)
        if ids:
            return await texts_of(connection, ids)
    return await uses.lacking(connection, embedder=embedder, limit=limit)


async def keep(
    connection: AsyncConnection, read: Sequence[tuple[Text, bytes]], *, embedder: str
) -> int:
    """Store what a model made of texts that are still the same and still unread."""
    kept = 0
    wanted = dict(read)
    while wanted:
        open_ones = await unread(connection, embedder=embedder, limit=len(read))
        fresh = [text for text in open_ones if text in wanted]
        if not fresh:
            return kept
        for item_id, text in fresh:
            vector = wanted.pop((item_id, text))
            if item_id.startswith("use_"):
                await uses.add_vector(connection, item_id, embedder=embedder, vector=vector)
            else:
                await documents.add_vector(connection, item_id, embedder=embedder, vector=vector)
            kept += 1
    return kept


async def writes(connection: AsyncConnection) -> int:
    """Return how often anything was written that can be found."""
    total = await connection.scalar(sa.select(sa.func.sum(namespaces.c.revision)))
    return int(total or 0)


async def counts(connection: AsyncConnection) -> dict[tuple[str, str], int]:
    """Return how many texts there are to read, by kind and namespace."""
    table = documents_table
    rows = await connection.execute(
        sa.select(table.c.kind, table.c.namespace, sa.func.count())
        .where(~table.c.removed)
        .group_by(table.c.kind, table.c.namespace)
    )
    return {(row[0], row[1]): row[2] for row in rows}


async def blocks(connection: AsyncConnection) -> dict[tuple[str, str, str], int]:
    """Return how many vectors there are, by kind, namespace and embedder."""
    table = documents_table
    live = sa.func.sum(sa.case((sa.func.length(vectors.c.vector) > 0, 1), else_=0))
    rows = await connection.execute(
        sa.select(table.c.kind, table.c.namespace, vectors.c.embedder, live)
        .join_from(vectors, table, table.c.id == vectors.c.document_id)
        .group_by(table.c.kind, table.c.namespace, vectors.c.embedder)
    )
    return {(row[0], row[1], row[2]): int(row[3]) for row in rows}
