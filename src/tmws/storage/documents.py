"""The searchable side of patterns and memories: their words, and their vectors.

The words are terms made by `tmws.domain.text`, so both dialects match the same ones;
only the table they stand in and its ranking function differ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import log1p

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from tmws.domain.agents import AccessLevel, Agent
from tmws.storage.access import readable_documents
from tmws.storage.tables import documents, namespaces, vectors

_WORDS_SQLITE = sa.table("words", sa.column("rowid"), sa.column("terms"))
_WORDS_POSTGRESQL = sa.table("words", sa.column("rowid"), sa.column("terms", postgresql.TSVECTOR))

MOST_TERMS = 60
"""Of a longer query the first different terms are looked for: as many as an integer has bits."""

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


async def add(connection: AsyncConnection, document: Document) -> None:
    """Make a thing findable, in the transaction that stores it."""
    revision = await next_revision(connection, document.namespace)
    row_id = await connection.scalar(
        documents.insert()
        .values(
            item_id=document.item_id,
            kind=document.kind.value,
            namespace=document.namespace,
            owner_id=document.owner_id,
            level=document.level.value,
        )
        .returning(documents.c.id)
    )
    await _index_words(connection, row_id, " ".join(document.terms))
    for embedder, vector in document.vectors.items():
        await _put_vector(connection, row_id, embedder, vector, revision)


async def replace(connection: AsyncConnection, document: Document) -> None:
    """Make a thing findable by what it says now, and a removed one findable again.

    What only an embedder that did not answer knows of the old text is taken away.
    """
    row_id, revision = await _at(connection, document.item_id)
    await _drop_words(connection, row_id)
    await _index_words(connection, row_id, " ".join(document.terms))
    await _empty_vectors(connection, row_id, revision)
    for embedder, vector in document.vectors.items():
        await _put_vector(connection, row_id, embedder, vector, revision)
    await connection.execute(
        documents.update()
        .where(documents.c.id == row_id)
        .values(level=document.level.value, removed=False)
    )


async def remove(connection: AsyncConnection, item_id: str) -> None:
    """Take words and vectors away; every index of vectors learns of it at its next look."""
    row_id, revision = await _at(connection, item_id)
    await _drop_words(connection, row_id)
    await _empty_vectors(connection, row_id, revision)
    await connection.execute(
        documents.update().where(documents.c.id == row_id).values(removed=True)
    )


async def forget(connection: AsyncConnection, item_id: str) -> None:
    """Take words and vectors away and leave no trace of them in the index of words."""
    await remove(connection, item_id)
    if connection.dialect.name == "sqlite":
        # What FTS5 deletes stays in its old segments until they are merged.
        await connection.exec_driver_sql("INSERT INTO words(words) VALUES ('optimize')")


async def relevel(connection: AsyncConnection, item_id: str, level: AccessLevel) -> None:
    """Change who may find a thing, in every index too."""
    row_id, revision = await _at(connection, item_id)
    await connection.execute(
        documents.update().where(documents.c.id == row_id).values(level=level.value)
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


async def next_revision(connection: AsyncConnection, namespace: str) -> int:
    """Count a write to a namespace; processes whose index is behind see it."""
    revision: int = (
        await connection.execute(
            namespaces.update()
            .where(namespaces.c.name == namespace)
            .values(revision=namespaces.c.revision + 1)
            .returning(namespaces.c.revision)
        )
    ).scalar_one()
    return revision


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


async def _drop_words(connection: AsyncConnection, row_id: int) -> None:
    words = _WORDS_SQLITE if connection.dialect.name == "sqlite" else _WORDS_POSTGRESQL
    await connection.execute(sa.delete(words).where(words.c.rowid == row_id))


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


async def count(connection: AsyncConnection, caller: Agent, *, kind: Kind) -> int:
    """Return how many items of a kind the caller may read."""
    found = await connection.scalar(
        sa.select(sa.func.count())
        .select_from(documents)
        .where(documents.c.kind == kind.value, readable_documents(caller))
    )
    return found or 0


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
    known = tuple(dict.fromkeys(terms))[:MOST_TERMS]
    if not known:
        return {}
    allowed = [documents.c.kind == kind.value, readable_documents(caller)]
    if among is not None:
        allowed.append(documents.c.item_id.in_(among))
    if connection.dialect.name == "sqlite":
        return await _matching_sqlite(connection, known, allowed, limit)
    rows = await connection.execute(
        _matching_postgresql(known)
        .where(*allowed)
        .order_by(sa.desc("score"), documents.c.item_id)
        .limit(limit)
    )
    return {row.item_id: float(row.score) for row in rows}


async def _matching_sqlite(
    connection: AsyncConnection,
    terms: Sequence[str],
    allowed: Sequence[sa.ColumnElement[bool]],
    limit: int,
) -> dict[str, float]:
    """Weigh each term by how rare it is among what may be read, long documents less.

    FTS5's own bm25() counts every document, so its scores told, word by word, what
    stands in documents that the caller may not read.
    """
    hits = sa.union_all(*(_holding(1 << place, term) for place, term in enumerate(terms)))
    hit = hits.subquery()
    terms_of = sa.select(hit.c.id, sa.func.sum(hit.c.bit).label("held")).group_by(hit.c.id)
    held = terms_of.subquery()
    # Documents that hold the same terms weigh the same: a few of each set are enough.
    alike = sa.select(
        held.c.held,
        documents.c.id,
        documents.c.item_id,
        sa.func.count().over(partition_by=held.c.held).label("count"),
        sa.func.row_number()
        .over(partition_by=held.c.held, order_by=documents.c.item_id)
        .label("place"),
    )
    seen = alike.join_from(held, documents, documents.c.id == held.c.id).where(*allowed).subquery()
    rows = (await connection.execute(sa.select(seen).where(seen.c.place <= limit))).mappings().all()
    weights = _weights({row["held"]: row["count"] for row in rows})
    ranked = sorted(rows, key=lambda row: (-weights[row["held"]], row["item_id"]))[:limit]
    lengths = await _lengths(connection, [row["id"] for row in ranked])
    return {row["item_id"]: weights[row["held"]] / lengths[row["id"]] for row in ranked}


def _holding(bit: int, term: str) -> sa.Select[int, int]:
    name = f"term_{bit}"
    return sa.select(sa.literal(bit).label("bit"), _WORDS_SQLITE.c.rowid.label("id")).where(
        sa.text(f"words MATCH :{name}").bindparams(**{name: f'"{term}"'})
    )


def _weights(counts: Mapping[int, int]) -> dict[int, float]:
    """Return for each set of terms the sum of its terms' rarity; sets are bits."""
    total = sum(counts.values())
    places = range(max(counts, default=0).bit_length())
    holding = [sum(n for held, n in counts.items() if held >> place & 1) for place in places]
    rarity = [log1p(total / count) if count else 0.0 for count in holding]
    return {held: sum(rarity[place] for place in places if held >> place & 1) for held in counts}


async def _lengths(connection: AsyncConnection, ids: Sequence[int]) -> dict[int, float]:
    length = sa.func.length(_WORDS_SQLITE.c.terms, type_=sa.Integer)
    rows = await connection.execute(
        sa.select(_WORDS_SQLITE.c.rowid, length).where(_WORDS_SQLITE.c.rowid.in_(ids))
    )
    return {row_id: 1 + log1p(characters) for row_id, characters in rows}


def _matching_postgresql(terms: Sequence[str]) -> sa.Select[str, float]:
    query = sa.func.to_tsquery("simple", " | ".join(f"'{term}'" for term in terms))
    matches = _WORDS_POSTGRESQL.c.terms.op("@@")(query)
    score = sa.func.ts_rank_cd(_WORDS_POSTGRESQL.c.terms, query, 1, type_=sa.Float)
    return (
        sa.select(documents.c.item_id, score.label("score"))
        .join_from(_WORDS_POSTGRESQL, documents, documents.c.id == _WORDS_POSTGRESQL.c.rowid)
        .where(matches)
    )
