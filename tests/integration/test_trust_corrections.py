"""Scores are corrected by acts on the record, and every act can be taken back."""

from __future__ import annotations

import asyncio
import math

import pytest

from tests.integration import schemas
from tests.integration.services import (
    Installation,
    agent,
    verified,
)
from tests.integration.trust_seen import (
    counts,
    decided,
    require_sound,
)
from tmws.app import App
from tmws.domain import events
from tmws.domain.agents import Agent
from tmws.domain.errors import Conflict, InvalidInput, NotFound
from tmws.domain.trust import model, state
from tmws.services import audit, corrections
from tmws.storage import trust


async def test_a_withdrawn_verdict_counts_no_more_and_says_why(
    app: App, installation: Installation, alice: Agent
) -> None:
    await decided(app, installation, alice, held=True)
    wrong = await decided(app, installation, alice, held=False)
    await app.corrections.withdraw(wrong.claim.id, reason="the runner was broken", by="ann")
    assert counts(await app.trust.show(alice)) == (1, 0, 0)
    found = await app.trust.explain(alice)
    [correction] = found.explanation.withdrawn
    assert (correction.reason, correction.by) == ("the runner was broken", "ann")
    await require_sound(app)
    with pytest.raises(NotFound, match="No verdict of claim"):
        await app.corrections.withdraw(wrong.claim.id, reason="again", by="ann")
    with pytest.raises(InvalidInput, match="Reason"):
        await app.corrections.withdraw(wrong.claim.id, reason=" ", by="ann")
    await decided(app, installation, alice, held=True)
    await require_sound(app)


async def test_linked_identities_share_their_evidence(
    app: App, installation: Installation, alice: Agent
) -> None:
    bob = await agent(app, "bob")
    await decided(app, installation, alice, held=True)
    shared = await decided(app, installation, bob, held=False)
    await app.corrections.link("alice", "bob", reason="same keys", by="ann")
    assert counts(await app.trust.show(bob)) == (1, 1, 0)
    seen = await app.trust.show(alice)
    assert (seen.linked_to, counts(seen)) == ("bob", (1, 1, 0))
    again = await verified(app, alice)  # what bob had decided
    assert again.claim.id != shared.claim.id
    assert again.trust is not None
    assert again.trust.after == again.trust.before
    assert (await app.trust.show(bob)).record.ignored == 1
    await require_sound(app)
    for agents_named, said in (
        (("bob", "alice"), "'alice' counts for 'bob' already"),
        (("bob", "bob"), "'bob' is one agent already"),
    ):
        with pytest.raises(Conflict, match=said):
            await app.corrections.link(*agents_named, reason="x", by="ann")
    with pytest.raises(NotFound, match="No agent is named"):
        await app.corrections.link("bob", "nobody", reason="x", by="ann")
    await require_sound(app)


async def test_a_link_that_stands_is_not_written_again(
    app: App, installation: Installation, alice: Agent
) -> None:
    for name in ("bob", "carol"):
        await agent(app, name)
    await decided(app, installation, alice, held=True)
    link, unlink = app.corrections.link, app.corrections.unlink
    assert await link("alice", "bob", reason="same keys", by="ann")
    before = await app.audit.verify()
    assert not await link("alice", "bob", reason="told twice", by="bert")
    assert await app.audit.verify() == before
    assert await link("bob", "carol", reason="same keys", by="ann")
    assert not await link("alice", "bob", reason="as it was", by="ann")
    assert (await app.trust.show(alice)).linked_to == "carol"
    # Not the same: it stays when bob turns out to be another.
    assert await link("alice", "carol", reason="her own keys", by="ann")
    await unlink("bob", reason="another's keys", by="ann")
    assert (await app.trust.show(alice)).linked_to == "carol"
    await unlink("alice", reason="another's keys", by="ann")
    assert await link("alice", "bob", reason="same keys after all", by="ann")
    await require_sound(app)


async def test_a_link_that_is_sent_by_two_is_written_once(installation: Installation) -> None:
    async with installation.open() as one, installation.open() as other:
        for name in ("alice", "bob"):
            await agent(one, name)
        done = await asyncio.gather(
            *(
                each.corrections.link("alice", "bob", reason="one owner", by="ann")
                for each in (one, other) * 2
            )
        )
        assert sorted(done) == [False, False, False, True]
        assert (await one.audit.verify()).size == 3


async def test_acts_that_were_a_mistake_are_taken_back_and_leave_the_scores_of_before(
    app: App, installation: Installation, alice: Agent
) -> None:
    bob, carol = await agent(app, "bob"), await agent(app, "carol")
    made = []
    for who, held in ((alice, True), (alice, False), (bob, True), (carol, False)):
        made.append((await decided(app, installation, who, held=held)).claim)
    last = made[-1]
    await app.corrections.refit(by="ann")
    before = [await app.trust.show(who) for who in (alice, bob, carol)]
    for names in (("alice", "bob"), ("bob", "carol")):
        await app.corrections.link(*names, reason="same keys", by="ann")
    await app.corrections.withdraw(last.id, reason="the runner was broken", by="ann")
    assert (await app.trust.show(alice)).linked_to == "carol"
    await app.corrections.unlink("bob", reason="another's keys", by="ann")
    assert (await app.trust.show(alice)).linked_to == "bob"
    assert (await app.trust.show(bob)).linked_to is None
    await app.corrections.restore(last.id, reason="another runner", by="ann")
    told = (await app.trust.explain(carol)).explanation
    assert told.withdrawn == ()
    assert [(each.evidence, each.reason) for each in told.restored] == [(last.id, "another runner")]
    await require_sound(app)
    await app.corrections.unlink("alice", reason="another's keys", by="ann")
    assert [await app.trust.show(who) for who in (alice, bob, carol)] == before
    await require_sound(app)
    await app.corrections.withdraw(last.id, reason="broken after all", by="ann")
    assert (await app.trust.explain(carol)).explanation.restored == ()
    await require_sound(app)


async def test_only_what_stands_is_taken_back_and_only_with_a_reason(
    app: App, installation: Installation, alice: Agent
) -> None:
    made = (await decided(app, installation, alice, held=True)).claim
    before = (await app.audit.verify()).size
    with pytest.raises(NotFound, match="is withdrawn"):
        await app.corrections.restore(made.id, reason="x", by="ann")
    with pytest.raises(Conflict, match="'alice' is linked to nobody"):
        await app.corrections.unlink("alice", reason="x", by="ann")
    with pytest.raises(NotFound, match="No agent is named"):
        await app.corrections.unlink("nobody", reason="x", by="ann")
    for act, name in ((app.corrections.restore, made.id), (app.corrections.unlink, "alice")):
        with pytest.raises(InvalidInput, match="Reason"):
            await act(name, reason=" ", by="ann")
    report = await app.audit.verify()
    assert (report.holds, report.size) == (True, before)


async def test_a_fit_of_everything_keeps_every_verdict_and_stays_provable(
    app: App, installation: Installation, alice: Agent
) -> None:
    bob = await agent(app, "bob")
    for number in range(4):
        await decided(app, installation, alice, held=number != 1)
        await verified(app, bob)
    assert await app.corrections.refit(by="ann") == 8
    assert counts(await app.trust.show(alice)) == (3, 1, 0)
    await require_sound(app)
    await decided(app, installation, bob, held=True)
    await require_sound(app)


async def test_a_new_version_of_the_model_computes_all_that_an_earlier_one_left(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as earlier:
        for module in (model, state, events, corrections, audit, trust):
            earlier.setattr(module, "VERSION", "logit-1")
        earlier.setattr(state, "DRIFT_PER_DAY", 0.5)  # it computed other numbers
        installation.folder.mkdir()
        await schemas.revised(installation.url)
        async with installation.open() as app:
            await app.workspaces.add("shop", installation.workspace(), by="test")
            alice, bob = await agent(app, "alice"), await agent(app, "bob")
            for number in range(4):
                installation.clock.advance(86400)
                await decided(app, installation, alice, held=number != 1)
                await verified(app, bob)
            await app.corrections.refit(by="ann")
            last = await decided(app, installation, bob, held=False)
            await app.corrections.withdraw(last.claim.id, reason="broken", by="ann")
            before = await app.trust.explain(alice)
            await require_sound(app)
    async with installation.open() as app, installation.open() as other:
        after = await app.trust.explain(alice)
        assert counts(after.view) == counts(before.view) == (3, 1, 0)
        assert after.view.standing.score != before.view.standing.score
        gains = math.fsum(gain.logits for gain in after.explanation.gains)
        told = after.explanation
        assert told.prior + gains + told.aging == pytest.approx(told.score, abs=1e-9)
        assert not await other.corrections.catch_up()
        await require_sound(app)
        await decided(app, installation, alice, held=True)
        await require_sound(other)


async def test_a_version_that_nobody_here_knows_is_left_alone(
    app: App, installation: Installation, alice: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    await decided(app, installation, alice, held=True)
    monkeypatch.setattr(corrections, "EARLIER", frozenset())
    monkeypatch.setattr(trust, "VERSION", "logit-0")
    async with installation.open() as earlier:
        with pytest.raises(Conflict, match="Start the newest one"):
            await earlier.trust.show(alice)
        monkeypatch.undo()
        assert (await earlier.trust.show(alice)).standing.known
