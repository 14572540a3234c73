"""Rising by one's own hand: what an agent may say and prove of its patterns is worth little."""

from __future__ import annotations

import itertools

import pytest

from tests.integration.services import Installation, agent, ended, learned, verified
from tmws.app import App
from tmws.domain.agents import Agent
from tmws.domain.patterns import Pattern
from tmws.domain.recommendation import Part
from tmws.domain.situations import Severity, Situation
from tmws.domain.usage import UseOutcome
from tmws.services.outcomes import OutcomeReport
from tmws.services.recommendation import Recommended

TASK = "renew the stale certificate of the staging host"
SUMMARY = "Renew a stale certificate on a staging host."
NUMBERS = itertools.count()


@pytest.fixture
async def shop(app: App, installation: Installation) -> None:
    await app.workspaces.add("shop", installation.workspace(), by="test")


async def praised(app: App, who: Agent, what: Pattern, times: int) -> None:
    for _ in range(times):
        report = OutcomeReport(what.id, UseOutcome.SUCCESS, 1.0, TASK)
        await app.outcomes.report(who, report)


async def proven(app: App, place: Installation, who: Agent, what: Pattern, times: int = 1) -> None:
    for _ in range(times):
        number = next(NUMBERS)
        place.workspace(content=f"print({number})\n")
        place.sandbox.will(ended(0))
        await verified(app, who, statement=f"{TASK} {number}", applied=(what.id,))


async def way(app: App, who: Agent) -> Pattern:
    """Store what says the very same, whoever does."""
    return await learned(app, who, "way", summary=SUMMARY, level="public")


async def seen(app: App, who: Agent) -> dict[str, Recommended]:
    situation = Situation(TASK, severity=Severity.HIGH, limit=10)
    found = await app.recommendation.recommend(who, situation)
    return {item.pattern.id: item for item in found.items}


async def test_praise_of_ones_own_pattern_lifts_it_above_none_that_says_the_same(app: App) -> None:
    mallory, victim = await agent(app, "mallory", "home"), await agent(app, "victim", "home")
    honest = await way(app, await agent(app, "honest", "home"))
    farmed = await way(app, mallory)
    await praised(app, mallory, farmed, 60)
    found = await seen(app, victim)
    assert found[farmed.id].parts == found[honest.id].parts
    assert found[farmed.id].nearest == ()
    assert any("unproven" in each for each in found[farmed.id].against)


@pytest.mark.usefixtures("shop")
async def test_what_several_proved_stands_above_what_its_owner_proved_alone(
    app: App, installation: Installation
) -> None:
    """The attack: small claims of one's own, each about a program that could not fail."""
    mallory, victim = await agent(app, "mallory", "home"), await agent(app, "victim", "home")
    others = [await agent(app, f"user{number}", "home") for number in range(5)]
    farmed, honest = await way(app, mallory), await way(app, others[0])
    for who in others:
        await proven(app, installation, who, honest)
    await proven(app, installation, mallory, farmed, 20)
    await praised(app, mallory, farmed, 20)
    found = await seen(app, victim)
    assert found[honest.id].bound > found[farmed.id].bound
    assert found[honest.id].parts[Part.SUCCESS] > found[farmed.id].parts[Part.SUCCESS]


@pytest.mark.usefixtures("shop")
async def test_hearsay_of_many_reports_does_not_outrank_what_was_proven(
    app: App, installation: Installation
) -> None:
    mallory, friend = await agent(app, "mallory", "home"), await agent(app, "friend", "home")
    victim = await agent(app, "victim", "home")
    others = [await agent(app, f"user{number}", "home") for number in range(3)]
    farmed, honest = await way(app, mallory), await way(app, others[0])
    for who in others:
        await proven(app, installation, who, honest)
    await praised(app, friend, farmed, 40)
    await praised(app, mallory, farmed, 20)
    found = await seen(app, victim)
    assert list(found) == [honest.id, farmed.id]
    assert found[honest.id].bound > found[farmed.id].bound
    assert found[honest.id].parts[Part.USES] > found[farmed.id].parts[Part.USES]
