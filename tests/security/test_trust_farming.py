"""Threat: an agent earns trust without doing work that could have failed.

Played through on a whole installation: verdicts, ledger, scores. Eight agents that are
right in seven of ten cases stand beside each attacker; how they fare is the measure.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from statistics import fmean

import pytest

from tests.integration.services import Installation, agent, ended, verified
from tmws.app import App
from tmws.domain.agents import Agent

ROUNDS = 20
HONEST = 8
RATE = 0.7
SHARED = "shop"


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """One database is enough: what is told here is the model's, not the store's."""
    return sqlite_url


@dataclass
class Town:
    """Agents that do honest work, each round one claim of its own."""

    app: App
    place: Installation
    chance: random.Random
    honest: list[Agent] = field(default_factory=list)
    claims: int = 0

    async def answers(
        self,
        who: Agent,
        check: int,
        *,
        held: bool,
        where: str = SHARED,
        effort_minutes: float | None = None,
    ) -> None:
        """Let an agent change a workspace and claim that this check holds there now."""
        self.claims += 1
        self.place.workspace(where, f"print({self.claims})\n")
        await self.claims_again(who, check, held=held, where=where, effort_minutes=effort_minutes)

    async def claims_again(
        self,
        who: Agent,
        check: int,
        *,
        held: bool,
        where: str = SHARED,
        effort_minutes: float | None = None,
    ) -> None:
        """Let an agent claim it of the workspace as it stands."""
        self.place.sandbox.will(ended(check if held else check + 1))
        await verified(
            self.app, who, workspace=where, exit_code=check, effort_minutes=effort_minutes
        )

    async def settles(self, name: str) -> Agent:
        """Let an agent begin, with a workspace that nobody else works in."""
        await self.app.workspaces.add(name, self.place.workspace(name), by="test")
        return await agent(self.app, name)

    async def works(self, attack: Callable[[int], Awaitable[object]]) -> None:
        """Let all work for so many rounds; half of the honest work is where others work too."""
        for number in range(ROUNDS):
            for each in self.honest:
                self.place.clock.advance(3600)
                held = self.chance.random() < RATE
                if self.chance.random() < 0.5:
                    await self.answers(each, self.chance.randrange(10), held=held)
                else:
                    await self.answers(each, number, held=held, where=each.name)
            await attack(number)

    async def bound(self, who: Agent) -> float:
        return (await self.app.trust.show(who)).standing.bound

    async def honest_bounds(self) -> list[float]:
        return [await self.bound(each) for each in self.honest]


@pytest.fixture
async def town(app: App, installation: Installation) -> Town:
    await app.workspaces.add(SHARED, installation.workspace(SHARED), by="test")
    town = Town(app, installation, random.Random(4))  # noqa: S311  # repeatable, no secret
    town.honest = [await town.settles(f"honest{number}") for number in range(HONEST)]
    return town


async def test_sure_claims_that_nobody_else_meets_lead_past_no_honest_agent(town: Town) -> None:
    farmer = await town.settles("farmer")
    await town.works(lambda n: town.answers(farmer, n, held=True, where="farmer"))
    seen = await town.app.trust.show(farmer)
    honest = await town.honest_bounds()
    assert seen.standing.tally.supported == ROUNDS
    assert seen.confirmed == 0.0
    assert seen.standing.bound <= fmean(honest)
    assert fmean(honest) > 0.45


async def test_one_sure_check_of_ever_new_snapshots_is_no_way_up_either(town: Town) -> None:
    farmer = await town.settles("farmer")
    await town.works(lambda _: town.answers(farmer, 0, held=True, where="farmer"))
    assert await town.bound(farmer) <= fmean(await town.honest_bounds())


async def test_sure_claims_count_no_more_for_being_told_as_a_month_of_work(town: Town) -> None:
    for modest in town.honest:  # whose estimates tell how hard a claim is
        for number in range(10):
            await town.answers(
                modest, 60 + number, held=number < 5, effort_minutes=2.0 ** (number - 4)
            )
    modest, boaster = await town.settles("modest"), await town.settles("boaster")

    async def both(number: int) -> None:
        await town.answers(modest, number, held=True, where="modest")
        await town.answers(boaster, number, held=True, where="boaster", effort_minutes=43200.0)

    await town.works(both)
    earned = [(await town.app.trust.show(each)).standing for each in (modest, boaster)]
    assert earned[1].score <= earned[0].score + 0.01
    assert earned[1].bound <= earned[0].bound + 0.01


async def test_what_was_decided_for_another_and_is_claimed_again_earns_next_to_nothing(
    town: Town,
) -> None:
    copycat = await town.settles("copycat")
    leader = town.honest[0]

    async def copy(number: int) -> None:
        await town.answers(leader, number % 10, held=True)
        await town.claims_again(copycat, number % 10, held=True)

    await town.works(copy)
    assert (await town.app.trust.show(copycat)).standing.tally.supported == ROUNDS
    assert await town.bound(copycat) < fmean(await town.honest_bounds())


async def test_a_second_name_that_repeats_ones_own_claims_confirms_next_to_nothing(
    town: Town,
) -> None:
    farmer, shill = await town.settles("farmer"), await town.settles("shill")

    async def both(number: int) -> None:
        await town.answers(farmer, number, held=True, where="farmer")
        await town.claims_again(shill, number, held=True, where="farmer")

    await town.works(both)
    for who in (farmer, shill):
        assert await town.bound(who) <= fmean(await town.honest_bounds())
    assert (await town.app.trust.show(farmer)).confirmed < 0.2
    await town.app.corrections.link("shill", "farmer", reason="one owner", by="ann")
    linked = await town.app.trust.show(shill)
    assert linked.linked_to == "farmer"
    assert linked.confirmed == 0.0  # nobody confirms itself


async def test_a_strong_agent_that_others_work_beside_is_held_back_by_nothing(town: Town) -> None:
    strong = await town.settles("strong")

    async def work(number: int) -> None:
        await town.answers(strong, number % 10, held=town.chance.random() < 0.95)

    await town.works(work)
    seen = await town.app.trust.show(strong)
    assert seen.confirmed > 0.9
    assert seen.standing.bound > max(await town.honest_bounds())


async def test_starting_over_gains_nothing(town: Town) -> None:
    old = await town.settles("old")
    await town.works(lambda n: town.answers(old, n % 10, held=n % 4 == 0))
    new = await town.settles("new")
    assert await town.bound(new) == 0.0
    assert [view.agent for view in await town.app.trust.every()][-1] == "new"
    for each in (old, new):
        await town.answers(each, 0, held=True)
    assert await town.bound(new) < fmean(await town.honest_bounds())
