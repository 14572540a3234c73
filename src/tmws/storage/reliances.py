"""Who lets which unchecked claim count, for how much, until it is checked."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from tmws.domain.verifications import Claim, check_text
from tmws.storage.columns import microseconds
from tmws.storage.prepared import Execute, Prepared, plain
from tmws.storage.tables import claims, links, reliances

_PLAIN = plain(reliances)
_SAME = sa.select(claims.c.id).where(
    claims.c.agent_id == sa.bindparam("agent", type_=sa.String),
    claims.c.snapshot_digest == sa.bindparam("snapshot", type_=sa.String),
    claims.c.check == sa.bindparam("checked", type_=sa.String),
)
_STAKES = Prepared(
    sa.select(_PLAIN.c.stake).where(
        _PLAIN.c.claim_id.in_(_SAME), _PLAIN.c.granted == 1, _PLAIN.c.settled_at.is_(None)
    )
)
_SETTLE = Prepared(
    _PLAIN.update()
    .where(_PLAIN.c.claim_id.in_(_SAME), _PLAIN.c.settled_at.is_(None))
    .values(settled_at=sa.bindparam("settled", type_=sa.BigInteger))
)


@dataclass(frozen=True, slots=True)
class Reliance:
    """One answer to whether a claim may count unchecked.

    Attributes:
        by: an agent's id, or the administrator's name.
    """

    claim_id: str
    by: str
    stake: float
    least: float
    draw: float
    granted: bool
    at: datetime


async def put(connection: AsyncConnection, reliance: Reliance) -> None:
    """Store an answer, in place of an earlier one to the same about this very claim."""
    await connection.execute(
        reliances.delete().where(
            reliances.c.claim_id.in_(_same_as([reliance.claim_id])), reliances.c.by == reliance.by
        )
    )
    await connection.execute(
        reliances.insert().values(
            claim_id=reliance.claim_id,
            by=reliance.by,
            stake=reliance.stake,
            least=reliance.least,
            draw=reliance.draw,
            granted=int(reliance.granted),
            at=reliance.at,
        )
    )


async def of_claim(connection: AsyncConnection, claim_id: str) -> list[Reliance]:
    """Return every answer about this very claim, however often it was sent, the first first."""
    rows = await connection.execute(
        sa.select(reliances)
        .where(reliances.c.claim_id.in_(_same_as([claim_id])))
        .order_by(reliances.c.at, reliances.c.claim_id, reliances.c.by)
    )
    return [
        Reliance(r.claim_id, r.by, r.stake, r.least, r.draw, bool(r.granted), r.at) for r in rows
    ]


async def carried(connection: AsyncConnection, owner: str) -> float:
    """Return the stake that others let an agent's unchecked claims count for."""
    found = await _granted(connection, owner)
    return sum(stake for _, stake in found)


async def relied_on(connection: AsyncConnection, owner: str) -> frozenset[str]:
    """Return which of an agent's unchecked claims others let count, by each id they were sent."""
    granted = {claim_id for claim_id, _ in await _granted(connection, owner)}
    return frozenset(await connection.scalars(_same_as(granted)))


async def _granted(connection: AsyncConnection, owner: str) -> list[tuple[str, float]]:
    linked = sa.select(links.c.agent_id).where(links.c.owner_id == owner)
    rows = await connection.execute(
        sa.select(reliances.c.claim_id, reliances.c.stake)
        .join(claims, claims.c.id == reliances.c.claim_id)
        .where(
            sa.or_(claims.c.agent_id == owner, claims.c.agent_id.in_(linked)),
            reliances.c.granted == 1,
            reliances.c.settled_at.is_(None),
        )
        .order_by(reliances.c.claim_id, reliances.c.by)
    )
    return [(row.claim_id, row.stake) for row in rows]


def _same_as(claim_ids: Collection[str]) -> sa.Select[tuple[str]]:
    """Return the ids under which the same agent sent these checks of these snapshots."""
    one, other = claims.alias(), claims.alias()
    same = (one.c[name] == other.c[name] for name in ("agent_id", "snapshot_digest", "check"))
    return (
        sa.select(other.c.id).join_from(one, other, sa.and_(*same)).where(one.c.id.in_(claim_ids))
    )


def stakes(run: Execute, claim: Claim) -> list[float]:
    """Return what others let this very claim count for, however often it was sent."""
    return [float(row[0]) for row in run(_STAKES, _key(claim))]


def settle(run: Execute, claim: Claim, *, at: datetime) -> None:
    """End all that was asked about this claim: it was checked."""
    run(_SETTLE, {**_key(claim), "settled": microseconds(at)})


def _key(claim: Claim) -> dict[str, str]:
    return {
        "agent": claim.agent_id,
        "snapshot": claim.snapshot_digest,
        "checked": check_text(claim.check),
    }
