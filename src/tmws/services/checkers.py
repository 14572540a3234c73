"""Modules that compute numbers for claims: an administrator's act, never a tool's."""

from __future__ import annotations

from tmws.domain import checkers, events
from tmws.domain.agents import require_name
from tmws.domain.canonical import sha256_hex
from tmws.domain.errors import Conflict, NotFound
from tmws.ports import Clock, Probe, Progress, Sandbox
from tmws.services.checking import require_modules
from tmws.services.notary import Notary
from tmws.storage import artifacts, trusted, workspaces
from tmws.storage.database import Database, Transaction
from tmws.storage.prepared import at_once
from tmws.storage.trusted import Kept, Kind
from tmws.storage.workspaces import Opened


class Checkers:
    """Registers, lists and removes checkers."""

    def __init__(
        self, database: Database, notary: Notary, clock: Clock, modules: Sandbox | None
    ) -> None:
        self._database = database
        self._notary = notary
        self._clock = clock
        self._modules = modules

    async def add(
        self,
        name: str,
        workspace: str,
        module: bytes,
        *,
        source: str,
        by: str,
        progress: Progress,
    ) -> Kept:
        """Let claims about a workspace name a module; return what the name stands for.

        Raises:
            InvalidInput: the name is malformed, or the module is no checker.
            NotFound: there is no such workspace.
            Conflict: the name is taken.
            SandboxUnavailable: nothing could look at the module.
        """
        require_name(name, what="Name of a checker")
        checkers.require_module(module)
        async with self._database.read() as connection:
            place = await workspaces.find(connection, workspace)
            await _require_free(connection, name, workspace, place)
        engine = require_modules(self._modules)
        checkers.require_fit(await engine.run(checkers.inspecting(module), progress=progress))
        now = self._clock.now()
        kept = Kept(Kind.CHECKER, name, workspace, source, sha256_hex(module), now)
        async with self._database.write() as tx:
            place = await workspaces.held(tx, workspace)
            await _require_free(tx, name, workspace, place)
            await at_once(
                tx,
                lambda run: artifacts.put(run, module, media_type=checkers.MEDIA_TYPE, at=now),
            )
            await trusted.add(tx, kept)
            event = events.checker_registered(name, workspace, kept.digest, by=by, at=now)
            receipt = await self._notary.append(tx, event)
        self._notary.publish(receipt)
        return kept

    async def every(self) -> list[Kept]:
        """Return all checkers, newest first."""
        async with self._database.read() as connection:
            return await trusted.every(connection, Kind.CHECKER)

    async def remove(self, name: str, *, by: str) -> None:
        """Let no claim name it any more; verdicts that rest on it stay what they are.

        Raises:
            NotFound: there is none of that name.
        """
        async with self._database.write() as tx:
            known = await trusted.find(tx, Kind.CHECKER, name)
            if known is None:
                raise NotFound(f"No checker {name[:64]!r}. List them: tmws checkers list.")
            await trusted.remove(tx, Kind.CHECKER, name)
            event = events.checker_removed(name, known.workspace, by=by, at=self._clock.now())
            receipt = await self._notary.append(tx, event)
        self._notary.publish(receipt)

    async def test(self) -> tuple[Probe, ...]:
        """Try what a module must not be able to do.

        Raises:
            SandboxUnavailable: modules cannot be run at all.
        """
        return await require_modules(self._modules).check()


async def _require_free(tx: Transaction, name: str, workspace: str, place: Opened | None) -> None:
    if place is None:
        raise NotFound(f"No workspace {workspace[:64]!r}. Open one: tmws workspaces add NAME PATH.")
    if await trusted.find(tx, Kind.CHECKER, name):
        raise Conflict(
            f"Checker {name!r} is registered already. Choose another name, or remove it first: "
            f"tmws checkers remove {name}."
        )
