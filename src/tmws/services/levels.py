"""What verdicts have to reach: said by whoever relies on them, an administrator's act."""

from __future__ import annotations

from tmws.domain import events
from tmws.domain.claims import Level
from tmws.domain.errors import NotFound
from tmws.ports import Clock
from tmws.services.notary import Notary
from tmws.storage import namespaces
from tmws.storage.database import Database


class Levels:
    """Reads and sets the least level of each namespace."""

    def __init__(self, database: Database, notary: Notary, clock: Clock) -> None:
        self._database = database
        self._notary = notary
        self._clock = clock

    async def every(self) -> dict[str, Level | None]:
        """Return namespace to least level, None where the installation's setting holds."""
        async with self._database.read() as connection:
            return await namespaces.least_levels(connection)

    async def require(self, namespace: str, level: Level | None, *, by: str) -> None:
        """Let verdicts in the namespace reach this level from now on, None for the setting.

        Raises:
            NotFound: there is no such namespace.
        """
        now = self._clock.now()
        async with self._database.write() as tx:
            if not await namespaces.set_least_level(tx, namespace, level):
                raise NotFound(
                    f"No namespace {namespace[:64]!r}. It begins with its first agent: "
                    "tmws agents create NAME --namespace NAMESPACE."
                )
            event = events.least_level_set(namespace, level.value if level else None, by=by, at=now)
            receipt = await self._notary.append(tx, event)
        self._notary.publish(receipt)
