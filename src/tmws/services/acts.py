"""The step that every change of a pattern's life ends with: noted beside it, and in the ledger."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping

from tmws.domain import events
from tmws.domain.agents import Agent, Reader
from tmws.domain.canonical import Json
from tmws.domain.ids import CHANCE_BYTES, new_id
from tmws.ports import Chance, Clock
from tmws.services.notary import Notary, Receipt
from tmws.storage import lifecycle
from tmws.storage.database import Database, Transaction
from tmws.storage.lifecycle import Act, ActKind


class Acts:
    """Opens transactions whose acts are recorded, and promises them once they are kept."""

    def __init__(self, database: Database, notary: Notary, clock: Clock, chance: Chance) -> None:
        self._database = database
        self._notary = notary
        self._clock = clock
        self._chance = chance

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[Recording]:
        """Open a write transaction in which acts can be recorded.

        It takes its turn at the ledger first, so that two of them never wait for each other.
        """
        async with self._database.write() as tx:
            await self._notary.turn(tx)
            recording = Recording(tx, self._notary, self._clock, self._chance)
            yield recording
        if recording.receipt:
            self._notary.publish(recording.receipt)


class Recording:
    """One such transaction."""

    def __init__(self, tx: Transaction, notary: Notary, clock: Clock, chance: Chance) -> None:
        self.tx = tx
        self.at = clock.now()
        self.receipt: Receipt | None = None
        self._notary = notary
        self._chance = chance

    async def add(
        self, by: Reader, pattern_id: str, kind: ActKind, detail: Mapping[str, Json] | None = None
    ) -> None:
        """Note who did what to a pattern, for undoing it and for proving it."""
        agent_id = by.id if isinstance(by, Agent) else None
        act_id = new_id("act", at=self.at, chance=self._chance(CHANCE_BYTES))
        told = detail or {}
        await lifecycle.note(self.tx, Act(act_id, pattern_id, agent_id, kind, told, self.at))
        who = by.id if isinstance(by, Agent) else by.name
        await self.append(events.pattern_act(kind.value, pattern_id, told, by=who, at=self.at))

    async def append(self, event: events.Event) -> None:
        """Record an event of another kind."""
        self.receipt = await self._notary.append(self.tx, event)
