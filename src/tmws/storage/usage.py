"""The statistics of patterns: over all agents, by agent, and what a namespace expects."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from tmws.domain.agents import AccessLevel
from tmws.domain.usage import Prior, Usage
from tmws.storage.tables import agent_usage, namespaces, patterns

_COUNTS = tuple(field.name for field in dataclasses.fields(Usage) if field.name != "prior")

OPEN = (AccessLevel.PUBLIC.value, AccessLevel.SYSTEM.value)
"""Levels of patterns whose uses tell what a namespace expects."""

PRIOR = (
    namespaces.c.evidence_good.label("prior_good"),
    namespaces.c.evidence_bad.label("prior_bad"),
)
"""Columns that `usage_of` needs beside those of a pattern."""


@dataclasses.dataclass(frozen=True, slots=True)
class Locked:
    """What one more use of a pattern is counted on.

    Attributes:
        own: what the same agent reported before, None for nothing.
        level: who may read the pattern.
    """

    namespace: str
    level: str
    usage: Usage
    own: Usage | None


def usage_of(known: Mapping[str, Any]) -> Usage:
    """Return the statistics among the columns of a row, with the prior where it has one."""
    prior = Prior(known["prior_good"], known["prior_bad"]) if "prior_good" in known else Prior()
    return Usage(**{name: known[name] for name in _COUNTS}, prior=prior)


async def lock(connection: AsyncConnection, pattern_id: str, agent_id: str) -> Locked:
    """Return the statistics of a pattern and keep others from changing them meanwhile."""
    # The namespace is not locked: writers take patterns first, namespaces last.
    row = (
        await connection.execute(
            sa.select(patterns).where(patterns.c.id == pattern_id).with_for_update()
        )
    ).one()
    own = await of_agent(connection, pattern_id, agent_id)
    # What is counted while nobody can read it moves nothing for others.
    level = row.level if row.removed_at is None else AccessLevel.PRIVATE.value
    return Locked(row.namespace, level, usage_of(row._asdict()), own)


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


async def keep(connection: AsyncConnection, pattern_id: str, usage: Usage) -> None:
    """Store the new statistics of a locked pattern."""
    await connection.execute(
        patterns.update().where(patterns.c.id == pattern_id).values(_counts(usage))
    )


async def keep_own(
    connection: AsyncConnection, pattern_id: str, agent_id: str, own: Usage, *, known: bool
) -> None:
    """Store what an agent reported of a locked pattern; `known` when it had before."""
    row = {"pattern_id": pattern_id, "agent_id": agent_id, **_counts(own)}
    if not known:
        await connection.execute(agent_usage.insert().values(row))
        return
    await connection.execute(
        agent_usage.update()
        .where(agent_usage.c.pattern_id == pattern_id, agent_usage.c.agent_id == agent_id)
        .values(row)
    )


async def expect(connection: AsyncConnection, namespace: str, *, good: float, bad: float) -> Prior:
    """Add evidence to what a namespace expects of its patterns, and return that."""
    row = (
        await connection.execute(
            namespaces.update()
            .where(namespaces.c.name == namespace)
            .values(
                evidence_good=namespaces.c.evidence_good + good,
                evidence_bad=namespaces.c.evidence_bad + bad,
            )
            .returning(*PRIOR)
        )
    ).one()
    return Prior(row.prior_good, row.prior_bad)


async def expect_anew(connection: AsyncConnection, pattern_id: str) -> None:
    """Let a namespace expect what its open patterns show, after one was opened or closed."""
    changed = (
        await connection.execute(sa.select(patterns).where(patterns.c.id == pattern_id))
    ).one()
    if not changed.evidence_good and not changed.evidence_bad:
        return

    def total(column: sa.Column[float]) -> sa.ScalarSelect[float]:
        return (
            sa.select(sa.func.coalesce(sa.func.sum(column), 0.0))
            .where(
                patterns.c.namespace == changed.namespace,
                patterns.c.level.in_(OPEN),
                patterns.c.removed_at.is_(None),
            )
            .scalar_subquery()
        )

    await connection.execute(
        namespaces.update()
        .where(namespaces.c.name == changed.namespace)
        .values(
            evidence_good=total(patterns.c.evidence_good),
            evidence_bad=total(patterns.c.evidence_bad),
        )
    )


async def forget_own(connection: AsyncConnection, pattern_id: str) -> None:
    """Delete what agents reported of a locked pattern, to be counted again."""
    await connection.execute(agent_usage.delete().where(agent_usage.c.pattern_id == pattern_id))


def _counts(usage: Usage) -> dict[str, Any]:
    return {name: getattr(usage, name) for name in _COUNTS}
