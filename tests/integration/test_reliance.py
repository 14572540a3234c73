"""An unchecked claim counts only where its author can carry it, and all of it is on record."""

from __future__ import annotations

import asyncio
import json
import math
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.integration.services import (
    Installation,
    agent,
    claim,
    ended,
    silent,
    timed_out,
    verified,
)
from tmws.app import App
from tmws.domain.agents import Agent
from tmws.domain.errors import InvalidInput, NotFound
from tmws.domain.execution import ExecutionResult
from tmws.domain.trust.model import Part
from tmws.domain.trust.reliance import TERM, Answer, Stake
from tmws.services.reliance import COMMANDS, Relied
from tmws.storage import evidence, ledger, reliances, trust
from tmws.storage.database import Transaction
from tmws.storage.prepared import at_once


@pytest.fixture
async def bob(app: App) -> Agent:
    return await agent(app, "bob")


async def claims(
    app: App, place: Installation, who: Agent, check: int, *, held: bool | None, **fields: object
) -> str:
    """Let an agent claim something of a new snapshot; None leaves it undecided."""
    place.clock.advance(1)
    place.workspace(content=f"print({len(place.sandbox.requests)})\n")
    place.sandbox.will(timed_out() if held is None else ended(check if held else check + 1))
    return (await verified(app, who, exit_code=check, **fields)).claim.id


async def proven(app: App, place: Installation, who: Agent, beside: Agent) -> None:
    """Let an agent earn a record on tasks that another answers too."""
    for check in range(12):
        await claims(app, place, beside, check, held=check % 3 > 0)
        await claims(app, place, who, check, held=True)


async def asked(
    app: App, who: Agent, claim_id: str, *, stake: float = 0.5, least: float = 0.1
) -> Relied:
    return await app.reliance.ask(who, claim_id, stake=stake, least=least)


async def answers(place: Installation) -> list[dict[str, Any]]:
    """Return what the ledger says of what was asked."""
    async with place.database() as database, database.read() as connection:
        return [
            json.loads(entry.payload or b"{}")
            async for entry in ledger.entries(connection)
            if b'"type":"reliance_answered"' in entry.leaf
        ]


async def test_nobody_relies_on_a_newcomer_and_the_refusal_is_on_record(
    app: App, installation: Installation, alice: Agent, bob: Agent
) -> None:
    claim_id = await claims(app, installation, alice, 0, held=None)
    relied = await asked(app, bob, claim_id)
    assert (relied.answer, relied.granted) == (Answer.BOUND_TOO_LOW, False)
    assert "Have the claim checked first" in relied.said()
    for answer in Answer:  # an administrator is told commands
        way = replace(relied, answer=answer).said(COMMANDS)
        assert "See next_audits" not in way
        assert "stake 0" not in way
    [said] = await answers(installation)
    assert (said["claim"], said["agent"], said["by"]) == (claim_id, alice.id, bob.id)
    assert (said["answer"], said["bound"], said["stake"]) == ("bound_too_low", 0, 0.5)
    assert 0.0 <= said["draw"] < 1.0
    report = await app.audit.verify()
    assert report.holds
    assert report.promised == report.size


async def test_a_proven_agent_carries_what_its_record_allows_until_it_is_checked(
    app: App, installation: Installation, alice: Agent, bob: Agent
) -> None:
    await proven(app, installation, alice, bob)
    budget = (await app.trust.explain(bob, "alice")).exposure.budget
    one, two = [await claims(app, installation, alice, 20 + n, held=None) for n in range(2)]
    stake = 0.45 * budget
    assert (await asked(app, bob, one, stake=stake)).granted
    refused = await asked(app, bob, two, stake=0.6 * budget)
    assert refused.answer is Answer.OVER_BUDGET
    assert "more is too much. Ask for less" in refused.said()
    assert (await asked(app, bob, one, stake=stake)).granted  # the same once more adds nothing
    seen = (await app.trust.explain(bob, "alice")).exposure
    assert seen.carried == pytest.approx(stake)
    assert seen.owed == 0
    [first, *_] = await app.trust.find_audits("alice", limit=2)
    assert first.candidate.name == one  # what somebody builds on comes first
    installation.sandbox.will(ended(21))
    await verified(app, alice, exit_code=21)  # the second, which nobody relies on
    assert (await app.trust.explain(bob, "alice")).exposure.carried == pytest.approx(stake)
    assert (await app.audit.verify()).holds


async def test_the_claim_by_which_most_would_be_lost_is_checked_first(
    app: App, installation: Installation, alice: Agent, bob: Agent
) -> None:
    carol = await agent(app, "carol")
    await proven(app, installation, alice, bob)
    made = [await claims(app, installation, alice, 20 + n, held=None) for n in range(3)]
    small, large, shared = made
    assert (await asked(app, bob, small, stake=0.05)).granted
    assert (await asked(app, bob, large, stake=0.2)).granted
    for who in (bob, carol):  # what several build on is lost by all of them
        assert (await asked(app, who, shared, stake=0.15)).granted
    told = await app.trust.find_audits("alice", limit=6)
    assert [each.candidate.name for each in told] == [shared, large, small]


async def test_what_was_given_stands_though_more_is_refused_or_less_is_asked_for(
    app: App, installation: Installation, alice: Agent, bob: Agent
) -> None:
    await proven(app, installation, alice, bob)
    claim_id = await claims(app, installation, alice, 35, held=None)
    assert (await asked(app, bob, claim_id, stake=0.5)).granted
    assert not (await asked(app, bob, claim_id, stake=100.0)).granted
    assert (await asked(app, bob, claim_id, stake=0.01)).granted
    assert (await app.trust.explain(bob, "alice")).exposure.carried == 0.5


async def test_what_one_has_is_no_room_for_another_and_what_was_refused_is_none_for_oneself(
    app: App, installation: Installation, alice: Agent, bob: Agent
) -> None:
    await proven(app, installation, alice, bob)
    carol = await agent(app, "carol")
    budget = (await app.trust.explain(bob, "alice")).exposure.budget
    claim_id = await claims(app, installation, alice, 36, held=None)
    for share in (0.1, 0.4):  # more than before, in place of it
        assert (await asked(app, bob, claim_id, stake=share * budget)).granted
        seen = (await app.trust.explain(bob, "alice")).exposure
        assert seen.carried == pytest.approx(share * budget)
    for _ in range(2):
        refused = await asked(app, carol, claim_id, stake=0.8 * budget)
        assert refused.answer is Answer.OVER_BUDGET
    assert (await asked(app, carol, claim_id, stake=0.25 * budget)).granted


async def test_a_claim_that_is_checked_this_moment_can_be_asked_about(
    app: App, installation: Installation, alice: Agent, bob: Agent
) -> None:
    release = asyncio.Event()

    async def slow() -> ExecutionResult:
        await release.wait()
        return ended(0)

    installation.sandbox.will(slow)
    handle = await app.verification.verify(alice, claim(), progress=silent, wait_seconds=0)
    assert (await asked(app, bob, handle.claim.id)).answer is Answer.BOUND_TOO_LOW
    release.set()


async def test_stakes_are_counted_by_author_and_ended_by_the_very_claims_check(
    app: App, installation: Installation, alice: Agent, bob: Agent
) -> None:
    twin = await agent(app, "twin")
    made = {}
    for name, who, check, content in (
        ("it", alice, 1, "one"),
        ("another check", alice, 2, "one"),
        ("another snapshot", alice, 1, "two"),
        ("another's", bob, 1, "one"),
        ("a twin's", twin, 3, "three"),
    ):
        installation.clock.advance(1)
        installation.workspace(content=f"print('{content}')\n")
        installation.sandbox.will(timed_out())
        made[name] = (await verified(app, who, exit_code=check)).claim
    now = installation.clock.now()

    async def carried(tx: Transaction, who: Agent, at: datetime = now) -> float:
        return sum(each.amount for each in await reliances.standing(tx, who.id, at=at))

    async with installation.database() as database:
        async with database.write() as tx:
            for place, each in enumerate(made.values()):
                given = Stake(each.id, "x", 2.0**place, 0.5, now)
                await reliances.put(tx, given)
                await reliances.put(tx, replace(given, by="y", amount=0.0, since=None))
            assert await at_once(tx, lambda run: reliances.stakes(run, made["it"])) == [1.0]
            assert await carried(tx, alice) == 1.0 + 2.0 + 4.0
            assert await carried(tx, bob) == 8.0
            await evidence.replace_owners(tx, {twin.id: alice.id})
            assert await carried(tx, alice) == 1.0 + 2.0 + 4.0 + 16.0
            assert await carried(tx, bob) == 8.0
            last = now + TERM - timedelta(microseconds=1)
            assert await carried(tx, alice, last) == 1.0 + 2.0 + 4.0 + 16.0
            assert await carried(tx, alice, now + TERM) == 0.0
        installation.workspace(content="print('one')\n")
        installation.sandbox.will(ended(1))
        await verified(app, alice, exit_code=1)
        async with database.write() as tx:
            assert await carried(tx, alice) == 2.0 + 4.0 + 16.0
            assert await carried(tx, bob) == 8.0
            assert await at_once(tx, lambda run: reliances.stakes(run, made["it"])) == []


async def test_a_false_claim_that_others_built_on_costs_more_than_another(
    app: App, installation: Installation, alice: Agent, bob: Agent
) -> None:
    await proven(app, installation, alice, bob)
    claim_id = await claims(app, installation, alice, 30, held=None)
    assert (await asked(app, bob, claim_id, stake=1.0)).granted
    assert (await app.reliance.allow(claim_id, stake=0.5, least=0.1, by="ann")).granted
    installation.sandbox.will(ended(31))
    await verified(app, alice, exit_code=30)
    async with installation.database() as database, database.read() as connection:
        [*_, last] = await evidence.of_owner(connection, alice.id)
        state = await trust.load_agent(connection, alice.id)
    assert (last.evidence.relied_on, last.evidence.severity) == (True, 1.5)
    assert state.model.beliefs[Part("conduct", alice.id)].mean < 0
    assert (await app.trust.explain(alice)).exposure.carried == 0.0
    assert (await app.audit.verify()).holds
    with pytest.raises(InvalidInput, match="was checked: REFUTED"):
        await asked(app, bob, claim_id)


async def test_what_peers_said_of_the_same_claim_is_what_confidence_is_held_against(
    app: App, installation: Installation, alice: Agent, bob: Agent
) -> None:
    """Foreseeing what everybody foresaw is no advantage; foreseeing it alone is one."""
    advantage = []
    for check, theirs in enumerate((0.9, 0.6)):
        installation.workspace(content=f"print({check})\n")
        for who, confidence in ((bob, theirs), (alice, 0.9)):
            installation.clock.advance(1)
            installation.sandbox.will(ended(check))
            await verified(app, who, exit_code=check, confidence=confidence)
        record = (await app.trust.explain(alice)).exposure.integrity
        assert (record.stated, record.events) == (check + 1, 0)
        advantage.append(record.advantage)
    assert advantage[0] == pytest.approx(0.0)
    assert advantage[1] > 0.01


async def penalty_against_the_model(app: App, who: Agent) -> float:
    """Return what the only verdict of an agent costs where no peer excuses it."""
    found = (await app.trust.explain(who)).exposure
    [step], [entry] = found.path, found.entries
    stated = entry.evidence.stated_confidence
    assert stated is not None
    lost = math.log(1 - step.probability) - math.log(1 - stated)
    return lost * entry.evidence.weight


async def test_who_states_nothing_of_the_same_check_is_no_peer(
    app: App, installation: Installation, alice: Agent, bob: Agent
) -> None:
    installation.workspace(content="print('a lie')\n")
    installation.sandbox.will(ended(1), ended(1))
    await verified(app, bob)
    await verified(app, alice, confidence=0.99)
    found = (await app.trust.explain(alice)).exposure.integrity
    assert found.penalty == pytest.approx(await penalty_against_the_model(app, alice))


@pytest.mark.parametrize("undone", ["timed out", "withdrawn"])
async def test_what_was_said_of_a_check_that_counts_for_nothing_excuses_nobody(
    app: App, installation: Installation, alice: Agent, bob: Agent, undone: str
) -> None:
    """Else a friend's unfinished check of the same lie would take away its penalty."""
    installation.workspace(content="print('a lie')\n")
    installation.sandbox.will(timed_out() if undone == "timed out" else ended(1), ended(1))
    beside = (await verified(app, bob, confidence=0.99)).claim
    await verified(app, alice, confidence=0.99)
    if undone == "withdrawn":
        assert (await app.trust.explain(alice)).exposure.integrity.penalty == 0.0
        await app.corrections.withdraw(beside.id, reason="a broken image", by="ann")
    found = (await app.trust.explain(alice)).exposure.integrity
    assert (found.stated, found.events) == (1, 1)
    assert found.penalty == pytest.approx(await penalty_against_the_model(app, alice))


async def test_who_mends_what_another_lied_about_takes_away_no_penalty(
    app: App, installation: Installation, alice: Agent, bob: Agent
) -> None:
    """What is said of another snapshot, or once the verdict is known, is no peer's word."""
    await claims(app, installation, bob, 0, held=True, confidence=0.99)
    await claims(app, installation, alice, 0, held=False, confidence=0.99)
    installation.sandbox.will(ended(1))
    await verified(app, bob, confidence=0.99)  # the same lie again, when everybody knows
    await claims(app, installation, bob, 0, held=True, confidence=0.99)
    found = (await app.trust.explain(alice)).exposure.integrity
    assert found.penalty == pytest.approx(await penalty_against_the_model(app, alice))
    assert found.penalty > 1.0


async def test_asking_again_is_no_second_draw(
    app: App, installation: Installation, alice: Agent, bob: Agent
) -> None:
    await proven(app, installation, alice, bob)
    carol = await agent(app, "carol")
    bound = (await app.trust.show(alice)).standing.bound
    one, two = [await claims(app, installation, alice, 40 + n, held=None) for n in range(2)]
    for who in (bob, carol, bob, bob):
        await asked(app, who, one, stake=0.01, least=bound)
    await asked(app, bob, two, stake=0.01, least=bound)
    three = await claims(app, installation, alice, 42, held=None)
    for _ in range(3):  # what is refused is drawn once, too
        assert not (await asked(app, bob, three, stake=0.01, least=0.99)).granted
    said = await answers(installation)
    assert len({each["draw"] for each in said[5:]}) == 1
    assert len({each["draw"] for each in said[:4]}) == 1
    assert len({each["answer"] for each in said[:4]}) == 1
    assert max(each["draw"] for each in said) > 1 / 256  # all of the range is drawn from
    assert said[4]["draw"] != said[0]["draw"]


async def test_two_that_ask_at_once_do_not_both_get_the_last_of_the_budget(
    app: App, installation: Installation, alice: Agent, bob: Agent
) -> None:
    await proven(app, installation, alice, bob)
    budget = (await app.trust.explain(bob, "alice")).exposure.budget
    ids = [await claims(app, installation, alice, 50 + n, held=None) for n in range(3)]
    async with installation.open() as other:
        found = await asyncio.gather(
            *(
                asked(server, bob, claim_id, stake=0.45 * budget)
                for server, claim_id in zip((app, other, app), ids, strict=True)
            )
        )
    assert sum(each.granted for each in found) == 1
    assert (await app.audit.verify()).holds


async def test_after_an_alarm_checks_are_owed_before_anybody_relies_on_it_again(
    app: App, installation: Installation, alice: Agent, bob: Agent
) -> None:
    for round_ in range(3):
        for check in range(20):
            installation.clock.advance(3600 * 12)
            await claims(app, installation, bob, check, held=True)
            if round_ < 2:
                await claims(app, installation, alice, check, held=True)
    number = 0
    while not (await app.trust.show(alice)).alarms:
        await claims(app, installation, alice, number % 20, held=False)
        number += 1
        assert number < 40
    unchecked = await claims(app, installation, alice, 60, held=None)
    relied = await asked(app, bob, unchecked, stake=0.01, least=0.01)
    assert relied.answer is Answer.AUDITS_OWED
    assert relied.risk.owed == 3
    assert "3 whole ones are owed" in relied.said()
    for check in range(61, 75):
        await claims(app, installation, bob, check, held=True)
        await claims(app, installation, alice, check, held=True)
    assert (await asked(app, bob, unchecked, stake=0.01, least=0.01)).answer is not relied.answer


async def test_only_what_one_may_read_of_others_can_be_asked_about(
    app: App, installation: Installation, alice: Agent, bob: Agent
) -> None:
    carol = await agent(app, "carol", "elsewhere")
    claim_id = await claims(app, installation, alice, 0, held=None)
    for who, asked_id in ((carol, claim_id), (bob, "claim_0")):
        with pytest.raises(NotFound, match="is visible to you"):
            await asked(app, who, asked_id)
    with pytest.raises(InvalidInput, match="its own claims"):
        await asked(app, alice, claim_id)
    for wrong in ({"stake": 0.0}, {"stake": 101.0}, {"least": 0.0}, {"least": 1.0}):
        with pytest.raises(InvalidInput, match="is refused"):
            await asked(app, bob, claim_id, **wrong)
    await app.corrections.link("bob", "alice", reason="one owner", by="ann")
    with pytest.raises(InvalidInput, match="its own claims"):
        await asked(app, bob, claim_id)
    assert await answers(installation) == []


async def test_an_administrator_asks_about_any_claim(
    app: App, installation: Installation, alice: Agent
) -> None:
    claim_id = await claims(app, installation, alice, 0, held=None)
    relied = await app.reliance.allow(claim_id, stake=1.0, least=0.5, by="ann")
    assert not relied.granted
    [said] = await answers(installation)
    assert said["by"] == "ann"
    report = await app.audit.verify()
    assert report.promised == report.size  # the answer is promised outside the database
    with pytest.raises(InvalidInput, match="is refused"):
        await app.reliance.allow(claim_id, stake=0.0, least=0.5, by="ann")
    with pytest.raises(NotFound, match="No claim"):
        await app.reliance.allow("claim_0", stake=1.0, least=0.5, by="ann")
