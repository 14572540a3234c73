"""The step that lets an outcome be traced to the request it began with.

A receipt is written behind the answer it belongs to, so that finding waits for no disk.
One that a crash loses is refused as unknown: it costs a credit, never a record.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from math import fsum

import structlog

from tmws.domain.agents import Agent
from tmws.domain.errors import BackendUnavailable, Conflict, NotFound
from tmws.domain.ids import CHANCE_BYTES, new_id
from tmws.ports import Chance, Clock
from tmws.storage import receipts, trials
from tmws.storage.database import Database, Transaction
from tmws.storage.prepared import Execute
from tmws.storage.receipts import Receipt
from tmws.storage.trials import Trial

_log = structlog.get_logger()

DAY = timedelta(days=1)
LIFE = timedelta(days=7)
MOST_OF_AN_AGENT = 1000
_MOST_WAITING = 1000


@dataclass(frozen=True, slots=True)
class Tried:
    """The best pattern for a request, and whether chance let it be shown."""

    pattern_id: str
    shown: bool


class Receipts:
    """Issues receipts, and finds them again for the agent that got them."""

    def __init__(self, database: Database, clock: Clock, chance: Chance) -> None:
        self._database = database
        self._clock = clock
        self._chance = chance
        self._waiting: list[Receipt] = []
        self._trials: list[Trial] = []
        self._writer: asyncio.Task[None] | None = None

    def issue(
        self,
        caller: Agent,
        request: str,
        shares: Mapping[str, float],
        tried: Tried | None = None,
    ) -> str:
        """Return the id of a new receipt for what is about to be shown.

        Args:
            shares: what each shown pattern weighs among them, by id; none of it
                negative. Where all weigh nothing, they share alike.
            tried: what chance decided about it, to be kept with the outcome.
        """
        now = self._clock.now()
        total = fsum(shares.values())
        split = {
            item_id: weight / total if total else 1.0 / len(shares)
            for item_id, weight in shares.items()
        }
        receipt_id = new_id("receipt", at=now, chance=self._chance(CHANCE_BYTES))
        self._waiting.append(Receipt(receipt_id, caller.id, now, request, split))
        del self._waiting[:-_MOST_WAITING]
        if tried is not None:
            begun = Trial(receipt_id, tried.pattern_id, caller.id, now, shown=tried.shown)
            self._trials.append(begun)
            del self._trials[:-_MOST_WAITING]
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write())
        return receipt_id

    async def settle(self) -> None:
        """Wait until every receipt that was issued here is written or given up."""
        if self._writer is not None:
            await asyncio.shield(self._writer)

    async def opened(self, tx: Transaction, caller: Agent, receipt_id: str) -> Receipt:
        """Return the caller's receipt; call `settle` before the transaction.

        Raises:
            NotFound: there is none; another agent's and a forgotten one look the same.
        """
        since = self._clock.now() - LIFE
        found = await receipts.find(tx, receipt_id, agent_id=caller.id, since=since)
        if found is None:
            raise NotFound(
                f"No receipt {receipt_id[:40]!r} of yours. It is good for {LIFE.days} days; "
                "name the pattern and leave it out."
            )
        return found

    async def _write(self) -> None:
        while self._waiting:
            issued, self._waiting = self._waiting, []
            begun, self._trials = self._trials, []
            try:
                await self._database.at_once(
                    partial(_kept, issued, begun, self._clock.now() - LIFE)
                )
            except (BackendUnavailable, Conflict) as error:
                _log.warning("receipts_lost", count=len(issued), reason=error.message)


def _kept(issued: Sequence[Receipt], begun: Sequence[Trial], since: datetime, run: Execute) -> None:
    receipts.forget(run, before=since)
    for receipt in issued:
        receipts.add(run, receipt)
    for agent_id in {receipt.agent_id for receipt in issued}:
        receipts.thin_out(run, agent_id, keep=MOST_OF_AN_AGENT)
    for trial in begun:
        if trials.begun(run, trial.agent_id, since=trial.at - DAY) < MOST_OF_AN_AGENT:
            trials.add(run, trial)
