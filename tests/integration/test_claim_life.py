"""A claim's life: waited for or left, tried again, given up; never run twice."""

from __future__ import annotations

import asyncio

import pytest

from tests.integration.pausing import PATIENCE, Pausing
from tests.integration.services import (
    Installation,
    claim,
    ended,
    learned,
    silent,
    timed_out,
    verified,
)
from tests.integration.trust_seen import (
    NO_RECORD,
    Counts,
    ledger_size,
    record,
)
from tests.unit.domain.written_reports import ran
from tmws.app import App
from tmws.domain.agents import Agent
from tmws.domain.claims import Reason, Verdict
from tmws.domain.errors import (
    LimitExceeded,
    SandboxUnavailable,
)
from tmws.domain.execution import ExecutionResult
from tmws.domain.verifications import ClaimState
from tmws.services import running, verification


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Failed runs are tried again at once, and other servers are looked at often."""
    monkeypatch.setattr(running, "PAUSES_SECONDS", (0.0, 0.0))
    monkeypatch.setattr(verification, "LOOKS_EVERY_SECONDS", 0.01)


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
