"""Uses: what a pattern was applied to, how that went, and by what the use is found again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from tmws.domain.usage import UseOutcome
from tmws.storage import usage
from tmws.storage.columns import microseconds
from tmws.storage.documents import count_write, next_revision
from tmws.storage.prepared import Execute, Prepared, Value, inserted, plain
from tmws.storage.tables import (
    claims,
    namespaces,
    patterns,
    use_vectors,
    uses,
    withdrawn_proofs,
)

_PLAIN = plain(uses)
_NEWEST_VERSION = (
    sa.select(patterns.c.version)
    .where(patterns.c.id == sa.bindparam("of", type_=sa.String))
    .scalar_subquery()
)
_ADD = Prepared(
    _PLAIN.insert().values(
        {column.name: sa.bindparam(column.name, type_=column.type) for column in _PLAIN.c}
        | {"version": _NEWEST_VERSION}
    )
)
_ADD_VECTOR = inserted(use_vectors)


@dataclass(frozen=True, slots=True)
class Use:
    """One reported use.

    Attributes:
        claim_id: the checked claim that proves it, None for the agent's word alone.
        context: what it was for; its words are the reporter's and shown to nobody else.
        share: how much of the use is credited to the pattern, in (0, 1].
        vectors: of the context, by embedder id.
    """

    id: str
    pattern_id: str
    agent_id: str
    claim_id: str | None
    outcome: UseOutcome
    duration_seconds: float | None
    context: str
    at: datetime
    share: float = 1.0
    receipt_id: str | None = None
    vectors: Mapping[str, bytes] = field(default_factory=dict)


def add(run: Execute, use: Use) -> None:
    """Store a use; the sums that patterns like this one share are locked from then on."""
    run(
        _ADD,
        {
            "id": use.id,
            "pattern_id": use.pattern_id,
            "agent_id": use.agent_id,
            "claim_id": use.claim_id,
            "outcome": use.outcome.value,
            "duration_seconds": use.duration_seconds,
            "context": use.context,
            "at": microseconds(use.at),
            "share": use.share,
            "receipt_id": use.receipt_id,
            "of": use.pattern_id,
        },
    )


def make_findable(run: Execute, use: Use, *, namespace: str) -> None:
    """Let a stored use of a pattern of this namespace be found by its context."""
    if not use.vectors:
        return
    row: dict[str, Value] = {"use_id": use.id, "namespace": namespace}
    row["revision"] = count_write(run, namespace)
    for embedder, vector in use.vectors.items():
        run(_ADD_VECTOR, {**row, "embedder": embedder, "vector": vector})


async def has_proof(connection: AsyncConnection, *, pattern_id: str, claim_id: str) -> bool:
    """Say whether this claim already counts as a use of this pattern."""
    found = await connection.scalar(
        sa.select(uses.c.id).where(uses.c.pattern_id == pattern_id, uses.c.claim_id == claim_id)
    )
    return found is not None


async def unprove(connection: AsyncConnection, claim_id: str) -> list[str]:
    """Leave uses to their reporters' word that a withdrawn verdict proved; return whose.

    Indexes begin anew, and the statistics of these patterns have to be counted again.
    """
    proven = uses.c.claim_id == claim_id
    rows = await connection.execute(
        sa.select(uses.c.pattern_id).where(proven).order_by(uses.c.pattern_id)
    )
    ids = list(rows.scalars())
    await usage.lock_all(connection, ids)
    for pattern_id in ids:
        await _begin_anew(connection, pattern_id)
    await connection.execute(
        withdrawn_proofs.insert().from_select(
            ["use_id", "claim_id"], sa.select(uses.c.id, uses.c.claim_id).where(proven)
        )
    )
    await connection.execute(uses.update().where(proven).values(claim_id=None))
    return ids


async def prove_again(connection: AsyncConnection, claim_id: str) -> list[str]:
    """Let a verdict that counts again prove the uses that it proved; return whose.

    Those that were taken back meanwhile stay so.
    """
    lost = withdrawn_proofs.c.claim_id == claim_id
    of_it = sa.select(withdrawn_proofs.c.use_id).where(lost)
    rows = await connection.execute(
        sa.select(uses.c.pattern_id).where(uses.c.id.in_(of_it)).order_by(uses.c.pattern_id)
    )
    ids = list(rows.scalars())
    await usage.lock_all(connection, ids)
    for pattern_id in ids:
        await _begin_anew(connection, pattern_id)
    await connection.execute(uses.update().where(uses.c.id.in_(of_it)).values(claim_id=claim_id))
    await connection.execute(withdrawn_proofs.delete().where(lost))
    return ids


async def proving(connection: AsyncConnection) -> set[str]:
    """Return the ids of all claims that prove a use."""
    ids = await connection.scalars(
        sa.select(uses.c.claim_id).where(uses.c.claim_id.is_not(None)).distinct()
    )
    return {str(claim_id) for claim_id in ids}


async def waiting(connection: AsyncConnection) -> set[str]:
    """Return the ids of all claims that will prove a use again should they count again."""
    return set(await connection.scalars(sa.select(withdrawn_proofs.c.claim_id).distinct()))


async def of_receipt(connection: AsyncConnection, receipt_id: str) -> set[str]:
    """Return the ids of the patterns that a receipt was counted for already."""
    rows = await connection.execute(
        sa.select(uses.c.pattern_id).where(uses.c.receipt_id == receipt_id)
    )
    return set(rows.scalars())


async def forget(connection: AsyncConnection, pattern_id: str) -> None:
    """Erase what the uses of a pattern were for; that they happened stays counted.

    Empty vectors tell every index that there was one.
    """
    mine = sa.select(uses.c.id).where(uses.c.pattern_id == pattern_id)
    namespace = await connection.scalar(
        sa.select(patterns.c.namespace).where(patterns.c.id == pattern_id)
    )
    assert namespace is not None
    revision = await next_revision(connection, namespace)
    await connection.execute(
        use_vectors.update()
        .where(use_vectors.c.use_id.in_(mine))
        .values(vector=b"", revision=revision)
    )
    await connection.execute(
        uses.update().where(uses.c.pattern_id == pattern_id).values(context="")
    )


async def lacking(
    connection: AsyncConnection, *, embedder: str, limit: int
) -> list[tuple[str, str]]:
    """Return uses that this embedder has not seen, with what they were for."""
    text = sa.func.coalesce(sa.func.nullif(uses.c.context, ""), claims.c.statement)
    vector = use_vectors.c.vector
    of_use = use_vectors.c.use_id == uses.c.id
    seen = sa.exists().where(of_use, use_vectors.c.embedder == embedder)
    forgotten = sa.exists().where(of_use, sa.func.length(vector) == 0)
    rows = await connection.execute(
        sa.select(uses.c.id, text)
        .select_from(uses.outerjoin(claims, claims.c.id == uses.c.claim_id))
        .where(text.is_not(None), ~seen, ~forgotten)
        .order_by(uses.c.id)
        .limit(limit)
    )
    return [(row[0], row[1]) for row in rows]


async def add_vector(
    connection: AsyncConnection, use_id: str, *, embedder: str, vector: bytes
) -> None:
    """Add what another embedder makes of what a use was for."""
    namespace = await connection.scalar(
        sa.select(patterns.c.namespace)
        .join_from(uses, patterns, patterns.c.id == uses.c.pattern_id)
        .where(uses.c.id == use_id)
    )
    assert namespace is not None
    await connection.execute(
        use_vectors.insert().values(
            use_id=use_id,
            embedder=embedder,
            namespace=namespace,
            revision=await next_revision(connection, namespace),
            vector=vector,
        )
    )


async def said_since(
    connection: AsyncConnection, agent_id: str, since: datetime
) -> dict[str, list[str]]:
    """Return what an agent reported on its word alone from a time on: use ids by pattern."""
    rows = await connection.execute(
        sa.select(uses.c.pattern_id, uses.c.id)
        .where(uses.c.agent_id == agent_id, uses.c.at >= since, uses.c.claim_id.is_(None))
        .order_by(uses.c.pattern_id, uses.c.id)
    )
    found: dict[str, list[str]] = {}
    for pattern_id, use_id in rows:
        found.setdefault(pattern_id, []).append(use_id)
    return found


async def take_back(connection: AsyncConnection, pattern_id: str, use_ids: Sequence[str]) -> None:
    """Delete uses of a pattern: indexes begin anew, the statistics have to be counted again."""
    await _begin_anew(connection, pattern_id)
    for table, column in ((use_vectors, use_vectors.c.use_id), (uses, uses.c.id)):
        await connection.execute(table.delete().where(column.in_(use_ids)))


async def of_pattern(connection: AsyncConnection, pattern_id: str) -> list[Use]:
    """Return the uses of a pattern in the order in which they were counted."""
    rows = await connection.execute(
        sa.select(uses).where(uses.c.pattern_id == pattern_id).order_by(uses.c.at, uses.c.id)
    )
    return [
        Use(
            id=row.id,
            pattern_id=row.pattern_id,
            agent_id=row.agent_id,
            claim_id=row.claim_id,
            outcome=UseOutcome(row.outcome),
            duration_seconds=row.duration_seconds,
            context=row.context,
            at=row.at,
            share=row.share,
            receipt_id=row.receipt_id,
        )
        for row in rows
    ]


async def _begin_anew(connection: AsyncConnection, pattern_id: str) -> None:
    """Have every index read the uses of a pattern's namespace again, from the first on."""
    namespace = await connection.scalar(
        sa.select(patterns.c.namespace).where(patterns.c.id == pattern_id)
    )
    assert namespace is not None
    await next_revision(connection, namespace)
    await connection.execute(
        namespaces.update()
        .where(namespaces.c.name == namespace)
        .values(uses_undone=namespaces.c.uses_undone + 1)
    )
