"""What indexes in memory follow: which namespaces changed, and what changed in them."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from tmws.domain.agents import AccessLevel, Agent
from tmws.domain.usage import UseOutcome
from tmws.storage.access import Whoever, named, room_of, whoever
from tmws.storage.documents import Kind
from tmws.storage.prepared import Execute, Prepared
from tmws.storage.tables import documents, namespaces, pattern_grants, use_vectors, uses


@dataclass(frozen=True, slots=True)
class StoredWords:
    """The words of a document, and who may read them; `terms` None once it is removed."""

    item_id: str
    owner_id: str
    level: str
    revision: int
    terms: str | None


@dataclass(frozen=True, slots=True)
class StoredUse:
    """A use that can be found, with what each embedder made of it; empty once forgotten."""

    use_id: str
    pattern_id: str
    agent_id: str
    outcome: UseOutcome
    proven: bool
    share: float
    at: datetime
    revision: int
    vectors: dict[str, bytes]


@dataclass(frozen=True, slots=True)
class Open:
    """What of a store is open to a caller.

    Attributes:
        revisions: of each namespace that holds something for it.
        granted: ids of the patterns that were shared with it by name.
    """

    revisions: dict[str, int]
    granted: tuple[str, ...]


def open_to(run: Execute, caller: Agent) -> Open:
    """Return where a caller may find something."""
    held = run(_held(room_of(caller)), named(caller))
    granted = run(_GRANTED, named(caller))
    return Open(dict(held), tuple(row[0] for row in granted))


def namespaces_of(caller: Whoever) -> sa.Select[str, int]:
    """Select name and revision of each namespace that holds something for the caller.

    Its own all do; of the others those with something of level `system`, something granted
    to the caller, or something that it left there: of any kind, which no index tells apart.
    """
    table = documents.c
    granted = sa.select(pattern_grants.c.pattern_id).where(pattern_grants.c.agent_id == caller.id)

    def holds(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
        return sa.exists().where(table.namespace == namespaces.c.name, condition)

    # One look at an index for each namespace: listing what somebody left takes far longer
    # where it is everything.
    return sa.select(namespaces.c.name, namespaces.c.revision).where(
        sa.or_(
            namespaces.c.name.in_(caller.namespaces),
            holds(table.level == AccessLevel.SYSTEM.value),
            holds(table.owner_id == caller.id),
            namespaces.c.name.in_(sa.select(table.namespace).where(table.item_id.in_(granted))),
        )
    )


@functools.cache
def _held(namespaces: int) -> Prepared:
    return Prepared(namespaces_of(whoever(namespaces)))


_GRANTED = Prepared(
    sa.select(pattern_grants.c.pattern_id).where(pattern_grants.c.agent_id == whoever(0).id)
)


async def words_since(
    connection: AsyncConnection, *, kind: Kind, namespace: str, revision: int, limit: int
) -> list[StoredWords]:
    """Return at least `limit` documents that changed after a revision, or all, oldest first.

    What changed in one revision is never parted.
    """
    changed = [
        documents.c.namespace == namespace,
        documents.c.kind == kind.value,
        documents.c.revision > revision,
    ]
    edge = await connection.scalar(
        sa.select(documents.c.revision)
        .where(*changed)
        .order_by(documents.c.revision)
        .offset(limit - 1)
        .limit(1)
    )
    if edge is not None:
        changed.append(documents.c.revision <= edge)
    rows = await connection.execute(
        sa.select(
            documents.c.item_id,
            documents.c.owner_id,
            documents.c.level,
            documents.c.revision,
            sa.case((documents.c.removed, None), else_=documents.c.terms),
        )
        .where(*changed)
        .order_by(documents.c.revision, documents.c.id)
    )
    return [StoredWords(*row) for row in rows.all()]


async def uses_undone(connection: AsyncConnection, namespace: str) -> int:
    """Return how often uses were taken back in a namespace."""
    undone = await connection.scalar(
        sa.select(namespaces.c.uses_undone).where(namespaces.c.name == namespace)
    )
    return undone or 0


async def uses_since(
    connection: AsyncConnection, *, namespace: str, revision: int
) -> list[StoredUse]:
    """Return the uses that became findable after a revision, oldest first."""
    rows = await connection.execute(
        sa.select(
            uses.c.id,
            uses.c.pattern_id,
            uses.c.agent_id,
            uses.c.outcome,
            uses.c.claim_id,
            uses.c.share,
            uses.c.at,
            use_vectors.c.revision,
            use_vectors.c.embedder,
            use_vectors.c.vector,
        )
        .join_from(use_vectors, uses, uses.c.id == use_vectors.c.use_id)
        .where(
            use_vectors.c.namespace == namespace,
            use_vectors.c.revision > revision,
        )
        .order_by(use_vectors.c.revision, uses.c.id)
    )
    return [_use(list(same)) for _, same in groupby(rows, lambda row: (row.revision, row.id))]


def _use(rows: Sequence[sa.Row]) -> StoredUse:  # type: ignore[type-arg]
    row = rows[0]
    return StoredUse(
        use_id=row.id,
        pattern_id=row.pattern_id,
        agent_id=row.agent_id,
        outcome=UseOutcome(row.outcome),
        proven=row.claim_id is not None,
        share=row.share,
        at=row.at,
        revision=row.revision,
        vectors={each.embedder: each.vector for each in rows},
    )
