"""From a claim to a recorded verdict: the only place where trust moves."""

from __future__ import annotations

import asyncio
import dataclasses
from dataclasses import dataclass
from datetime import timedelta

import structlog

from tmws.domain import events, evidence, verifications
from tmws.domain.actions import Action
from tmws.domain.agents import AccessLevel, Agent
from tmws.domain.claims import Judgement, Verdict
from tmws.domain.commands import build_request, validate
from tmws.domain.errors import Conflict, NotFound
from tmws.domain.execution import ExecutionRequest, ExecutionResult, Limits
from tmws.domain.ids import CHANCE_BYTES, new_id
from tmws.domain.judging import judge
from tmws.domain.memories import Memory, MemoryKind
from tmws.domain.snapshots import Snapshot
from tmws.domain.usage import UseOutcome
from tmws.domain.verifications import Claim, ClaimDraft, ClaimState, Run
from tmws.ports import Chance, Clock, Progress, Sandbox, WorkspaceReader
from tmws.services import scoring
from tmws.services.gate import Gate
from tmws.services.notary import Notary, Receipt
from tmws.services.scoring import TrustChange
from tmws.services.search import Search
from tmws.storage import agents, artifacts, claims, memories, patterns, workspaces
from tmws.storage.database import Database, Transaction
from tmws.storage.documents import Document, Kind
from tmws.storage.documents import add as add_document
from tmws.storage.patterns import Use

_log = structlog.get_logger()

_LEASE_MARGIN = timedelta(seconds=60)
"""Beyond the check's own time: queueing, starting the container, recording."""

_USE_OF = {Verdict.SUPPORTED: UseOutcome.SUCCESS, Verdict.REFUTED: UseOutcome.FAILURE}


@dataclass(frozen=True, slots=True)
class VerificationReport:
    """A claim with its verdict.

    Attributes:
        trust: None when this call moved nothing: a claim read again, or one that was
            decided before on this very snapshot.
        repeated: the verdict is an earlier one; nothing ran now.
        stalled: nobody is at work on the claim any more; send it again.
    """

    claim: Claim
    trust: TrustChange | None = None
    repeated: bool = False
    stalled: bool = False


@dataclass(frozen=True, slots=True)
class _Verified:
    """All that one transaction has to write."""

    claim: Claim
    envelope: bytes
    memory: Memory
    document: Document


class Verification:
    """Opens claims, has them checked in the sandbox, and records what that showed."""

    def __init__(
        self,
        database: Database,
        *,
        gate: Gate,
        notary: Notary,
        search: Search,
        sandbox: Sandbox,
        reader: WorkspaceReader,
        limits: Limits,
        clock: Clock,
        chance: Chance,
    ) -> None:
        self._database = database
        self._gate = gate
        self._notary = notary
        self._search = search
        self._sandbox = sandbox
        self._reader = reader
        self._limits = limits
        self._clock = clock
        self._chance = chance

    async def verify(
        self, caller: Agent, draft: ClaimDraft, *, progress: Progress
    ) -> VerificationReport:
        """Check the claim by running it and return the recorded verdict.

        Cancelling kills the run and abandons the claim.

        Raises:
            InvalidInput: the claim is malformed, or names what the workspace lacks.
            NotFound: no workspace of this name, or no such applied pattern.
            Conflict: the same check of the same snapshot is running.
            SandboxUnavailable: nothing ran; the claim is abandoned, trust unchanged.
        """
        await self._gate.require(Action.VERIFY_CLAIM)
        draft = verifications.validated(draft, caller)
        validate(draft.check)
        await progress(f"copying workspace {draft.workspace}")
        snapshot = await self._reader.capture(await self._root(caller, draft))
        request = build_request(draft.check, snapshot, self._limits)
        claim = self._claim(caller, draft, snapshot)
        earlier = await self._open(claim)
        if earlier:
            return VerificationReport(earlier, repeated=True)
        try:
            await progress(f"running {verifications.profile_of(claim.check)} in the sandbox")
            result = await self._sandbox.run(request, progress=progress)
            # In a thread: reading tedious code takes seconds, and others are being served.
            judgement = await asyncio.to_thread(judge, draft.check, snapshot, result)
            await progress(f"recording verdict {judgement.verdict.value}")
            return await self._record(await self._verified(claim, judgement, request, result))
        except BaseException:
            # Shielded: a second cancellation must not leave the claim under its lease.
            await asyncio.shield(self._abandon(claim))
            raise

    async def prepare(self) -> int:
        """Make the sandbox ready for checks; return how many dead owners' runs it removed.

        Raises:
            SandboxUnavailable: no check can run now.
        """
        removed = await self._sandbox.sweep()
        await self._sandbox.warm(self._limits)
        return removed

    async def get(self, caller: Agent, claim_id: str) -> VerificationReport:
        """Return a claim of the caller's, or of one of its namespaces.

        Raises:
            NotFound: there is none; one that is hidden looks the same.
        """
        await self._gate.require(Action.GET_VERIFICATION)
        async with self._database.read() as connection:
            claim = await claims.readable(connection, caller, claim_id)
        if claim is None:
            raise NotFound(f"No verification {claim_id[:40]!r} is visible to you. Check the id.")
        if claim.agent_id != caller.id:
            claim = dataclasses.replace(claim, applied=())  # its author's private patterns
        return VerificationReport(claim, stalled=claim.is_stalled(at=self._clock.now()))

    async def newest(self, *, limit: int) -> list[Claim]:
        """Return the newest claims of all agents, for the installation's administrator."""
        async with self._database.read() as connection:
            return await claims.newest(connection, limit=limit)

    async def find(self, claim_id: str) -> Claim | None:
        """Return any claim, for the installation's administrator."""
        async with self._database.read() as connection:
            return await claims.find(connection, claim_id)

    async def _root(self, caller: Agent, draft: ClaimDraft) -> str:
        async with self._database.read() as connection:
            root = await workspaces.root_of(connection, draft.workspace)
            known = await patterns.readable(connection, caller, draft.applied)
        missing = [pattern_id for pattern_id in draft.applied if pattern_id not in known]
        if missing:
            raise NotFound(f"No pattern {missing[0][:40]!r} is visible to you. Leave it out.")
        if root is None:
            raise NotFound(
                f"No workspace {draft.workspace[:64]!r} is registered. An administrator opens one: "
                "tmws workspaces add NAME PATH."
            )
        return root

    def _claim(self, caller: Agent, draft: ClaimDraft, snapshot: Snapshot) -> Claim:
        now = self._clock.now()
        return Claim(
            id=self._id("claim"),
            agent_id=caller.id,
            agent=caller.name,
            namespace=draft.namespace or caller.home,
            statement=draft.statement,
            workspace=draft.workspace,
            check=draft.check,
            applied=draft.applied,
            confidence=draft.confidence,
            effort_minutes=draft.effort_minutes,
            state=ClaimState.OPEN,
            attempt=1,
            lease_until=now + timedelta(seconds=self._limits.wall_seconds) + _LEASE_MARGIN,
            created_at=now,
            snapshot_digest=snapshot.digest,
        )

    async def _open(self, claim: Claim) -> Claim | None:
        """Store the claim, or return the one that already decided it.

        One check of one snapshot counts once for an agent, so repeating what is
        known to hold earns nothing. A stalled claim is given up here, so that a worker
        that wakes up late finds its lease gone.
        """
        async with self._database.write() as tx:
            # Of equal claims sent at once, the second has to see the first.
            await agents.lock(tx, claim.agent_id)
            for known in await claims.same(tx, claim):
                if known.judgement and known.judgement.verdict is not Verdict.INCONCLUSIVE:
                    return known
                if known.is_stalled(at=claim.created_at):
                    await claims.abandon(tx, known, at=claim.created_at)
                elif known.state is ClaimState.OPEN:
                    raise Conflict(
                        f"This check of this snapshot is already running as {known.id}. "
                        "Read it with get_verification.",
                        retryable=True,
                    )
            await claims.add(tx, claim)
        return None

    async def _abandon(self, claim: Claim) -> None:
        """Give up a claim that got no verdict; one that has its verdict stays as it is."""
        async with self._database.write() as tx:
            await claims.abandon(tx, claim, at=self._clock.now())

    async def _verified(
        self,
        claim: Claim,
        judgement: Judgement,
        request: ExecutionRequest,
        result: ExecutionResult,
    ) -> _Verified:
        """Prepare and sign everything before the transaction, so that it stays short."""
        envelope = self._notary.signed(evidence.statement(claim, judgement, request, result))
        memory = Memory(
            id=self._id("memory"),
            namespace=claim.namespace,
            owner_id=claim.agent_id,
            owner=claim.agent,
            kind=MemoryKind.EVIDENCE,
            text=evidence.summary(claim, judgement),
            tags=("evidence", judgement.verdict.value.lower()),
            level=AccessLevel.PUBLIC,
            claim_id=claim.id,
            created_at=self._clock.now(),
        )
        document = await self._search.document(
            memory.text,
            item_id=memory.id,
            kind=Kind.MEMORY,
            namespace=memory.namespace,
            owner_id=memory.owner_id,
            level=memory.level,
        )
        closed = dataclasses.replace(
            claim,
            state=ClaimState.CLOSED,
            lease_until=None,
            judgement=judgement,
            run=_run_of(result),
        )
        return _Verified(closed, envelope, memory, document)

    async def _record(self, verified: _Verified) -> VerificationReport:
        """Write verdict, evidence, trust, usage and ledger entry: all of it or nothing."""
        now = self._clock.now()
        claim, judgement = verified.claim, verified.claim.judgement
        assert judgement is not None
        async with self._database.write() as tx:
            await self._notary.turn(tx)  # trust moves in the order of the ledger
            digest = await artifacts.put(
                tx, verified.envelope, media_type=evidence.ENVELOPE_MEDIA_TYPE, at=now
            )
            scored = await scoring.score(tx, claim, judgement, at=now)
            event = events.verdict_recorded(
                claim,
                judgement,
                evidence_digest=digest,
                evidence=scored.evidence,
                before=scored.told_before,
                after=scored.told_after,
                at=now,
            )
            receipt = await self._notary.append(tx, event)
            closed = dataclasses.replace(
                claim, evidence_digest=digest, ledger_index=receipt.index, closed_at=now
            )
            await self._close(tx, closed)
            await memories.add(tx, verified.memory)
            await add_document(tx, verified.document)
            change = await scoring.keep(tx, scored, ledger_index=receipt.index)
            await self._count_uses(tx, closed)
        self._announce(closed, receipt)
        return VerificationReport(closed, change)

    async def _close(self, tx: Transaction, closed: Claim) -> None:
        if not await claims.close(tx, closed):
            raise Conflict(
                f"Claim {closed.id} was taken over while it ran. Nothing was recorded here; "
                "read the verdict with get_verification."
            )

    async def _count_uses(self, tx: Transaction, closed: Claim) -> None:
        """Let a verdict prove or disprove the patterns that led to the claim."""
        assert closed.judgement is not None and closed.closed_at is not None  # noqa: PT018
        outcome = _USE_OF.get(closed.judgement.verdict)
        if outcome is None:
            return
        for pattern_id in sorted(closed.applied):
            usage = await patterns.lock_usage(tx, pattern_id)
            use = Use(
                id=self._id("use"),
                pattern_id=pattern_id,
                agent_id=closed.agent_id,
                claim_id=closed.id,
                outcome=outcome,
                duration_seconds=None,
                context=closed.statement,
                at=closed.closed_at,
            )
            counted = usage.after(outcome, duration_seconds=None, proven=True, at=use.at)
            await patterns.record_use(tx, use, counted)

    def _announce(self, closed: Claim, receipt: Receipt) -> None:
        self._notary.publish(receipt)
        assert closed.judgement is not None
        _log.info(
            "claim_closed",
            claim_id=closed.id,
            verdict=closed.judgement.verdict.value,
            reason=closed.judgement.reason.value,
            ledger_index=receipt.index,
        )

    def _id(self, kind: str) -> str:
        return new_id(kind, at=self._clock.now(), chance=self._chance(CHANCE_BYTES))


def _run_of(result: ExecutionResult) -> Run:
    return Run(
        outcome=result.outcome.value,
        exit_code=result.exit_code,
        wall_seconds=result.wall_seconds,
        cpu_seconds=result.cpu_seconds,
        peak_memory_bytes=result.peak_memory_bytes,
        image_digest=result.image_digest,
    )
