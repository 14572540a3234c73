"""Who lets which unchecked claim count, for how much, and how long it takes room."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from tmws.domain.trust.reliance import TERM, Stake
from tmws.domain.verifications import Claim, check_text
from tmws.storage.columns import moment
from tmws.storage.prepared import Execute, Prepared, plain
from tmws.storage.tables import claims, links, reliances
from tmws.storage.withdrawals import decided

_PLAIN = plain(reliances)
_AGAIN = claims.alias("again")


def _same(one: sa.FromClause, other: sa.FromClause) -> sa.ColumnElement[bool]:
    """Return the condition that one agent claimed the same check of the same snapshot."""
    names = ("agent_id", "snapshot_digest", "check")
    return sa.and_(*(one.c[name] == other.c[name] for name in names))


_STAKED = (
    claims.c.agent_id == sa.bindparam("agent", type_=sa.String),
    claims.c.snapshot_digest == sa.bindparam("snapshot", type_=sa.String),
    claims.c.check == sa.bindparam("checked", type_=sa.String),
    _PLAIN.c.stake > 0.0,
    ~sa.exists().where(_same(_AGAIN, claims), decided(_AGAIN)),
)
_OF_CLAIMS = sa.join(claims, _PLAIN, _PLAIN.c.claim_id == claims.c.id)
_STAKES = Prepared(sa.select(_PLAIN.c.stake).select_from(_OF_CLAIMS).where(*_STAKED))
_SINCE = Prepared(
    sa.select(sa.func.min(_PLAIN.c.since)).select_from(_OF_CLAIMS).where(*_STAKED),
)


async def put(connection: AsyncConnection, stake: Stake) -> None:
    """Store a stake, in place of an earlier one of the same on the same claim."""
    key = (reliances.c.claim_id == stake.claim_id, reliances.c.by == stake.by)
    await connection.execute(reliances.delete().where(*key))
    await connection.execute(
        reliances.insert().values(
            claim_id=stake.claim_id,
            by=stake.by,
            stake=stake.amount,
            draw=stake.draw,
            since=stake.since,
        )
    )


async def of_claim(connection: AsyncConnection, claim_id: str) -> list[Stake]:
    """Return what is known of all who asked about this very claim, however often it was sent."""
    return await _select(connection, reliances.c.claim_id.in_(_same_as([claim_id])))


async def standing(connection: AsyncConnection, owner: str, *, at: datetime) -> list[Stake]:
    """Return what takes room in an agent's budget at this moment.

    Nothing that its own other names asked for: who was linked to it later relied on itself.
    """
    linked = sa.select(links.c.agent_id).where(links.c.owner_id == owner)
    own = sa.or_(claims.c.agent_id == owner, claims.c.agent_id.in_(linked))
    again = claims.alias()
    checked = sa.exists().where(_same(again, claims), decided(again))
    return await _select(
        connection,
        reliances.c.claim_id.in_(sa.select(claims.c.id).where(own, ~checked)),
        reliances.c.by != owner,
        reliances.c.by.not_in(linked),
        reliances.c.stake > 0.0,
        reliances.c.since > at - TERM,
    )


async def amounts(connection: AsyncConnection, stakes: Sequence[Stake]) -> dict[str, float]:
    """Return how much stands on a claim, by every id under which that very claim was sent."""
    one, other = claims.alias(), claims.alias()
    ids = {each.claim_id for each in stakes}
    rows = await connection.execute(
        sa.select(one.c.id, other.c.id.label("sent_as"))
        .join_from(one, other, _same(one, other))
        .where(one.c.id.in_(ids))
    )
    found: dict[str, float] = {}
    for row in rows:
        of_it = math.fsum(each.amount for each in stakes if each.claim_id == row.id)
        found[row.sent_as] = found.get(row.sent_as, 0.0) + of_it
    return found


def stakes(run: Execute, claim: Claim) -> list[float]:
    """Return what others let this very claim count for, unless a verdict stands.

    Also what takes no room any more: waiting for that washes nothing off.
    """
    return [float(row[0]) for row in run(_STAKES, _named(claim))]


def since(run: Execute, claim: Claim) -> datetime | None:
    """Return when the first of those stakes was granted, None where that was not kept."""
    [[first]] = run(_SINCE, _named(claim))
    return None if first is None else moment(first)


def _named(claim: Claim) -> dict[str, str]:
    return {
        "agent": claim.agent_id,
        "snapshot": claim.snapshot_digest,
        "checked": check_text(claim.check),
    }


async def _select(connection: AsyncConnection, *conditions: sa.ColumnElement[bool]) -> list[Stake]:
    rows = await connection.execute(
        sa.select(reliances).where(*conditions).order_by(reliances.c.claim_id, reliances.c.by)
    )
    return [Stake(r.claim_id, r.by, r.stake, r.draw, r.since) for r in rows]


def _same_as(claim_ids: Collection[str]) -> sa.Select[tuple[str]]:
    """Return the ids under which the same agent sent these checks of these snapshots."""
    one, other = claims.alias(), claims.alias()
    return (
        sa.select(other.c.id)
        .join_from(one, other, _same(one, other))
        .where(one.c.id.in_(claim_ids))
    )
