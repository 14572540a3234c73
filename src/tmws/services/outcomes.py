"""Outcomes: how patterns did when they were applied, told by whoever applied them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tmws.domain.actions import Action
from tmws.domain.agents import Agent
from tmws.domain.claims import Verdict
from tmws.domain.errors import Conflict, InvalidInput, NotFound
from tmws.domain.ids import CHANCE_BYTES, new_id
from tmws.domain.patterns import Pattern
from tmws.domain.quotas import WRITE, Need
from tmws.domain.usage import Usage, UseOutcome
from tmws.domain.wording import require_text
from tmws.ports import Chance, Clock
from tmws.services import shelf
from tmws.services.counting import count
from tmws.services.gate import Gate
from tmws.services.quotas import Quotas
from tmws.services.receipts import Receipts
from tmws.services.search import Search
from tmws.storage import claims, evidence, patterns, trials, usage, uses
from tmws.storage.database import Database, Transaction
from tmws.storage.prepared import at_once
from tmws.storage.uses import Use

LONGEST_CONTEXT = 2000

_OUTCOMES = {Verdict.SUPPORTED: UseOutcome.SUCCESS, Verdict.REFUTED: UseOutcome.FAILURE}


@dataclass(frozen=True, slots=True)
class OutcomeReport:
    """How one use of a pattern went.

    Attributes:
        context: what it was applied to; without it the request of the receipt stands.
        claim_id: a decided claim of the caller's that proves the outcome; without it
            the outcome is only the caller's word and is shown as such.
        receipt_id: of the search that showed the pattern.
    """

    pattern_id: str
    outcome: UseOutcome
    duration_seconds: float | None = None
    context: str = ""
    claim_id: str | None = None
    receipt_id: str | None = None


@dataclass(frozen=True, slots=True)
class CreditReport:
    """How a task went that began with a search, when it is not said which result served."""

    receipt_id: str
    outcome: UseOutcome
    context: str = ""


class Outcomes:
    """Counts reported uses and keeps what they were for."""

    def __init__(
        self,
        database: Database,
        *,
        gate: Gate,
        search: Search,
        receipts: Receipts,
        quotas: Quotas,
        clock: Clock,
        chance: Chance,
    ) -> None:
        self._database = database
        self._gate = gate
        self._search = search
        self._receipts = receipts
        self._quotas = quotas
        self._clock = clock
        self._chance = chance

    async def report(self, caller: Agent, report: OutcomeReport) -> Usage:
        """Count one use and return the statistics that include it.

        Raises:
            InvalidInput: the duration or context breaks its rule, the claim says otherwise
                than the report, or the receipt showed other patterns.
            NotFound: pattern, claim or receipt is not visible to the caller.
            Conflict: claim or receipt was already counted for this pattern.
            LimitExceeded: the caller wrote too much.
        """
        await self._gate.require(Action.REPORT_OUTCOME)
        context, vectors = await self._context(caller, report.context, report.receipt_id)
        async with self._database.write() as tx:
            applied = await shelf.visible(tx, caller, report.pattern_id)
            await self._take(tx, caller, WRITE)
            if report.claim_id is not None:
                await _require_proof(tx, caller, report.claim_id, report, applied)
            if report.receipt_id is not None:
                await self._require_shown(tx, caller, report.receipt_id, report.pattern_id)
                await trials.settle(tx, report.receipt_id, report.outcome.good)
            use = Use(
                id=self._id(),
                pattern_id=report.pattern_id,
                agent_id=caller.id,
                claim_id=report.claim_id,
                outcome=report.outcome,
                duration_seconds=report.duration_seconds,
                context=context,
                at=self._clock.now(),
                receipt_id=report.receipt_id,
                vectors=vectors,
            )
            counted = await at_once(tx, lambda run: count(run, [use]))
            return counted[report.pattern_id]

    async def credit(self, caller: Agent, report: CreditReport) -> Mapping[str, Usage]:
        """Split one use over what a receipt showed; return the statistics by pattern id.

        Each pattern gets the share that its score had of all scores on that page. What the
        caller may no longer read gets nothing, and its share goes to nobody.

        Raises:
            InvalidInput: the context breaks its rule.
            NotFound: no such receipt of the caller's.
            Conflict: the receipt was counted before.
            LimitExceeded: the caller wrote too much.
        """
        await self._gate.require(Action.REPORT_OUTCOME)
        context, vectors = await self._context(caller, report.context, report.receipt_id)
        async with self._database.write() as tx:
            receipt = await self._receipts.opened(tx, caller, report.receipt_id)
            await self._take(tx, caller, Need(writes=len(receipt.shares)))
            if await uses.of_receipt(tx, receipt.id):
                raise Conflict(
                    f"Receipt {receipt.id} was counted already. Name the pattern to report "
                    "another one it showed."
                )
            await trials.settle(tx, receipt.id, report.outcome.good)
            seen = await patterns.readable(tx, caller, list(receipt.shares))
            now = self._clock.now()
            shared = [
                Use(
                    id=self._id(),
                    pattern_id=pattern_id,
                    agent_id=caller.id,
                    claim_id=None,
                    outcome=report.outcome,
                    duration_seconds=None,
                    context=context,
                    at=now,
                    share=share,
                    receipt_id=receipt.id,
                    vectors=vectors,
                )
                for pattern_id, share in receipt.shares.items()
                if pattern_id in seen and share > 0
            ]
            return await at_once(tx, lambda run: count(run, shared))

    async def by_owner(self, caller: Agent, pattern_id: str) -> Usage:
        """Return what the owner of a pattern reported of it.

        Raises:
            NotFound: the caller may not read the pattern, or there is none.
        """
        await self._gate.require(Action.GET_PATTERN)
        async with self._database.read() as connection:
            owner = (await shelf.visible(connection, caller, pattern_id)).owner_id
            return await usage.of_agent(connection, pattern_id, owner) or Usage()

    async def _context(
        self, caller: Agent, given: str, receipt_id: str | None
    ) -> tuple[str, Mapping[str, bytes]]:
        """Return what is kept as context, and vectors of what the use is found by.

        That is the request a receipt stands for, since the next one will be worded like it.
        """
        context = _text(given)
        request = ""
        if receipt_id is not None:
            await self._receipts.settle()
            async with self._database.read() as connection:
                request = (await self._receipts.opened(connection, caller, receipt_id)).request
        findable = request or context
        vectors = await self._search.vectors(findable) if findable else {}
        return context or request, vectors

    async def _take(self, tx: Transaction, caller: Agent, need: Need) -> None:
        at = self._clock.now()
        await at_once(tx, lambda run: self._quotas.take(run, caller.id, need, at=at))

    async def _require_shown(
        self, tx: Transaction, caller: Agent, receipt_id: str, pattern_id: str
    ) -> None:
        receipt = await self._receipts.opened(tx, caller, receipt_id)
        if pattern_id not in receipt.shares:
            raise InvalidInput(
                f"Receipt {receipt.id} did not show {pattern_id[:40]}. Name one that it showed, "
                "or leave receipt_id out."
            )
        if pattern_id in await uses.of_receipt(tx, receipt.id):
            raise Conflict(f"Receipt {receipt.id} already counts for this pattern.")

    def _id(self) -> str:
        return new_id("use", at=self._clock.now(), chance=self._chance(CHANCE_BYTES))


async def _require_proof(
    tx: Transaction, caller: Agent, claim_id: str, report: OutcomeReport, applied: Pattern
) -> None:
    claim = await claims.readable(tx, caller, claim_id)
    if claim is None or claim.agent_id != caller.id:
        raise NotFound(f"No verification {claim_id[:40]!r} of yours. Leave claim_id out.")
    await claims.lock(tx, claim_id)
    if await evidence.is_withdrawn(tx, claim_id):
        raise InvalidInput(
            f"The verdict of {claim.id} was withdrawn and proves nothing. Leave claim_id out."
        )
    if claim.applied and applied.id not in claim.applied:
        raise InvalidInput(
            f"Claim {claim.id} said what it applied, and {applied.id} was not among it. Leave "
            "claim_id out, and name the pattern in the next claim."
        )
    if claim.created_at < applied.created_at:
        raise InvalidInput(
            f"Claim {claim.id} is older than {applied.id}, which it cannot have applied. Leave "
            "claim_id out."
        )
    decided = _OUTCOMES.get(claim.judgement.verdict) if claim.judgement else None
    if decided is not report.outcome:
        verdict = claim.judgement.verdict.value if claim.judgement else "still open"
        raise InvalidInput(
            f"Claim {claim.id} is {verdict} and does not prove {report.outcome.value!r}. "
            "Report what it shows, or leave claim_id out."
        )
    if await uses.has_proof(tx, pattern_id=report.pattern_id, claim_id=claim_id):
        raise Conflict(
            f"Claim {claim.id} already counts as a use of this pattern. Nothing was counted again."
        )


def _text(context: str) -> str:
    if not context.strip():
        return ""
    return require_text(context, what="Context", longest=LONGEST_CONTEXT, multiline=True)
