"""Removal: hidden until it is restored, or erased for good."""

from __future__ import annotations

from dataclasses import replace

from tmws.domain.actions import Action
from tmws.domain.agents import Agent, Reader
from tmws.domain.errors import NotFound, PermissionDenied
from tmws.domain.patterns import Pattern
from tmws.domain.quotas import WRITE
from tmws.services import shelf
from tmws.services.acts import Acts, Recording
from tmws.services.gate import Gate
from tmws.services.quotas import Quotas
from tmws.services.search import Search
from tmws.storage import batches, documents, lifecycle, patterns, quotas, usage, uses
from tmws.storage.database import Database, Transaction
from tmws.storage.lifecycle import ActKind
from tmws.storage.prepared import at_once


class Removal:
    """Removes, restores and forgets: the owner's right, and the administrator's."""

    def __init__(
        self, database: Database, gate: Gate, acts: Acts, search: Search, quotas: Quotas
    ) -> None:
        self._database = database
        self._gate = gate
        self._acts = acts
        self._search = search
        self._quotas = quotas

    async def remove(self, by: Reader, pattern_id: str) -> Pattern:
        """Hide a pattern from everybody and give its name back.

        Raises:
            NotFound: there is no such pattern for whoever asks.
            PermissionDenied: it is somebody else's.
            LimitExceeded: whoever asks wrote too much.
        """
        await self._may_act(by)
        async with self._acts.transaction() as acts:
            await self._take(acts, by)
            if not isinstance(by, Agent):
                await quotas.release(acts.tx, pattern_id)
            found = await _held(acts.tx, by, pattern_id)
            await lifecycle.remove(acts.tx, pattern_id, at=acts.at)
            await usage.expect_anew(acts.tx, pattern_id)
            await documents.remove(acts.tx, pattern_id)
            await acts.add(by, pattern_id, ActKind.REMOVED)
        return replace(found, removed_at=acts.at)

    async def restore(self, by: Reader, pattern_id: str) -> Pattern:
        """Show a removed pattern again, with its versions, readers and uses.

        Raises:
            NotFound: there is no such removed pattern for whoever asks.
            PermissionDenied: the administrator removed it, and an agent asks.
            Conflict: its name was taken meanwhile.
            LimitExceeded: whoever asks wrote too much.
        """
        await self._may_act(by)
        async with self._database.read() as connection:
            seen = await _removed(connection, by, pattern_id)
        document = await self._search.of_pattern(seen)
        async with self._acts.transaction() as acts:
            await self._take(acts, by)
            await quotas.count(acts.tx, pattern_id)
            await patterns.lock(acts.tx, pattern_id)
            found = await _removed(acts.tx, by, pattern_id)
            if isinstance(by, Agent) and await lifecycle.was_moderated(acts.tx, pattern_id):
                raise PermissionDenied(
                    f"An administrator removed {pattern_id}. Ask for it to be restored."
                )
            await at_once(acts.tx, lambda run: shelf.require_free_name(run, found))
            await lifecycle.remove(acts.tx, pattern_id, at=None)
            await usage.expect_anew(acts.tx, pattern_id)
            await documents.replace(acts.tx, document)
            await acts.add(by, pattern_id, ActKind.RESTORED)
        return replace(found, removed_at=None)

    async def forget(self, by: Reader, pattern_id: str) -> None:
        """Erase what a pattern says and said; its id, counts and ledger entries stay.

        Raises:
            NotFound: there is no such pattern for whoever asks, living or removed.
            PermissionDenied: it is somebody else's.
            LimitExceeded: whoever asks wrote too much.
        """
        await self._may_act(by)
        async with self._acts.transaction() as acts:
            await self._take(acts, by)
            await quotas.release(acts.tx, pattern_id)
            await patterns.lock(acts.tx, pattern_id)
            if not await patterns.removed(acts.tx, by, [pattern_id]):
                await _held(acts.tx, by, pattern_id)
            await lifecycle.forget(acts.tx, pattern_id, at=acts.at)
            await uses.forget(acts.tx, pattern_id)
            await batches.forget(acts.tx, pattern_id)
            await usage.expect_anew(acts.tx, pattern_id)
            await documents.remove(acts.tx, pattern_id)
            await acts.add(by, pattern_id, ActKind.FORGOTTEN)
        await self._database.drop_old_pages()

    async def removed(self, by: Reader) -> list[Pattern]:
        """Return what whoever asks may restore, the newest first."""
        async with self._database.read() as connection:
            return await patterns.removed(connection, by)

    async def _may_act(self, by: Reader) -> None:
        if isinstance(by, Agent):
            await self._gate.require(Action.REMOVE_PATTERN)

    async def _take(self, acts: Recording, by: Reader) -> None:
        if isinstance(by, Agent):
            agent_id = by.id
            await at_once(acts.tx, lambda run: self._quotas.take(run, agent_id, WRITE, at=acts.at))


async def _held(tx: Transaction, by: Reader, pattern_id: str) -> Pattern:
    if isinstance(by, Agent):
        return await shelf.writable(tx, by, pattern_id)
    await patterns.lock(tx, pattern_id)
    return await shelf.visible(tx, by, pattern_id)


async def _removed(connection: Transaction, by: Reader, pattern_id: str) -> Pattern:
    found = await patterns.removed(connection, by, [pattern_id])
    if not found:
        if isinstance(by, Agent):
            raise NotFound(f"No removed pattern {pattern_id[:40]!r} is yours to restore.")
        raise NotFound(
            f"No removed pattern {pattern_id[:40]!r}. See: tmws patterns list --removed."
        )
    return found[0]
