"""What an administrator can do about trust: change what scores are computed from.

Nobody writes a score. A verdict can be withdrawn, two identities linked, and both taken back;
everything can be fitted again. Each act is a ledger entry from which the same scores follow.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from datetime import datetime
from typing import NoReturn

import structlog

from tmws.domain import events
from tmws.domain.agents import Agent
from tmws.domain.errors import Conflict, InvalidInput, LedgerCorrupt, NotFound, TmwsError
from tmws.domain.trust.entries import FITS, entry_of
from tmws.domain.trust.evidence import Correction, Link, Refit, Restoration, Unlink
from tmws.domain.trust.evidence import Entry as Act
from tmws.domain.trust.log import History, replay, unlinked
from tmws.domain.trust.model import EARLIER, VERSION
from tmws.domain.trust.nightly import is_due
from tmws.domain.trust.reference import drawn
from tmws.domain.wording import require_reason
from tmws.ports import Clock
from tmws.services.counting import count_again
from tmws.services.notary import Notary
from tmws.storage import agents, claims, evidence, ledger, trust, uses
from tmws.storage.database import Database, Transaction
from tmws.storage.evidence import Entry
from tmws.storage.turns import turn

_FIRST_LOOK_SECONDS, _LOOK_SECONDS = 30.0, 600.0
_log = structlog.get_logger()


class Corrections:
    """Withdraws, links, takes both back and fits again; with a reason, in the ledger."""

    def __init__(self, database: Database, notary: Notary, clock: Clock) -> None:
        self._database = database
        self._notary = notary
        self._clock = clock

    async def withdraw(self, claim_id: str, *, reason: str, by: str) -> None:
        """Take one verdict out of what scores are computed from, and out of what it proved.

        What was reported of patterns by this claim is its agent's word from then on.

        Raises:
            InvalidInput: there is no reason.
            NotFound: no verdict of this claim is counted.
        """
        reason = require_reason(reason)
        now = self._clock.now()
        async with self._database.write() as tx:
            receipt = await self._notary.append(
                tx, events.evidence_withdrawn(claim_id, reason=reason, by=by, at=now)
            )
            entries = await evidence.every(tx)
            if not any(e.evidence.id == claim_id and e.withdrawn is None for e in entries):
                raise NotFound(
                    f"No verdict of claim {claim_id[:40]!r} counts. See: tmws claims list."
                )
            await self._fit(tx, entries, Correction(claim_id, reason, by, now))
            await claims.lock(tx, claim_id)
            for pattern_id in await uses.unprove(tx, claim_id):
                await count_again(tx, pattern_id)
        self._notary.publish(receipt)

    async def restore(self, claim_id: str, *, reason: str, by: str) -> None:
        """Let a verdict that was withdrawn count again, and prove what it proved.

        Raises:
            InvalidInput: there is no reason.
            NotFound: no verdict of this claim is withdrawn.
            Conflict: the same was checked again since, and one check of one snapshot counts once.
        """
        reason = require_reason(reason)
        now = self._clock.now()
        async with self._database.write() as tx:
            receipt = await self._notary.append(
                tx, events.evidence_restored(claim_id, reason=reason, by=by, at=now)
            )
            if not await evidence.is_withdrawn(tx, claim_id):
                raise NotFound(
                    f"No verdict of claim {claim_id[:40]!r} is withdrawn. "
                    "See what is: tmws trust show AGENT."
                )
            await _require_alone(tx, claim_id)
            await self._fit(tx, await evidence.every(tx), Restoration(claim_id, reason, by, now))
            await claims.lock(tx, claim_id)
            for pattern_id in await uses.prove_again(tx, claim_id):
                await count_again(tx, pattern_id)
        self._notary.publish(receipt)

    async def link(self, agent_name: str, owner_name: str, *, reason: str, by: str) -> bool:
        """Let what one agent did and does count for another; say whether it did not before.

        Raises:
            InvalidInput: there is no reason.
            NotFound: no agent has one of the names.
            Conflict: the second counts for the first already.
        """
        reason = require_reason(reason)
        now = self._clock.now()
        async with self._database.write() as tx:
            await self._notary.turn(tx)
            agent, owner = await _named(tx, agent_name), await _named(tx, owner_name)
            if agent.id == owner.id:
                raise Conflict(f"{agent.name!r} is one agent already.")
            if agent.id == await evidence.owner_of(tx, owner.id):
                raise Conflict(
                    f"{owner.name!r} counts for {agent.name!r} already; it cannot be both ways."
                )
            entries = await evidence.every(tx)
            if await _is_linked(tx, entries, agent.id, owner.id):
                return False
            receipt = await self._notary.append(
                tx, events.identities_linked(agent.id, owner.id, reason=reason, by=by, at=now)
            )
            await self._fit(tx, entries, Link(agent.id, owner.id, reason, by, now))
        self._notary.publish(receipt)
        return True

    async def unlink(self, agent_name: str, *, reason: str, by: str) -> None:
        """Let an agent that was linked count for itself again, with whoever it stood for.

        What was weighed meanwhile keeps its weight.

        Raises:
            InvalidInput: there is no reason.
            NotFound: no agent has the name.
            Conflict: it is linked to nobody.
        """
        reason = require_reason(reason)
        now = self._clock.now()
        async with self._database.write() as tx:
            await self._notary.turn(tx)
            agent = await _named(tx, agent_name)
            if agent.id not in await evidence.owners(tx):
                raise Conflict(f"{agent.name!r} is linked to nobody. See: tmws trust show AGENT.")
            entries = await evidence.every(tx)
            links = await _links(tx, entries)
            receipt = await self._notary.append(
                tx, events.identities_unlinked(agent.id, reason=reason, by=by, at=now)
            )
            await self._fit(tx, entries, Unlink(agent.id, reason, by, now), links=links)
        self._notary.publish(receipt)

    async def refit(self, *, by: str) -> int:
        """Compute every score again, so that what was learned later corrects what was earlier.

        Returns:
            The number of verdicts that count.
        """
        now = self._clock.now()
        async with self._database.write() as tx:
            await self._notary.turn(tx)
            state = await self._fit(tx, await evidence.every(tx), Refit(VERSION, now))
            event = events.trust_refitted(
                VERSION, state_sha256=state.model.fingerprint(), by=by, at=now
            )
            receipt = await self._notary.append(tx, event)
        self._notary.publish(receipt)
        return state.decided

    async def tend(self) -> NoReturn:
        """Fit everything again once a day, in one process, as long as this one lives."""
        await asyncio.sleep(_FIRST_LOOK_SECONDS)  # most sessions of a client begin with a request
        while True:
            try:
                await self.refit_if_due()
            except TmwsError as error:
                _log.warning("trust_not_fitted", reason=error.message)
            await asyncio.sleep(_LOOK_SECONDS)

    async def refit_if_due(self) -> bool:
        """Fit everything again if it is time, unless another process does; say whether it was.

        Raises:
            LedgerCorrupt: the newest fit cannot be read.
        """
        async with self._database.read() as connection, turn(connection, "fitting") as ours:
            if not ours or not await _is_due(connection, self._clock.now()):
                return False
            verdicts = await self.refit(by="tmws")
        _log.info("trust_fitted", model=VERSION, verdicts=verdicts)
        return True

    async def catch_up(self) -> bool:
        """Compute every score anew if an earlier version of the model left them; say whether.

        The ledger is followed from its first entry and a fit is added to it, so that all
        that is shown afterwards, explanations too, is this version's. Nothing is written
        unless all of it is.

        Raises:
            LedgerCorrupt: the ledger cannot be followed; `tmws ledger verify` says why.
        """
        async with self._database.read() as connection:
            if await trust.version(connection) not in EARLIER:
                return False
        now = self._clock.now()
        async with self._database.write() as tx:
            await self._notary.turn(tx)
            if await trust.version(tx) not in EARLIER:  # another process was faster
                return False
            entries = await evidence.every(tx)
            log = [*await _acts(tx, entries), Refit(VERSION, now)]
            # In a thread: a long log takes seconds.
            state = await _store(tx, await asyncio.to_thread(replay, log), entries)
            event = events.trust_refitted(
                VERSION, state_sha256=state.model.fingerprint(), by="tmws", at=now
            )
            receipt = await self._notary.append(tx, event)
        self._notary.publish(receipt)
        _log.info("trust_computed_anew", model=VERSION, verdicts=state.decided)
        return True

    async def _fit(
        self, tx: Transaction, entries: list[Entry], act: Act, *, links: Sequence[Link] = ()
    ) -> trust.State:
        """Fit everything after this act, and store it.

        Args:
            links: those that stand, for an act that takes one back.
        """
        before = await trust.load(tx)
        history = History(
            model=before.model,
            links=list(links),
            owners=await evidence.owners(tx),
            withdrawn={e.evidence.id: e.withdrawn for e in entries if e.withdrawn},
            restored={e.evidence.id: e.restored for e in entries if e.restored},
            evidence=[e.evidence for e in entries],
        )
        # In a thread: a long log takes seconds, and others are being served.
        await asyncio.to_thread(history.add, act)
        return await _store(tx, history, entries)


async def _is_due(connection: Transaction, at: datetime) -> bool:
    last = await ledger.newest_of(connection, FITS)
    try:
        fitted = datetime.fromisoformat(json.loads(last[1])["at"]) if last else None
    except (ValueError, KeyError, TypeError) as error:
        raise LedgerCorrupt("The newest fit cannot be read. Run 'tmws ledger verify'.") from error
    unseen = await evidence.since(connection, last[0] if last else -1)
    return unseen is not None and is_due(fitted=fitted, first=unseen[0], newest=unseen[1], at=at)


async def _acts(tx: Transaction, entries: Sequence[Entry]) -> list[Act]:
    """Return all that the ledger tells the model, from its first entry on."""
    erased = {entry.ledger_index: entry.evidence for entry in entries}
    acts: list[Act | None] = []
    async for stored in ledger.entries(tx):
        if stored.payload is None:
            acts.append(erased.get(stored.index))
            continue
        try:
            leaf = json.loads(stored.leaf)
            at = datetime.fromisoformat(leaf["at"])
            acts.append(entry_of(leaf["type"], json.loads(stored.payload), at))
        except (ValueError, KeyError, TypeError, InvalidInput) as error:
            raise LedgerCorrupt(
                f"Ledger entry {stored.index} cannot be read. Run 'tmws ledger verify'."
            ) from error
    return [act for act in acts if act is not None]


async def _links(tx: Transaction, entries: Sequence[Entry]) -> list[Link]:
    """Return the links that stand: the database only knows where each of them leads in the end."""
    standing: list[Link] = []
    for act in await _acts(tx, entries):
        if isinstance(act, Link):
            standing.append(act)
        elif isinstance(act, Unlink):
            standing = unlinked(standing, act.agent)
    return standing


async def _is_linked(
    tx: Transaction, entries: Sequence[Entry], agent_id: str, owner_id: str
) -> bool:
    """Say whether the agent was linked to this very owner, and to nobody since."""
    if await evidence.owner_of(tx, agent_id) != await evidence.owner_of(tx, owner_id):
        return False
    led = [link.owner for link in await _links(tx, entries) if link.agent == agent_id]
    return led[-1:] == [owner_id]


async def _store(tx: Transaction, history: History, entries: Sequence[Entry]) -> trust.State:
    reference = drawn(history.model)
    state = trust.State(history.model, reference, reference.decided)
    await trust.replace(tx, state)
    await evidence.replace_owners(tx, history.owners)
    steps = {step.evidence.id: step for path in history.paths.values() for step in path}
    await evidence.replace(
        tx,
        [
            Entry(
                e.evidence,
                history.owners.get(e.evidence.agent, e.evidence.agent),
                e.ledger_index,
                steps.get(e.evidence.id),
                history.withdrawn.get(e.evidence.id),
                history.restored.get(e.evidence.id),
            )
            for e in entries
        ],
    )
    return state


async def _named(connection: Transaction, agent_name: str) -> Agent:
    found = await agents.named(connection, agent_name)
    if found is None:
        raise NotFound(f"No agent is named {agent_name[:64]!r}. See: tmws agents list.")
    return found


async def _require_alone(connection: Transaction, claim_id: str) -> None:
    """Refuse to let a verdict stand beside another of the same check of the same snapshot."""
    claim = await claims.find(connection, claim_id)
    for other in [] if claim is None else await claims.same(connection, claim):
        if other.id != claim_id and other.decision is not None:
            raise Conflict(
                f"The same was checked again since: claim {other.id}, {other.decision.value}. One "
                "of the two can count: withdraw that one before."
            )
