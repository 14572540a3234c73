"""An agent that an administrator shuts out: at once and everywhere, with what is checked of it."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import pytest

from tests.integration.ledger_seen import entries
from tests.integration.pausing import Pausing
from tests.integration.services import (
    Installation,
    agent,
    claim,
    ended,
    learned,
    pattern,
    silent,
    timed_out,
    verified,
)
from tests.integration.test_reliance import asked, claims, proven
from tests.integration.trust_seen import ledger_size, record
from tmws.app import App
from tmws.domain.agents import AccessLevel, Agent, shut_out
from tmws.domain.errors import Conflict, InvalidInput, NotFound, PermissionDenied
from tmws.domain.memories import MemoryDraft
from tmws.domain.usage import UseOutcome
from tmws.domain.verifications import LEASE, ClaimState
from tmws.domain.versions import Revision
from tmws.services import running
from tmws.services.learning import PatternQuery
from tmws.services.outcomes import OutcomeReport
from tmws.services.running import Work
from tmws.services.verification import Verification, VerificationReport


async def test_it_is_refused_by_every_server_until_it_is_enabled(
    installation: Installation,
) -> None:
    async with installation.open() as office, installation.open() as server:
        made = await office.agents.create("erin", by="test")
        assert await server.agents.bearer(made.secret) == made.agent
        done = await office.agents.disable("erin", reason="floods us", by="ann")
        assert (done.changed, done.reason, done.given_up) == (True, "floods us", ())
        for refused in (
            server.agents.bearer(made.secret),
            server.agents.authenticate("erin", made.secret),
            server.agents.require_enabled(made.agent),
        ):
            with pytest.raises(PermissionDenied, match="disabled by an administrator") as told:
                await refused
            assert "floods us" not in told.value.message
        assert await office.agents.enable("erin", reason="was a test", by="ann")
        assert await server.agents.bearer(made.secret) == made.agent
        await server.agents.require_enabled(made.agent)


async def test_who_is_enabled_lets_nobody_else_in(app: App) -> None:
    for name in ("erin", "fred"):
        await app.agents.create(name, by="test")
        await app.agents.disable(name, reason="x", by="ann")
    await app.agents.enable("erin", reason="mended", by="ann")
    shut = [each.name for each in await app.agents.every() if each.disabled_because is not None]
    assert shut == ["fred"]


async def test_neither_a_new_secret_nor_its_own_name_lets_it_in(app: App) -> None:
    await app.agents.create("erin", by="test")
    await app.agents.disable("erin", reason="x", by="ann")
    new = await app.agents.rotate("erin", by="ann")
    with pytest.raises(PermissionDenied, match="disabled by an administrator"):
        await app.agents.bearer(new.secret)
    with pytest.raises(Conflict, match="exists"):
        await app.agents.create("erin", by="test")


async def test_only_the_holder_of_its_secret_learns_that_it_is_disabled(app: App) -> None:
    erin = await app.agents.create("erin", by="test")
    await app.agents.disable("erin", reason="x", by="ann")
    for name, secret in (("erin", "tmws_guess"), ("alice", erin.secret)):
        with pytest.raises(PermissionDenied, match="do not belong together"):
            await app.agents.authenticate(name, secret)


async def test_what_changes_nothing_is_not_recorded_and_the_first_reason_stands(
    app: App, installation: Installation
) -> None:
    erin = await agent(app, "erin")
    assert await app.agents.enable("erin", reason="never was", by="ann") is False
    await app.agents.disable("erin", reason="one", by="ann")
    again = await app.agents.disable("erin", reason="two", by="bert")
    assert (again.changed, again.reason) == (False, "one")
    [listed] = await app.agents.every()
    assert listed.disabled_because == "one"
    await app.agents.enable("erin", reason="well again", by="ann")
    assert await entries(installation, "agent_disabled") == [
        {"agent": erin.id, "reason": "one", "given_up": [], "by": "ann"}
    ]
    assert await entries(installation, "agent_enabled") == [
        {"agent": erin.id, "reason": "well again", "by": "ann"}
    ]
    assert await ledger_size(app) == 3


async def test_who_disables_at_the_same_time_is_one_event(installation: Installation) -> None:
    async with installation.open() as one, installation.open() as other:
        await agent(one, "erin")
        done = await asyncio.gather(
            *(each.agents.disable("erin", reason="x", by="ann") for each in (one, other) * 3)
        )
        assert sum(each.changed for each in done) == 1
        assert await ledger_size(one) == 2


async def test_an_unknown_name_or_no_reason_changes_nothing(app: App) -> None:
    await agent(app, "erin")
    for act in (app.agents.disable, app.agents.enable):
        with pytest.raises(NotFound, match="No agent is named 'nobody'"):
            await act("nobody", reason="x", by="ann")
        for reason in ("", " ", "x" * 501, "two\nlines"):
            with pytest.raises(InvalidInput, match="Reason"):
                await act("erin", reason=reason, by="ann")
    assert await ledger_size(app) == 1


async def test_what_it_wrote_is_found_by_others_and_its_score_stays(app: App, alice: Agent) -> None:
    bob = await agent(app, "bob")
    kept = await learned(app, alice, "retry the build", level="public")
    await verified(app, alice)
    seen = await app.trust.show(bob, "alice")
    await app.agents.disable("alice", reason="x", by="ann")
    found = await app.learning.find(bob, PatternQuery("retry the build"))
    assert [each.pattern.id for each in found.items] == [kept.id]
    assert (await app.trust.show(bob, "alice")).standing == seen.standing


async def test_a_claim_that_is_checked_meanwhile_is_given_up_and_moves_nothing(
    app: App, installation: Installation, alice: Agent
) -> None:
    used = await learned(app, alice)
    late = Pausing(ended(1))
    installation.sandbox.will(late)
    waiting = asyncio.create_task(verified(app, alice, applied=(used.id,)))
    await late.started.wait()
    async with installation.open() as office:
        done = await office.agents.disable("alice", reason="x", by="ann")
    size = await ledger_size(app)
    late.release.set()
    with pytest.raises(PermissionDenied, match="disabled by an administrator"):
        await waiting
    [left] = await app.verification.newest(limit=10)
    assert done.given_up == (left.id,)
    assert (left.state, left.judgement, left.lease_until) == (ClaimState.ABANDONED, None, None)
    assert await record(app, alice) == (0, 0, 0)
    assert (await app.learning.get(alice, used.id)).usage.count == 0
    assert await ledger_size(app) == size
    [told] = await entries(installation, "agent_disabled")
    assert told["given_up"] == [left.id]


def telling(
    monkeypatch: pytest.MonkeyPatch, room: type, method: str, begun: asyncio.Queue[None]
) -> None:
    """Have a method tell whenever it is begun."""
    whole = getattr(room, method)

    async def told(*given: Any, **named: Any) -> Any:
        begun.put_nowait(None)
        return await whole(*given, **named)

    monkeypatch.setattr(room, method, told)


async def test_whoever_waits_for_its_check_hears_what_is_said_at_the_door(
    installation: Installation, alice: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the server that checks and in another, by the call that sent the claim or a later one."""
    waits: asyncio.Queue[None] = asyncio.Queue()
    for room, method in ((Verification, "_looked"), (Work, "finished")):
        telling(monkeypatch, room, method, waits)
    late = Pausing(ended(1))
    installation.sandbox.will(late)
    async with installation.open() as server, installation.open() as other:
        bob = await agent(other, "bob")
        handle = await server.verification.verify(alice, claim(), progress=silent, wait_seconds=0)
        await late.started.wait()
        await waits.get()
        get = partial(server.verification.get, claim_id=handle.claim.id, wait_seconds=60)
        waiting = [
            asyncio.create_task(each)
            for each in (verified(server, alice), verified(other, alice), get(alice), get(bob))
        ]
        for _ in waiting:
            await asyncio.wait_for(waits.get(), 20)
        await other.agents.disable("alice", reason="x", by="ann")
        late.release.set()
        *own, bobs = await asyncio.gather(*waiting, return_exceptions=True)
    assert [str(each) for each in own] == [str(shut_out("alice"))] * 3
    assert isinstance(bobs, VerificationReport)
    assert bobs.claim.state is ClaimState.ABANDONED


async def test_a_claim_that_another_act_gave_up_is_told_as_such(
    app: App, installation: Installation, alice: Agent
) -> None:
    late = Pausing(ended(1))
    installation.sandbox.will(late)
    waiting = asyncio.create_task(verified(app, alice))
    await late.started.wait()
    await app.workspaces.remove("shop", reason="x", give_up=True, by="ann")
    late.release.set()
    with pytest.raises(Conflict, match="given up while it ran"):
        await waiting


async def test_its_checks_are_stopped_and_leave_their_places_to_others(
    app: App, installation: Installation, alice: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "RENEWED_EVERY_SECONDS", 0.01)
    stuck = [Pausing(ended(0)) for _ in range(8)]
    installation.sandbox.will(*stuck)
    waiting = [asyncio.create_task(verified(app, alice, exit_code=n)) for n in range(8)]
    await stuck[0].started.wait()
    await app.agents.disable("alice", reason="x", by="ann")
    ends = await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), 20)
    assert all(isinstance(end, PermissionDenied) for end in ends), ends
    installation.sandbox._answers.clear()
    bob = await agent(app, "bob")
    assert (await verified(app, bob)).claim.state is ClaimState.CLOSED


async def test_a_call_that_was_let_in_before_opens_no_claim(app: App, alice: Agent) -> None:
    await app.agents.disable("alice", reason="x", by="ann")
    with pytest.raises(PermissionDenied, match="disabled by an administrator"):
        await verified(app, alice)
    assert await app.verification.newest(limit=10) == []


async def test_a_call_that_was_let_in_before_writes_nothing_more(app: App, alice: Agent) -> None:
    await agent(app, "bob")
    kept = await learned(app, alice, "kept", level="shared", shared_with=("bob",))
    await app.agents.disable("alice", reason="x", by="ann")
    for write in (
        learned(app, alice, "another"),
        app.memory.remember(alice, MemoryDraft("x")),
        app.outcomes.report(alice, OutcomeReport(kept.id, UseOutcome.SUCCESS)),
        app.revisions.revise(alice, kept.id, Revision(name="x"), version=1),
        app.sharing.change(alice, kept.id, revoke=("bob",)),
        app.sharing.relevel(alice, kept.id, AccessLevel.PUBLIC),
        app.removal.remove(alice, kept.id),
        app.removal.forget(alice, kept.id),
        app.reliance.ask(alice, "claim_0", stake=0.1, least=0.1),
        app.reliance.release(alice, "claim_0"),
        app.memory.forget(alice, "memory_0"),
    ):
        with pytest.raises(PermissionDenied, match="Agent 'alice' was disabled"):
            await write
    assert await app.learning.get(alice, kept.id) == kept


async def test_a_batch_that_is_being_read_is_not_stored(app: App, alice: Agent) -> None:
    async def tell(what: str) -> None:
        if what.startswith("storing"):
            await app.agents.disable("alice", reason="x", by="ann")

    with pytest.raises(PermissionDenied, match="Agent 'alice' was disabled"):
        await app.batches.learn(alice, [pattern("one"), pattern("two")], progress=tell)
    assert (await app.learning.find(alice, PatternQuery())).items == ()


async def test_a_claim_of_a_dead_server_is_not_taken_up_again(
    installation: Installation,
) -> None:
    installation.sandbox.will(Pausing(ended(1)))
    async with installation.open() as office:
        async with installation.open() as server:
            await server.workspaces.add("shop", installation.workspace(), by="test")
            alice = await agent(server, "alice")
            handle = await server.verification.verify(
                alice, claim(), progress=silent, wait_seconds=0
            )
        await office.agents.disable("alice", reason="x", by="ann")
        await office.agents.enable("alice", reason="y", by="ann")
        installation.clock.advance(LEASE.total_seconds() + 1)
        left = await office.verification.get(alice, handle.claim.id)
        assert (left.claim.state, left.stalled) == (ClaimState.ABANDONED, False)
        assert (await verified(office, alice)).claim.id != left.claim.id  # sent anew


async def test_nobody_relies_on_its_word_anew_and_what_stands_stays_its_burden(
    app: App, installation: Installation, alice: Agent
) -> None:
    bob = await agent(app, "bob")
    await proven(app, installation, alice, bob)
    one, two = [await claims(app, installation, alice, 20 + n, held=None) for n in range(2)]
    assert (await asked(app, bob, one, stake=0.1)).granted
    await app.agents.disable("alice", reason="x", by="ann")
    for ask in (
        asked(app, bob, two, stake=0.1),
        app.reliance.allow(two, stake=0.1, least=0.1, by="ann"),
    ):
        with pytest.raises(InvalidInput, match="author was disabled by an administrator"):
            await ask
    [stands] = await app.reliance.standing("alice")
    assert (stands.stake.claim_id, stands.by) == (one, "bob")
    await app.agents.enable("alice", reason="y", by="ann")
    assert (await asked(app, bob, two, stake=0.1)).granted
    assert (await app.audit.verify()).holds


async def test_a_linked_name_gets_nobody_to_rely_on_one_who_is_shut_out(
    app: App, installation: Installation, alice: Agent
) -> None:
    bob, other = await agent(app, "bob"), await agent(app, "other")
    await proven(app, installation, alice, bob)
    await app.corrections.link("other", "alice", reason="one owner", by="ann")
    installation.sandbox.will(timed_out())
    made = await verified(app, other, exit_code=30)
    await app.agents.disable("alice", reason="x", by="ann")
    with pytest.raises(InvalidInput, match="author was disabled"):
        await asked(app, bob, made.claim.id, stake=0.1)
