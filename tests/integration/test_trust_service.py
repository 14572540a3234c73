"""Trust is moved by verdicts alone: each once, by whom and over what it was."""

from __future__ import annotations

import asyncio
import math

import pytest

from tests.integration.services import (
    Installation,
    agent,
    ended,
    learned,
    timed_out,
    verified,
)
from tests.integration.trust_seen import (
    counts,
    decided,
    require_sound,
)
from tmws.app import App
from tmws.domain.agents import Agent
from tmws.domain.memories import MemoryDraft
from tmws.domain.trust.log import replay
from tmws.domain.usage import UseOutcome
from tmws.services.outcomes import OutcomeReport
from tmws.services.running import MOST_OF_ONE
from tmws.storage import evidence, trust


async def test_nothing_but_a_verdict_moves_it(app: App) -> None:
    alice = await agent(app, "alice")
    kept = await learned(app, alice)
    before = await app.trust.show(alice)
    await app.outcomes.report(alice, OutcomeReport(kept.id, UseOutcome.SUCCESS))
    await app.memory.remember(alice, MemoryDraft("I am very reliable."))
    assert await app.trust.show(alice) == before


async def test_a_true_claim_raises_and_a_false_one_lowers(
    app: App, installation: Installation, alice: Agent
) -> None:
    for held in (True, False, True, True, False):
        change = (await decided(app, installation, alice, held=held)).trust
        assert change is not None
        assert (change.after.score > change.before.score) is held
    shown = await app.trust.show(alice)
    assert counts(shown) == (3, 2, 0)
    assert 0 < shown.standing.low < shown.standing.score < shown.standing.high < 1
    assert shown.types["python"].tally.decided == 5
    assert "3 of 5 decided claims held" in shown.summary()
    await require_sound(app)


async def test_an_undecided_check_moves_nothing_but_its_own_counter(
    app: App, installation: Installation, alice: Agent
) -> None:
    await decided(app, installation, alice, held=True)
    before = await app.trust.show(alice)
    installation.workspace(content="print('slow')\n")
    installation.sandbox.will(timed_out())
    await verified(app, alice)
    after = await app.trust.show(alice)
    assert after.standing == before.standing
    assert counts(after) == (1, 0, 1)
    await require_sound(app)


async def test_evidence_ages(app: App, installation: Installation, alice: Agent) -> None:
    for _ in range(3):
        await decided(app, installation, alice, held=True)
        await decided(app, installation, alice, held=False)
    before = await app.trust.show(alice)
    installation.clock.advance(90 * 86400)
    after = await app.trust.show(alice)
    assert after.evidence_age_days == pytest.approx(90)
    assert after.standing.low < before.standing.low
    assert after.standing.high > before.standing.high


async def test_agents_that_answer_the_same_claim_learn_its_difficulty_together(
    app: App, installation: Installation, alice: Agent
) -> None:
    bob = await agent(app, "bob")
    await verified(app, alice, effort_minutes=10.0)
    await verified(app, bob, effort_minutes=500.0)
    async with installation.database() as database, database.read() as connection:
        first, second = await evidence.every(connection)
        census = (await trust.load(connection)).model.census
    assert first.evidence.task == second.evidence.task
    assert (first.evidence.task.author, first.evidence.task.effort_minutes) == (alice.id, 10.0)
    assert list(census.values()) == [2]


async def test_an_own_pick_that_was_sure_to_hold_tells_less_than_one_that_was_met(
    app: App, installation: Installation, alice: Agent
) -> None:
    bob = await agent(app, "bob")
    for _ in range(8):
        await decided(app, installation, alice, held=True)
    await decided(app, installation, bob, held=True)
    async with installation.database() as database, database.read() as connection:
        *_, first, last, met = [e.evidence.weight for e in await evidence.every(connection)]
    assert last < first < met == 0.75


async def test_what_is_stored_is_what_the_model_says_of_the_whole_log(
    app: App, installation: Installation, alice: Agent
) -> None:
    bob = await agent(app, "bob")
    for number in range(12):
        installation.clock.advance(3600)
        await decided(app, installation, alice, held=number % 3 > 0, effort_minutes=30.0)
        await verified(app, bob, confidence=0.9)
    async with installation.database() as database, database.read() as connection:
        stored = await trust.load(connection)
        log = [entry.evidence for entry in await evidence.every(connection)]
    assert stored.model.fingerprint() == replay(log).model.fingerprint()
    assert stored.decided == 24


async def test_one_kind_of_claim_counts_only_so_much_a_day(
    app: App, installation: Installation, alice: Agent
) -> None:
    bob = await agent(app, "bob")
    for status in range(30):
        for who in (alice, bob):
            installation.workspace(content=f"print({status}, '{who.name}')\n")
            installation.sandbox.will(ended(status))
            await verified(app, who, exit_code=status)
    async with installation.database() as database, database.read() as connection:
        weights = [e.evidence.weight for e in await evidence.of_owner(connection, bob.id)]
    assert math.fsum(weights) == 20.0
    assert (await app.trust.show(bob)).record.ignored == 3
    await require_sound(app)


async def test_verdicts_of_fifty_agents_at_once_are_each_counted_for_their_own(
    app: App, installation: Installation
) -> None:
    await app.workspaces.add("shop", installation.workspace(), by="test")
    agents = [await agent(app, f"agent{number:02}") for number in range(50)]
    installation.sandbox.will(*[ended(0)] * 100)
    async with installation.open() as other:
        places = {server: asyncio.Semaphore(MOST_OF_ONE) for server in (app, other)}

        async def prove(server: App, who: Agent, status: int) -> None:
            async with places[server]:
                await verified(server, who, exit_code=status)

        await asyncio.gather(
            *(
                prove(server, who, status)
                for who in agents
                for status, server in enumerate((app, other))
            )
        )
    assert {counts(view) for view in await app.trust.every()} == {(1, 1, 0)}
    async with installation.database() as database, database.read() as connection:
        census = (await trust.load(connection)).model.census
    assert sorted(census.values()) == [50, 50]
    await require_sound(app)
