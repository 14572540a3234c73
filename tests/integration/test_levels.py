"""Who relies on a verdict says what it has to reach, and that is asked of every claim."""

from __future__ import annotations

import pytest

from tests.integration.services import Installation, agent, claim, ended, silent, verified
from tmws.app import App, open_app
from tmws.domain.agents import Agent
from tmws.domain.claims import Level, Reason, Verdict
from tmws.domain.errors import NotFound


@pytest.fixture
async def alice(app: App, installation: Installation) -> Agent:
    await app.workspaces.add("shop", installation.workspace(), by="test")
    return await agent(app, "alice", "lab", "home")


async def test_a_verdict_below_what_the_caller_asks_for_is_open_and_moves_nothing(
    app: App, alice: Agent
) -> None:
    report = await verified(app, alice, level=Level.PINNED)
    judgement = report.claim.judgement
    assert judgement is not None
    assert (judgement.verdict, judgement.reason) == (
        Verdict.INCONCLUSIVE,
        Reason.LEVEL_NOT_REACHED,
    )
    assert judgement.level is Level.REPRODUCED
    assert report.trust is not None
    assert report.trust.before.score == report.trust.after.score


async def test_what_is_refuted_is_refuted_at_any_level(
    app: App, installation: Installation, alice: Agent
) -> None:
    installation.sandbox.will(ended(1))
    report = await verified(app, alice, level=Level.INDEPENDENT)
    assert report.claim.judgement is not None
    assert report.claim.judgement.verdict is Verdict.REFUTED


async def test_a_namespace_asks_for_more_than_the_caller_until_it_is_unset(
    app: App, alice: Agent
) -> None:
    await app.levels.require("lab", Level.PINNED, by="ann")
    assert await app.levels.every() == {
        "default": None,
        "home": None,
        "lab": Level.PINNED,
    }
    strict = await verified(app, alice)
    assert strict.claim.level is Level.PINNED
    assert strict.claim.judgement is not None
    assert strict.claim.judgement.reason is Reason.LEVEL_NOT_REACHED
    elsewhere = await verified(app, alice, namespace="home")
    assert elsewhere.claim.judgement is not None
    assert elsewhere.claim.judgement.verdict is Verdict.SUPPORTED
    await app.levels.require("lab", None, by="ann")
    assert (await app.levels.every())["lab"] is None
    report = await app.audit.verify()
    assert report.holds, report.problems


async def test_a_verdict_that_reached_less_is_no_answer_to_who_asks_for_more(
    app: App, installation: Installation, alice: Agent
) -> None:
    first = await verified(app, alice)
    more = await verified(app, alice, level=Level.PINNED)
    assert not more.repeated
    assert (await verified(app, alice)).claim.id == first.claim.id
    assert len(installation.sandbox.requests) == 2
    read = await app.verification.get(alice, more.claim.id)
    assert read.claim.level is Level.PINNED


async def test_the_installation_asks_of_every_namespace(
    installation: Installation, alice: Agent
) -> None:
    strict = installation.settings(least_level="independent")
    async with open_app(strict, sandbox=installation.sandbox, clock=installation.clock) as other:
        report = await other.verification.verify(alice, claim(), progress=silent)
    assert report.claim.judgement is not None
    assert report.claim.judgement.reason is Reason.LEVEL_NOT_REACHED


async def test_a_namespace_that_nobody_has_is_refused(app: App) -> None:
    with pytest.raises(NotFound, match="No namespace 'nowhere'"):
        await app.levels.require("nowhere", Level.PINNED, by="ann")
