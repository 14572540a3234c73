"""Counts over many patterns and their uses; the database sums, only sums leave it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from tmws.domain.agents import Reader
from tmws.domain.analytics import FEWEST_USES, WEEK, Outcomes, Span, Tally, Windows, week_of
from tmws.domain.usage import UseOutcome
from tmws.storage.access import readable_patterns
from tmws.storage.columns import DAY_MICROSECONDS
from tmws.storage.tables import agents, patterns, use_weeks, uses

_MOST_TRENDS = 40

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
    """Return how often patterns were used, by category, level and author.

    One of these may come more than once. The order of the index and a condition that is no
    bare comparison keep SQLite from sorting, and from looking the same things up by parts.
    """
    table = patterns.c
    keys = table.level, table.namespace, table.owner_id, table.category
    counts = sa.case((sa.and_(*scope.conditions()), 1), else_=0) == 1
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
        .where(counts)
        .group_by(*keys)
        .subquery()
    )
    rows = await connection.execute(
        sa.select(counted, agents.c.name).join(agents, agents.c.id == counted.c.owner_id)
    )
    return [
        Group(category, level, author, Tally(*map(int, counts)))
        for level, _, _, category, *counts, author in rows
    ]


async def over_time(
    connection: AsyncConnection, scope: Scope, span: Span, *, of_most: bool
) -> dict[int, Outcomes]:
    """Return the uses since the span began, by the number of its stretch.

    Args:
        of_most: more than half of all patterns are counted. Then it is quicker to count all
            of them and take away the others; the figures are the same.
    """
    if not of_most:
        return await _weekly(connection, span, _ids(scope))
    every = await _weekly(connection, span, None)
    for number, others in (await _weekly(connection, span, _others(scope))).items():
        every[number] -= others
    return every


async def _weekly(
    connection: AsyncConnection, span: Span, of: sa.Select[str] | None
) -> dict[int, Outcomes]:
    """Return the uses of these patterns, by the number of the stretch; None for all there are."""
    week = use_weeks.c.week
    number = ((week - week_of(span.start)) // (span.bucket // WEEK)).label("number")
    counts = (use_weeks.c.successes, use_weeks.c.partials, use_weeks.c.failures)
    wanted = sa.select(number, *(sa.func.sum(count) for count in counts)).where(
        week >= week_of(span.start)
    )
    # Of all, week by week; of some, pattern by pattern, so that SQLite walks no other ones.
    wanted = (
        wanted.group_by(week)
        if of is None
        else wanted.where(use_weeks.c.pattern_id.in_(of)).group_by(number)
    )
    found: dict[int, Outcomes] = {}
    for number, *sums in await connection.execute(wanted):
        found[number] = found.get(number, Outcomes()) + Outcomes(*map(int, sums))
    return found


async def count(connection: AsyncConnection) -> int:
    """Return how many patterns there are, removed ones too, for nobody's eyes."""
    return await connection.scalar(sa.select(sa.func.count()).select_from(patterns)) or 0


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
) -> tuple[dict[str, Windows], int]:
    """Return the uses of patterns that may have changed, by id, and how many were looked at.

    Two equal spans are compared: the last one and the one before. Whole weeks tell where
    to look, the uses themselves what happened there.
    """
    rows = (await connection.execute(_moved(scope, at=at, span=span))).all()
    if not rows:
        return {}, 0
    ids = [row.pattern_id for row in rows]
    return await windows_of(connection, ids, at=at, span=span), rows[0].tested


async def windows_of(
    connection: AsyncConnection, ids: Sequence[str], *, at: datetime, span: timedelta
) -> dict[str, Windows]:
    """Return the uses of patterns in the last span and in the one before, by id.

    Reports of a pattern's owner are left out. An agent counts once a day, as a success
    where at least half of its reports were.
    """
    late = sa.case((uses.c.at > at - span, 1), else_=0).label("late")
    succeeded = sa.func.count().filter(uses.c.outcome == UseOutcome.SUCCESS.value)
    days = (
        sa.select(
            uses.c.pattern_id,
            late,
            sa.case((2 * succeeded >= sa.func.count(), 1), else_=0).label("well"),
        )
        .join_from(patterns, uses, uses.c.pattern_id == patterns.c.id)
        .where(
            uses.c.pattern_id.in_(ids),
            uses.c.agent_id != patterns.c.owner_id,
            uses.c.share >= 1.0,
            uses.c.at > at - 2 * span,
            uses.c.at <= at,
        )
        .group_by(
            uses.c.pattern_id,
            uses.c.agent_id,
            sa.type_coerce(uses.c.at, sa.BigInteger) // DAY_MICROSECONDS,
            late,
        )
        .subquery()
    )
    early = 1 - days.c.late
    counted = await connection.execute(
        sa.select(
            days.c.pattern_id,
            sa.func.sum(days.c.late),
            sa.func.sum(days.c.late * days.c.well),
            sa.func.sum(early),
            sa.func.sum(early * days.c.well),
        ).group_by(days.c.pattern_id)
    )
    return {key: Windows(*map(int, sums)) for key, *sums in counted}


def _moved(scope: Scope, *, at: datetime, span: timedelta) -> sa.Select[Any]:
    """Select the patterns that moved most, and how many had enough uses to tell."""
    # As no bare column, so that SQLite walks pattern by pattern and has nothing to sort.
    week, good = use_weeks.c.week + 0, use_weeks.c.successes
    count = good + use_weeks.c.partials + use_weeks.c.failures
    late = sa.case((week > week_of(at - span), 1), else_=0)
    weekly = (
        sa.select(
            use_weeks.c.pattern_id,
            _sum(count).label("count"),
            _sum(count * late).label("late"),
            _sum(good).label("good"),
            _sum(good * late).label("late_good"),
        )
        .where(week >= week_of(at - 2 * span))
        .group_by(use_weeks.c.pattern_id)
        .having(sa.func.sum(count) >= FEWEST_USES)
        .subquery()
    )
    tested = (
        sa.select(weekly, sa.func.count().over().label("tested"))
        .where(weekly.c.pattern_id.not_in(_others(scope)))
        .subquery()
    )
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


def _others(scope: Scope) -> sa.Select[str]:
    """Select the patterns that are not counted: the fewer, where there are many at all."""
    return sa.select(patterns.c.id).where(~sa.and_(*scope.conditions()))


def _sum(count: sa.ColumnElement[int]) -> sa.Cast[float]:
    return sa.cast(sa.func.sum(count), sa.Double)


def _outcomes() -> list[sa.ColumnElement[int]]:
    return [
        sa.func.count().filter(uses.c.outcome == outcome.value)
        for outcome in (UseOutcome.SUCCESS, UseOutcome.PARTIAL, UseOutcome.FAILURE)
    ]


def _shift(seen: sa.Subquery) -> sa.ColumnElement[Any]:
    """Return how far use and success moved, as the sum of two squared normal deviates."""
    count, late, good, late_good = seen.c["count"], seen.c.late, seen.c.good, seen.c.late_good
    early, early_good = count - late, good - late_good
    fall = early_good * late - late_good * early
    spread = sa.func.nullif(late * early * good * (count - good), 0.0)
    worse = sa.case((fall > 0.0, fall * fall * count / spread))
    return (late - early) * (late - early) / count + sa.func.coalesce(worse, 0.0)
