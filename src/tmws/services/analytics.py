"""What the use of all patterns together says, within what the asker may read."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from tmws.domain import analytics as rules
from tmws.domain.actions import Action
from tmws.domain.agents import Administrator, Agent, Reader
from tmws.domain.analytics import Bucket, Direction, Outcomes, Span, Tally, Trend
from tmws.domain.errors import NotFound
from tmws.domain.uplift import UNTRIED, Uplift
from tmws.ports import Clock
from tmws.services import shelf
from tmws.services.gate import Gate
from tmws.storage import agents, analytics, namespaces, trends, trials
from tmws.storage.analytics import Group, Named, Scope
from tmws.storage.database import Database, Transaction

MOST_NAMED = 10
"""How many patterns a list of rising, decaying or unused ones names."""


@dataclass(frozen=True, slots=True)
class StatsQuery:
    """What to count.

    Attributes:
        agent: only patterns this agent wrote, and how the uses went that it reported.
        since: where the look at time begins, or how long ago; None for twelve weeks.
    """

    namespace: str | None = None
    agent: str | None = None
    since: datetime | timedelta | None = None


@dataclass(frozen=True, slots=True)
class NamedTrend:
    """A trend with the name of its pattern."""

    name: str
    trend: Trend


@dataclass(frozen=True, slots=True)
class NamedUplift:
    """What recommending a pattern was worth, with its name."""

    id: str
    name: str
    uplift: Uplift


@dataclass(frozen=True, slots=True)
class PatternStats:
    """The figures, and over what they were taken.

    Attributes:
        categories, levels, authors: sums by name, most patterns first; each adds up to
            the total.
        over_time: every stretch since the span began.
        never_used: the oldest patterns without a use.
        reported: uses since the span began that the agent asked about reported itself,
            of patterns the asker may read; None when none was asked about.
        uplifts: what recommending was worth, where that is measured: those patterns with
            most outcomes; `uplift` adds up all.
    """

    span: Span
    total: Tally
    categories: tuple[tuple[str, Tally], ...]
    levels: tuple[tuple[str, Tally], ...]
    authors: tuple[tuple[str, Tally], ...]
    over_time: tuple[Bucket, ...]
    rising: tuple[NamedTrend, ...]
    decaying: tuple[NamedTrend, ...]
    never_used: tuple[Named, ...]
    reported: Outcomes | None
    uplifts: tuple[NamedUplift, ...] = ()
    uplift: Uplift = UNTRIED


class Analytics:
    """Counts; it writes nothing and names nothing that its asker may not read."""

    def __init__(self, database: Database, gate: Gate, clock: Clock) -> None:
        self._database = database
        self._gate = gate
        self._clock = clock

    async def stats(self, caller: Agent, query: StatsQuery) -> PatternStats:
        """Return figures over all patterns that the caller may read.

        Raises:
            InvalidInput: the time is refused.
            NotFound: no agent that shares a namespace with the caller has this name, or nothing
                that the caller may read lies in the namespace.
        """
        await self._gate.require(Action.PATTERN_STATS)
        await shelf.require_open_to(caller, query.namespace, self._database)
        return await self._stats(caller, query)

    async def of_all(self, administrator: Administrator, query: StatsQuery) -> PatternStats:
        """Return figures over the patterns of all agents.

        Raises:
            InvalidInput: the time is refused.
            NotFound: no agent or no namespace has this name.
        """
        if query.namespace is not None:
            async with self._database.read() as connection:
                if query.namespace not in await namespaces.least_levels(connection):
                    raise NotFound(
                        f"No namespace {query.namespace[:64]!r}. See: tmws levels list. "
                        "Leave it out to count all."
                    )
        return await self._stats(administrator, query)

    async def _stats(self, reader: Reader, query: StatsQuery) -> PatternStats:
        now = self._clock.now()
        span = rules.span_of(query.since, at=now)
        async with self._database.read() as connection:
            agent = await _agent(connection, reader, query.agent) if query.agent else None
        scope = Scope(reader, query.namespace, agent.id if agent else None)
        # Side by side: each takes about as long as the other.
        (groups, unused, reported, counted), (moved, uplifts) = await asyncio.gather(
            self._counted(scope, span, agent), self._compared(scope, now)
        )
        return PatternStats(
            span=span,
            total=sum((each.tally for each in groups), Tally()),
            categories=rules.grouped((each.category, each.tally) for each in groups),
            levels=rules.grouped((each.level, each.tally) for each in groups),
            authors=rules.grouped((each.author, each.tally) for each in groups),
            over_time=rules.over_time(span, counted),
            rising=_first(moved, Direction.RISING),
            decaying=_first(moved, Direction.DECAYING),
            never_used=tuple(unused),
            reported=reported,
            uplifts=tuple(uplifts[:MOST_NAMED]),
            uplift=sum((each.uplift for each in uplifts), UNTRIED),
        )

    async def _counted(
        self, scope: Scope, span: Span, agent: Agent | None
    ) -> tuple[list[Group], list[Named], Outcomes | None, dict[int, Outcomes]]:
        async with self._database.read() as connection:
            groups = await analytics.groups(connection, scope)
            unused = await analytics.never_used(connection, scope, limit=MOST_NAMED)
            reported = None
            if agent is not None:
                whole = replace(scope, author_id=None)
                reported = await analytics.reported_by(
                    connection, whole, agent.id, since=span.start
                )
            counted = await analytics.over_time(connection, scope, span)
        return groups, unused, reported, counted

    async def _compared(
        self, scope: Scope, now: datetime
    ) -> tuple[list[NamedTrend], list[NamedUplift]]:
        async with self._database.read() as connection:
            seen, tested = await trends.changed(connection, scope, at=now)
            told = rules.trends(seen, tested=tested)
            names = await analytics.names(connection, {each.pattern_id for each in told})
            tried = await trials.by_pattern(connection, scope.conditions())
        uplifts = [NamedUplift(key, name, uplift) for key, (name, uplift) in tried.items()]
        return (
            [NamedTrend(names[each.pattern_id], each) for each in told],
            sorted(uplifts, key=lambda each: (-each.uplift.outcomes, each.id)),
        )


def _first(moved: Iterable[NamedTrend], direction: Direction) -> tuple[NamedTrend, ...]:
    return tuple(each for each in moved if each.trend.direction is direction)[:MOST_NAMED]


async def _agent(connection: Transaction, reader: Reader, name: str) -> Agent:
    found = await agents.named(connection, name)
    hidden = (
        found is not None
        and isinstance(reader, Agent)
        and not set(found.namespaces) & set(reader.namespaces)
    )
    if found is None or hidden:
        where = "in your namespaces" if isinstance(reader, Agent) else "here"
        raise NotFound(f"No agent {name[:64]!r} {where}. Leave it out to count all.")
    return found
