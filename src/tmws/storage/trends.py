"""Where patterns are going: what was used lately, beside what was used before that."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from tmws.domain.analytics import FEWEST_USES, Windows, week_of
from tmws.domain.usage import UseOutcome
from tmws.storage.analytics import Scope, others
from tmws.storage.columns import DAY_MICROSECONDS, microseconds
from tmws.storage.prepared import Execute, Prepared, at_once, filling, plain, room_for, several
from tmws.storage.tables import patterns, use_weeks, uses

_MOST_TRENDS = 40

# Beyond this many standard deviations a change may be more than chance; what is nearer
# cannot pass any test, so it is not fetched.
_DEVIATIONS = 1.5


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
    return (
        await at_once(connection, partial(windows_of, ids=ids, at=at, span=span)),
        rows[0].tested,
    )


def windows_of(
    run: Execute, ids: Sequence[str], *, at: datetime, span: timedelta
) -> dict[str, Windows]:
    """Return the uses of patterns in the last span and in the one before, by id.

    Reports of a pattern's owner are left out. An agent counts once a day, as a success
    where at least half of its reports were.
    """
    values = {
        **filling("id", ids),
        "early": microseconds(at - 2 * span),
        "late": microseconds(at - span),
        "until": microseconds(at),
    }
    return {key: Windows(*map(int, sums)) for key, *sums in run(_windows(room_for(ids)), values)}


@functools.cache
def _windows(ids: int) -> Prepared:
    table = plain(uses)
    used = table.c
    since, lately, until = (
        sa.bindparam(name, type_=sa.BigInteger) for name in ("early", "late", "until")
    )
    late = sa.case((used.at > lately, 1), else_=0).label("late")
    succeeded = sa.func.count().filter(used.outcome == UseOutcome.SUCCESS.value)
    days = (
        sa.select(
            used.pattern_id,
            late,
            sa.case((2 * succeeded >= sa.func.count(), 1), else_=0).label("well"),
        )
        .join_from(patterns, table, used.pattern_id == patterns.c.id)
        .where(
            used.pattern_id.in_(several("id", ids)),
            used.agent_id != patterns.c.owner_id,
            used.share >= 1.0,
            used.at > since,
            used.at <= until,
        )
        .group_by(used.pattern_id, used.agent_id, used.at // DAY_MICROSECONDS, late)
        .subquery()
    )
    early = 1 - days.c.late
    return Prepared(
        sa.select(
            days.c.pattern_id,
            sa.func.sum(days.c.late),
            sa.func.sum(days.c.late * days.c.well),
            sa.func.sum(early),
            sa.func.sum(early * days.c.well),
        ).group_by(days.c.pattern_id)
    )


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
        .where(weekly.c.pattern_id.not_in(others(scope)))
        .subquery()
    )
    shift = _shift(tested)
    return (
        sa.select(tested.c.pattern_id, tested.c.tested)
        .where(shift >= _DEVIATIONS**2)
        .order_by(shift.desc(), tested.c.pattern_id)
        .limit(_MOST_TRENDS)
    )


def _sum(count: sa.ColumnElement[int]) -> sa.Cast[float]:
    return sa.cast(sa.func.sum(count), sa.Double)


def _shift(seen: sa.Subquery) -> sa.ColumnElement[Any]:
    """Return how far use and success moved, as the sum of two squared normal deviates."""
    count, late, good, late_good = seen.c["count"], seen.c.late, seen.c.good, seen.c.late_good
    early, early_good = count - late, good - late_good
    fall = early_good * late - late_good * early
    spread = sa.func.nullif(late * early * good * (count - good), 0.0)
    worse = sa.case((fall > 0.0, fall * fall * count / spread))
    return (late - early) * (late - early) / count + sa.func.coalesce(worse, 0.0)
