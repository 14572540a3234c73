"""The step that makes a verdict stand: evidence, claim, trust, uses and ledger as one."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog

from tmws.domain import events, evidence
from tmws.domain.agents import AccessLevel
from tmws.domain.claims import Judgement, Verdict
from tmws.domain.errors import Conflict
from tmws.domain.execution import ExecutionResult
from tmws.domain.ids import CHANCE_BYTES, new_id
from tmws.domain.memories import Memory, MemoryKind
from tmws.domain.usage import UseOutcome
from tmws.domain.verifications import Claim, ClaimState, Run
from tmws.ports import Chance, Clock
from tmws.services import scoring
from tmws.services.counting import count
from tmws.services.notary import Notary, Receipt
from tmws.services.runs import Checked
from tmws.services.scoring import Scored, TrustChange
from tmws.services.search import Search
from tmws.storage import artifacts, claims, memories
from tmws.storage.database import Database
from tmws.storage.documents import Document, Kind
from tmws.storage.documents import add as add_document
from tmws.storage.last_state import LastState
from tmws.storage.prepared import Execute
from tmws.storage.uses import Use

_log = structlog.get_logger()

LARGEST_KEPT_REPORT = 256 * 1024

_USE_OF = {Verdict.SUPPORTED: UseOutcome.SUCCESS, Verdict.REFUTED: UseOutcome.FAILURE}


@dataclass(frozen=True, slots=True)
class Recorded:
    """A closed claim and what its verdict did to its author's trust."""

    claim: Claim
    trust: TrustChange


@dataclass(frozen=True, slots=True)
class _Verified:
    """All that one transaction has to write."""

    at: datetime
    claim: Claim
    envelope: bytes
    report: bytes | None
    memory: Memory
    document: Document
    statement_vectors: Mapping[str, bytes]


class Recorder:
    """Writes verdicts; the only place where trust moves."""

    def __init__(
        self,
        database: Database,
        *,
        notary: Notary,
        search: Search,
        clock: Clock,
        chance: Chance,
    ) -> None:
        self._database = database
        self._notary = notary
        self._search = search
        self._clock = clock
        self._chance = chance
        self._last = LastState()

    async def earlier(self, claim: Claim) -> list[Judgement]:
        """Return what came of the same check of this snapshot so far, whoever asked."""
        async with self._database.read() as connection:
            return await claims.judgements_on(connection, claim)

    async def record(
        self, claim: Claim, checked: Checked, *, earlier: Sequence[Judgement]
    ) -> Recorded:
        """Close the claim with what its check showed: all of it is written, or nothing.

        Args:
            earlier: as it was when the check began; a verdict that differs is flaky.

        Raises:
            Conflict: the claim's lease is somebody else's by now.
        """
        return await self._write(await self._verified(claim, checked, earlier))

    async def _verified(
        self, claim: Claim, checked: Checked, earlier: Sequence[Judgement]
    ) -> _Verified:
        """Prepare and sign everything before the transaction, so that it stays short."""
        flaky = checked.judgement.flaky or checked.judgement.differs_from(earlier)
        judgement = dataclasses.replace(checked.judgement, flaky=flaky)
        envelope = self._notary.signed(
            evidence.statement(claim, judgement, checked.request, checked.result, checked.assurance)
        )
        memory = Memory(
            id=self._id("memory"),
            namespace=claim.namespace,
            owner_id=claim.agent_id,
            owner=claim.agent,
            kind=MemoryKind.EVIDENCE,
            text=evidence.summary(claim.statement, claim.workspace, judgement),
            tags=evidence.tags(judgement),
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
            run=_run_of(checked.result),
        )
        vectors = await self._search.vectors(claim.statement) if claim.applied else {}
        report = _kept(checked.result.report)
        now = self._clock.now()
        return _Verified(now, closed, envelope, report, memory, document, vectors)

    async def _write(self, verified: _Verified) -> Recorded:
        uses = self._uses(verified)
        recorded, receipt = await self._database.at_once(
            lambda run: self._written(run, verified, uses)
        )
        self._announce(recorded.claim, receipt)
        return recorded

    def _written(
        self, run: Execute, verified: _Verified, uses: Sequence[Use]
    ) -> tuple[Recorded, Receipt]:
        claim, judgement, now = verified.claim, verified.claim.judgement, verified.at
        assert judgement is not None
        # First, so that a late worker hears why instead of meeting what is there already.
        if not claims.is_held(run, claim):
            raise _taken_over(claim)
        digest = artifacts.put(
            run, verified.envelope, media_type=evidence.ENVELOPE_MEDIA_TYPE, at=now
        )
        if verified.report is not None:
            artifacts.put(run, verified.report, media_type=evidence.REPORT_MEDIA_TYPE, at=now)
        entered = enter(
            run,
            self._notary,
            claim,
            judgement,
            last=self._last,
            evidence_digest=digest,
            at=now,
        )
        closed = dataclasses.replace(
            claim, evidence_digest=digest, ledger_index=entered.receipt.index, closed_at=now
        )
        if not claims.close(run, closed):
            raise _taken_over(closed)
        change = scoring.change(run, entered.scored)
        # Before the document: writers take patterns first and namespaces last.
        count(run, uses)
        memories.add(run, verified.memory)
        add_document(run, verified.document)
        return Recorded(closed, change), entered.receipt

    def _uses(self, verified: _Verified) -> list[Use]:
        """Return how a verdict proves or disproves the patterns that led to the claim."""
        claim, judgement = verified.claim, verified.claim.judgement
        assert judgement is not None
        outcome = _USE_OF.get(judgement.verdict)
        if outcome is None:
            return []
        return [
            Use(
                id=self._id("use"),
                pattern_id=pattern_id,
                agent_id=claim.agent_id,
                claim_id=claim.id,
                outcome=outcome,
                duration_seconds=None,
                context=claim.statement,
                at=verified.at,
                vectors=verified.statement_vectors,
            )
            for pattern_id in claim.applied
        ]

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


@dataclass(frozen=True, slots=True)
class Entered:
    """A verdict in the ledger, and what the trust model made of it."""

    receipt: Receipt
    scored: Scored


def enter(
    run: Execute,
    notary: Notary,
    claim: Claim,
    judgement: Judgement,
    *,
    last: LastState,
    evidence_digest: str,
    at: datetime,
) -> Entered:
    """Move trust by a verdict and record both: one step, in the order of the ledger.

    Args:
        last: what the verdict before this one left, in this process.

    Raises:
        LedgerCorrupt: the ledger is not the one that was promised outside.
    """
    turn = notary.lock(run)
    scored = scoring.score(run, claim, judgement, head=turn.tree, last=last, at=at)
    event = events.verdict_recorded(
        claim,
        judgement,
        evidence_digest=evidence_digest,
        evidence=scored.evidence,
        before=scored.told_before,
        after=scored.told_after,
        at=at,
    )
    receipt = notary.enter(run, event, turn)
    scoring.keep(run, scored, ledger_index=receipt.index, head=receipt.tree, last=last)
    return Entered(receipt, scored)


def _taken_over(claim: Claim) -> Conflict:
    return Conflict(
        f"Claim {claim.id} was taken over or given up while it ran. Nothing was recorded here; "
        "read what became of it with get_verification."
    )


def _kept(report: bytes | None) -> bytes | None:
    """Return the report if it is small enough to be kept; its digest is signed anyway."""
    return report if report is not None and len(report) <= LARGEST_KEPT_REPORT else None


def _run_of(result: ExecutionResult) -> Run:
    return Run(
        outcome=result.outcome.value,
        exit_code=result.exit_code,
        wall_seconds=result.wall_seconds,
        cpu_seconds=result.cpu_seconds,
        peak_memory_bytes=result.peak_memory_bytes,
        image_digest=result.image_digest,
    )
