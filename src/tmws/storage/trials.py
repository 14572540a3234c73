"""Trials: recommendations whose best chance showed or withheld, and how the task went."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from tmws.domain.uplift import UNTRIED, Trials, Uplift
from tmws.storage.access import looked_up
from tmws.storage.columns import DAY_MICROSECONDS, microseconds
from tmws.storage.prepared import Execute, Prepared, inserted, plain
from tmws.storage.tables import patterns, trials

_PLAIN = plain(trials)
_ADD = inserted(trials)
_BEGUN = Prepared(
    sa.select(sa.func.count()).where(
        _PLAIN.c.agent_id == sa.bindparam("agent", type_=sa.String),
        _PLAIN.c.at > sa.bindparam("since", type_=sa.BigInteger),
    )
)


@dataclass(frozen=True, slots=True)
class Trial:
    """One recommendation whose best pattern was shown or withheld.

    Attributes:
        receipt_id: of the answer; its outcome is the trial's.
        shown: False when the pattern was withheld.
    """

    receipt_id: str
    pattern_id: str
    agent_id: str
    at: datetime
    shown: bool


def add(run: Execute, trial: Trial) -> None:
    """Store what chance decided, before the outcome is known."""
    run(
        _ADD,
        {
            "receipt_id": trial.receipt_id,
            "pattern_id": trial.pattern_id,
            "agent_id": trial.agent_id,
            "at": microseconds(trial.at),
            "shown": trial.shown,
            "good": None,
        },
    )


def begun(run: Execute, agent_id: str, *, since: datetime) -> int:
    """Return how many trials an agent began after this time."""
    [(count,)] = run(_BEGUN, {"agent": agent_id, "since": microseconds(since)})
    return int(count)


async def settle(connection: AsyncConnection, receipt_id: str, good: float) -> None:
    """Note how well the task went that a receipt stands for; of several reports the best."""
    await connection.execute(
        trials.update()
        .where(
            trials.c.receipt_id == receipt_id,
            sa.or_(trials.c.good.is_(None), trials.c.good < good),
        )
        .values(good=good)
    )


async def take_back(connection: AsyncConnection, agent_id: str, since: datetime) -> None:
    """Forget what an agent said of its tasks from a time on."""
    await connection.execute(
        trials.update().where(trials.c.agent_id == agent_id, trials.c.at >= since).values(good=None)
    )


async def by_pattern(
    connection: AsyncConnection, conditions: Sequence[sa.ColumnElement[bool]]
) -> dict[str, tuple[str, Uplift]]:
    """Return name and uplift of each pattern that meets these conditions and was tried.

    An agent counts once a day on each side, with the mean of what it reported.
    """
    day = sa.type_coerce(trials.c.at, sa.BigInteger) // DAY_MICROSECONDS
    days = (
        sa.select(
            trials.c.pattern_id,
            patterns.c.name,
            trials.c.shown,
            sa.func.count(trials.c.good).label("reported"),
            sa.func.avg(trials.c.good).label("good"),
        )
        .join_from(trials, patterns, patterns.c.id == trials.c.pattern_id)
        # Few patterns were tried, if any; by the conditions alone SQLite would walk them all.
        .where(looked_up(sa.and_(*conditions)))
        .group_by(trials.c.pattern_id, patterns.c.name, trials.c.shown, trials.c.agent_id, day)
        .subquery()
    )
    rows = await connection.execute(
        sa.select(
            days.c.pattern_id,
            days.c.name,
            days.c.shown,
            sa.func.count(),
            sa.func.count().filter(days.c.reported > 0),
            sa.func.coalesce(sa.func.sum(days.c.good), 0.0),
        ).group_by(days.c.pattern_id, days.c.name, days.c.shown)
    )
    found: dict[str, tuple[str, Uplift]] = {}
    for pattern_id, name, shown, count, reported, good in rows:
        seen = Trials(count, reported, float(good))
        side = Uplift(shown=seen) if shown else Uplift(withheld=seen)
        _, before = found.get(pattern_id, (name, UNTRIED))
        found[pattern_id] = name, before + side
    return found
