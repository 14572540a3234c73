"""A claim's life: waited for or left, tried again, taken over, given up; never run twice."""

from __future__ import annotations

import asyncio
import os

import pytest

from tests.integration.services import (
    Installation,
    agent,
    claim,
    ended,
    learned,
    silent,
    timed_out,
    verified,
)
from tests.unit.domain.written_reports import ran
from tmws.app import App
from tmws.domain.agents import Agent
from tmws.domain.claims import Reason, Verdict
from tmws.domain.errors import (
    Conflict,
    LimitExceeded,
    SandboxUnavailable,
)
from tmws.domain.execution import ExecutionResult
from tmws.domain.verifications import LEASE, MOST_ATTEMPTS, ClaimState
from tmws.services import running, verification
from tmws.services.trust import TrustView
from tmws.storage import claims

PATIENCE = 20.0


@pytest.fixture
async def alice(app: App, installation: Installation) -> Agent:
    await app.workspaces.add("shop", installation.workspace(), by="test")
    return await agent(app, "alice")


Counts = tuple[int, int, int]
NO_RECORD: Counts = (0, 0, 0)


def counts(view: TrustView) -> Counts:
    tally = view.standing.tally
    return tally.supported, tally.refuted, view.record.inconclusive


async def record(app: App, who: Agent) -> Counts:
    return counts(await app.trust.show(who))


async def ledger_size(app: App) -> int:
    report = await app.audit.verify()
    assert report.holds, report.problems
    return report.size


@pytest.mark.parametrize(
    ("result", "verdict", "reason", "after"),
    [
        (ended(0), Verdict.SUPPORTED, Reason.CHECK_PASSED, (1, 0, 0)),
        (ended(1), Verdict.REFUTED, Reason.CHECK_FAILED, (0, 1, 0)),
        (timed_out(), Verdict.INCONCLUSIVE, Reason.TIMED_OUT, (0, 0, 1)),
        (ran(b"forged"), Verdict.INCONCLUSIVE, Reason.TAMPER_SUSPECTED, (0, 0, 1)),
    ],
    ids=["held", "failed", "unfinished", "unbelievable"],
)
async def test_each_verdict_moves_what_it_should_and_nothing_else(
    app: App,
    installation: Installation,
    alice: Agent,
    result: ExecutionResult,
    verdict: Verdict,
    reason: Reason,
    after: Counts,
) -> None:
    used, unused = await learned(app, alice, "used"), await learned(app, alice, "unused")
    before = await ledger_size(app)
    installation.sandbox.will(result)

    report = await verified(app, alice, applied=(used.id,), confidence=0.8, effort_minutes=5.0)

    assert report.claim.judgement is not None
    assert (report.claim.judgement.verdict, report.claim.judgement.reason) == (verdict, reason)
    assert report.trust is not None
    before_it, after_it = report.trust.before, report.trust.after
    assert before_it.tally.decided == 0
    assert (after_it.tally.supported, after_it.tally.refuted) == after[:2]
    moved = after_it.score - before_it.score
    assert (moved > 0, moved < 0) == (verdict.accurate is True, verdict.accurate is False)
    assert await record(app, alice) == after
    assert await ledger_size(app) == before + 1
    assert report.claim.ledger_index == before
    usage = (await app.learning.get(alice, used.id)).usage
    assert (usage.proven_successes, usage.proven_failures) == after[:2]
    assert usage.count == sum(after[:2])
    assert (await app.learning.get(alice, unused.id)).usage.count == 0
    read = await app.verification.get(alice, report.claim.id)
    assert read.claim == report.claim
    assert read.trust is None


async def test_progress_says_what_is_done_now(app: App, alice: Agent) -> None:
    told: list[str] = []

    async def tell(what: str) -> None:
        told.append(what)

    await app.verification.verify(alice, claim(), progress=tell)
    assert told == [
        "copying workspace shop",
        "running python in the sandbox",
        "running",
        "recording verdict SUPPORTED",
    ]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Failed runs are tried again at once, and other servers are looked at often."""
    monkeypatch.setattr(running, "PAUSES_SECONDS", (0.0, 0.0))
    monkeypatch.setattr(verification, "LOOKS_EVERY_SECONDS", 0.01)


async def taken_up(app: App, who: Agent, claim_id: str) -> None:
    """Wait until somebody has looked after the claim."""
    async with asyncio.timeout(PATIENCE):
        while (await app.verification.get(who, claim_id)).stalled:  # noqa: ASYNC110  # by a server
            await asyncio.sleep(0.01)


class Pausing:
    """A sandbox's answer that begins and ends when the test wants it to."""

    def __init__(self, result: ExecutionResult) -> None:
        self.started, self.release = asyncio.Event(), asyncio.Event()
        self._result = result

    async def __call__(self) -> ExecutionResult:
        self.started.set()
        await self.release.wait()
        return self._result


@pytest.mark.usefixtures("impatient")
async def test_a_run_that_the_sandbox_lost_is_tried_again(
    app: App, installation: Installation, alice: Agent
) -> None:
    installation.sandbox.will(*[SandboxUnavailable("killed")] * 2, ended(0))
    report = await verified(app, alice)
    assert report.claim.judgement is not None
    assert (report.claim.judgement.verdict, report.claim.attempt) == (Verdict.SUPPORTED, 3)
    assert await record(app, alice) == (1, 0, 0)


@pytest.mark.parametrize(
    "faults",
    [[SandboxUnavailable("killed")] * 3, [SandboxUnavailable("no image", retryable=False)]],
    ids=["thrice", "for good"],
)
@pytest.mark.usefixtures("impatient")
async def test_a_sandbox_that_fails_abandons_the_claim_and_moves_nothing(
    app: App,
    installation: Installation,
    alice: Agent,
    faults: list[SandboxUnavailable],
) -> None:
    before = await ledger_size(app)
    installation.sandbox.will(*faults)
    with pytest.raises(SandboxUnavailable):
        await verified(app, alice)
    [left] = await app.verification.newest(limit=10)
    assert (left.state, left.judgement, left.lease_until) == (ClaimState.ABANDONED, None, None)
    assert await record(app, alice) == NO_RECORD
    assert await ledger_size(app) == before
    assert (await verified(app, alice)).trust is not None


async def test_a_busy_sandbox_costs_a_claim_no_attempt(
    app: App, installation: Installation, alice: Agent
) -> None:
    busy = LimitExceeded("busy", retryable=True, retry_after_seconds=0.0)
    resting = SandboxUnavailable("resting", retry_after_seconds=0.0)
    installation.sandbox.will(*[busy, resting] * 4, ended(0))
    assert (await verified(app, alice)).claim.attempt == 1


async def test_a_claim_outlives_the_wait_and_is_asked_for_later(
    app: App, installation: Installation, alice: Agent
) -> None:
    slow = Pausing(ended(0))
    installation.sandbox.will(slow)
    handle = await app.verification.verify(alice, claim(), progress=silent, wait_seconds=0)
    assert (handle.claim.state, handle.claim.judgement) == (ClaimState.OPEN, None)
    assert (await app.verification.get(alice, handle.claim.id)).claim.state is ClaimState.OPEN
    waiting = asyncio.create_task(
        app.verification.get(alice, handle.claim.id, wait_seconds=PATIENCE)
    )
    slow.release.set()
    report = await waiting
    assert report.claim.judgement is not None
    assert await record(app, alice) == (1, 0, 0)


async def test_whoever_got_an_id_gets_a_verdict_though_another_who_waits_leaves(
    app: App, installation: Installation, alice: Agent
) -> None:
    slow = Pausing(ended(0))
    installation.sandbox.will(slow)
    handle = await app.verification.verify(alice, claim(), progress=silent, wait_seconds=0)
    second = asyncio.create_task(verified(app, alice))
    await slow.started.wait()
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    slow.release.set()
    report = await app.verification.get(alice, handle.claim.id, wait_seconds=PATIENCE)
    assert report.claim.state is ClaimState.CLOSED


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


async def test_too_many_claims_at_once_are_told_when_to_come_back(
    app: App, installation: Installation, alice: Agent
) -> None:
    slow = [Pausing(ended(0)) for _ in range(running.MOST_OF_ONE)]
    installation.sandbox.will(*slow)
    for number in range(running.MOST_OF_ONE):
        installation.workspace(content=f"print({number})\n")
        await app.verification.verify(alice, claim(), progress=silent, wait_seconds=0)
    installation.workspace(content="print('one more')\n")
    with pytest.raises(LimitExceeded, match=r"Retry after \d+ s") as refused:
        await verified(app, alice)
    assert refused.value.retry_after_seconds
    for each in slow:
        each.release.set()


async def test_one_agent_takes_neither_the_places_nor_the_turns_of_the_others(
    app: App, installation: Installation, alice: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The attack: as many slow checks as are taken, and again whenever one has ended."""
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    mallory, first, second = await agent(app, "mallory"), Pausing(ended(0)), Pausing(ended(0))
    installation.sandbox.will(first, ended(0), second)
    in_line = asyncio.Event()

    async def tell(what: str) -> None:
        if what.startswith("running python"):
            in_line.set()

    async with installation.open() as server:
        for number in range(running.MOST_OF_ONE):
            installation.workspace(content=f"print({number})\n")
            await server.verification.verify(mallory, claim(), progress=silent, wait_seconds=0)
        with pytest.raises(LimitExceeded, match="16 of your checks are running or waiting"):
            await verified(server, mallory, exit_code=3)
        honest = asyncio.create_task(server.verification.verify(alice, claim(), progress=tell))
        await asyncio.wait_for(in_line.wait(), PATIENCE)
        first.release.set()
        report = await asyncio.wait_for(honest, PATIENCE)
        assert report.claim.judgement is not None
        assert report.claim.judgement.verdict is Verdict.SUPPORTED
        await asyncio.wait_for(second.started.wait(), PATIENCE)
        assert server.verification.waiting == running.MOST_OF_ONE - 2
        second.release.set()


async def test_all_agents_together_are_told_when_to_come_back(
    app: App, installation: Installation, alice: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "MOST_AT_ONCE", 1)
    slow = Pausing(ended(0))
    installation.sandbox.will(slow)
    await app.verification.verify(alice, claim(), progress=silent, wait_seconds=0)
    with pytest.raises(LimitExceeded, match="1 checks are running or waiting"):
        await verified(app, await agent(app, "bob"))
    slow.release.set()


async def test_snapshots_of_waiting_claims_take_bounded_memory(
    app: App, installation: Installation, alice: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "MOST_BYTES_AT_ONCE", 1000)
    slow = Pausing(ended(0))
    installation.sandbox.will(slow)
    installation.workspace(content=f"# {'long' * 200}\n")
    await app.verification.verify(alice, claim(), progress=silent, wait_seconds=0)
    installation.workspace(content=f"# {'other' * 200}\n")
    with pytest.raises(LimitExceeded, match="MiB of files"):
        await verified(app, alice)
    slow.release.set()


async def test_a_cancelled_check_abandons_the_claim_and_moves_nothing(
    app: App, installation: Installation, alice: Agent
) -> None:
    started, release = asyncio.Event(), asyncio.Event()

    async def endless() -> ExecutionResult:
        started.set()
        await release.wait()
        return ended(0)

    installation.sandbox.will(endless)
    check = asyncio.create_task(verified(app, alice))
    await started.wait()
    check.cancel()
    with pytest.raises(asyncio.CancelledError):
        await check
    [left] = await app.verification.newest(limit=10)
    assert left.state is ClaimState.ABANDONED
    assert await record(app, alice) == NO_RECORD
    assert (await verified(app, alice)).trust is not None


async def test_what_could_not_be_decided_may_be_tried_again(
    app: App, installation: Installation, alice: Agent
) -> None:
    installation.sandbox.will(timed_out(), ended(0))
    await verified(app, alice)
    assert not (await verified(app, alice)).repeated
    assert await record(app, alice) == (1, 0, 1)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("where", ["in the same server", "in another server"])
async def test_a_check_that_is_running_is_not_started_again(
    app: App, installation: Installation, alice: Agent, where: str
) -> None:
    slow = Pausing(ended(0))
    installation.sandbox.will(slow)
    first = asyncio.create_task(verified(app, alice))
    await slow.started.wait()
    async with installation.open() as other:
        second = asyncio.create_task(verified(app if "same" in where else other, alice))
        asking = await app.verification.verify(alice, claim(), progress=silent, wait_seconds=0)
        assert asking.claim.state is ClaimState.OPEN
        slow.release.set()
        report, same = await first, await second
    assert (same.claim.id, same.repeated, same.trust) == (report.claim.id, True, None)
    assert same.claim.judgement == report.claim.judgement
    assert len(installation.sandbox.requests) == 1
    assert await record(app, alice) == (1, 0, 0)


async def test_of_many_equal_checks_at_once_one_runs_and_counts(
    app: App, installation: Installation, alice: Agent
) -> None:
    await asyncio.gather(*(app.trust.show(alice) for _ in range(8)))  # connections are open
    reports = await asyncio.gather(*(verified(app, alice) for _ in range(8)))
    assert len({report.claim.id for report in reports}) == 1
    assert sum(report.trust is not None for report in reports) == 1
    assert len(installation.sandbox.requests) == 1
    assert await record(app, alice) == (1, 0, 0)


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
