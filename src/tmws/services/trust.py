"""What is known about how far agents can be relied on, and why. Nothing here can write it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from tmws.domain.actions import Action
from tmws.domain.agents import Agent
from tmws.domain.claims import Verdict
from tmws.domain.errors import InvalidInput, NotFound
from tmws.domain.trust import audits
from tmws.domain.trust.audits import Candidate
from tmws.domain.trust.confirmation import held_back
from tmws.domain.trust.entries import task_key, task_of
from tmws.domain.trust.explanation import Explanation, explain
from tmws.domain.trust.history import Point, points
from tmws.domain.trust.log import replay
from tmws.domain.trust.score import Standing, standing_by_type
from tmws.domain.trust.state import NEWCOMER, Record
from tmws.ports import Chance, Clock
from tmws.services.exposure import Exposure, exposure, walked
from tmws.services.gate import Gate
from tmws.services.scoring import believed
from tmws.storage import agents, claims, evidence, reliances, trust
from tmws.storage.database import Database, Transaction
from tmws.storage.prepared import at_once

MOST_COMPARED = 10
UNNAMED = "an agent outside your namespaces"
_MOST_OPEN = 500


@dataclass(frozen=True, slots=True)
class TrustView:
    """What is shown of an agent.

    Attributes:
        linked_to: the agent whose standing this is, `UNNAMED` where whoever asked may not
            know it, None when it is its own.
        record: counts beside those of the standing.
        alarms: how often its results fell off so far that it has to prove itself anew.
        confirmed: share of its evidence on tasks that others answered too; without them the
            bound stands for average skill at most.
    """

    agent: str
    standing: Standing
    record: Record
    at: datetime
    confirmed: float
    linked_to: str | None = None
    types: Mapping[str, Standing] = field(default_factory=dict)

    @property
    def alarms(self) -> int:
        return self.record.watch.alarms

    @property
    def evidence_age_days(self) -> float | None:
        """How old the newest decided verdict is."""
        last = self.standing.tally.last_at
        return None if last is None else max(0.0, (self.at - last).total_seconds() / 86400)

    def summary(self) -> str:
        """Say in a sentence or three what the record says."""
        shown, tally = self.standing, self.standing.tally
        unfinished = (
            f" {self.record.inconclusive} could not be decided and count for nothing."
            if self.record.inconclusive
            else ""
        )
        if not shown.known:
            return (
                "Unknown: no decided claim counts. Have claims verified to earn a record."
                + unfinished
            )
        alarm = " Its results fell off before: rely on checked claims only." if self.alarms else ""
        return (
            f"{tally.supported} of {tally.decided} decided claims held. Over the claims checked "
            f"here that is {shown.score:.2f}, 90 % sure to lie between {shown.low:.2f} and "
            f"{shown.high:.2f}.{unfinished}{alarm}"
        )


@dataclass(frozen=True, slots=True)
class ExplainedView:
    """A view with where it comes from.

    Attributes:
        exposure: what the agent may have standing unchecked, and what it has.
        readable: claims that may be named to whoever asked; None for all of them.
    """

    view: TrustView
    explanation: Explanation
    exposure: Exposure
    readable: frozenset[str] | None = None

    def named(self, claim_id: str) -> str | None:
        """Return the id of the claim if it may be told."""
        return claim_id if self.readable is None or claim_id in self.readable else None


@dataclass(frozen=True, slots=True)
class Audit:
    """A claim that is worth verifying."""

    candidate: Candidate
    statement: str


class Trust:
    """Shows scores and what they rest on; they move when `Verification` records a verdict."""

    def __init__(self, database: Database, gate: Gate, clock: Clock, chance: Chance) -> None:
        self._database = database
        self._gate = gate
        self._clock = clock
        self._chance = chance

    async def show(self, caller: Agent, agent_name: str | None = None) -> TrustView:
        """Return the standing of an agent, the caller's own by default.

        Raises:
            NotFound: no agent that shares a namespace with the caller has this name.
        """
        await self._gate.require(Action.GET_TRUST)
        async with self._database.read() as connection:
            subject = await _visible(connection, caller, agent_name)
            return await self._view(connection, subject, reader=caller)

    async def explain(self, caller: Agent, agent_name: str | None = None) -> ExplainedView:
        """Return the same with the verdicts that made it so.

        Claims of namespaces that are not the caller's count, and stay unnamed.

        Raises:
            NotFound: no agent that shares a namespace with the caller has this name.
        """
        await self._gate.require(Action.GET_TRUST)
        async with self._database.read() as connection:
            subject = await _visible(connection, caller, agent_name)
            found = await self._explained(connection, subject, reader=caller)
            told = found.explanation
            ids = {gain.evidence.id for gain in told.largest}
            ids |= {each.evidence for each in told.withdrawn}
            ids |= {each.evidence for each in told.restored}
            return replace(found, readable=await claims.readable_ids(connection, caller, ids))

    async def compare(self, caller: Agent, names: Sequence[str]) -> list[TrustView]:
        """Return several agents over the same mix, what their records support at least first.

        Raises:
            InvalidInput: fewer than two or more than ten names.
            NotFound: no agent that shares a namespace with the caller has one of the names.
        """
        await self._gate.require(Action.COMPARE_TRUST)
        wanted = list(dict.fromkeys(names))
        if not 2 <= len(wanted) <= MOST_COMPARED:
            raise InvalidInput(
                f"Different names to compare: {len(wanted)}. Give 2 to {MOST_COMPARED}."
            )
        async with self._database.read() as connection:
            subjects = [await _visible(connection, caller, name) for name in wanted]
            views = [await self._view(connection, each, reader=caller) for each in subjects]
        return by_rank(views)

    async def every(self) -> list[TrustView]:
        """Return all agents, the most relied on first, for the installation's administrator."""
        now = self._clock.now()
        async with self._database.read() as connection:
            state = await trust.load_agents(connection)
            owners = await evidence.owners(connection)
            known = await agents.every(connection)
            names = {agent.id: agent.name for agent in known}
            return by_rank(
                [
                    await _shown(
                        connection, state, each, owners.get(each.id, each.id), names=names, at=now
                    )
                    for each in known
                ]
            )

    async def find(self, agent_name: str) -> ExplainedView:
        """Return any agent with its explanation, for the installation's administrator.

        Raises:
            NotFound: no agent has this name.
        """
        async with self._database.read() as connection:
            subject = await _named(connection, agent_name)
            return await self._explained(connection, subject, reader=None)

    async def history(self, agent_name: str) -> list[Point]:
        """Return what was known of an agent after each verdict, oldest first.

        Raises:
            NotFound: no agent has this name.
        """
        async with self._database.read() as connection:
            return await _walked(connection, await _named(connection, agent_name), newest=None)

    async def newest(
        self, caller: Agent, agent_name: str | None = None, *, limit: int
    ) -> tuple[list[Point], frozenset[str]]:
        """Return the end of an agent's history, and those of its claims that may be named.

        Raises:
            NotFound: no agent that shares a namespace with the caller has this name.
        """
        await self._gate.require(Action.GET_TRUST)
        async with self._database.read() as connection:
            subject = await _visible(connection, caller, agent_name)
            points = await _walked(connection, subject, newest=limit)
            ids = [point.claim_id for point in points]
            return points, await claims.readable_ids(connection, caller, ids)

    async def next_audits(self, caller: Agent, agent_name: str, *, limit: int) -> list[Audit]:
        """Return which undecided claims of another agent to have verified next.

        Those of identities linked to it, too, as far as the caller may read them. Drawn
        among those that would tell most, now and then among all, by chance that nobody can
        foresee.

        Raises:
            InvalidInput: it is the caller's own record: nobody chooses its own audits.
            NotFound: no agent that shares a namespace with the caller has this name.
        """
        await self._gate.require(Action.NEXT_AUDITS)
        async with self._database.read() as connection:
            subject = await _visible(connection, caller, agent_name)
            owners = [await evidence.owner_of(connection, each.id) for each in (caller, subject)]
            if owners[0] == owners[1]:
                raise InvalidInput("Nobody chooses its own audits. Name another agent.")
            return await self._drawn(connection, subject, limit=limit, reader=caller)

    async def find_audits(self, agent_name: str, *, limit: int) -> list[Audit]:
        """Return the same of any agent, for the installation's administrator.

        Raises:
            NotFound: no agent has this name.
        """
        async with self._database.read() as connection:
            subject = await _named(connection, agent_name)
            return await self._drawn(connection, subject, limit=limit, reader=None)

    async def _drawn(
        self, connection: Transaction, agent: Agent, *, limit: int, reader: Agent | None
    ) -> list[Audit]:
        now = self._clock.now()
        owner = await evidence.owner_of(connection, agent.id)
        linked = [
            each for each, whose in (await evidence.owners(connection)).items() if whose == owner
        ]
        # What somebody builds on already cannot wait for chance.
        stakes = await reliances.standing(connection, owner, at=now)
        urgent = await reliances.amounts(connection, stakes)
        undecided = await claims.undecided(
            connection, [owner, *linked], reader=reader, first=urgent.keys(), limit=_MOST_OPEN
        )
        keys = {c.id: task_key(c.check, c.workspace) for c in undecided}
        met = await evidence.on_tasks(connection, set(keys.values()))
        known = {e.evidence.task.claim: e.evidence.task for e in reversed(met) if e.is_decided}
        tasks = {c.id: known.get(keys[c.id]) or task_of(c, keys[c.id]) for c in undecided}
        state = await trust.load_tasks(connection, owner, tasks.values())
        ranking = audits.ranked(state.model, owner, tasks, now)
        statements = {c.id: c.statement for c in undecided}
        # At most half: else whoever relies on a friend's easy claims chooses its audits.
        first = audits.most_at_stake(ranking, urgent)[: (limit + 1) // 2]
        picked = [Audit(c, statements[c.name]) for c in first]
        ranking = [c for c in ranking if c not in first]
        while ranking and len(picked) < limit:
            candidate = audits.pick(ranking, self._draw)
            assert candidate is not None
            ranking.remove(candidate)
            picked.append(Audit(candidate, statements[candidate.name]))
        return picked

    async def foreseen(self) -> list[tuple[float, bool]]:
        """Return each outcome beside what the model said before it knew, without later fits."""
        async with self._database.read() as connection:
            entries = await evidence.every(connection)
        log = [entry.evidence for entry in entries if entry.withdrawn is None]
        # In a thread: a long log takes seconds, and others are being served.
        history = await asyncio.to_thread(replay, log)
        return [
            (step.probability, step.evidence.verdict is Verdict.SUPPORTED)
            for path in history.paths.values()
            for step in path
        ]

    def _draw(self) -> float:
        return int.from_bytes(self._chance(7), "big") / 256**7

    async def _view(
        self, connection: Transaction, subject: Agent, *, reader: Agent | None
    ) -> TrustView:
        owner = await evidence.owner_of(connection, subject.id)
        state = await trust.load_agent(connection, owner)
        names = await agents.names_of(connection, [owner], reader=reader)
        return await _shown(connection, state, subject, owner, names=names, at=self._clock.now())

    async def _explained(
        self, connection: Transaction, subject: Agent, *, reader: Agent | None
    ) -> ExplainedView:
        view = await self._view(connection, subject, reader=reader)
        owner = await evidence.owner_of(connection, subject.id)
        state = await trust.load_agent(connection, owner)
        seen = await exposure(connection, owner, bound=view.standing.bound, at=view.at)
        return ExplainedView(
            view=view,
            explanation=explain(
                state.model,
                owner,
                seen.path,
                state.reference.mix,
                view.at,
                corrections=[e.withdrawn for e in seen.entries if e.withdrawn],
                restorations=[e.restored for e in seen.entries if e.restored],
            ),
            exposure=seen,
        )


def by_rank(views: Sequence[TrustView]) -> list[TrustView]:
    """Return the views by what their records support at least, then by name."""
    return sorted(views, key=lambda view: (-round(view.standing.low, 4), view.agent))


async def _shown(
    connection: Transaction,
    state: trust.State,
    subject: Agent,
    owner: str,
    *,
    names: Mapping[str, str],
    at: datetime,
) -> TrustView:
    model, mix = state.model, state.reference.mix
    seen = await at_once(connection, lambda run: believed(run, state, owner, at=at))
    return TrustView(
        agent=subject.name,
        standing=seen.standing,
        record=model.records.get(owner, NEWCOMER),
        at=at,
        confirmed=seen.confirmed,
        linked_to=None if owner == subject.id else names.get(owner, UNNAMED),
        types={
            name: held_back(part, model, owner, mix.of_type(name), at, confirmed=seen.confirmed)
            for name, part in standing_by_type(model, owner, mix, at).items()
        },
    )


async def _walked(connection: Transaction, subject: Agent, *, newest: int | None) -> list[Point]:
    owner = await evidence.owner_of(connection, subject.id)
    state = await trust.load_agent(connection, owner)
    path = await walked(connection, await evidence.of_owner(connection, owner))
    return points(state.model, owner, path, state.reference.mix, newest=newest)


async def _visible(connection: Transaction, caller: Agent, agent_name: str | None) -> Agent:
    subject = caller if agent_name is None else await agents.named(connection, agent_name)
    if subject is None or not set(subject.namespaces) & set(caller.namespaces):
        raise NotFound(
            f"No agent {(agent_name or '')[:64]!r} in your namespaces. Claims and patterns name "
            "their authors."
        )
    return subject


async def _named(connection: Transaction, agent_name: str) -> Agent:
    found = await agents.named(connection, agent_name)
    if found is None:
        raise NotFound(f"No agent is named {agent_name[:64]!r}. See: tmws agents list.")
    return found
