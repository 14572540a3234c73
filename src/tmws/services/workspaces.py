"""Which folders may be checked: an administrator names them, claims refer to the name."""

from __future__ import annotations

from tmws.domain import events
from tmws.domain.agents import require_name
from tmws.domain.environments import Environment
from tmws.domain.errors import Conflict, NotFound
from tmws.domain.snapshots import Snapshot
from tmws.ports import Clock, WorkspaceReader
from tmws.services.notary import Notary
from tmws.storage import workspaces
from tmws.storage.database import Database, Transaction
from tmws.storage.environments import choose, chosen, every


class Workspaces:
    """Registers folders; every check works on a copy of one."""

    def __init__(
        self, database: Database, notary: Notary, reader: WorkspaceReader, clock: Clock
    ) -> None:
        self._database = database
        self._notary = notary
        self._reader = reader
        self._clock = clock

    async def add(self, name: str, root: str, *, replace: bool = False, by: str) -> Snapshot:
        """Open a folder for checks under a name; return what a check would see now.

        Args:
            root: absolute path of a folder of this machine.
            replace: let a name that is taken stand for this folder instead.

        Raises:
            InvalidInput: the name is malformed, or the folder cannot be copied.
            Conflict: the name stands for another folder.
        """
        require_name(name, what="Workspace name")
        snapshot = await self._reader.capture(root)
        now = self._clock.now()
        async with self._database.write() as tx:
            known = await workspaces.root_of(tx, name)
            if known == root:
                return snapshot
            if known is None:
                await workspaces.add(tx, name, root, at=now)
            elif replace:
                await workspaces.move(tx, name, root)
            else:
                raise Conflict(
                    f"Workspace {name!r} stands for {known}. "
                    "Choose another name, or pass --replace."
                )
            event = events.workspace_registered(name, root, by=by, at=now)
            receipt = await self._notary.append(tx, event)
        self._notary.publish(receipt)
        return snapshot

    async def choose_environment(
        self, workspace: str, environment: str | None, *, by: str
    ) -> Environment | None:
        """Let checks of a workspace run with this environment, None for the tools alone.

        Raises:
            NotFound: there is no such workspace or environment.
        """
        now = self._clock.now()
        async with self._database.write() as tx:
            if await workspaces.root_of(tx, workspace) is None:
                raise NotFound(
                    f"No workspace {workspace[:64]!r} is registered. See: tmws workspaces list."
                )
            wanted = None if environment is None else await _environment(tx, environment)
            if (await chosen(tx, workspace)).environment == wanted:
                return wanted
            await choose(tx, workspace, environment, at=now)
            event = events.environment_chosen(workspace, wanted, by=by, at=now)
            receipt = await self._notary.append(tx, event)
        self._notary.publish(receipt)
        return wanted

    async def require_environment(self, name: str) -> None:
        """Return if there is an environment of this name.

        Raises:
            NotFound: there is none.
        """
        async with self._database.read() as connection:
            await _environment(connection, name)

    async def every(self) -> dict[str, str]:
        """Return name to folder."""
        async with self._database.read() as connection:
            return await workspaces.every(connection)

    async def environments(self) -> dict[str, str]:
        """Return workspace to environment, for those that use one."""
        async with self._database.read() as connection:
            kept = await every(connection)
        return {name: one.environment.name for one in kept for name in one.workspaces}


async def _environment(connection: Transaction, name: str) -> Environment:
    for kept in await every(connection):
        if kept.environment.name == name:
            return kept.environment
    raise NotFound(
        f"No environment {name[:64]!r}. Add it first: tmws sandbox env add NAME requirements.lock."
    )
