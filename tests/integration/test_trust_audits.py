"""Which claims are checked next is chosen by chance, and by nobody for itself."""

from __future__ import annotations

import pytest

from tests.integration.services import (
    Installation,
    agent,
    ended,
    timed_out,
    verified,
)
from tests.integration.trust_seen import (
    decided,
    record,
)
from tmws.app import App
from tmws.domain.agents import Agent
from tmws.domain.errors import InvalidInput, NotFound
from tmws.faces.mcp.tools import trust as tools


async def test_the_next_audits_are_undecided_claims_and_nobody_can_foresee_which(
    app: App, installation: Installation, alice: Agent
) -> None:
    decided_one = await decided(app, installation, alice, held=True)
    for number in range(40):
        installation.workspace(content=f"print('slow {number}')\n")
        installation.sandbox.will(timed_out())
        await verified(app, alice, statement=f"It ends, {number}.")
    drawn = [await app.trust.find_audits("alice", limit=5) for _ in range(4)]
    names = [[audit.candidate.name for audit in audits] for audits in drawn]
    assert all(len(set(each)) == 5 for each in names)
    assert decided_one.claim.id not in {name for each in names for name in each}
    assert len({tuple(each) for each in names}) > 1
    assert len(await app.trust.find_audits("alice", limit=50)) == 40
    await verified(app, alice)  # the newest of them, which ends this time
    assert len(await app.trust.find_audits("alice", limit=50)) == 39


async def test_a_claim_waits_until_its_author_sends_it_again_whatever_others_send(
    app: App, installation: Installation, alice: Agent
) -> None:
    """What an auditor sends is a claim of its own, as `next_audits` says."""
    bob = await agent(app, "bob")
    installation.sandbox.will(timed_out(), ended(1), ended(1))
    await verified(app, alice)
    [waiting] = await app.trust.next_audits(bob, "alice", limit=5)
    await verified(app, bob)
    [still] = await app.trust.next_audits(bob, "alice", limit=5)
    assert still.candidate.name == waiting.candidate.name
    assert (await record(app, alice), await record(app, bob)) == ((0, 0, 1), (0, 1, 0))
    await verified(app, alice)
    assert await app.trust.next_audits(bob, "alice", limit=5) == []
    assert "what you send is your own claim" in (tools.next_audits.listing.description or "")


async def test_a_claim_sent_again_out_of_sight_is_told_as_it_was_seen(
    app: App, installation: Installation
) -> None:
    """Else an author would withdraw a claim from every audit by sending it where nobody reads."""
    await app.workspaces.add("shop", installation.workspace(), by="test")
    alice, bob = await agent(app, "alice", "work", "secret"), await agent(app, "bob", "work")
    sent = []
    for namespace in ("work", "secret"):
        installation.sandbox.will(timed_out())
        sent.append((await verified(app, alice, namespace=namespace)).claim.id)
        installation.clock.advance(1)
    [seen] = await app.trust.next_audits(bob, "alice", limit=5)
    assert seen.candidate.name == sent[0]
    [told] = await app.trust.find_audits("alice", limit=5)
    assert told.candidate.name == sent[1]


async def test_another_agent_is_told_of_audits_it_may_read_and_nobody_of_its_own(
    app: App, installation: Installation
) -> None:
    await app.workspaces.add("shop", installation.workspace(), by="test")
    alice = await agent(app, "alice", "secret", "work")
    bob, carol = await agent(app, "bob", "work"), await agent(app, "carol", "elsewhere")
    undecided = []
    for number, namespace in enumerate(("secret", "work")):
        installation.workspace(content=f"print('slow {number}')\n")
        installation.sandbox.will(timed_out())
        undecided.append((await verified(app, alice, namespace=namespace)).claim.id)
    [seen] = await app.trust.next_audits(bob, "alice", limit=5)
    assert seen.candidate.name == undecided[1]
    with pytest.raises(InvalidInput, match="its own audits"):
        await app.trust.next_audits(alice, "alice", limit=5)
    with pytest.raises(NotFound, match="in your namespaces"):
        await app.trust.next_audits(carol, "alice", limit=5)
    await app.corrections.link("bob", "alice", reason="same keys", by="ann")
    with pytest.raises(InvalidInput, match="its own audits"):
        await app.trust.next_audits(bob, "alice", limit=5)
