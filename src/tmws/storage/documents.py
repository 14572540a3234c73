"""The searchable side of patterns and memories: their words, and their vectors.

The words are terms made by `tmws.domain.text`, so both dialects match the same ones;
only the table they stand in and its ranking function differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.ext.asyncio import AsyncConnection

from tmws.domain.agents import AccessLevel, Agent
from tmws.storage.access import readable_documents
from tmws.storage.tables import documents, namespaces

_WORDS_SQLITE = sa.table("words", sa.column("rowid"), sa.column("terms"))
_WORDS_POSTGRESQL = sa.table("words", sa.column("rowid"), sa.column("terms", TSVECTOR))

Ids = sa.Select[str]
"""A query for item ids: it never leaves the database unless it has to."""


class Kind(StrEnum):
    """What a document stands for."""

    PATTERN = "pattern"
    MEMORY = "memory"


@dataclass(frozen=True, slots=True)
class Document:
    """One searchable thing.

    Attributes:
        terms: normalised words, repeated as often as they occur.
        embedder, vector: who made it, and float32 of unit length in the machine's byte
            order; both None when no embedder answered.
    """

    item_id: str
    kind: Kind
    namespace: str
    owner_id: str
    level: AccessLevel
    terms: Sequence[str]
    embedder: str | None
    vector: bytes | None


@dataclass(frozen=True, slots=True)
class StoredVector:
    """A vector with what is needed to decide who may find it."""

    item_id: str
    owner_id: str
    level: str
    revision: int
    vector: bytes


async def add(connection: AsyncConnection, document: Document) -> None:
    """Make a thing findable, in the transaction that stores it."""
    revision = await connection.scalar(
        namespaces.update()
        .where(namespaces.c.name == document.namespace)
        .values(revision=namespaces.c.revision + 1)
        .returning(namespaces.c.revision)
    )
    row_id = await connection.scalar(
        documents.insert()
        .values(
            item_id=document.item_id,
            kind=document.kind.value,
            namespace=document.namespace,
            owner_id=document.owner_id,
            level=document.level.value,
            revision=revision,
            embedder=document.embedder,
            vector=document.vector,
        )
        .returning(documents.c.id)
    )
    await _index_words(connection, row_id, " ".join(document.terms))


async def _index_words(connection: AsyncConnection, row_id: int, terms: str) -> None:
    if connection.dialect.name == "sqlite":
        await connection.execute(_WORDS_SQLITE.insert().values(rowid=row_id, terms=terms))
        return
    await connection.execute(
        _WORDS_POSTGRESQL.insert().values(rowid=row_id, terms=sa.func.to_tsvector("simple", terms))
    )


async def namespaces_beside(
    connection: AsyncConnection, known: Sequence[str], *, kind: Kind
) -> list[str]:
    """Return the other namespaces that hold documents of this kind."""
    holds = sa.exists().where(
        documents.c.namespace == namespaces.c.name, documents.c.kind == kind.value
    )
    rows = await connection.execute(
        sa.select(namespaces.c.name).where(namespaces.c.name.not_in(known), holds)
    )
    return list(rows.scalars())


async def ids(connection: AsyncConnection, selected: Ids) -> frozenset[str]:
    """Return the selected ids."""
    rows = await connection.execute(selected)
    return frozenset(row[0] for row in rows)


async def vectors_since(
    connection: AsyncConnection, *, kind: Kind, namespace: str, embedder: str, revision: int
) -> list[StoredVector]:
    """Return the vectors written after a revision, oldest first."""
    rows = await connection.execute(
        sa.select(
            documents.c.item_id,
            documents.c.owner_id,
            documents.c.level,
            documents.c.revision,
            documents.c.vector,
        )
        .where(
            documents.c.namespace == namespace,
            documents.c.kind == kind.value,
            documents.c.revision > revision,
            documents.c.embedder == embedder,
        )
        .order_by(documents.c.revision)
    )
    return [StoredVector(*row) for row in rows]


async def matching(
    connection: AsyncConnection,
    caller: Agent,
    terms: Sequence[str],
    *,
    kind: Kind,
    among: Ids | None,
    limit: int,
) -> dict[str, float]:
    """Return the best readable matches of any of the terms: id to score, higher is better.

    Args:
        among: selects the only ids to look at; None for all that may be read.
        limit: at most this many.
    """
    if not terms:
        return {}
    sqlite = connection.dialect.name == "sqlite"
    found = _matching_sqlite(terms) if sqlite else _matching_postgresql(terms)
    found = found.where(documents.c.kind == kind.value, readable_documents(caller))
    if among is not None:
        found = found.where(documents.c.item_id.in_(among))
    rows = await connection.execute(
        found.order_by(sa.desc("score"), documents.c.item_id).limit(limit)
    )
    return {row.item_id: float(row.score) for row in rows}


def _matching_sqlite(terms: Sequence[str]) -> sa.Select[str, float]:
    query = " OR ".join(f'"{term}"' for term in dict.fromkeys(terms))
    # bm25() is the smaller the better (SQLite FTS5, "Auxiliary functions").
    score = -sa.literal_column("bm25(words)", sa.Float)
    return (
        sa.select(documents.c.item_id, score.label("score"))
        .join_from(_WORDS_SQLITE, documents, documents.c.id == _WORDS_SQLITE.c.rowid)
        .where(sa.text("words MATCH :query").bindparams(query=query))
    )


def _matching_postgresql(terms: Sequence[str]) -> sa.Select[str, float]:
    query = sa.func.to_tsquery("simple", " | ".join(f"'{term}'" for term in dict.fromkeys(terms)))
    matches = _WORDS_POSTGRESQL.c.terms.op("@@")(query)
    score = sa.func.ts_rank_cd(_WORDS_POSTGRESQL.c.terms, query, 1, type_=sa.Float)
    return (
        sa.select(documents.c.item_id, score.label("score"))
        .join_from(_WORDS_POSTGRESQL, documents, documents.c.id == _WORDS_POSTGRESQL.c.rowid)
        .where(matches)
    )
