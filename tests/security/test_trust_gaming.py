"""Threat: an agent turns the rules of audits and reliance its way by what it sends.

An undecided check is free to repeat, and anybody can bring one about: a script that hangs
is enough. None of it may hide a claim, draw a gate anew, or lay the way for a second name.
"""

from __future__ import annotations

import pytest

from tests.integration.services import Installation, agent, ended, timed_out, verified
from tmws.app import App
from tmws.domain.agents import Agent
from tmws.services import trust
from tmws.services.reliance import Relied
from tmws.storage import evidence


@pytest.fixture
async def alice(app: App, installation: Installation) -> Agent:
    await app.workspaces.add("shop", installation.workspace(), by="test")
    return await agent(app, "alice", "home", "work")


@pytest.fixture
async def bob(app: App) -> Agent:
    return await agent(app, "bob", "work")


async def sent(
    app: App,
    place: Installation,
    who: Agent,
    *,
    held: bool | None,
    check: int = 0,
    changed: bool = True,
    **fields: object,
) -> str:
    """Have a claim checked, of a new snapshot unless told otherwise; None leaves it undecided."""
    place.clock.advance(1)
    if changed:
        place.workspace(content=f"print({len(place.sandbox.requests)})\n")
    place.sandbox.will(timed_out() if held is None else ended(check if held else check + 1))
    return (await verified(app, who, exit_code=check, **fields)).claim.id


async def test_a_claim_cannot_be_buried_under_others_that_are_hidden_or_newer(
    app: App, installation: Installation, alice: Agent, bob: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trust, "_MOST_OPEN", 3)
    old = [await sent(app, installation, alice, held=None, namespace="work") for _ in range(2)]
    for _ in range(6):
        await sent(app, installation, alice, held=None, namespace="home")
    told = await app.trust.next_audits(bob, "alice", limit=9)
    assert {audit.candidate.name for audit in told} == set(old)
    drawn = set()
    for _ in range(60):
        drawn |= {audit.candidate.name for audit in await app.trust.find_audits("alice", limit=3)}
    assert len(drawn) == 8, "some are never looked at"


async def test_a_check_that_was_sent_again_and_again_is_one_audit(
    app: App, installation: Installation, alice: Agent, bob: Agent
) -> None:
    await sent(app, installation, alice, held=None, namespace="work")
    hidden = await sent(app, installation, alice, held=None, changed=False, namespace="home")
    again = await sent(app, installation, alice, held=None, changed=False, namespace="work")
    last = await sent(app, installation, alice, held=None, changed=False, namespace="home")
    assert [a.candidate.name for a in await app.trust.find_audits("alice", limit=9)] == [last]
    assert [a.candidate.name for a in await app.trust.next_audits(bob, "alice", limit=9)] == [again]
    assert hidden not in {last, again}


async def proven(app: App, place: Installation, who: Agent, beside: Agent) -> None:
    for check in range(12):
        await sent(app, place, beside, held=check % 3 > 0, check=check)
        await sent(app, place, who, held=True, check=check, namespace="work")


async def asked(app: App, who: Agent, claim_id: str, stake: float) -> Relied:
    return await app.reliance.ask(who, claim_id, stake=stake, least=0.3)


async def test_a_claim_that_is_sent_again_draws_its_gate_no_second_time(
    app: App, installation: Installation, alice: Agent, bob: Agent
) -> None:
    await proven(app, installation, alice, bob)
    carol = await agent(app, "carol", "work")
    claims = [await sent(app, installation, alice, held=None, namespace="work")]
    for _ in range(3):
        claims.append(
            await sent(app, installation, alice, held=None, changed=False, namespace="work")
        )
    found = [await asked(app, bob, claim_id, 0.25) for claim_id in claims]
    found += [await asked(app, carol, claims[0], 0.5)]
    assert {each.granted for each in found} == {True}
    assert len({each.risk.draw for each in found}) == 1
    # Nor does the same asker's stake count once for each time it was sent.
    assert [each.risk.carried for each in found] == [0.0, 0.0, 0.0, 0.0, 0.25]
    assert (await app.trust.find("alice")).exposure.carried == 0.75
    # Whatever it was relied on as, it is the first to be checked, and the check ends all of it.
    urgent, *_ = await app.trust.find_audits("alice", limit=1)
    assert urgent.candidate.name == claims[-1]
    await sent(app, installation, alice, held=False, changed=False, namespace="work")
    assert (await app.trust.find("alice")).exposure.carried == 0.0
    assert (await app.audit.verify()).holds


async def test_what_one_name_left_undecided_prepares_nothing_for_another(
    app: App, installation: Installation, alice: Agent, bob: Agent
) -> None:
    """A task that somebody else met first is no own pick, so it weighs more."""
    for check in range(8):
        await sent(app, installation, alice, held=True, check=check)
    await sent(app, installation, bob, held=None, check=20, effort_minutes=6000)
    prepared = await sent(app, installation, alice, held=True, check=20)
    async with installation.database() as database, database.read() as connection:
        log = {entry.evidence.id: entry.evidence for entry in await evidence.every(connection)}
    assert log[prepared].task.author == alice.id
    assert log[prepared].task.effort_minutes is None
    assert log[prepared].weight < 0.75  # all of what a reproduced verdict weighs


async def test_the_claims_of_a_linked_identity_are_audited_with_those_of_its_owner(
    app: App, installation: Installation, alice: Agent, bob: Agent
) -> None:
    first = await sent(app, installation, alice, held=None, namespace="work")
    second = await agent(app, "alice-two", "work")
    other = await sent(app, installation, second, held=None)
    await app.corrections.link("alice-two", "alice", reason="one owner", by="ann")
    for name in ("alice", "alice-two"):
        told = await app.trust.next_audits(bob, name, limit=9)
        assert {audit.candidate.name for audit in told} == {first, other}
