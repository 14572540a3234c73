"""Which packages checks may run with: an administrator adds them, workspaces name them."""

from __future__ import annotations

from tmws.domain import events
from tmws.domain.environments import Environment
from tmws.domain.errors import Conflict, NotFound
from tmws.ports import Clock
from tmws.services.notary import Notary
from tmws.storage import environments
from tmws.storage.database import Database
from tmws.storage.environments import Kept


class Environments:
    """Keeps the locks that images of environments are built from."""

    def __init__(self, database: Database, notary: Notary, clock: Clock) -> None:
        self._database = database
        self._notary = notary
        self._clock = clock

    async def every(self) -> list[Kept]:
        """Return all environments with the workspaces that use them, by name."""
        async with self._database.read() as connection:
            return await environments.every(connection)

    async def add(self, environment: Environment, lock: str, *, by: str) -> None:
        """Keep an environment; checks of workspaces that name it run with it from now on."""
        now = self._clock.now()
        async with self._database.write() as tx:
            if environment in [kept.environment for kept in await environments.every(tx)]:
                return
            await environments.put(tx, environment, lock, at=now)
            event = events.environment_added(environment, by=by, at=now)
            receipt = await self._notary.append(tx, event)
        self._notary.publish(receipt)

    async def remove(self, name: str, *, by: str) -> Kept:
        """Forget an environment and return what it was.

        Raises:
            NotFound: there is none of this name.
            Conflict: a workspace uses it.
        """
        now = self._clock.now()
        async with self._database.write() as tx:
            known = {kept.environment.name: kept for kept in await environments.every(tx)}
            kept = known.get(name)
            if kept is None:
                raise NotFound(
                    f"No environment {name[:64]!r}. Known: {', '.join(known) or 'none'}."
                )
            if kept.workspaces:
                raise Conflict(
                    f"Environment {name!r} is used by {', '.join(kept.workspaces)[:120]}. Let "
                    "them do without: tmws workspaces environment WORKSPACE."
                )
            await environments.remove(tx, name)
            event = events.environment_removed(kept.environment, by=by, at=now)
            receipt = await self._notary.append(tx, event)
        self._notary.publish(receipt)
        return kept
