"""Batches: many patterns in one transaction, all of them or none."""

from __future__ import annotations

from collections.abc import Sequence

from tmws.domain.actions import Action
from tmws.domain.agents import Agent
from tmws.domain.batches import Incoming, Problem, require_count, require_key
from tmws.domain.patterns import PatternDraft
from tmws.ports import Progress
from tmws.services.gate import Gate
from tmws.services.storing import Stored, Storing


class Batches:
    """Learns many patterns at once."""

    def __init__(self, gate: Gate, storing: Storing) -> None:
        self._gate = gate
        self._storing = storing

    async def learn(
        self,
        caller: Agent,
        drafts: Sequence[PatternDraft],
        *,
        key: str | None = None,
        progress: Progress,
    ) -> Stored:
        """Store all the patterns in one transaction.

        Args:
            key: names the batch, so that sending it again stores nothing twice.

        Raises:
            BatchRefused: items break rules; it lists every one.
            InvalidInput: there are too many items, or the key is none.
            Conflict: the key was used for another batch.
        """
        await self._gate.require(Action.LEARN_PATTERNS)
        require_count(len(drafts))
        named = require_key(key) if key is not None else None
        incoming = [Incoming(draft) for draft in drafts]
        return await self._storing.all(caller, incoming, key=named, progress=progress)

    async def check(self, caller: Agent, drafts: Sequence[PatternDraft]) -> tuple[Problem, ...]:
        """Return what would stand in the way now, and store nothing.

        Raises:
            InvalidInput: there are too many items.
        """
        await self._gate.require(Action.LEARN_PATTERNS)
        require_count(len(drafts))
        return await self._storing.check(caller, [Incoming(draft) for draft in drafts])
