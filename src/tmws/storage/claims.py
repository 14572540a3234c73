"""Claims: opened under a lease, closed once, by whoever holds it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from tmws.domain.agents import Agent
from tmws.domain.canonical import canonical_bytes
from tmws.domain.claims import Judgement, Level, Verdict
from tmws.domain.verifications import (
    LEASE,
    Claim,
    ClaimState,
    Run,
    check_from_json,
    check_text,
    judgement_from_json,
    judgement_to_json,
)
from tmws.storage.columns import microseconds
from tmws.storage.prepared import Execute, Prepared, Value, plain
from tmws.storage.tables import agents, claims, workspaces
from tmws.storage.withdrawals import decided, withdrawn

_PLAIN = plain(claims)
_OURS = (
    _PLAIN.c.id == sa.bindparam("of", type_=sa.String),
    _PLAIN.c.state == ClaimState.OPEN.value,
    _PLAIN.c.attempt == sa.bindparam("held", type_=sa.Integer),
)
_HELD = Prepared(sa.select(_PLAIN.c.id).where(*_OURS).with_for_update())
_CLOSE = Prepared(
    _PLAIN.update()
    .where(*_OURS)
    .values(
        {
            name: sa.bindparam(name, type_=_PLAIN.c[name].type)
            for name in """state verdict judgement run evidence_digest ledger_index closed_at
                lease_until""".split()
        }
    )
    .returning(_PLAIN.c.id)
)


@dataclass(frozen=True, slots=True)
class StoredVerdict:
    """A closed claim in the words of its row, to be believed only after they were checked."""

    claim_id: str
    agent_id: str
    agent: str
    statement: str
    workspace: str
    check: str
    snapshot_digest: str
    judgement: str | None
    verdict: str | None
    evidence_digest: str | None
    ledger_index: int | None


async def add(connection: AsyncConnection, claim: Claim) -> None:
    """Store a claim that is about to be checked."""
    await connection.execute(
        claims.insert().values(
            id=claim.id,
            agent_id=claim.agent_id,
            namespace=claim.namespace,
            statement=claim.statement,
            workspace=claim.workspace,
            check=check_text(claim.check),
            applied=json.dumps(claim.applied),
            confidence=claim.confidence,
            effort_minutes=claim.effort_minutes,
            state=claim.state.value,
            attempt=claim.attempt,
            lease_until=claim.lease_until,
            created_at=claim.created_at,
            snapshot_digest=claim.snapshot_digest,
            level=claim.level.value,
            basis=claim.basis,
        )
    )


def close(run: Execute, closed: Claim) -> bool:
    """Write what a verdict added, if the claim's lease is still ours; say whether it was."""
    assert closed.judgement is not None and closed.run is not None  # noqa: PT018
    assert closed.closed_at is not None
    added: dict[str, Value] = {
        "verdict": closed.judgement.verdict.value,
        "judgement": canonical_bytes(judgement_to_json(closed.judgement)).decode(),
        "run": canonical_bytes(dataclasses.asdict(closed.run)).decode(),
        "evidence_digest": closed.evidence_digest,
        "ledger_index": closed.ledger_index,
        "closed_at": microseconds(closed.closed_at),
        "state": ClaimState.CLOSED.value,
        "lease_until": None,
    }
    return bool(run(_CLOSE, {**added, **_lease(closed)}))


async def abandon(connection: AsyncConnection, claim: Claim, *, at: datetime) -> bool:
    """Give the claim up without a verdict, if its lease is still ours."""
    result = await connection.execute(
        claims.update()
        .where(*_leased(claim))
        .values(state=ClaimState.ABANDONED.value, closed_at=at, lease_until=None)
    )
    return bool(result.rowcount)


async def abandon_all(connection: AsyncConnection, agent_id: str, *, at: datetime) -> list[str]:
    """Give up whatever of the agent's is open, whoever is at work on it; return the ids."""
    return await _abandoned(connection, claims.c.agent_id == agent_id, at=at)


async def abandon_about(connection: AsyncConnection, workspace: str, *, at: datetime) -> list[str]:
    """Give up whatever is open about a workspace, whoever is at work on it; return the ids."""
    return await _abandoned(connection, claims.c.workspace == workspace, at=at)


async def checked_about(connection: AsyncConnection, workspace: str, *, at: datetime) -> list[str]:
    """Return the claims about a workspace that somebody is at work on."""
    found = await connection.scalars(
        sa.select(claims.c.id).where(
            claims.c.workspace == workspace,
            claims.c.state == ClaimState.OPEN.value,
            claims.c.lease_until >= at,
        )
    )
    return sorted(found)


async def _abandoned(
    connection: AsyncConnection, which: sa.ColumnElement[bool], *, at: datetime
) -> list[str]:
    found = await connection.scalars(
        claims.update()
        .where(which, claims.c.state == ClaimState.OPEN.value)
        .values(state=ClaimState.ABANDONED.value, closed_at=at, lease_until=None)
        .returning(claims.c.id)
    )
    return sorted(found)


def is_held(run: Execute, claim: Claim) -> bool:
    """Say whether the claim's lease is still ours, and keep it so until the transaction ends."""
    return bool(run(_HELD, _lease(claim)))


async def renew(connection: AsyncConnection, claim: Claim, *, until: datetime) -> bool:
    """Hold the lease longer, or let it end, if it is still ours; say whether it was."""
    result = await connection.execute(
        claims.update().where(*_leased(claim)).values(lease_until=until)
    )
    return bool(result.rowcount)


async def take_over(connection: AsyncConnection, claim: Claim, *, at: datetime) -> Claim | None:
    """Begin the claim's next attempt, unless another did; what the last one does is void."""
    again = dataclasses.replace(claim, attempt=claim.attempt + 1, lease_until=at + LEASE)
    result = await connection.execute(
        claims.update()
        .where(*_leased(claim))
        .values(attempt=again.attempt, lease_until=again.lease_until)
    )
    return again if result.rowcount else None


async def stalled(connection: AsyncConnection, *, at: datetime) -> list[Claim]:
    """Return the claims whose lease ended before their verdict, newest first."""
    return await _select(
        connection, claims.c.state == ClaimState.OPEN.value, claims.c.lease_until < at
    )


async def judgements_on(connection: AsyncConnection, claim: Claim) -> list[Judgement]:
    """Return what came of everybody's same check of this snapshot, unless it was withdrawn."""
    found = await connection.scalars(
        sa.select(claims.c.judgement).where(
            claims.c.snapshot_digest == claim.snapshot_digest,
            claims.c.check == check_text(claim.check),
            claims.c.judgement.is_not(None),
            ~withdrawn(claims.c.id),
        )
    )
    return [judgement_from_json(json.loads(judgement)) for judgement in found]


async def readable(connection: AsyncConnection, caller: Agent, claim_id: str) -> Claim | None:
    """Return the claim if it is the caller's or of one of its namespaces."""
    found = await _select(connection, claims.c.id == claim_id, _visible_to(caller))
    return found[0] if found else None


async def lock(connection: AsyncConnection, claim_id: str) -> None:
    """Make others wait who count a use by the same claim, or withdraw its verdict."""
    await connection.execute(
        sa.select(claims.c.id).where(claims.c.id == claim_id).with_for_update(key_share=True)
    )


async def readable_ids(
    connection: AsyncConnection, caller: Agent, claim_ids: Collection[str]
) -> frozenset[str]:
    """Return those of the claims that the caller may read."""
    found = await connection.scalars(
        sa.select(claims.c.id).where(claims.c.id.in_(claim_ids), _visible_to(caller))
    )
    return frozenset(found)


async def same(connection: AsyncConnection, claim: Claim) -> list[Claim]:
    """Return the agent's claims with this check on this very snapshot, newest first."""
    return await _select(
        connection,
        claims.c.agent_id == claim.agent_id,
        claims.c.snapshot_digest == claim.snapshot_digest,
        claims.c.check == check_text(claim.check),
    )


async def undecided(
    connection: AsyncConnection,
    agent_ids: Collection[str],
    *,
    reader: Agent | None,
    first: Collection[str],
    limit: int,
) -> list[Claim]:
    """Return claims of these agents that no verdict decides, and that nobody checks now.

    One that was sent several times is told once, as it was sent last; one about a workspace
    that was removed is not, because it cannot be checked.

    Args:
        reader: whose eyes it is for, None for the administrator's.
        first: ids that are told before all others. Where there are more than `limit`,
            chance picks which: who sends many cannot bury any.
    """
    again = claims.alias()
    same = (
        again.c.agent_id == claims.c.agent_id,
        again.c.snapshot_digest == claims.c.snapshot_digest,
        again.c.check == claims.c.check,
    )
    decided_then = sa.exists().where(*same, decided(again))
    later = sa.or_(
        again.c.created_at > claims.c.created_at,
        sa.and_(again.c.created_at == claims.c.created_at, again.c.id > claims.c.id),
    )
    sent_later = sa.exists().where(*same, later, _readable_by(reader, again))
    given_up = claims.c.state == ClaimState.ABANDONED.value
    unclear = claims.c.verdict == Verdict.INCONCLUSIVE.value
    return await _select(
        connection,
        claims.c.agent_id.in_(agent_ids),
        sa.or_(given_up, unclear, withdrawn(claims.c.id)),
        claims.c.workspace.in_(
            sa.select(workspaces.c.name).where(workspaces.c.removed_at.is_(None))
        ),
        _readable_by(reader, claims),
        ~decided_then,
        ~sent_later,
        order=(sa.case((claims.c.id.in_(first), 0), else_=1), sa.func.random()),
        limit=limit,
    )


async def newest(connection: AsyncConnection, *, limit: int) -> list[Claim]:
    """Return the newest claims of all agents."""
    return await _select(connection, sa.true(), limit=limit)


async def find(connection: AsyncConnection, claim_id: str) -> Claim | None:
    """Return the claim, whoever may read it."""
    found = await _select(connection, claims.c.id == claim_id)
    return found[0] if found else None


async def verdicts(connection: AsyncConnection) -> list[StoredVerdict]:
    """Return every closed claim as its row stands."""
    rows = await connection.execute(
        sa.select(
            claims.c.id,
            claims.c.agent_id,
            agents.c.name,
            claims.c.statement,
            claims.c.workspace,
            claims.c.check,
            claims.c.snapshot_digest,
            claims.c.judgement,
            claims.c.verdict,
            claims.c.evidence_digest,
            claims.c.ledger_index,
        )
        .join(agents, agents.c.id == claims.c.agent_id)
        .where(claims.c.state == ClaimState.CLOSED.value)
        .order_by(claims.c.id)
    )
    return [StoredVerdict(*row) for row in rows]


def _visible_to(caller: Agent) -> sa.ColumnElement[bool]:
    return _readable_by(caller, claims)


def _readable_by(reader: Agent | None, table: sa.FromClause) -> sa.ColumnElement[bool]:
    if reader is None:
        return sa.true()
    return sa.or_(table.c.agent_id == reader.id, table.c.namespace.in_(reader.namespaces))


def _leased(claim: Claim) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        claims.c.id == claim.id,
        claims.c.state == ClaimState.OPEN.value,
        claims.c.attempt == claim.attempt,
    )


def _lease(claim: Claim) -> dict[str, Value]:
    return {"of": claim.id, "held": claim.attempt}


_NEWEST_FIRST = (claims.c.created_at.desc(), claims.c.id.desc())


async def _select(
    connection: AsyncConnection,
    *conditions: sa.ColumnElement[bool],
    order: Sequence[sa.ColumnElement[Any]] = _NEWEST_FIRST,
    limit: int | None = None,
) -> list[Claim]:
    rows = await connection.execute(
        sa.select(claims, agents.c.name.label("agent"), withdrawn(claims.c.id).label("withdrawn"))
        .join(agents, agents.c.id == claims.c.agent_id)
        .where(*conditions)
        .order_by(*order)
        .limit(limit)
    )
    return [_claim(row) for row in rows]


def _claim(row: sa.Row[*tuple[Any, ...]]) -> Claim:
    return Claim(
        id=row.id,
        agent_id=row.agent_id,
        agent=row.agent,
        namespace=row.namespace,
        statement=row.statement,
        workspace=row.workspace,
        check=check_from_json(json.loads(row.check)),
        applied=tuple(json.loads(row.applied)),
        confidence=row.confidence,
        effort_minutes=row.effort_minutes,
        state=ClaimState(row.state),
        attempt=row.attempt,
        lease_until=row.lease_until,
        created_at=row.created_at,
        snapshot_digest=row.snapshot_digest,
        judgement=judgement_from_json(json.loads(row.judgement)) if row.judgement else None,
        run=Run(**json.loads(row.run)) if row.run else None,
        evidence_digest=row.evidence_digest,
        ledger_index=row.ledger_index,
        closed_at=row.closed_at,
        level=Level(row.level),
        basis=row.basis,
        withdrawn=bool(row.withdrawn),
    )
