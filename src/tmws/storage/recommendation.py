"""What is known of a few patterns at once, for a recommendation among them."""

from __future__ import annotations

import functools
import json
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from tmws.domain.agents import Agent
from tmws.domain.recommendation import MOST_ON_ONES_WORD, VOICES, Proof
from tmws.domain.usage import Prior, UseOutcome
from tmws.storage.access import looked_up, named, readable_patterns, room_of, whoever
from tmws.storage.columns import moment
from tmws.storage.prepared import Execute, Prepared, filling, room_for, several
from tmws.storage.tables import agent_usage, evidence, namespaces, patterns, uses
from tmws.storage.usage import PRIOR

_PROOFS_OF_ONE = 12
"""How many of the newest uses that one agent proved are looked at, for each pattern."""

_ID = "id"
_GOOD = {each.value: each.good for each in UseOutcome}


def _others(ids: int) -> sa.Subquery:
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
        .where(table.pattern_id.in_(several(_ID, ids)), table.agent_id != patterns.c.owner_id)
        .group_by(table.pattern_id)
        .subquery()
    )


@functools.cache
def _kept(ids: int, namespaces_of_caller: int) -> Prepared:
    others = _others(ids)
    return Prepared(
        sa.select(
            patterns.c.id,
            patterns.c.owner_id,
            patterns.c.author_trust,
            sa.type_coerce(patterns.c.written_at, sa.BigInteger),
            *PRIOR,
            others.c.good,
            others.c.bad,
            sa.func.coalesce(others.c.voices, 0),
            others.c.seconds,
            others.c.used_at,
        )
        .join_from(patterns, namespaces, namespaces.c.name == patterns.c.namespace)
        .outerjoin(others, others.c.pattern_id == patterns.c.id)
        .where(
            patterns.c.id.in_(several(_ID, ids)),
            looked_up(readable_patterns(whoever(namespaces_of_caller))),
        )
    )


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


def owners(run: Execute, ids: Collection[str]) -> dict[str, str]:
    """Return who owns these patterns, whoever may read them."""
    return dict(run(_owners(room_for(ids)), filling(_ID, sorted(ids))))


def kept(run: Execute, caller: Agent, ids: Sequence[str]) -> list[Kept]:
    """Return the records of those of the patterns that the caller may read."""
    rows = run(_kept(room_for(ids), room_of(caller)), filling(_ID, ids) | named(caller))
    return [
        Kept(
            pattern_id=key,
            owner_id=owner_id,
            author_trust=author_trust,
            prior=Prior(prior_good, prior_bad),
            word_good=max(0.0, good or 0.0),
            word_bad=max(0.0, bad or 0.0),
            voices=int(voices),
            seconds=seconds,
            fresh_at=moment(max(written_at, used_at or written_at)),
        )
        for (
            key,
            owner_id,
            author_trust,
            written_at,
            prior_good,
            prior_bad,
            good,
            bad,
            voices,
            seconds,
            used_at,
        ) in rows
    ]


def proofs(run: Execute, ids: Sequence[str]) -> Mapping[str, Sequence[Proof]]:
    """Return the uses of each pattern that verdicts prove, of each agent the newest.

    What the trust model expected before the verdict comes with each; a verdict that was
    withdrawn proves nothing.
    """
    found: dict[str, list[Proof]] = defaultdict(list)
    for pattern_id, outcome, owner_id, step in run(_proofs(room_for(ids)), filling(_ID, ids)):
        found[pattern_id].append(Proof(owner_id, _GOOD[outcome], _expected(step)))
    return found


@functools.lru_cache(maxsize=4096)
def _expected(step: str | None) -> float | None:
    """Return what a step says was expected: the same texts are read for each request."""
    return None if step is None else float(json.loads(step)["probability"])


def words(run: Execute, use_ids: Collection[str], *, reporter_id: str) -> dict[str, str]:
    """Return what uses were for, in the words of the agent that reported them; its own only."""
    values = {**filling(_ID, sorted(use_ids)), "reporter": reporter_id}
    return dict(run(_words(room_for(use_ids)), values))


@functools.cache
def _owners(ids: int) -> Prepared:
    return Prepared(
        sa.select(patterns.c.id, patterns.c.owner_id).where(patterns.c.id.in_(several(_ID, ids)))
    )


@functools.cache
def _proofs(ids: int) -> Prepared:
    place = sa.func.row_number().over(
        partition_by=(uses.c.pattern_id, evidence.c.owner_id),
        order_by=(sa.type_coerce(uses.c.at, sa.BigInteger).desc(), uses.c.id),
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
            uses.c.pattern_id.in_(several(_ID, ids)),
            uses.c.claim_id.is_not(None),
            evidence.c.withdrawn.is_(None),
        )
        .subquery()
    )
    told = proven.c
    return Prepared(
        sa.select(told.pattern_id, told.outcome, told.owner_id, told.step).where(
            told.place <= _PROOFS_OF_ONE
        )
    )


@functools.cache
def _words(use_ids: int) -> Prepared:
    return Prepared(
        sa.select(uses.c.id, uses.c.context).where(
            uses.c.id.in_(several(_ID, use_ids)),
            uses.c.agent_id == sa.bindparam("reporter", type_=sa.String),
            uses.c.context != "",
        )
    )
