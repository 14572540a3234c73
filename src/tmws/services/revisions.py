"""Revisions: what a pattern says changes, and what it said stays to be read."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from tmws.domain import events
from tmws.domain.actions import Action
from tmws.domain.agents import Agent, Reader
from tmws.domain.errors import Conflict, NotFound
from tmws.domain.patterns import Pattern
from tmws.domain.quotas import WRITE, need_of_version
from tmws.domain.versions import Change, Revision, Version, content_of, difference, revised
from tmws.ports import Clock
from tmws.services import shelf
from tmws.services.acts import Acts
from tmws.services.gate import Gate
from tmws.services.quotas import Quotas
from tmws.services.scoring import reliance
from tmws.services.search import Search
from tmws.storage import documents, quotas, versions
from tmws.storage.database import Database, Transaction
from tmws.storage.prepared import Execute, at_once


@dataclass(frozen=True, slots=True)
class Difference:
    """What a later version says otherwise, as a JSON Patch of the earlier one."""

    old: Version
    new: Version
    changes: tuple[Change, ...]


class Revisions:
    """Writes new versions, and reads all there were."""

    def __init__(
        self,
        database: Database,
        *,
        gate: Gate,
        acts: Acts,
        search: Search,
        quotas: Quotas,
        clock: Clock,
    ) -> None:
        self._database = database
        self._gate = gate
        self._acts = acts
        self._search = search
        self._quotas = quotas
        self._clock = clock

    async def revise(
        self, caller: Agent, pattern_id: str, change: Revision, *, version: int
    ) -> Pattern:
        """Write the next version; uses counted so far stay with the pattern.

        Args:
            version: the one that the change was made on.

        Raises:
            InvalidInput: a field breaks its rule, or nothing changes.
            NotFound: there is no such pattern for the caller.
            PermissionDenied: it is somebody else's.
            Conflict: another version came in between, or the new name is taken.
            LimitExceeded: it does not fit into the caller's quota.
        """
        await self._gate.require(Action.REVISE_PATTERN)
        async with self._database.read() as connection:
            seen = await shelf.visible(connection, caller, pattern_id)
        _require_newest(seen, version)
        now = self._clock.now()
        content = revised(content_of(seen), change)
        # Before the transaction, so that it stays short; the version says it is still right.
        after = replace(
            seen,
            version=version + 1,
            name=content.name,
            category=content.category,
            subcategory=content.subcategory,
            summary=content.summary,
            data=content.data,
            tags=content.tags,
            complexity=content.complexity,
            learning_weight=content.learning_weight,
            author_id=caller.id,
            author=caller.name,
            written_at=now,
        )
        document = await self._search.of_pattern(after)
        async with self._acts.transaction() as acts:
            tx = acts.tx
            # What others may revise counts for its owner, and is bounded by their writes alone.
            need = need_of_version(content)
            mine = seen.owner_id == caller.id
            await at_once(
                tx,
                lambda run: self._quotas.take(run, caller.id, need if mine else WRITE, at=acts.at),
            )
            if not mine:
                await quotas.add(tx, seen.owner_id, need.stored_bytes)
            before = await shelf.writable(tx, caller, pattern_id)
            _require_newest(before, version)

            def checked(run: Execute) -> float | None:
                shelf.require_free_name(run, after)
                return reliance(run, caller.id, at=now)

            after = replace(
                after,
                level=before.level,
                usage=before.usage,
                author_trust=await at_once(tx, checked),
            )
            await versions.add(tx, before, versions.newest_of(after))
            await documents.replace(tx, replace(document, level=before.level))
            event = events.pattern_revised(pattern_id, after.version, by=caller.id, at=now)
            await acts.append(event)
        return after

    async def history(self, reader: Reader, pattern_id: str) -> list[Version]:
        """Return all versions of a pattern, the newest first.

        Raises:
            NotFound: there is no such pattern for the reader.
        """
        await self._may_look(reader)
        async with self._database.read() as connection:
            return await _every(connection, reader, pattern_id)

    async def read(
        self,
        reader: Reader,
        pattern_id: str,
        *,
        version: int | None = None,
        at: datetime | None = None,
    ) -> tuple[Pattern, Version]:
        """Return a pattern with one of its versions, the newest by default.

        Args:
            version: its number.
            at: what was the newest at this time.

        Raises:
            NotFound: there is no such pattern for the reader, or no such version.
        """
        await self._may_look(reader)
        async with self._database.read() as connection:
            pattern = await shelf.kept(connection, reader, pattern_id)
            every = await versions.every(connection, pattern)
        if at is not None:
            return pattern, _as_of(every, at)
        return pattern, _numbered(every, version or pattern.version)

    async def compare(
        self, reader: Reader, pattern_id: str, *, old: int | None = None, new: int | None = None
    ) -> Difference:
        """Return what a version says otherwise than an earlier one.

        Args:
            old: the one before `new` by default.
            new: the newest by default.

        Raises:
            NotFound: there is no such pattern for the reader, or no such version.
        """
        every = await self.history(reader, pattern_id)
        later = _numbered(every, new or every[0].number)
        earlier = _numbered(every, old or later.parent or later.number)
        changes = difference(earlier.content.as_json(), later.content.as_json())
        return Difference(earlier, later, tuple(changes))

    async def _may_look(self, reader: Reader) -> None:
        if isinstance(reader, Agent):
            await self._gate.require(Action.GET_PATTERN)


async def _every(connection: Transaction, reader: Reader, pattern_id: str) -> list[Version]:
    return await versions.every(connection, await shelf.kept(connection, reader, pattern_id))


def _require_newest(pattern: Pattern, version: int) -> None:
    if pattern.version != version:
        raise Conflict(
            f"The newest version of {pattern.id} is {pattern.version}, not {version}. Read what "
            "changed with get_pattern, and revise that one."
        )


def _numbered(every: list[Version], number: int) -> Version:
    for version in every:
        if version.number == number:
            return version
    raise NotFound(f"There is no version {number}. The newest is {every[0].number}.")


def _as_of(every: list[Version], at: datetime) -> Version:
    for version in every:
        if version.written_at <= at:
            return version
    raise NotFound(f"At that time there was no version. The first is of {every[-1].written_at}.")
