"""Who looks after a claim holds a lease on it, and loses it to whoever takes over."""

from __future__ import annotations

import asyncio

import pytest

from tests.integration.pausing import PATIENCE, Pausing, taken_up
from tests.integration.services import (
    Installation,
    agent,
    claim,
    ended,
    learned,
    silent,
    verified,
)
from tests.integration.trust_seen import (
    NO_RECORD,
    ledger_size,
    record,
)
from tmws.app import App
from tmws.domain.agents import Agent
from tmws.domain.errors import (
    Conflict,
)
from tmws.domain.execution import ExecutionResult
from tmws.domain.verifications import LEASE, MOST_ATTEMPTS, ClaimState
from tmws.services import running
from tmws.storage import claims


async def test_a_server_that_is_closed_keeps_no_lease_and_the_next_one_goes_on(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "DRAIN_SECONDS", 0.0)
    installation.sandbox.will(Pausing(ended(0)))
    async with installation.open() as app:
        await app.workspaces.add("shop", installation.workspace(), by="test")
        alice = await agent(app, "alice")
        handle = await app.verification.verify(alice, claim(), progress=silent, wait_seconds=0)
    installation.clock.advance(1)
    async with installation.open() as app:
        assert (await app.verification.get(alice, handle.claim.id)).stalled
        tending = asyncio.create_task(app.verification.tend())
        await taken_up(app, alice, handle.claim.id)
        report = await app.verification.get(alice, handle.claim.id, wait_seconds=PATIENCE)
        tending.cancel()
        assert (report.claim.state, report.claim.attempt) == (ClaimState.CLOSED, 2)
        assert await record(app, alice) == (1, 0, 0)


async def test_a_claim_whose_workspace_changed_meanwhile_is_given_up(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "DRAIN_SECONDS", 0.0)
    installation.sandbox.will(Pausing(ended(0)))
    async with installation.open() as app:
        await app.workspaces.add("shop", installation.workspace(), by="test")
        alice = await agent(app, "alice")
        handle = await app.verification.verify(alice, claim(), progress=silent, wait_seconds=0)
    installation.clock.advance(1)
    installation.workspace(content="print('other')\n")
    async with installation.open() as app:
        tending = asyncio.create_task(app.verification.tend())
        await taken_up(app, alice, handle.claim.id)
        report = await app.verification.get(alice, handle.claim.id)
        tending.cancel()
        assert report.claim.state is ClaimState.ABANDONED
        assert await record(app, alice) == NO_RECORD


async def test_a_late_worker_whose_claim_was_taken_over_writes_nothing(
    app: App, installation: Installation, alice: Agent
) -> None:
    used = await learned(app, alice)
    late = Pausing(ended(1))
    installation.sandbox.will(late)
    first = asyncio.create_task(verified(app, alice, applied=(used.id,)))
    await late.started.wait()
    installation.clock.advance(LEASE.total_seconds() + 1)
    [stalled] = await app.verification.newest(limit=10)
    assert (await app.verification.get(alice, stalled.id)).stalled

    async with installation.open() as other:
        taken = await verified(other, alice, applied=(used.id,))
    size = await ledger_size(app)
    late.release.set()
    with pytest.raises(Conflict, match="taken over"):
        await first

    assert (taken.claim.id, taken.claim.attempt) == (stalled.id, 2)
    assert await record(app, alice) == (1, 0, 0)
    assert await ledger_size(app) == size
    assert (await app.learning.get(alice, used.id)).usage.count == 1
    assert (await app.verification.find(stalled.id)) == taken.claim


async def test_a_worker_that_lost_its_lease_is_stopped(
    app: App, installation: Installation, alice: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "RENEWED_EVERY_SECONDS", 0.01)
    installation.sandbox.will(late := Pausing(ended(1)))
    first = asyncio.create_task(verified(app, alice))
    await late.started.wait()
    [mine] = await app.verification.newest(limit=1)
    async with installation.database() as database, database.write() as tx:
        await claims.take_over(tx, mine, at=installation.clock.now())
    with pytest.raises(Conflict, match="taken over"):
        await first
    left = await app.verification.find(mine.id)
    assert left is not None
    assert (left.state, left.attempt) == (ClaimState.OPEN, 2)


async def test_a_lease_is_renewed_as_long_as_the_check_runs(
    app: App, installation: Installation, alice: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "RENEWED_EVERY_SECONDS", 0.01)
    installation.sandbox.will(slow := Pausing(ended(0)))
    first = asyncio.create_task(verified(app, alice))
    await slow.started.wait()
    installation.clock.advance(3600)
    [mine] = await app.verification.newest(limit=1)
    await taken_up(app, alice, mine.id)
    slow.release.set()
    assert (await first).claim.attempt == 1


async def test_a_claim_that_outlived_three_servers_is_opened_anew(
    app: App, installation: Installation, alice: Agent
) -> None:
    installation.sandbox.will(Pausing(ended(0)), ended(0))
    handle = await app.verification.verify(alice, claim(), progress=silent, wait_seconds=0)
    async with installation.database() as database:
        mine = handle.claim
        for _ in range(MOST_ATTEMPTS - 1):
            async with database.write() as tx:
                again = await claims.take_over(tx, mine, at=installation.clock.now())
            assert again is not None
            mine = again
        installation.clock.advance(3600)
    async with installation.open() as other:
        report = await verified(other, alice)
    assert report.claim.id != handle.claim.id
    left = await app.verification.find(handle.claim.id)
    assert left is not None
    assert left.state is ClaimState.ABANDONED


async def test_a_slow_worker_whom_nobody_replaced_still_records(
    app: App, installation: Installation, alice: Agent
) -> None:
    async def late() -> ExecutionResult:
        installation.clock.advance(7200)
        return ended(0)

    installation.sandbox.will(late)
    report = await verified(app, alice)
    assert report.claim.state is ClaimState.CLOSED
