"""What agents had stated of claims before their verdicts."""

from __future__ import annotations

from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from tmws.storage.tables import claims, evidence


class _Said(NamedTuple):
    """What was stated with one verdict, and of which check of which snapshot."""

    claim_id: str
    ledger_index: int
    confidence: float
    snapshot_digest: str
    check: str


async def by_peers(connection: AsyncConnection, owner: str) -> list[tuple[str, float]]:
    """Return what others had stated before of the same check of the same snapshot, by the claim.

    Only where their verdict counts: a check that could not decide, or was withdrawn, says
    nothing about anybody, and stating something costs nothing there. What is stated of other
    snapshots, e.g. once somebody mended what was wrong, is about something else, and what is
    stated later, when the verdict is known, tells nothing. What others relied on is held against
    the model alone: a friend whose name is worth nothing could state the same first.
    """
    own = await _stated(connection, evidence.c.owner_id == owner, ~evidence.c.relied_on)
    peers = await _stated(
        connection,
        evidence.c.owner_id != owner,
        evidence.c.step.is_not(None),
        claims.c.snapshot_digest.in_(_snapshots_of(owner)),
    )
    # Put together here: many checks of one snapshot would cost a database their square.
    said: dict[tuple[str, str], list[_Said]] = {}
    for each in peers:
        said.setdefault((each.snapshot_digest, each.check), []).append(each)
    return [
        (mine.claim_id, theirs.confidence)
        for mine in own
        for theirs in said.get((mine.snapshot_digest, mine.check), ())
        if theirs.ledger_index < mine.ledger_index
    ]


def _snapshots_of(owner: str) -> sa.Select[tuple[str]]:
    """Return those that the agent made claims of, so that no others are read."""
    return (
        sa.select(claims.c.snapshot_digest)
        .join_from(claims, evidence, evidence.c.id == claims.c.id)
        .where(evidence.c.owner_id == owner)
    )


async def _stated(connection: AsyncConnection, *conditions: sa.ColumnElement[bool]) -> list[_Said]:
    """Return what was stated with these verdicts, and of what, in the order of the ledger."""
    found = await connection.execute(
        sa.select(
            evidence.c.id,
            evidence.c.ledger_index,
            evidence.c.confidence,
            claims.c.snapshot_digest,
            claims.c.check,
        )
        .join_from(evidence, claims, claims.c.id == evidence.c.id)
        .where(evidence.c.confidence.is_not(None), *conditions)
        .order_by(evidence.c.ledger_index)
    )
    return [_Said(*row) for row in found]
