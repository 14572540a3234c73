"""Letting a claim count before it was checked: asked for, bounded, and on the record."""

from __future__ import annotations

from dataclasses import dataclass

from tmws.domain import events
from tmws.domain.actions import Action
from tmws.domain.agents import Agent
from tmws.domain.claims import Verdict
from tmws.domain.errors import InvalidInput, NotFound
from tmws.domain.trust.reliance import Answer, Risk, require_askable
from tmws.domain.verifications import Claim
from tmws.ports import Chance, Clock
from tmws.services.exposure import exposure
from tmws.services.gate import Gate
from tmws.services.notary import Notary, Receipt
from tmws.services.scoring import believed
from tmws.storage import claims, evidence, reliances, trust
from tmws.storage.database import Database, Transaction
from tmws.storage.prepared import at_once

_SAID = {
    Answer.GRANTED: "Its author carries the stake until the claim is checked. Have it checked.",
    Answer.AUDITS_OWED: (
        "The author's results fell off: checks worth {owed} whole ones are owed first. "
        "See next_audits."
    ),
    Answer.BOUND_TOO_LOW: (
        "The author's bound {bound:.2f} does not reach {least:.2f}, give or take what blurs it. "
        "Have the claim checked first: verify_claim."
    ),
    Answer.OVER_BUDGET: (
        "The author carries {carried:.2f} of {budget:.2f} unchecked; {stake:.2f} more is too much. "
        "Have its claims checked first: next_audits."
    ),
}


@dataclass(frozen=True, slots=True)
class Relied:
    """The answer, and all it follows from but the draw: that stands in the ledger alone."""

    claim: Claim
    answer: Answer
    risk: Risk

    @property
    def granted(self) -> bool:
        return self.answer is Answer.GRANTED

    def said(self) -> str:
        """Say in a sentence why, and what to do."""
        risk = self.risk
        return _SAID[self.answer].format(
            owed=risk.owed,
            bound=risk.bound,
            least=risk.least,
            carried=risk.carried,
            budget=risk.budget,
            stake=risk.stake,
        )


class Reliance:
    """Answers whether an unchecked claim may count, and remembers what was answered."""

    def __init__(
        self, database: Database, *, gate: Gate, notary: Notary, clock: Clock, chance: Chance
    ) -> None:
        self._database = database
        self._gate = gate
        self._notary = notary
        self._clock = clock
        self._chance = chance

    async def ask(self, caller: Agent, claim_id: str, *, stake: float, least: float) -> Relied:
        """Ask to rely on another agent's claim that was not checked yet.

        Raises:
            InvalidInput: the stake, the bound or the claim is nothing to ask about.
            NotFound: there is no such claim; one that is hidden looks the same.
        """
        await self._gate.require(Action.RELY)
        require_askable(stake, least)
        async with self._database.write() as tx:
            claim = await claims.readable(tx, caller, claim_id)
            if claim is None:
                raise NotFound(f"No verification {claim_id[:40]!r} is visible to you.")
            owner = await evidence.owner_of(tx, claim.agent_id)
            if owner == await evidence.owner_of(tx, caller.id):
                raise InvalidInput("Nobody relies on its own claims. Have it checked.")
            relied, receipt = await self._answered(
                tx, claim, owner, by=caller.id, stake=stake, least=least
            )
        self._notary.publish(receipt)
        return relied

    async def allow(self, claim_id: str, *, stake: float, least: float, by: str) -> Relied:
        """Ask the same for the installation's administrator.

        Raises:
            InvalidInput: the stake, the bound or the claim is nothing to ask about.
            NotFound: there is no such claim.
        """
        require_askable(stake, least)
        async with self._database.write() as tx:
            claim = await claims.find(tx, claim_id)
            if claim is None:
                raise NotFound(f"No claim {claim_id[:40]!r}. See: tmws claims list.")
            owner = await evidence.owner_of(tx, claim.agent_id)
            relied, receipt = await self._answered(
                tx, claim, owner, by=by, stake=stake, least=least
            )
        self._notary.publish(receipt)
        return relied

    async def _answered(
        self, tx: Transaction, claim: Claim, owner: str, *, by: str, stake: float, least: float
    ) -> tuple[Relied, Receipt]:
        # First, so that two that ask at once are answered one after the other.
        await self._notary.turn(tx)
        await _require_unchecked(tx, claim)
        at = self._clock.now()
        state = await trust.load_agent(tx, owner)
        seen = await at_once(tx, lambda run: believed(run, state, owner, at=at))
        bound = seen.standing.bound
        load = await exposure(tx, owner, bound=bound, at=at)
        earlier = await reliances.of_claim(tx, claim.id)
        own = sum(each.stake for each in earlier if each.by == by and each.granted)
        risk = Risk(
            stake,
            least,
            # One draw for a claim: asking again, by another, or once it was sent again, is no
            # second chance.
            draw=earlier[0].draw if earlier else self._draw(),
            bound=bound,
            carried=load.carried - own,
            budget=load.budget,
            owed=load.owed,
        )
        relied = Relied(claim, risk.answer(), risk)
        # What was given stands until the check: who asks for less, or in vain, may have
        # built on it already.
        if relied.granted or not own:
            kept = max(stake, own)
            given = reliances.Reliance(claim.id, by, kept, least, risk.draw, relied.granted, at)
            await reliances.put(tx, given)
        event = events.reliance_answered(claim, risk, relied.answer, by=by, at=at)
        return relied, await self._notary.append(tx, event)

    def _draw(self) -> float:
        return int.from_bytes(self._chance(7), "big") / 256**7


async def _require_unchecked(tx: Transaction, claim: Claim) -> None:
    for each in await claims.same(tx, claim):
        if each.judgement is not None and each.judgement.verdict is not Verdict.INCONCLUSIVE:
            raise InvalidInput(
                f"Claim {each.id} was checked: {each.judgement.verdict.value}. "
                "There is nothing to rely on; read it with get_verification."
            )
