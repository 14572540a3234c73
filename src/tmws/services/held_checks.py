"""Questions that administrators keep from agents: their act, never a tool's."""

from __future__ import annotations

from tmws.domain import events, held
from tmws.domain.agents import require_name
from tmws.domain.canonical import sha256_hex
from tmws.domain.errors import Conflict, NotFound
from tmws.ports import Chance, Clock
from tmws.services.notary import Notary
from tmws.storage import artifacts, trusted, workspaces
from tmws.storage.database import Database
from tmws.storage.prepared import at_once
from tmws.storage.trusted import Kept, Kind

_SALT_BYTES = 16


class HeldChecks:
    """Registers, lists and removes held checks."""

    def __init__(self, database: Database, notary: Notary, clock: Clock, chance: Chance) -> None:
        self._database = database
        self._notary = notary
        self._clock = clock
        self._chance = chance

    async def add(self, name: str, workspace: str, text: bytes, *, source: str, by: str) -> Kept:
        """Keep the questions of a file; return what the name stands for.

        Raises:
            InvalidInput: the name or the file is malformed.
            NotFound: there is no such workspace.
            Conflict: the name is taken.
        """
        require_name(name, what="Name of a held check")
        document = held.document(text, salt=self._chance(_SALT_BYTES).hex())
        now = self._clock.now()
        kept = Kept(Kind.HELD, name, workspace, source, sha256_hex(document), now)
        async with self._database.write() as tx:
            if await workspaces.held(tx, workspace) is None:
                raise NotFound(
                    f"No workspace {workspace[:64]!r}. Open one: tmws workspaces add NAME PATH."
                )
            if await trusted.find(tx, Kind.HELD, name):
                raise Conflict(
                    f"Held check {name!r} is registered already. Choose another name, or remove "
                    f"it first: tmws held remove {name}."
                )
            await at_once(
                tx,
                lambda run: artifacts.put(run, document, media_type=held.MEDIA_TYPE, at=now),
            )
            await trusted.add(tx, kept)
            event = events.held_check_registered(name, workspace, kept.digest, by=by, at=now)
            receipt = await self._notary.append(tx, event)
        self._notary.publish(receipt)
        return kept

    async def every(self) -> list[Kept]:
        """Return all held checks, newest first."""
        async with self._database.read() as connection:
            return await trusted.every(connection, Kind.HELD)

    async def remove(self, name: str, *, by: str) -> None:
        """Ask the questions no longer; verdicts that rest on them stay what they are.

        Raises:
            NotFound: there is none of that name.
        """
        async with self._database.write() as tx:
            known = await trusted.find(tx, Kind.HELD, name)
            if known is None:
                raise NotFound(f"No held check {name[:64]!r}. List them: tmws held list.")
            await trusted.remove(tx, Kind.HELD, name)
            event = events.held_check_removed(name, known.workspace, by=by, at=self._clock.now())
            receipt = await self._notary.append(tx, event)
        self._notary.publish(receipt)
