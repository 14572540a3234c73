"""What is known of a few patterns at once, for a recommendation among them."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from tmws.domain.agents import Agent
from tmws.domain.recommendation import MOST_ON_ONES_WORD, VOICES, Proof
from tmws.domain.usage import Prior, UseOutcome
from tmws.storage.access import readable_patterns
from tmws.storage.tables import agent_usage, evidence, namespaces, patterns, uses
from tmws.storage.usage import PRIOR

_PROOFS_OF_ONE = 12
"""How many of the newest uses that one agent proved are looked at, for each pattern."""

_IDS: sa.BindParameter[Any] = sa.bindparam("ids", expanding=True)


def _others() -> sa.Subquery:
    """Add up what others than a pattern's owner reported, nobody's for more than a little."""
    table = agent_usage.c
    count = table.successes + table.partials + table.failures
    good = table.evidence_good - table.proven_successes
    bad = table.evidence_bad - table.proven_failures
    share = sa.case((good + bad > MOST_ON_ONES_WORD, MOST_ON_ONES_WORD / (good + bad)), else_=1.0)
    return (
        sa.select(
            table.pattern_id,
            sa.func.sum(good * share).label("good"),
            sa.func.sum(bad * share).label("bad"),
            sa.func.sum(sa.case((count > VOICES, VOICES), else_=count)).label("voices"),
            sa.func.avg(table.duration_seconds).label("seconds"),
            sa.func.max(sa.type_coerce(table.last_used_at, sa.BigInteger)).label("used_at"),
        )
        .join_from(agent_usage, patterns, patterns.c.id == table.pattern_id)
        .where(table.pattern_id.in_(_IDS), table.agent_id != patterns.c.owner_id)
        .group_by(table.pattern_id)
        .subquery()
    )


def _kept() -> sa.Select[Any]:
    others = _others()
    return (
        sa.select(
            patterns.c.id,
            patterns.c.owner_id,
            patterns.c.author_trust,
            patterns.c.written_at,
            *PRIOR,
            others.c.good,
            others.c.bad,
            sa.func.coalesce(others.c.voices, 0).label("voices"),
            others.c.seconds,
            sa.type_coerce(others.c.used_at, patterns.c.written_at.type).label("used_at"),
        )
        .join_from(patterns, namespaces, namespaces.c.name == patterns.c.namespace)
        .outerjoin(others, others.c.pattern_id == patterns.c.id)
        .where(patterns.c.id.in_(_IDS))
    )


# Built once: that takes longer than to run it.
_KEPT = _kept()


@dataclass(frozen=True, slots=True)
class Kept:
    """The record of one pattern, its owner's mere word left out.

    Attributes:
        author_trust: of who wrote its newest version, at that time.
        seconds: how long others' uses took on average.
        fresh_at: when it was written, or another than its owner used it last.
    """

    pattern_id: str
    owner_id: str
    author_trust: float | None
    prior: Prior
    word_good: float
    word_bad: float
    voices: int
    seconds: float | None
    fresh_at: datetime


async def owners(connection: AsyncConnection, ids: Collection[str]) -> dict[str, str]:
    """Return who owns these patterns, whoever may read them."""
    rows = await connection.execute(
        sa.select(patterns.c.id, patterns.c.owner_id).where(patterns.c.id.in_(ids))
    )
    return {row.id: row.owner_id for row in rows}


async def kept(connection: AsyncConnection, caller: Agent, ids: Collection[str]) -> list[Kept]:
    """Return the records of those of the patterns that the caller may read."""
    rows = await connection.execute(
        # In a case, so that SQLite looks these few up by their ids: by the condition alone it
        # would walk all that the caller may read, to find these among them.
        _KEPT.where(sa.case((readable_patterns(caller), 1), else_=0) == 1),
        {"ids": list(ids)},
    )
    return [
        Kept(
            pattern_id=row.id,
            owner_id=row.owner_id,
            author_trust=row.author_trust,
            prior=Prior(row.prior_good, row.prior_bad),
            word_good=max(0.0, row.good or 0.0),
            word_bad=max(0.0, row.bad or 0.0),
            voices=int(row.voices),
            seconds=row.seconds,
            fresh_at=max(row.written_at, row.used_at or row.written_at),
        )
        for row in rows
    ]


async def proofs(
    connection: AsyncConnection, ids: Collection[str]
) -> Mapping[str, Sequence[Proof]]:
    """Return the uses of each pattern that verdicts prove, of each agent the newest.

    What the trust model expected before the verdict comes with each; a verdict that was
    withdrawn proves nothing.
    """
    place = sa.func.row_number().over(
        partition_by=(uses.c.pattern_id, evidence.c.owner_id),
        order_by=(uses.c.at.desc(), uses.c.id),
    )
    proven = (
        sa.select(
            uses.c.pattern_id,
            uses.c.outcome,
            evidence.c.owner_id,
            evidence.c.step,
            place.label("place"),
        )
        .join_from(uses, evidence, evidence.c.id == uses.c.claim_id)
        .where(
            uses.c.pattern_id.in_(ids),
            uses.c.claim_id.is_not(None),
            evidence.c.withdrawn.is_(None),
        )
        .subquery()
    )
    rows = await connection.execute(sa.select(proven).where(proven.c.place <= _PROOFS_OF_ONE))
    found: dict[str, list[Proof]] = defaultdict(list)
    for row in rows:
        expected = json.loads(row.step)["probability"] if row.step else None
        good = UseOutcome(row.outcome).good
        found[row.pattern_id].append(Proof(row.owner_id, good, expected))
    return found


async def words(
    connection: AsyncConnection, use_ids: Collection[str], *, reporter_id: str
) -> dict[str, str]:
    """Return what uses were for, in the words of the agent that reported them; its own only."""
    rows = await connection.execute(
        sa.select(uses.c.id, uses.c.context).where(
            uses.c.id.in_(use_ids), uses.c.agent_id == reporter_id, uses.c.context != ""
        )
    )
    return {row.id: row.context for row in rows}
