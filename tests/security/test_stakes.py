"""Threat: somebody uses relying on unchecked claims against their author, or for its own.

A stake takes room in its author's budget. Who relies on claims that can never be decided,
and lets nothing go, must not keep an honest author from being relied on; and an author must
get no room by leaving claims undecided, or by friends who say what suits it.
"""

from __future__ import annotations

import contextlib
from datetime import datetime

import pytest
import sqlalchemy as sa
from mcp.client import Client

from tests.answers import text_of
from tests.callers import always
from tests.integration.services import Installation, agent, ended, timed_out, verified
from tmws.app import App
from tmws.domain.agents import Agent
from tmws.domain.claims import Verdict
from tmws.domain.errors import InvalidInput, NotFound, SandboxUnavailable
from tmws.domain.trust.reliance import TERM
from tmws.faces.mcp.server import McpServer
from tmws.storage import evidence
from tmws.storage.tables import reliances


@pytest.fixture
async def bob(app: App) -> Agent:
    return await agent(app, "bob")


async def sent(app: App, place: Installation, who: Agent, check: int, *, held: bool | None) -> str:
    """Have a claim of a new snapshot checked; None leaves it undecided."""
    place.clock.advance(1)
    place.workspace(content=f"print({len(place.sandbox.requests)})\n")
    place.sandbox.will(timed_out() if held is None else ended(check if held else check + 1))
    return (await verified(app, who, exit_code=check)).claim.id


async def proven(app: App, place: Installation, who: Agent, beside: Agent) -> float:
    """Let an agent earn a record on tasks that another answers too; return its budget."""
    for check in range(12):
        await sent(app, place, beside, check, held=check % 3 > 0)
        await sent(app, place, who, check, held=True)
    return (await app.trust.find(who.name)).exposure.budget


async def test_who_relies_on_all_that_is_open_leaves_room_for_others(
    app: App, installation: Installation, alice: Agent, bob: Agent
) -> None:
    budget = await proven(app, installation, alice, bob)
    mallory = await agent(app, "mallory")
    for number in range(15):
        claim_id = await sent(app, installation, alice, 20 + number, held=None)
        await app.reliance.ask(mallory, claim_id, stake=budget / 12, least=0.01)
    useful = await sent(app, installation, alice, 60, held=None)
    relied = await app.reliance.ask(bob, useful, stake=budget / 5, least=0.01)
    assert relied.granted, relied.said()


async def test_linked_names_take_one_share_and_a_few_owners_never_all(
    app: App, installation: Installation, alice: Agent, bob: Agent
) -> None:
    budget = await proven(app, installation, alice, bob)
    askers = [await agent(app, name) for name in ("mallory", "mallory-two", "mike", "mona")]
    await app.corrections.link("mallory-two", "mallory", reason="one owner", by="ann")
    taken = [0.0 for _ in askers]
    for number in range(6):
        claim_id = await sent(app, installation, alice, 20 + number, held=None)
        for place, asker in enumerate(askers):
            relied = await app.reliance.ask(asker, claim_id, stake=budget / 12, least=0.01)
            taken[place] += relied.granted * budget / 12
    assert taken[0] + taken[1] <= budget / 2
    assert 0 < taken[2] <= budget / 2
    useful = await sent(app, installation, alice, 60, held=None)
    assert (await app.reliance.ask(bob, useful, stake=budget / 50, least=0.01)).granted
    assert (await app.audit.verify()).holds


async def test_an_author_frees_nothing_by_leaving_a_claim_undecided_in_whatever_way(
    app: App, installation: Installation, alice: Agent, bob: Agent
) -> None:
    budget = await proven(app, installation, alice, bob)
    claim_id = await sent(app, installation, alice, 30, held=None)
    stake = 0.4 * budget
    assert (await app.reliance.ask(bob, claim_id, stake=stake, least=0.01)).granted
    for end in (timed_out(), SandboxUnavailable("The engine is gone.", retryable=False)):
        installation.clock.advance(1)
        installation.sandbox.will(end)
        with contextlib.suppress(SandboxUnavailable):
            await verified(app, alice, exit_code=30)
    friend = await agent(app, "friend")
    assert (await app.reliance.ask(friend, claim_id, stake=0.1 * budget, least=0.01)).granted
    assert await app.reliance.release(friend, claim_id) == pytest.approx(0.1 * budget)
    with pytest.raises(InvalidInput, match="Nothing that could end stands"):
        await app.reliance.release(friend, claim_id)
    assert (await app.trust.find("alice")).exposure.carried == pytest.approx(stake)
    assert (await app.audit.verify()).holds


async def test_a_stake_ends_with_its_term_which_nothing_makes_longer_or_begins_anew(
    app: App, installation: Installation, alice: Agent, bob: Agent
) -> None:
    budget = await proven(app, installation, alice, bob)
    again = await agent(app, "bob-two")
    await app.corrections.link("bob-two", "bob", reason="one owner", by="ann")
    claim_id = await sent(app, installation, alice, 30, held=None)
    first = await app.reliance.ask(bob, claim_id, stake=0.1 * budget, least=0.01)
    assert first.stake.until == installation.clock.now() + TERM
    installation.clock.advance(TERM.total_seconds() / 2)
    more = await app.reliance.ask(bob, claim_id, stake=0.2 * budget, least=0.01)
    other = await app.reliance.ask(again, claim_id, stake=0.1 * budget, least=0.01)
    await app.reliance.release(bob, claim_id)
    anew = await app.reliance.ask(bob, claim_id, stake=0.3 * budget, least=0.01)
    assert {each.stake.until for each in (more, other, anew)} == {first.stake.until}
    assert all(each.granted for each in (more, other, anew))
    installation.clock.advance(TERM.total_seconds() / 2)
    assert (await app.trust.find("alice")).exposure.carried == 0.0
    assert await app.reliance.standing("alice") == []
    for who in (bob, again):
        with pytest.raises(InvalidInput, match="90 days ago, and it is unchecked still"):
            await app.reliance.ask(who, claim_id, stake=0.01, least=0.01)
    assert (await app.audit.verify()).holds


async def test_who_relies_on_a_friends_claims_chooses_no_more_than_half_of_its_audits(
    app: App, installation: Installation, alice: Agent, bob: Agent
) -> None:
    await proven(app, installation, alice, bob)
    friend = await agent(app, "friend")
    chosen = [await sent(app, installation, alice, 20 + n, held=None) for n in range(5)]
    for claim_id in chosen:
        assert (await app.reliance.ask(friend, claim_id, stake=0.01, least=0.01)).granted
    others = {await sent(app, installation, alice, 30 + n, held=None) for n in range(30)}
    seen = set()
    for _ in range(5):
        told = [a.candidate.name for a in await app.trust.next_audits(bob, "alice", limit=5)]
        assert set(told[:3]) <= set(chosen)
        seen |= set(told)
    assert len(seen & others) > 1
    [first] = await app.trust.next_audits(bob, "alice", limit=1)
    assert first.candidate.name in chosen


async def test_who_waits_until_a_stake_is_over_pays_for_it_all_the_same(
    app: App, installation: Installation, alice: Agent, bob: Agent
) -> None:
    await proven(app, installation, alice, bob)
    claim_id = await sent(app, installation, alice, 30, held=None)
    assert (await app.reliance.ask(bob, claim_id, stake=1.5, least=0.01)).granted
    installation.clock.advance(2 * TERM.total_seconds())
    installation.sandbox.will(ended(31))
    await verified(app, alice, exit_code=30)
    async with installation.database() as database, database.read() as connection:
        [*_, last] = await evidence.of_owner(connection, alice.id)
    assert (last.evidence.relied_on, last.evidence.severity) == (True, 1.5)


async def test_a_friends_small_stake_makes_no_lie_cheaper(
    app: App, installation: Installation, alice: Agent, bob: Agent
) -> None:
    await proven(app, installation, alice, bob)
    lost = []
    for check, stake in ((30, None), (31, 0.01)):
        before = (await app.trust.find("alice")).exposure.integrity.penalty
        installation.workspace(content=f"print('{check}')\n")
        installation.sandbox.will(timed_out(), ended(check + 1))
        claim_id = (await verified(app, alice, exit_code=check, confidence=0.99)).claim.id
        if stake:
            assert (await app.reliance.ask(bob, claim_id, stake=stake, least=0.01)).granted
        await verified(app, alice, exit_code=check, confidence=0.99)
        lost.append((await app.trust.find("alice")).exposure.integrity.penalty - before)
    assert lost[1] >= 0.8 * lost[0] > 0.0


@pytest.mark.parametrize("relied", ["before", "after", "nobody knows when"])
async def test_a_friend_that_has_the_same_checked_first_makes_no_lie_cheaper(
    app: App, installation: Installation, alice: Agent, bob: Agent, relied: str
) -> None:
    """What was relied on before anybody knew weighs whole; what everybody knew does not."""
    mallory = await agent(app, "mallory")
    await proven(app, installation, alice, bob)
    claim_id = await sent(app, installation, alice, 30, held=None)
    for act in ("tell", "rely") if relied == "after" else ("rely", "tell"):
        installation.clock.advance(1)
        if act == "rely":
            assert (await app.reliance.ask(bob, claim_id, stake=1.0, least=0.01)).granted
        else:
            installation.sandbox.will(ended(31))
            await verified(app, mallory, exit_code=30, confidence=0.99)
    if relied == "nobody knows when":  # granted before that was kept
        async with installation.database() as database, database.write() as tx:
            await tx.execute(reliances.update().values(since=None))
    installation.sandbox.will(ended(31))
    await verified(app, alice, exit_code=30, confidence=0.99)
    async with installation.database() as database, database.read() as connection:
        [*_, last] = await evidence.of_owner(connection, alice.id)
    assert (last.evidence.relied_on, last.evidence.verdict) == (True, Verdict.REFUTED)
    assert last.evidence.weight > 0.4 if relied == "before" else last.evidence.weight < 0.06
    penalty = (await app.trust.find("alice")).exposure.integrity.penalty
    assert penalty > 0.4 if relied == "before" else penalty > 0.0
    if relied != "nobody knows when":
        assert (await app.audit.verify()).holds


async def test_a_check_that_could_not_decide_is_no_verdict_that_was_relied_on(
    app: App, installation: Installation, alice: Agent, bob: Agent
) -> None:
    await proven(app, installation, alice, bob)
    claim_id = await sent(app, installation, alice, 30, held=None)
    assert (await app.reliance.ask(bob, claim_id, stake=1.5, least=0.01)).granted
    installation.sandbox.will(timed_out())
    await verified(app, alice, exit_code=30)
    async with installation.database() as database, database.read() as connection:
        [*_, last] = await evidence.of_owner(connection, alice.id)
    assert (last.evidence.relied_on, last.evidence.severity) == (False, 1.0)


async def test_what_a_name_relied_on_that_was_the_authors_own_takes_no_room(
    app: App, installation: Installation, alice: Agent, bob: Agent
) -> None:
    budget = await proven(app, installation, alice, bob)
    shadow = await agent(app, "shadow")
    claim_id = await sent(app, installation, alice, 30, held=None)
    assert (await app.reliance.ask(shadow, claim_id, stake=budget / 3, least=0.01)).granted
    await app.corrections.link("shadow", "alice", reason="one owner", by="ann")
    assert await app.reliance.standing("alice") == []


async def test_an_administrator_ends_what_nothing_can_decide_and_says_why(
    app: App, installation: Installation, alice: Agent, bob: Agent
) -> None:
    budget = await proven(app, installation, alice, bob)
    carol = await agent(app, "carol")
    claim_id = await sent(app, installation, alice, 30, held=None)
    for who in (bob, carol):
        assert (await app.reliance.ask(who, claim_id, stake=budget / 5, least=0.01)).granted
    assert [each.by for each in await app.reliance.standing("alice")] == ["bob", "carol"]
    with pytest.raises(InvalidInput, match="Reason"):
        await app.reliance.end(claim_id, reason=" ", by="ann")
    freed = await app.reliance.end(claim_id, reason="its snapshot is gone", by="ann", of="bob")
    assert freed == pytest.approx(budget / 5)
    assert [each.by for each in await app.reliance.standing("alice")] == ["carol"]
    await app.reliance.allow(claim_id, stake=budget / 50, least=0.01, by="ann")
    await app.reliance.end(claim_id, reason="by mistake", by="ann", of="ann")
    await app.reliance.end(claim_id, reason="its snapshot is gone", by="ann")
    assert (await app.trust.find("alice")).exposure.carried == 0.0
    for of in (None, "bob", "nobody"):
        with pytest.raises(InvalidInput, match="Nothing that could end stands"):
            await app.reliance.end(claim_id, reason="again", by="ann", of=of)
    with pytest.raises(NotFound, match="No claim"):
        await app.reliance.end("claim_0", reason="none", by="ann")
    with pytest.raises(NotFound, match="No agent is named"):
        await app.reliance.standing("nobody")
    report = await app.audit.verify()
    assert report.holds, report.problems
    assert report.promised == report.size  # what was ended is promised outside the database


async def test_a_stake_that_was_changed_beside_the_ledger_is_found(
    app: App, installation: Installation, alice: Agent, bob: Agent
) -> None:
    budget = await proven(app, installation, alice, bob)
    one, two = [await sent(app, installation, alice, 30 + n, held=None) for n in range(2)]
    assert (await app.reliance.ask(bob, one, stake=budget / 5, least=0.01)).granted
    assert (await app.reliance.ask(bob, two, stake=budget / 5, least=0.01)).granted
    await app.reliance.release(bob, two)
    changes = [
        ("UPDATE reliances SET stake = 0", one),
        ("UPDATE reliances SET stake = 1", two),
        ("UPDATE reliances SET draw = 2", one),
        ("UPDATE reliances SET since = since - 1", one),
        ("UPDATE reliances SET since = NULL", one),
        ("UPDATE reliances SET since = 9000000000000000000", one),
        ("UPDATE reliances SET \"by\" = 'ann'", one),
        ("DELETE FROM reliances", one),
    ]
    async with installation.database() as database:
        async with database.read() as connection:
            kept = [dict(row._mapping) for row in await connection.execute(sa.select(reliances))]
        for change, claim_id in changes:
            async with database.write() as tx:
                await tx.execute(sa.text(f"{change} WHERE claim_id = :claim"), {"claim": claim_id})
            told = [problem.what for problem in (await app.audit.verify()).problems]
            assert f"The stake of {bob.id} on {claim_id} was changed" in "".join(told)
            assert len(told) == (2 if "ann" in change else 1)
            async with database.write() as tx:
                await tx.execute(reliances.delete())
                await tx.execute(reliances.insert().values(kept))
    assert (await app.audit.verify()).holds


async def test_an_agent_lets_go_by_a_stake_of_nothing(
    app: App, installation: Installation, alice: Agent, bob: Agent
) -> None:
    budget = await proven(app, installation, alice, bob)
    claim_id = await sent(app, installation, alice, 30, held=None)
    until = (installation.clock.now() + TERM).isoformat()
    async with Client(McpServer(app, always(bob))) as client:

        async def said(stake: float) -> dict[str, object]:
            wanted = {"claim_id": claim_id, "stake": stake, "least": 0.01}
            result = await client.call_tool("rely", wanted)
            return result.structured_content or {"error": text_of(result)}

        given = await said(0.5)
        assert (given["granted"], given["stands"]) == (True, 0.5)
        assert datetime.fromisoformat(str(given["until"])) == datetime.fromisoformat(until)
        assert "is left for you" in str((await said(0.9 * budget))["said"])
        assert await said(0) == {"claim_id": claim_id, "answer": "released", "freed": 0.5}
        assert "Nothing that could end stands" in str((await said(0))["error"])
