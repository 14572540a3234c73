"""Copying: the whole store into another database, for a move or a backup."""

from __future__ import annotations

from dataclasses import dataclass

from tmws.services.notary import Notary
from tmws.storage.copying import copy
from tmws.storage.database import Database
from tmws.storage.migrations import upgrade


@dataclass(frozen=True, slots=True)
class Copied:
    """What was copied.

    Attributes:
        rows: of all tables.
        checkpoint: the signed promise of the ledger as it was copied.
    """

    rows: int
    checkpoint: str


class Copying:
    """Writes the store as it is at one moment; servers may go on working on it."""

    def __init__(self, database: Database, notary: Notary) -> None:
        self._database = database
        self._notary = notary

    async def into(self, url: str) -> Copied:
        """Copy everything into an empty database, all of it or nothing.

        Raises:
            Conflict: something is there already.
            InvalidInput: the URL names another kind of database.
            BackendUnavailable: one of the two did not answer.
            LedgerCorrupt: the ledger is not the one that was promised.
        """
        target = Database(url)
        try:
            await upgrade(target)
            async with self._database.read() as source, target.write() as written:
                checkpoint = await self._notary.checkpoint(source)
                return Copied(await copy(source, written), checkpoint)
        finally:
            await target.aclose()
