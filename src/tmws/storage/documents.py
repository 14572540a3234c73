"""The searchable side of patterns and memories: their words, and their vectors.

The words are terms made by `tmws.domain.text`; they are weighed in memory, by
`tmws.indexes`, so that both databases find the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from tmws.domain.agents import AccessLevel
from tmws.storage.prepared import Execute, Prepared, at_once, inserted, plain
from tmws.storage.tables import documents, namespaces, vectors

Ids = sa.Select[str]
"""A query for item ids: it never leaves the database unless it has to."""

_DOCUMENTS, _NAMESPACES = plain(documents), plain(namespaces)
_ADD = Prepared(
    _DOCUMENTS.insert()
    .values(
        {
            column.name: sa.bindparam(column.name, type_=column.type)
            for column in _DOCUMENTS.c
            if column.name != "id"
        }
    )
    .returning(_DOCUMENTS.c.id)
)
_ADD_VECTOR = inserted(vectors)
_NEXT_REVISION = Prepared(
    _NAMESPACES.update()
    .where(_NAMESPACES.c.name == sa.bindparam("of", type_=sa.String))
    .values(revision=_NAMESPACES.c.revision + 1)
    .returning(_NAMESPACES.c.revision)
)


class Kind(StrEnum):
    """What a document stands for."""

    PATTERN = "pattern"
    MEMORY = "memory"


@dataclass(frozen=True, slots=True)
class Document:
    """One searchable thing.

    Attributes:
        terms: normalised words, repeated as often as they occur.
        vectors: by embedder id, float32 of unit length in the machine's byte order;
            empty when no embedder answered.
    """

    item_id: str
    kind: Kind
    namespace: str
    owner_id: str
    level: AccessLevel
    terms: Sequence[str]
    vectors: Mapping[str, bytes]


def add(run: Execute, document: Document) -> None:
    """Make a thing findable, in the transaction that stores it."""
    revision = count_write(run, document.namespace)
    [(row_id,)] = run(
        _ADD,
        {
            "item_id": document.item_id,
            "kind": document.kind.value,
            "namespace": document.namespace,
            "owner_id": document.owner_id,
            "level": document.level.value,
            "removed": False,
            "revision": revision,
            "terms": stored_terms(document.terms),
        },
    )
    for embedder, vector in document.vectors.items():
        run(
            _ADD_VECTOR,
            {
                "document_id": row_id,
                "embedder": embedder,
                "revision": revision,
                "vector": vector,
            },
        )


async def replace(connection: AsyncConnection, document: Document) -> None:
    """Make a thing findable by what it says now, and a removed one findable again.

    What only an embedder that did not answer knows of the old text is taken away.
    """
    row_id, revision = await _at(connection, document.item_id)
    await _empty_vectors(connection, row_id, revision)
    for embedder, vector in document.vectors.items():
        await _put_vector(connection, row_id, embedder, vector, revision)
    await connection.execute(
        documents.update()
        .where(documents.c.id == row_id)
        .values(
            level=document.level.value,
            removed=False,
            revision=revision,
            terms=stored_terms(document.terms),
        )
    )


async def remove(connection: AsyncConnection, item_id: str) -> None:
    """Take words and vectors away; every index learns of it at its next look."""
    row_id, revision = await _at(connection, item_id)
    await _empty_vectors(connection, row_id, revision)
    await connection.execute(
        documents.update()
        .where(documents.c.id == row_id)
        .values(removed=True, revision=revision, terms="")
    )


async def relevel(connection: AsyncConnection, item_id: str, level: AccessLevel) -> None:
    """Change who may find a thing, in every index too."""
    row_id, revision = await _at(connection, item_id)
    await connection.execute(
        documents.update()
        .where(documents.c.id == row_id)
        .values(level=level.value, revision=revision)
    )
    await connection.execute(
        vectors.update().where(vectors.c.document_id == row_id).values(revision=revision)
    )


async def lacking(
    connection: AsyncConnection, *, kind: Kind, embedder: str, limit: int
) -> list[str]:
    """Return ids of items that this embedder has not seen yet."""
    seen = sa.exists().where(
        vectors.c.document_id == documents.c.id,
        vectors.c.embedder == embedder,
        sa.func.length(vectors.c.vector) > 0,
    )
    rows = await connection.execute(
        sa.select(documents.c.item_id)
        .where(documents.c.kind == kind.value, ~documents.c.removed, ~seen)
        .order_by(documents.c.id)
        .limit(limit)
    )
    return list(rows.scalars())


async def add_vector(
    connection: AsyncConnection, item_id: str, *, embedder: str, vector: bytes
) -> None:
    """Add what another embedder makes of an item that is stored already."""
    row_id, revision = await _at(connection, item_id)
    await _put_vector(connection, row_id, embedder, vector, revision)


async def _at(connection: AsyncConnection, item_id: str) -> tuple[int, int]:
    """Return where an item stands and the revision that the coming change gets."""
    row = (
        await connection.execute(
            sa.select(documents.c.id, documents.c.namespace).where(documents.c.item_id == item_id)
        )
    ).one()
    return row.id, await next_revision(connection, row.namespace)


def count_write(run: Execute, namespace: str) -> int:
    """Count a write to a namespace; processes whose index is behind see it."""
    return int(run(_NEXT_REVISION, {"of": namespace})[0][0])


async def next_revision(connection: AsyncConnection, namespace: str) -> int:
    """Do so between other statements of a transaction."""
    return await at_once(connection, lambda run: count_write(run, namespace))


async def _put_vector(
    connection: AsyncConnection, document_id: int, embedder: str, vector: bytes, revision: int
) -> None:
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    new = insert(vectors).values(
        document_id=document_id, embedder=embedder, revision=revision, vector=vector
    )
    await connection.execute(
        new.on_conflict_do_update(
            index_elements=["document_id", "embedder"],
            set_={"revision": revision, "vector": vector},
        )
    )


async def _empty_vectors(connection: AsyncConnection, document_id: int, revision: int) -> None:
    await connection.execute(
        vectors.update()
        .where(vectors.c.document_id == document_id)
        .values(revision=revision, vector=b"")
    )


def stored_terms(terms: Sequence[str]) -> str:
    """Return terms in the form they are stored in: ` one two two `."""
    return f" {' '.join(terms)} "


async def ids(connection: AsyncConnection, selected: Ids) -> frozenset[str]:
    """Return the selected ids."""
    rows = await connection.execute(selected)
    return frozenset(row[0] for row in rows)
