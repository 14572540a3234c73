"""Counts over many patterns and their uses; the database sums, only sums leave it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from tmws.domain.agents import Agent, Reader
from tmws.domain.analytics import WEEK, Outcomes, Span, Tally, week_of
from tmws.domain.usage import UseOutcome
from tmws.storage.access import readable_classes, readable_patterns, shared_patterns
from tmws.storage.tables import agents, class_weeks, patterns, use_weeks, uses


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
        return [readable_patterns(self.reader), *self.within(patterns)]

    def within(self, table: sa.Table) -> list[sa.ColumnElement[bool]]:
        """Return what holds for namespace and author alone."""
        wanted = []
        if self.namespace is not None:
            wanted.append(table.c.namespace == self.namespace)
        if self.author_id is not None:
            wanted.append(table.c.owner_id == self.author_id)
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


async def over_time(connection: AsyncConnection, scope: Scope, span: Span) -> dict[int, Outcomes]:
    """Return the uses since the span began, by the number of its stretch."""
    found: dict[int, Outcomes] = {}
    for wanted in _weekly(scope, span):
        for number, *sums in await connection.execute(wanted):
            found[number] = found.get(number, Outcomes()) + Outcomes(*map(int, sums))
    return found


def _weekly(scope: Scope, span: Span) -> Iterator[sa.Select[Any]]:
    """Yield the sums of whole classes of patterns, and of those shared with the reader alone."""
    classes = readable_classes(scope.reader), *scope.within(class_weeks)
    yield _by_number(class_weeks, span).where(*classes)
    if isinstance(scope.reader, Agent):
        shared = shared_patterns(scope.reader), *scope.within(patterns)
        ids = sa.select(patterns.c.id).where(*shared)
        yield _by_number(use_weeks, span).where(use_weeks.c.pattern_id.in_(ids))


def _by_number(table: sa.Table, span: Span) -> sa.Select[Any]:
    week, first = table.c.week, week_of(span.start)
    number = ((week - first) // (span.bucket // WEEK)).label("number")
    sums = (sa.func.sum(table.c[name]) for name in ("successes", "partials", "failures"))
    return sa.select(number, *sums).where(week >= first).group_by(number)


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


def others(scope: Scope) -> sa.Select[str]:
    """Select the patterns that are not counted: the fewer, where there are many at all."""
    return sa.select(patterns.c.id).where(~sa.and_(*scope.conditions()))


def _outcomes() -> list[sa.ColumnElement[int]]:
    return [
        sa.func.count().filter(uses.c.outcome == outcome.value)
        for outcome in (UseOutcome.SUCCESS, UseOutcome.PARTIAL, UseOutcome.FAILURE)
    ]
