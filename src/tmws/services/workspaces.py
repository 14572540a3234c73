"""Which folders may be checked: an administrator names them, claims refer to the name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tmws.domain import events
from tmws.domain.agents import require_name
from tmws.domain.environments import Environment
from tmws.domain.errors import Conflict, NotFound
from tmws.domain.snapshots import Snapshot
from tmws.domain.wording import require_reason
from tmws.ports import Clock, WorkspaceReader
from tmws.services.notary import Notary
from tmws.storage import claims, environments, trusted, workspaces
from tmws.storage.database import Database, Transaction
from tmws.storage.trusted import Kept, Kind

_REMOVED: dict[Kind, Callable[..., events.Event]] = {
    Kind.REF: events.trusted_ref_removed,
    Kind.HELD: events.held_check_removed,
    Kind.CHECKER: events.checker_removed,
}


@dataclass(frozen=True, slots=True)
class Removed:
    """What a name stood for, and what went with it.

    Attributes:
        kept: trusted refs, held checks and checkers; verdicts that rest on them stay.
        given_up: claims about it that were open.
    """

    root: str
    kept: tuple[Kept, ...]
    environment: Environment | None
    given_up: tuple[str, ...]


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
            known = await workspaces.find(tx, name)
            if known is not None and known.root == root:
                return snapshot
            if known is None:
                await workspaces.add(tx, name, root, at=now)
            elif replace:
                await workspaces.move(tx, name, root)
            else:
                raise Conflict(
                    f"Workspace {name!r} stands for {known.root}. "
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
            if await workspaces.held(tx, workspace) is None:
                raise _unknown(workspace)
            wanted = None if environment is None else await _environment(tx, environment)
            if (await environments.chosen(tx, workspace)).environment == wanted:
                return wanted
            await environments.choose(tx, workspace, environment, at=now)
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

    async def remove(self, name: str, *, reason: str, give_up: bool = False, by: str) -> Removed:
        """Open a folder for checks no longer, whether or not it still exists.

        What is kept for the name goes with it, so that whoever adds the name again begins
        with nothing that was trusted for another folder. What was decided stays.

        Args:
            give_up: end claims about it that are being checked, without a verdict.

        Raises:
            NotFound: there is no such workspace.
            Conflict: claims about it are being checked.
            InvalidInput: the reason is empty or too long.
        """
        told = require_reason(reason)
        now = self._clock.now()
        async with self._database.write() as tx:
            known = await workspaces.find(tx, name)
            # First the name, then its claims: whoever opens one takes them in this order.
            if known is None or not await workspaces.remove(tx, name, at=now):
                raise _unknown(name)
            if not give_up and (busy := await claims.checked_about(tx, name, at=now)):
                raise _needed(name, busy)
            # Else they are those that dead servers left: nobody can decide them any more.
            given_up = await claims.abandon_about(tx, name, at=now)
            kept = await trusted.of_workspace(tx, name)
            for each in kept:
                await trusted.remove(tx, each.kind, each.name)
                event = _REMOVED[each.kind](each.name, name, by=by, at=now)
                await self._notary.append(tx, event)
            chosen = (await environments.chosen(tx, name)).environment
            if chosen is not None:
                # The row says that until now its checks ran with other packages.
                await environments.choose(tx, name, None, at=now)
                await self._notary.append(tx, events.environment_chosen(name, None, by=by, at=now))
            event = events.workspace_removed(name, reason=told, given_up=given_up, by=by, at=now)
            receipt = await self._notary.append(tx, event)
        self._notary.publish(receipt)
        return Removed(known.root, tuple(kept), chosen, tuple(given_up))

    async def every(self) -> dict[str, str]:
        """Return name to folder."""
        async with self._database.read() as connection:
            return await workspaces.every(connection)

    async def environments(self) -> dict[str, str]:
        """Return workspace to environment, for those that use one."""
        async with self._database.read() as connection:
            kept = await environments.every(connection)
        return {name: one.environment.name for one in kept for name in one.workspaces}


async def _environment(connection: Transaction, name: str) -> Environment:
    for kept in await environments.every(connection):
        if kept.environment.name == name:
            return kept.environment
    raise NotFound(
        f"No environment {name[:64]!r}. Add it first: tmws sandbox env add NAME requirements.lock."
    )


def _unknown(name: str) -> NotFound:
    return NotFound(f"No workspace {name[:64]!r} is registered. See: tmws workspaces list.")


def _needed(name: str, busy: Sequence[str]) -> Conflict:
    more = f" and {len(busy) - 1} more" if len(busy) > 1 else ""
    return Conflict(
        f"Workspace {name!r} is needed: {busy[0]}{more} about it is being checked. Wait for the "
        "verdict (tmws claims list), or pass --give-up to end what is checked without one."
    )
