"""Counts over many patterns and their uses; the database sums, only sums leave it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from tmws.domain.agents import Reader
from tmws.domain.analytics import FEWEST_USES, WEEK, AgentDay, Outcomes, Span, Tally, week_of
from tmws.domain.usage import UseOutcome
from tmws.storage.access import readable_patterns
from tmws.storage.tables import agents, patterns, use_weeks, uses

_MOST_TRENDS = 40
_DAY_MICROSECONDS = 86_400_000_000

# Beyond this many standard deviations a change may be more than chance; what is nearer
# cannot pass any test, so it is not fetched.
_DEVIATIONS = 1.5


@dataclass(frozen=True, slots=True)
class Scope:
    """The patterns that are counted.

    Attributes:
        reader: who asks: only what it may read counts.
    """

    reader: Reader
    namespace: str | None = None
    author_id: str | None = None

    def conditions(self) -> list[sa.ColumnElement[bool]]:
        """Return what holds for the patterns that are counted."""
        wanted = [readable_patterns(self.reader)]
        if self.namespace is not None:
            wanted.append(patterns.c.namespace == self.namespace)
        if self.author_id is not None:
            wanted.append(patterns.c.owner_id == self.author_id)
        return wanted


@dataclass(frozen=True, slots=True)
class Group:
    """All patterns of one category, level and author."""

    category: str
    level: str
    author: str
    tally: Tally


@dataclass(frozen=True, slots=True)
class Named:
    """A pattern by the name that its readers know."""

    id: str
    name: str
    created_at: datetime


async def groups(connection: AsyncConnection, scope: Scope) -> list[Group]:
    """Return how often patterns were used, by category, level and author."""
    table = patterns.c
    keys = table.category, table.level, table.owner_id
    counted = (
        sa.select(
            *keys,
            sa.func.sum(table.successes).label("successes"),
            sa.func.sum(table.partials).label("partials"),
            sa.func.sum(table.failures).label("failures"),
            sa.func.sum(table.proven_successes + table.proven_failures).label("proven"),
            sa.func.count().label("patterns"),
            sa.func.count().filter(table.last_used_at.is_(None)).label("never_used"),
        )
        .where(*scope.conditions())
        .group_by(*keys)
        .subquery()
    )
    rows = await connection.execute(
        sa.select(counted, agents.c.name).join(agents, agents.c.id == counted.c.owner_id)
    )
    return [
        Group(category, level, author, Tally(*map(int, counts)))
        for category, level, _, *counts, author in rows
    ]


async def over_time(connection: AsyncConnection, scope: Scope, span: Span) -> dict[int, Outcomes]:
    """Return the uses since the span began, by the number of its stretch."""
    number = ((use_weeks.c.week - week_of(span.start)) // (span.bucket // WEEK)).label("number")
    # As no bare column, so that SQLite walks week by week and has nothing to sort: it would
    # rather look each pattern up and then sort all it found, which takes twice as long.
    pattern_id = sa.func.nullif(use_weeks.c.pattern_id, "")
    rows = await connection.execute(
        sa.select(
            number,
            sa.func.sum(use_weeks.c.successes),
            sa.func.sum(use_weeks.c.partials),
            sa.func.sum(use_weeks.c.failures),
        )
        .where(use_weeks.c.week >= week_of(span.start), pattern_id.in_(_ids(scope)))
        .group_by(use_weeks.c.week)
    )
    found: dict[int, Outcomes] = {}
    for number, *counts in rows:
        found[number] = found.get(number, Outcomes()) + Outcomes(*map(int, counts))
    return found


async def reported_by(
    connection: AsyncConnection, scope: Scope, agent_id: str, *, since: datetime
) -> Outcomes:
    """Return how the uses went that one agent reported."""
    rows = await connection.execute(
        sa.select(*_outcomes()).where(
            uses.c.agent_id == agent_id,
            uses.c.share >= 1.0,
            uses.c.at >= since,
            uses.c.pattern_id.in_(_ids(scope)),
        )
    )
    successes, partials, failures, *_ = rows.one()
    return Outcomes(successes, partials, failures)


async def changed(
    connection: AsyncConnection, scope: Scope, *, at: datetime, span: timedelta
) -> tuple[list[AgentDay], int]:
    """Return the days of patterns whose use may have changed, and how many were looked at.

    Two equal spans are compared: the last one and the one before. Whole weeks tell where
    to look, the uses themselves what happened there. Reports of a pattern's owner are
    left out.
    """
    rows = (await connection.execute(_moved(scope, at=at, span=span))).all()
    if not rows:
        return [], 0
    day = (sa.type_coerce(uses.c.at, sa.BigInteger) // _DAY_MICROSECONDS).label("day")
    late = sa.case((uses.c.at > at - span, 1), else_=0).label("late")
    days = await connection.execute(
        sa.select(
            uses.c.pattern_id,
            uses.c.agent_id,
            day,
            late,
            sa.func.count(),
            sa.func.count().filter(uses.c.outcome == UseOutcome.SUCCESS.value),
        )
        .join_from(patterns, uses, uses.c.pattern_id == patterns.c.id)
        .where(
            uses.c.pattern_id.in_([row.pattern_id for row in rows]),
            uses.c.agent_id != patterns.c.owner_id,
            uses.c.share >= 1.0,
            uses.c.at > at - 2 * span,
            uses.c.at <= at,
        )
        .group_by(uses.c.pattern_id, uses.c.agent_id, day, late)
    )
    return [
        AgentDay(pattern_id, agent_id, number, bool(late), count, well)
        for pattern_id, agent_id, number, late, count, well in days
    ], rows[0].tested


def _moved(scope: Scope, *, at: datetime, span: timedelta) -> sa.Select[Any]:
    """Select the patterns that moved most, and how many had enough uses to tell."""
    week, good = use_weeks.c.week, use_weeks.c.successes
    count = good + use_weeks.c.partials + use_weeks.c.failures
    recent = week > week_of(at - span)
    table = patterns.c
    enough = _ids(scope).where(table.successes + table.partials + table.failures >= FEWEST_USES)
    weekly = (
        sa.select(
            use_weeks.c.pattern_id,
            _sum(count, recent).label("recent"),
            _sum(count, ~recent).label("before"),
            _sum(good, recent).label("recent_good"),
            _sum(good, ~recent).label("before_good"),
        )
        .where(week >= week_of(at - 2 * span), use_weeks.c.pattern_id.in_(enough))
        .group_by(use_weeks.c.pattern_id)
        .having(sa.func.sum(count) >= FEWEST_USES)
        .subquery()
    )
    tested = sa.select(weekly, sa.func.count().over().label("tested")).subquery()
    shift = _shift(tested)
    return (
        sa.select(tested.c.pattern_id, tested.c.tested)
        .where(shift >= _DEVIATIONS**2)
        .order_by(shift.desc(), tested.c.pattern_id)
        .limit(_MOST_TRENDS)
    )


async def never_used(connection: AsyncConnection, scope: Scope, *, limit: int) -> list[Named]:
    """Return patterns without any use, the oldest first."""
    return await _named(
        connection,
        sa.select(patterns.c.id, patterns.c.name, patterns.c.created_at)
        .where(patterns.c.last_used_at.is_(None), *scope.conditions())
        .order_by(patterns.c.created_at, patterns.c.id)
        .limit(limit),
    )


async def names(connection: AsyncConnection, ids: Iterable[str]) -> Mapping[str, str]:
    """Return the names of patterns, by id; who asks must have been let through to them."""
    wanted = sa.select(patterns.c.id, patterns.c.name, patterns.c.created_at).where(
        patterns.c.id.in_(list(ids))
    )
    return {each.id: each.name for each in await _named(connection, wanted)}


async def _named(connection: AsyncConnection, wanted: sa.Select[str, str, datetime]) -> list[Named]:
    return [Named(*row) for row in await connection.execute(wanted)]


def _ids(scope: Scope) -> sa.Select[str]:
    return sa.select(patterns.c.id).where(*scope.conditions())


def _sum(count: sa.ColumnElement[int], condition: sa.ColumnElement[bool]) -> sa.Cast[float]:
    return sa.cast(sa.func.sum(sa.case((condition, count), else_=0)), sa.Double)


def _outcomes() -> list[sa.ColumnElement[int]]:
    return [
        sa.func.count().filter(uses.c.outcome == outcome.value)
        for outcome in (UseOutcome.SUCCESS, UseOutcome.PARTIAL, UseOutcome.FAILURE)
    ]


def _shift(seen: sa.Subquery) -> sa.ColumnElement[Any]:
    """Return how far use and success moved, as the sum of two squared normal deviates."""
    recent, before = seen.c.recent, seen.c.before
    both = recent + before
    rate = (seen.c.recent_good + seen.c.before_good) / both
    fall = seen.c.before_good / sa.func.nullif(before, 0.0) - seen.c.recent_good / sa.func.nullif(
        recent, 0.0
    )
    worse = fall * fall * recent * before / both / sa.func.nullif(rate * (1.0 - rate), 0.0)
    use = (recent - before) * (recent - before) / both
    return use + sa.case((fall > 0.0, worse), else_=0.0)
