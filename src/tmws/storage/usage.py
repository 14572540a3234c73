"""The statistics of patterns: over all agents, by agent, and what a namespace expects."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from tmws.domain.agents import AccessLevel
from tmws.domain.usage import Prior, Usage
from tmws.storage.columns import microseconds, moment
from tmws.storage.prepared import Execute, Prepared, Upsert, Value, numbered, plain
from tmws.storage.tables import agent_usage, namespaces, patterns

_COUNTS = tuple(field.name for field in dataclasses.fields(Usage) if field.name != "prior")

_IDS_AT_ONCE = 500

OPEN = (AccessLevel.PUBLIC.value, AccessLevel.SYSTEM.value)
"""Levels of patterns whose uses tell what a namespace expects."""

PRIOR = (
    namespaces.c.evidence_good.label("prior_good"),
    namespaces.c.evidence_bad.label("prior_bad"),
)
"""Columns that `usage_of` needs beside those of a pattern."""

_PATTERNS, _OF_AGENT, _NAMESPACES = plain(patterns), plain(agent_usage), plain(namespaces)
_OF, _BY = (sa.bindparam(name, type_=sa.String) for name in ("of", "by"))
_LOCK = Prepared(
    sa.select(
        _PATTERNS.c.namespace,
        _PATTERNS.c.level,
        _PATTERNS.c.owner_id,
        _PATTERNS.c.removed_at,
        *(_PATTERNS.c[name] for name in _COUNTS),
    )
    .where(_PATTERNS.c.id == _OF)
    .with_for_update()
)
_OWN = Prepared(
    sa.select(*(_OF_AGENT.c[name] for name in _COUNTS)).where(
        _OF_AGENT.c.pattern_id == _OF, _OF_AGENT.c.agent_id == _BY
    )
)
_KEEP = Prepared(
    _PATTERNS.update()
    .where(_PATTERNS.c.id == _OF)
    .values({name: sa.bindparam(name, type_=_PATTERNS.c[name].type) for name in _COUNTS})
)
_KEEP_OWN = Upsert(agent_usage, rows=1)
_EXPECT = Prepared(
    _NAMESPACES.update()
    .where(_NAMESPACES.c.name == _OF)
    .values(
        evidence_good=_NAMESPACES.c.evidence_good + sa.bindparam("good", type_=sa.Double),
        evidence_bad=_NAMESPACES.c.evidence_bad + sa.bindparam("bad", type_=sa.Double),
    )
    .returning(_NAMESPACES.c.evidence_good, _NAMESPACES.c.evidence_bad)
)


@dataclasses.dataclass(frozen=True, slots=True)
class Locked:
    """What one more use of a pattern is counted on.

    Attributes:
        own: what the same agent reported before, None for nothing.
        level: who may read the pattern.
    """

    namespace: str
    level: str
    owner_id: str
    usage: Usage
    own: Usage | None

    @property
    def shared_sums(self) -> tuple[str, str, str]:
        """What orders the sums that patterns alike share; its namespace comes first."""
        return self.namespace, self.level, self.owner_id


def usage_of(known: Mapping[str, Any]) -> Usage:
    """Return the statistics among the columns of a row, with the prior where it has one."""
    prior = Prior(known["prior_good"], known["prior_bad"]) if "prior_good" in known else Prior()
    return Usage(**{name: known[name] for name in _COUNTS}, prior=prior)


def lock(run: Execute, pattern_id: str, agent_id: str) -> Locked:
    """Return the statistics of a pattern and keep others from changing them meanwhile."""
    # The namespace is not locked: writers take patterns first, namespaces last.
    [(namespace, level, owner_id, removed_at, *counts)] = run(_LOCK, {"of": pattern_id})
    own = run(_OWN, {"of": pattern_id, "by": agent_id})
    # What is counted while nobody can read it moves nothing for others.
    seen_by = level if removed_at is None else AccessLevel.PRIVATE.value
    return Locked(namespace, seen_by, owner_id, _usage(counts), _usage(own[0]) if own else None)


async def lock_all(connection: AsyncConnection, pattern_ids: Collection[str]) -> None:
    """Make whoever counts uses or changes these patterns wait until the transaction ends.

    Patterns in the order of their ids, then the sums that all of them share, namespaces
    last: whoever counts a use takes them in this order, and holds none that is needed here.
    A SQLite file has one writer at a time anyway.
    """
    if connection.dialect.name == "sqlite":
        return
    ids = sorted(pattern_ids)
    for start in range(0, len(ids), _IDS_AT_ONCE):
        some = patterns.c.id.in_(ids[start : start + _IDS_AT_ONCE])
        await connection.execute(
            sa.select(patterns.c.id).where(some).order_by(patterns.c.id).with_for_update()
        )
    await connection.execute(sa.text("LOCK TABLE class_weeks IN SHARE ROW EXCLUSIVE MODE"))
    await connection.execute(
        sa.select(namespaces.c.name).order_by(namespaces.c.name).with_for_update(key_share=True)
    )


async def of_agent(connection: AsyncConnection, pattern_id: str, agent_id: str) -> Usage | None:
    """Return what one agent reported of a pattern, None for nothing."""
    row = (
        await connection.execute(
            sa.select(agent_usage).where(
                agent_usage.c.pattern_id == pattern_id, agent_usage.c.agent_id == agent_id
            )
        )
    ).one_or_none()
    return usage_of(row._asdict()) if row else None


def keep(run: Execute, pattern_id: str, usage: Usage) -> None:
    """Store the new statistics of a locked pattern."""
    run(_KEEP, {"of": pattern_id, **_counts(usage)})


def keep_own(run: Execute, pattern_id: str, agent_id: str, own: Usage) -> None:
    """Store what an agent reported of a locked pattern."""
    row = {"pattern_id": pattern_id, "agent_id": agent_id, **_counts(own)}
    run(_KEEP_OWN, {numbered(name, 0): value for name, value in row.items()})


def expect(run: Execute, namespace: str, *, good: float, bad: float) -> Prior:
    """Add evidence to what a namespace expects of its patterns, and return that."""
    [(all_good, all_bad)] = run(_EXPECT, {"of": namespace, "good": good, "bad": bad})
    return Prior(all_good, all_bad)


async def expect_anew(connection: AsyncConnection, pattern_id: str) -> None:
    """Let a namespace expect what its open patterns show, after one was opened or closed."""
    known = patterns.c
    changed = (
        await connection.execute(
            sa.select(known.namespace, known.evidence_good, known.evidence_bad).where(
                known.id == pattern_id
            )
        )
    ).one()
    if changed.evidence_good or changed.evidence_bad:
        await expect_of(connection, changed.namespace)


async def expect_of(connection: AsyncConnection, namespace: str) -> None:
    """Let a namespace expect what its open patterns show."""

    def total(column: sa.Column[float]) -> sa.ScalarSelect[float]:
        return (
            sa.select(sa.func.coalesce(sa.func.sum(column), 0.0))
            .where(
                patterns.c.namespace == namespace,
                patterns.c.level.in_(OPEN),
                patterns.c.removed_at.is_(None),
            )
            .scalar_subquery()
        )

    await connection.execute(
        namespaces.update()
        .where(namespaces.c.name == namespace)
        .values(
            evidence_good=total(patterns.c.evidence_good),
            evidence_bad=total(patterns.c.evidence_bad),
        )
    )


async def forget_own(connection: AsyncConnection, pattern_id: str) -> None:
    """Delete what agents reported of a locked pattern, to be counted again."""
    await connection.execute(agent_usage.delete().where(agent_usage.c.pattern_id == pattern_id))


def _counts(usage: Usage) -> dict[str, Value]:
    counts = {name: getattr(usage, name) for name in _COUNTS}
    at = usage.last_used_at
    return {**counts, "last_used_at": None if at is None else microseconds(at)}


def _usage(stored: Sequence[Any]) -> Usage:
    counts = dict(zip(_COUNTS, stored, strict=True))
    at = counts["last_used_at"]
    return Usage(**{**counts, "last_used_at": None if at is None else moment(at)})
