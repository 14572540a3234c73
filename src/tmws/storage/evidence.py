"""What the trust model has learned from: each verdict, with the step it led to."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from tmws.domain.claims import Verdict
from tmws.domain.trust.confirmation import Answered, confirmed_share
from tmws.domain.trust.evidence import Correction, Evidence, Restoration, Task
from tmws.domain.trust.logistic import Belief
from tmws.domain.trust.state import Step
from tmws.domain.verifications import Claim, check_text
from tmws.storage.columns import microseconds, moment
from tmws.storage.numerals import written
from tmws.storage.prepared import Execute, Prepared, inserted, plain
from tmws.storage.tables import artifacts, claims, evidence, links

Act = TypeVar("Act", Correction, Restoration)
_ROWS_AT_ONCE = 50
_CONFIRMED_OF = 500
"""So many of an agent's newest verdicts say how far it is confirmed, so that asking is quick."""
_PLAIN = plain(evidence).c
_KEY, _AGENT = sa.bindparam("key", type_=sa.String), sa.bindparam("owner", type_=sa.String)
_ADD = inserted(evidence)
_OWNER = Prepared(
    sa.select(links.c.owner_id).where(links.c.agent_id == sa.bindparam("agent", type_=sa.String))
)
_FIRST = Prepared(
    sa.select(_PLAIN.type, _PLAIN.effort_minutes, _PLAIN.author, _PLAIN.owner_id)
    .where(_PLAIN.task == _KEY, _PLAIN.verdict != Verdict.INCONCLUSIVE.value, _PLAIN.weight > 0.0)
    .order_by(_PLAIN.ledger_index)
    .limit(1)
)
_OWN = Prepared(
    sa.select(_PLAIN.id)
    .where(_PLAIN.task == _KEY, _PLAIN.owner_id == _AGENT, _PLAIN.step.is_not(None))
    .limit(1)
)
_SAME = (
    claims.c.snapshot_digest == sa.bindparam("snapshot", type_=sa.String),
    claims.c.check == sa.bindparam("checked", type_=sa.String),
    _PLAIN.step.is_not(None),
)
_ANSWERED = Prepared(
    sa.select(_PLAIN.owner_id).join(claims, claims.c.id == _PLAIN.id).where(*_SAME)
)
_KNOWN_SINCE = Prepared(
    sa.select(sa.func.min(_PLAIN.at))
    .join(claims, claims.c.id == _PLAIN.id)
    .where(*_SAME, _PLAIN.owner_id != _AGENT)
)
_WEIGHTS = Prepared(
    sa.select(_PLAIN.weight).where(
        _PLAIN.owner_id == _AGENT,
        _PLAIN.at >= sa.bindparam("since", type_=sa.BigInteger),
        _PLAIN.at < sa.bindparam("until", type_=sa.BigInteger),
        _PLAIN.type == sa.bindparam("kind", type_=sa.String),
        _PLAIN.step.is_not(None),
    )
)
_NEWEST = (
    sa.select(evidence.c.task)
    .where(evidence.c.owner_id == _AGENT, evidence.c.step.is_not(None))
    .order_by(evidence.c.at.desc(), evidence.c.id.desc())
    .limit(_CONFIRMED_OF)
)
_CONFIRMED = Prepared(
    sa.select(
        sa.func.sum(sa.case((_PLAIN.owner_id == _AGENT, _PLAIN.weight), else_=0.0)),
        sa.func.sum(sa.case((_PLAIN.owner_id == _AGENT, 0.0), else_=_PLAIN.weight)),
    )
    .where(
        _PLAIN.task.in_(_NEWEST),
        _PLAIN.step.is_not(None),
    )
    .group_by(_PLAIN.task)
    .order_by(_PLAIN.task)
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One verdict as the model took it in.

    Attributes:
        agent: who made the claim, whoever it counts for; `evidence.agent` is the same.
        step: None when it moved nothing.
    """

    evidence: Evidence
    owner: str
    ledger_index: int
    step: Step | None = None
    withdrawn: Correction | None = None
    restored: Restoration | None = None

    @property
    def is_decided(self) -> bool:
        """Did it answer its task, also if it was withdrawn later?"""
        return self.evidence.verdict is not Verdict.INCONCLUSIVE and self.evidence.weight > 0.0


@dataclass(frozen=True, slots=True)
class Met:
    """What is known of a task from those who had an answer to it decided before.

    Attributes:
        task: as whoever met it first described it.
        own: the agent in question met it first, or had an answer to it decided before.
    """

    task: Task
    own: bool


def add(run: Execute, entry: Entry) -> None:
    """Store one entry."""
    run(_ADD, as_stored(entry))


def owner_for(run: Execute, agent_id: str) -> str:
    """Return whom an agent's verdicts count for: itself, unless it was linked."""
    rows = run(_OWNER, {"agent": agent_id})
    return str(rows[0][0]) if rows else agent_id


def met(run: Execute, task: str, owner: str) -> Met | None:
    """Return who had an answer to this task decided before, None when nobody had."""
    rows = run(_FIRST, {"key": task})
    if not rows:
        return None
    [(type, effort_minutes, author, first)] = rows
    own = first == owner or bool(run(_OWN, {"key": task, "owner": owner}))
    return Met(Task(task, type, effort_minutes, author), own)


def answered(run: Execute, claim: Claim) -> frozenset[str]:
    """Return for whom the same check of the same snapshot was decided before."""
    values = {"snapshot": claim.snapshot_digest, "checked": check_text(claim.check)}
    found = run(_ANSWERED, values)
    return frozenset(str(row[0]) for row in found)


def known_since(run: Execute, claim: Claim, owner: str) -> datetime | None:
    """Return when the same was first decided for somebody else, None where it never was."""
    values = {"snapshot": claim.snapshot_digest, "checked": check_text(claim.check)}
    [[first]] = run(_KNOWN_SINCE, {**values, "owner": owner})
    return None if first is None else moment(first)


def weights(
    run: Execute, owner: str, type: str, *, since: datetime, until: datetime
) -> list[float]:
    """Return what the agent's verdicts on one type weighed in this time."""
    times = {"since": microseconds(since), "until": microseconds(until)}
    return [row[0] for row in run(_WEIGHTS, {"owner": owner, "kind": type, **times})]


async def replace(connection: AsyncConnection, entries: Sequence[Entry]) -> None:
    """Store these entries in place of all there are."""
    await connection.execute(evidence.delete())
    for start in range(0, len(entries), _ROWS_AT_ONCE):
        batch = [told(entry) for entry in entries[start : start + _ROWS_AT_ONCE]]
        await connection.execute(evidence.insert().values(batch))


async def every(connection: AsyncConnection) -> list[Entry]:
    """Return all entries in the order of the ledger."""
    return await _select(connection, sa.true())


async def of_owner(connection: AsyncConnection, owner: str) -> list[Entry]:
    """Return what counts for this agent, oldest first."""
    return await _select(connection, evidence.c.owner_id == owner)


async def on_tasks(connection: AsyncConnection, tasks: Collection[str]) -> list[Entry]:
    """Return what anybody's verdicts on these tasks were, in the order of the ledger."""
    return await _select(connection, evidence.c.task.in_(tasks))


async def since(connection: AsyncConnection, ledger_index: int) -> tuple[datetime, datetime] | None:
    """Return when the first and the newest verdict behind this entry came, None without any."""
    behind = evidence.c.ledger_index > ledger_index
    found = await connection.execute(
        sa.select(sa.func.min(evidence.c.at), sa.func.max(evidence.c.at)).where(behind)
    )
    first, newest = found.one()
    return None if first is None else (first, newest)


def confirmed(run: Execute, owner: str) -> float:
    """Return how much of an agent's newest evidence is about tasks that others answered too."""
    return confirmed_share(Answered(*row) for row in run(_CONFIRMED, {"owner": owner}))


async def is_withdrawn(connection: AsyncConnection, claim_id: str) -> bool:
    """Say whether the verdict of a claim was withdrawn."""
    found = await connection.scalar(
        sa.select(evidence.c.withdrawn).where(evidence.c.id == claim_id)
    )
    return found is not None


async def owner_of(connection: AsyncConnection, agent_id: str) -> str:
    """Return whom an agent's verdicts count for: itself, unless it was linked."""
    owner = await connection.scalar(sa.select(links.c.owner_id).where(links.c.agent_id == agent_id))
    return str(owner or agent_id)


async def owners(connection: AsyncConnection) -> dict[str, str]:
    """Return agent to owner for all that were linked."""
    rows = await connection.execute(sa.select(links.c.agent_id, links.c.owner_id))
    return {row.agent_id: row.owner_id for row in rows}


async def replace_owners(connection: AsyncConnection, owners: dict[str, str]) -> None:
    """Store these links in place of all there are."""
    await connection.execute(links.delete())
    for agent_id, owner_id in owners.items():
        await connection.execute(links.insert().values(agent_id=agent_id, owner_id=owner_id))


async def rows(connection: AsyncConnection) -> dict[str, dict[str, Any]]:
    """Return every row by id as it stands, to be believed only after it was checked."""
    found = await connection.execute(
        sa.select(
            *(sa.type_coerce(column, sa.types.NULLTYPE).label(column.name) for column in evidence.c)
        )
    )
    return {row.id: dict(row._mapping) for row in found}  # a row's own way to be a mapping


def as_stored(entry: Entry) -> dict[str, Any]:
    """Return the row as `rows` would tell it."""
    row = told(entry)
    row["at"] = microseconds(entry.evidence.at)
    return row


def told(entry: Entry) -> dict[str, Any]:
    """Return the row that holds this entry."""
    e = entry.evidence
    return {
        "id": e.id,
        "ledger_index": entry.ledger_index,
        "agent_id": e.agent,
        "owner_id": entry.owner,
        "at": e.at,
        "verdict": e.verdict.value,
        "task": e.task.claim,
        "type": e.task.type,
        "effort_minutes": e.task.effort_minutes,
        "author": e.task.author,
        "relied_on": e.relied_on,
        "weight": e.weight,
        "confidence": e.stated_confidence,
        "severity": e.severity,
        "step": None if entry.step is None else _step(entry.step),
        "withdrawn": _act(entry.withdrawn),
        "restored": _act(entry.restored),
    }


def _act(act: Correction | Restoration | None) -> str | None:
    return None if act is None else json.dumps([act.reason, act.by, act.at.isoformat()])


async def _select(connection: AsyncConnection, condition: sa.ColumnElement[bool]) -> list[Entry]:
    found = await connection.execute(
        sa.select(evidence).where(condition).order_by(evidence.c.ledger_index)
    )
    return [_entry(dict(row._mapping)) for row in found]  # a row's own way to be a mapping


def believed(row: Mapping[str, Any]) -> Entry:
    """Return what one of `rows` says.

    Raises:
        ValueError, TypeError, InvalidInput: it says nothing of the kind.
    """
    return _entry({**row, "at": moment(row["at"])})


def _entry(row: Mapping[str, Any]) -> Entry:
    told = Evidence(
        id=row["id"],
        agent=row["agent_id"],
        at=row["at"],
        verdict=Verdict(row["verdict"]),
        task=Task(row["task"], row["type"], row["effort_minutes"], row["author"]),
        relied_on=bool(row["relied_on"]),
        weight=row["weight"],
        stated_confidence=row["confidence"],
        severity=row["severity"],
    )
    step = None if row["step"] is None else _step_from(json.loads(row["step"]), told)
    return Entry(
        told,
        row["owner_id"],
        row["ledger_index"],
        step,
        _act_from(Correction, told.id, row["withdrawn"]),
        _act_from(Restoration, told.id, row["restored"]),
    )


def _act_from(kind: type[Act], claim_id: str, stored: str | None) -> Act | None:
    if stored is None:
        return None
    reason, by, at = json.loads(stored)
    return kind(claim_id, reason, by, datetime.fromisoformat(at))


def _step(step: Step) -> str:
    # As JSON's encoder writes it, in a tenth of its time.
    numbers = [step.probability, step.difficulty, *step.skill, *(step.affinity or ())]
    probability, difficulty, mean, variance, *affinity = written(numbers)[1:-1].split(",")
    towards = f"[{', '.join(affinity)}]" if affinity else "null"
    return (
        f'{{"probability": {probability}, "difficulty": {difficulty}, '
        f'"skill": [{mean}, {variance}], "affinity": {towards}, '
        f'"alarmed": {"true" if step.alarmed else "false"}}}'
    )


def _step_from(value: dict[str, Any], told: Evidence) -> Step:
    affinity = value["affinity"]
    return Step(
        evidence=told,
        probability=value["probability"],
        difficulty=value["difficulty"],
        skill=Belief(*value["skill"]),
        affinity=None if affinity is None else Belief(*affinity),
        alarmed=value["alarmed"],
    )


async def newest_envelope(connection: AsyncConnection) -> bytes | None:
    """Return what the newest verdict left as evidence, None before the first."""
    newest = sa.select(evidence.c.id).order_by(evidence.c.ledger_index.desc()).limit(1)
    return await connection.scalar(
        sa.select(artifacts.c.content)
        .join(claims, claims.c.evidence_digest == artifacts.c.digest)
        .where(claims.c.id == newest.scalar_subquery())
    )
