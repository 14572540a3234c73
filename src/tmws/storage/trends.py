"""Where patterns are going: what was used lately, beside what was used before that."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from tmws.domain.analytics import FEWEST_USES, TREND_SPAN, Windows, week_of
from tmws.domain.usage import UseOutcome
from tmws.storage.analytics import Scope, others
from tmws.storage.columns import DAY_MICROSECONDS, microseconds
from tmws.storage.prepared import Execute, Prepared, at_once, filling, plain, room_for, several
from tmws.storage.tables import patterns, use_spans, uses

_MOST_TRENDS = 40

# Beyond this many standard deviations a change may be more than chance; what is nearer
# cannot pass any test, so it is not fetched.
_DEVIATIONS = 1.5


async def changed(
    connection: AsyncConnection, scope: Scope, *, at: datetime
) -> tuple[dict[str, Windows], int]:
    """Return the uses of patterns that may have changed, by id, and how many were looked at.

    Two equal spans are compared: the last one and the one before. Whole weeks tell where
    to look, the uses themselves what happened there.
    """
    rows = (await connection.execute(_moved(scope, at=at))).all()
    if not rows:
        return {}, 0
    step = partial(windows_of, ids=[row.pattern_id for row in rows], at=at, span=TREND_SPAN)
    return await at_once(connection, step), rows[0].tested


async def forget(connection: AsyncConnection, *, before: datetime) -> bool:
    """Delete sums of the oldest week that no trend will end with again; say whether any were."""
    oldest = await connection.scalar(sa.select(sa.func.min(use_spans.c.week)))
    if oldest is None or oldest >= week_of(before):
        return False
    await connection.execute(use_spans.delete().where(use_spans.c.week == oldest))
    return True


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


def _moved(scope: Scope, *, at: datetime) -> sa.Select[Any]:
    """Select the patterns that moved most, and how many had enough uses to tell."""
    spans = use_spans.c
    count, late, good, late_good = (
        sa.cast(column, sa.Double)
        for column in (spans.uses, spans.late, spans.good, spans.late_good)
    )
    tested = (
        sa.select(spans.pattern_id, _shift(count, late, good, late_good).label("shift"))
        .where(
            spans.week == week_of(at),
            spans.uses >= FEWEST_USES,
            spans.pattern_id.not_in(others(scope)),
        )
        .cte()
    )
    number = sa.select(sa.func.count()).select_from(tested).scalar_subquery()
    return (
        sa.select(tested.c.pattern_id, number.label("tested"))
        .where(tested.c.shift >= _DEVIATIONS**2)
        .order_by(tested.c.shift.desc(), tested.c.pattern_id)
        .limit(_MOST_TRENDS)
    )


def _shift(
    count: sa.ColumnElement[float],
    late: sa.ColumnElement[float],
    good: sa.ColumnElement[float],
    late_good: sa.ColumnElement[float],
) -> sa.ColumnElement[float]:
    """Return how far use and success moved, as the sum of two squared normal deviates."""
    early, early_good = count - late, good - late_good
    fall = early_good * late - late_good * early
    spread = sa.func.nullif(late * early * good * (count - good), 0.0)
    worse = sa.case((fall > 0.0, fall * fall * count / spread))
    return (late - early) * (late - early) / count + sa.func.coalesce(worse, 0.0)
