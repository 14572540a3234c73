"""On a server an undo and whoever writes at the same time wait for each other, in one order."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.integration.services import Installation, agent, claim, learned, silent
from tmws.app import App
from tmws.domain.agents import Administrator, Agent
from tmws.domain.patterns import Pattern
from tmws.domain.usage import UseOutcome
from tmws.services.learning import PatternQuery
from tmws.services.outcomes import OutcomeReport
from tmws.storage.database import Database
from tmws.storage.tables import namespaces

ANN = Administrator("ann")
GOOD = UseOutcome.SUCCESS


class Place:
    """An installation on a server whose namespaces a test can hold."""

    def __init__(self, app: App, installation: Installation, database: Database) -> None:
        self.app = app
        self.workspace = installation.workspace()
        self.clock = installation.clock
        self._database = database

    @contextlib.asynccontextmanager
    async def namespaces_held(self) -> AsyncIterator[None]:
        """Let whoever counts a write to a namespace wait meanwhile."""
        async with self._database.write() as tx:
            await tx.execute(sa.select(namespaces).with_for_update(key_share=True))
            yield

    async def until_waiting(self, count: int) -> None:
        """Return once so many connections wait for a lock."""
        asked = sa.text(
            "SELECT count(*) FROM pg_stat_activity "
            "WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
        async with asyncio.timeout(60), self._database.glance() as connection:
            while await connection.scalar(asked) != count:
                pass


@pytest.fixture
async def place(postgres_url: str, tmp_path: Path) -> AsyncIterator[Place]:
    installation = Installation(postgres_url, tmp_path / "data")
    async with installation.open() as app, installation.database() as database:
        yield Place(app, installation, database)


async def uses_of(app: App, reader: Agent, pattern: Pattern) -> int:
    return (await app.learning.get(reader, pattern.id)).usage.count


async def test_a_use_reported_during_an_undo_is_counted_and_neither_is_refused(
    place: Place,
) -> None:
    app = place.app
    eve, bob = await agent(app, "eve", "home"), await agent(app, "bob", "home")
    first, second = [await learned(app, bob, name, level="public") for name in ("a", "b")]
    since = place.clock.advance(1)
    await app.outcomes.report(eve, OutcomeReport(first.id, GOOD))
    await app.outcomes.report(eve, OutcomeReport(second.id, GOOD))
    plan = await app.undo.plan("eve", since, with_uses=True)
    async with asyncio.TaskGroup() as both, place.namespaces_held():
        both.create_task(app.undo.apply(plan, by=ANN))
        await place.until_waiting(1)
        both.create_task(app.outcomes.report(bob, OutcomeReport(second.id, GOOD)))
        await place.until_waiting(2)
    assert [await uses_of(app, bob, each) for each in (first, second)] == [0, 1]


async def test_a_use_reported_while_its_pattern_is_taken_away_is_counted(place: Place) -> None:
    app = place.app
    eve, bob = await agent(app, "eve", "home"), await agent(app, "bob", "home")
    since = place.clock.now()
    first, second = [await learned(app, eve, name, level="public") for name in ("a", "b")]
    plan = await app.undo.plan("eve", since, with_uses=False)
    async with asyncio.TaskGroup() as both, place.namespaces_held():
        both.create_task(app.undo.apply(plan, by=ANN))
        await place.until_waiting(1)
        for each in (second, first):
            both.create_task(app.outcomes.report(bob, OutcomeReport(each.id, GOOD)))
        await place.until_waiting(3)
    assert (await app.learning.find(bob, PatternQuery())).items == ()


async def test_undos_of_two_agents_and_reports_beside_them_all_end_well(place: Place) -> None:
    app = place.app
    eve, mallory, bob = [await agent(app, name, "home") for name in ("eve", "mallory", "bob")]
    bobs = [await learned(app, bob, f"bobs {n}", level="public") for n in range(4)]
    since = place.clock.advance(1)
    for each in (eve, mallory):
        await learned(app, each, "own", level="public")
        for pattern in bobs:
            await app.outcomes.report(each, OutcomeReport(pattern.id, GOOD))
    plans = [await app.undo.plan(name, since, with_uses=True) for name in ("eve", "mallory")]
    async with asyncio.TaskGroup() as all_at_once:
        for plan in plans:
            all_at_once.create_task(app.undo.apply(plan, by=ANN))
        for pattern in (*bobs, *reversed(bobs)):
            all_at_once.create_task(app.outcomes.report(bob, OutcomeReport(pattern.id, GOOD)))
        for number in range(4):
            all_at_once.create_task(learned(app, bob, f"new {number}", level="public"))
    assert [await uses_of(app, bob, each) for each in bobs] == [2, 2, 2, 2]
    assert (await app.audit.verify()).holds


async def checked(place: Place, author: Agent, *applied: Pattern) -> str:
    """Have a claim checked that applied these patterns, and return its id."""
    draft = claim(applied=tuple(each.id for each in applied))
    return (await place.app.verification.verify(author, draft, progress=silent)).claim.id


async def test_a_use_reported_while_what_a_verdict_proved_is_taken_back_is_counted(
    place: Place,
) -> None:
    app = place.app
    await app.workspaces.add("shop", place.workspace, by="ann")
    bob, eve = await agent(app, "bob", "home"), await agent(app, "eve", "home")
    pattern = await learned(app, bob, level="public")
    proof = await checked(place, bob, pattern)
    for correct in (app.corrections.withdraw, app.corrections.restore):
        async with asyncio.TaskGroup() as both, place.namespaces_held():
            both.create_task(correct(proof, reason="a broken image", by="ann"))
            await place.until_waiting(1)
            both.create_task(app.outcomes.report(eve, OutcomeReport(pattern.id, GOOD)))
            await place.until_waiting(2)
    assert (await uses_of(app, bob, pattern), (await app.audit.verify()).holds) == (3, True)


async def test_a_use_reported_while_a_verdict_proves_uses_of_others_patterns_is_counted(
    place: Place,
) -> None:
    """The attack: sums of two owners, of which each writer wants the one that the other has."""
    app = place.app
    await app.workspaces.add("shop", place.workspace, by="ann")
    bob, eve = await agent(app, "bob", "home"), await agent(app, "eve", "home")
    of_bob = await learned(app, bob, level="public")
    of_eve, beside = [await learned(app, eve, name, level="public") for name in ("a", "b")]
    async with asyncio.TaskGroup() as both, place.namespaces_held():
        both.create_task(checked(place, bob, of_bob, of_eve))
        await place.until_waiting(1)
        both.create_task(app.outcomes.report(eve, OutcomeReport(beside.id, GOOD)))
        await place.until_waiting(2)
    assert [await uses_of(app, bob, each) for each in (of_bob, of_eve, beside)] == [1, 1, 1]
