"""Letting a claim count before it was checked: asked for, bounded, and on the record."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from tmws.domain import events
from tmws.domain.actions import Action
from tmws.domain.agents import Agent
from tmws.domain.errors import InvalidInput, NotFound
from tmws.domain.quotas import WRITE
from tmws.domain.trust.reliance import TERM, Answer, Risk, Stake, require_askable
from tmws.domain.verifications import Claim
from tmws.domain.wording import require_reason
from tmws.ports import Chance, Clock
from tmws.services.exposure import exposure
from tmws.services.gate import Gate
from tmws.services.notary import Notary, Receipt
from tmws.services.quotas import Quotas
from tmws.services.scoring import believed
from tmws.storage import agents, claims, evidence, reliances, trust
from tmws.storage.database import Database, Transaction
from tmws.storage.prepared import at_once

_SAID = {
    Answer.GRANTED: "Its author carries the stake until it has the claim checked. Ask it to.",
    Answer.AUDITS_OWED: (
        "The author's results fell off: checks worth {owed} whole ones are owed first. "
        "See {audits}."
    ),
    Answer.BOUND_TOO_LOW: (
        "The author's bound {bound:.2f} does not reach {least:.2f}, give or take what blurs it. "
        "Have the claim checked first: {check}."
    ),
    Answer.OVER_BUDGET: (
        "The author carries {carried:.2f} of {budget:.2f} unchecked; {stake:.2f} more is too much. "
        "Ask for less, or for checks of its claims first: {audits}."
    ),
    Answer.OVER_SHARE: (
        "Nobody takes more than half of what others leave of the author's {budget:.2f}: "
        "{most:.2f} is left for you. Ask for less, or let go of what you need no longer: {let_go}."
    ),
}


@dataclass(frozen=True, slots=True)
class Ways:
    """What leads out of a refusal: to a check, to the claims to check first, to let go."""

    check: str
    audits: str
    let_go: str


TOOLS = Ways("verify_claim", "next_audits", "stake 0")
COMMANDS = Ways(
    "agents do, by verify_claim",
    "tmws trust next-audits AGENT",
    "tmws trust release CLAIM --of NAME --reason TEXT",
)


@dataclass(frozen=True, slots=True)
class Relied:
    """The answer, and all it follows from but the draw: that stands in the ledger alone."""

    claim: Claim
    answer: Answer
    risk: Risk
    stake: Stake

    @property
    def granted(self) -> bool:
        return self.answer is Answer.GRANTED

    def said(self, ways: Ways = TOOLS) -> str:
        """Say in a sentence why, and what to do, by what whoever asked has at hand."""
        risk = self.risk
        return _SAID[self.answer].format(
            owed=risk.owed,
            bound=risk.bound,
            least=risk.least,
            carried=risk.carried,
            budget=risk.budget,
            stake=risk.stake,
            most=risk.most,
            check=ways.check,
            audits=ways.audits,
            let_go=ways.let_go,
        )


@dataclass(frozen=True, slots=True)
class Standing:
    """A stake that takes room, and who it is that relies on the claim."""

    stake: Stake
    by: str


class Reliance:
    """Answers whether an unchecked claim may count, and remembers for how much and how long."""

    def __init__(
        self,
        database: Database,
        *,
        gate: Gate,
        notary: Notary,
        quotas: Quotas,
        clock: Clock,
        chance: Chance,
    ) -> None:
        self._database = database
        self._gate = gate
        self._notary = notary
        self._quotas = quotas
        self._clock = clock
        self._chance = chance

    async def ask(self, caller: Agent, claim_id: str, *, stake: float, least: float) -> Relied:
        """Ask to rely on another agent's claim that was not checked yet.

        Raises:
            InvalidInput: the stake, the bound or the claim is nothing to ask about.
            NotFound: there is no such claim; one that is hidden looks the same.
            LimitExceeded: the caller wrote too much.
        """
        await self._gate.require(Action.RELY)
        require_askable(stake, least)
        async with self._database.write() as tx:
            await self._take(tx, caller)
            claim = await _readable(tx, caller, claim_id)
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
            claim = await _known(tx, claim_id)
            owner = await evidence.owner_of(tx, claim.agent_id)
            relied, receipt = await self._answered(
                tx, claim, owner, by=by, stake=stake, least=least
            )
        self._notary.publish(receipt)
        return relied

    async def release(self, caller: Agent, claim_id: str) -> float:
        """Rely on a claim no longer, under any of the caller's names; return what that frees.

        Raises:
            InvalidInput: the caller relies on nothing here.
            NotFound: there is no such claim; one that is hidden looks the same.
            LimitExceeded: the caller wrote too much.
        """
        await self._gate.require(Action.RELY)
        async with self._database.write() as tx:
            await self._take(tx, caller)
            claim = await _readable(tx, caller, claim_id)
            names = await _names_of(tx, caller.id)
            freed, receipt = await self._ended(tx, claim, names, reason=None, by=caller.id)
        self._notary.publish(receipt)
        return freed

    async def end(self, claim_id: str, *, reason: str, by: str, of: str | None = None) -> float:
        """End what others let a claim count for, or what one of them does; return how much.

        Args:
            of: an agent's name, or an administrator's; None for everybody's.

        Raises:
            InvalidInput: nothing stands on the claim, or there is no reason.
            NotFound: there is no such claim.
        """
        reason = require_reason(reason)
        async with self._database.write() as tx:
            claim = await _known(tx, claim_id)
            agent = None if of is None else await agents.named(tx, of)
            names = None if of is None else {of if agent is None else agent.id}
            freed, receipt = await self._ended(tx, claim, names, reason=reason, by=by)
        self._notary.publish(receipt)
        return freed

    async def standing(self, agent_name: str) -> list[Standing]:
        """Return what takes room in an agent's budget, for the installation's administrator.

        Raises:
            NotFound: no agent has this name.
        """
        async with self._database.read() as connection:
            agent = await agents.named(connection, agent_name)
            if agent is None:
                raise NotFound(f"No agent is named {agent_name[:64]!r}. See: tmws agents list.")
            owner = await evidence.owner_of(connection, agent.id)
            found = await reliances.standing(connection, owner, at=self._clock.now())
            names = await agents.names_of(connection, [each.by for each in found], reader=None)
        return [Standing(each, names.get(each.by, each.by)) for each in found]

    async def _take(self, tx: Transaction, caller: Agent) -> None:
        # The ledger first, so that two that ask at once are answered one after the other.
        await self._notary.turn(tx)
        at = self._clock.now()
        await at_once(tx, lambda run: self._quotas.take(run, caller.id, WRITE, at=at))

    async def _ended(
        self,
        tx: Transaction,
        claim: Claim,
        names: set[str] | None,
        *,
        reason: str | None,
        by: str,
    ) -> tuple[float, Receipt]:
        await self._notary.turn(tx)
        await _require_unchecked(tx, claim)
        ended = [
            each
            for each in await reliances.of_claim(tx, claim.id)
            if each.amount and (names is None or each.by in names)
        ]
        if not ended:
            raise InvalidInput(
                f"Nothing that could end stands on {claim.id}: nobody was granted a stake there, "
                "or it was let go."
            )
        stands = [replace(each, amount=0.0) for each in ended]
        for each in stands:
            await reliances.put(tx, each)
        at = self._clock.now()
        event = events.reliance_released(claim, stands, reason=reason, by=by, at=at)
        freed = math.fsum(each.amount for each in ended)
        return freed, await self._notary.append(tx, event)

    async def _answered(
        self, tx: Transaction, claim: Claim, owner: str, *, by: str, stake: float, least: float
    ) -> tuple[Relied, Receipt]:
        # First, so that two that ask at once are answered one after the other.
        await self._notary.turn(tx)
        await _require_unchecked(tx, claim)
        await _require_enabled(tx, claim, owner)
        at = self._clock.now()
        state = await trust.load_agent(tx, owner)
        seen = await at_once(tx, lambda run: believed(run, state, owner, at=at))
        bound = seen.standing.bound
        load = await exposure(tx, owner, bound=bound, at=at)
        names = await _names_of(tx, by)
        earlier = await reliances.of_claim(tx, claim.id)
        mine = [each for each in earlier if each.by in names]
        _require_in_term(mine, at=at)
        own = next((each for each in mine if each.by == by), None)
        own = own or Stake(
            claim.id,
            by,
            0.0,
            # One draw for a claim: asking again, by another, or once it was sent again, is no
            # second chance.
            draw=earlier[0].draw if earlier else self._draw(),
        )
        others = [each for each in load.stakes if (each.claim_id, each.by) != (own.claim_id, by)]
        risk = Risk(
            stake,
            least,
            draw=own.draw,
            bound=bound,
            carried=math.fsum(each.amount for each in others),
            budget=load.budget,
            owed=load.owed,
            held=math.fsum(each.amount for each in others if each.by in names),
        )
        answer = risk.answer()
        # What was given stands until the check: who asks for less, or in vain, may have
        # built on it already. More begins no new term.
        if answer is Answer.GRANTED:
            since = min((each.since for each in mine if each.since), default=at)
            own = replace(own, amount=max(stake, own.amount), since=since)
        await reliances.put(tx, own)
        event = events.reliance_answered(claim, risk, answer, stands=own, by=by, at=at)
        return Relied(claim, answer, risk, own), await self._notary.append(tx, event)

    def _draw(self) -> float:
        return int.from_bytes(self._chance(7), "big") / 256**7


async def _readable(tx: Transaction, caller: Agent, claim_id: str) -> Claim:
    claim = await claims.readable(tx, caller, claim_id)
    if claim is None:
        raise NotFound(f"No verification {claim_id[:40]!r} is visible to you.")
    return claim


async def _known(tx: Transaction, claim_id: str) -> Claim:
    claim = await claims.find(tx, claim_id)
    if claim is None:
        raise NotFound(f"No claim {claim_id[:40]!r}. See: tmws claims list.")
    return claim


async def _names_of(tx: Transaction, by: str) -> set[str]:
    """Return this name with all that turned out to be the same one's."""
    owners = await evidence.owners(tx)
    owner = owners.get(by, by)
    return {by, owner, *(each for each, whose in owners.items() if whose == owner)}


def _require_in_term(mine: Sequence[Stake], *, at: datetime) -> None:
    if any(each.is_over(at=at) for each in mine):
        raise InvalidInput(
            f"You relied on this claim {TERM.days} days ago, and it is unchecked still. "
            "Ask its author to have it checked: verify_claim."
        )


async def _require_enabled(tx: Transaction, claim: Claim, owner: str) -> None:
    """Nobody vouches for an agent that is shut out; what was given before stands."""
    names = (claim.agent_id, owner)
    if await at_once(tx, lambda run: any(agents.disabled_name(run, each) for each in names)):
        raise InvalidInput(
            "The claim's author was disabled by an administrator, so nobody can rely on its word. "
            "Claim the same in your own name and have it checked: verify_claim."
        )


async def _require_unchecked(tx: Transaction, claim: Claim) -> None:
    for each in await claims.same(tx, claim):
        if each.decision is not None:
            raise InvalidInput(
                f"Claim {each.id} was checked: {each.decision.value}. "
                "There is nothing to rely on; read it: get_verification, or tmws claims show."
            )
