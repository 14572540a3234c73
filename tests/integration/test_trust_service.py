"""Trust is shown to those who work together, and moved by verdicts alone."""

from __future__ import annotations

import asyncio

import pytest

from tests.integration.services import Installation, agent, ended, learned, timed_out, verified
from tmws.app import App
from tmws.domain.errors import NotFound
from tmws.domain.memories import MemoryDraft
from tmws.domain.trust import NO_RECORD, TrustScore
from tmws.domain.usage import UseOutcome
from tmws.services.learning import OutcomeReport


async def test_without_a_verdict_nothing_is_known(app: App) -> None:
    alice = await agent(app, "alice")
    shown = await app.trust.show(alice)
    assert (shown.agent, shown.score) == ("alice", NO_RECORD)


async def test_those_of_one_namespace_see_each_other_others_see_nobody(app: App) -> None:
    alice = await agent(app, "alice", "home", "work")
    bob, carol = await agent(app, "bob", "work"), await agent(app, "carol", "elsewhere")
    assert (await app.trust.show(bob, "alice")).agent == "alice"
    assert (await app.trust.show(alice, "bob")).agent == "bob"
    for name in ("alice", "nobody"):
        with pytest.raises(NotFound, match="in your namespaces"):
            await app.trust.show(carol, name)


async def test_nothing_but_a_verdict_moves_it(app: App) -> None:
    alice = await agent(app, "alice")
    kept = await learned(app, alice)
    await app.learning.report(alice, OutcomeReport(kept.id, UseOutcome.SUCCESS))
    await app.memory.remember(alice, MemoryDraft("I am very reliable."))
    assert (await app.trust.show(alice)).score == NO_RECORD


async def test_verdicts_of_many_agents_at_once_are_each_counted_for_their_own(
    app: App, installation: Installation
) -> None:
    await app.workspaces.add("shop", installation.workspace(), by="test")
    agents = [await agent(app, f"agent{number}") for number in range(3)]
    installation.sandbox.will(*[ended(0)] * 12)
    await asyncio.gather(
        *(verified(app, who, exit_code=status) for who in agents for status in range(4))
    )
    shown = {view.agent: view.score for view in await app.trust.every()}
    assert shown == {who.name: TrustScore(1, 3, 0) for who in agents}
    report = await app.audit.verify()
    assert report.holds, report.problems


async def test_the_administrator_sees_all_also_those_without_a_record(
    app: App, installation: Installation
) -> None:
    await app.workspaces.add("shop", installation.workspace(), by="test")
    alice, _ = await agent(app, "alice"), await agent(app, "bob", "elsewhere")
    installation.sandbox.will(timed_out())
    await verified(app, alice)
    assert {view.agent: view.score for view in await app.trust.every()} == {
        "alice": TrustScore(0, 0, 1),
        "bob": NO_RECORD,
    }
