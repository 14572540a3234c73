"""Which tests and settings may be trusted: an administrator's act, never a tool's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tmws.domain import events, trusted_refs
from tmws.domain.agents import require_name
from tmws.domain.canonical import sha256_hex
from tmws.domain.errors import Conflict, NotFound
from tmws.domain.snapshots import Snapshot, SnapshotFile
from tmws.ports import Clock, CommitReader, WorkspaceReader
from tmws.services.notary import Notary
from tmws.storage import artifacts, trusted, workspaces
from tmws.storage.database import Database
from tmws.storage.prepared import Execute, at_once
from tmws.storage.trusted import Kept, Kind
from tmws.storage.workspaces import Opened


@dataclass(frozen=True, slots=True)
class Registered:
    """A ref as it was registered.

    Attributes:
        tests: top-level modules that its files import and do not hold: what they test,
            or what should have been among the paths.
    """

    kept: Kept
    files: tuple[SnapshotFile, ...]
    tests: tuple[str, ...]


class TrustedRefs:
    """Registers, lists and removes trusted refs."""

    def __init__(
        self,
        database: Database,
        notary: Notary,
        *,
        reader: WorkspaceReader,
        commits: CommitReader,
        clock: Clock,
    ) -> None:
        self._database = database
        self._notary = notary
        self._reader = reader
        self._commits = commits
        self._clock = clock

    async def add_commit(
        self, name: str, workspace: str, ref: str, paths: Sequence[str], *, by: str
    ) -> Registered:
        """Trust the tests and settings of a commit of the workspace's repository.

        Raises:
            InvalidInput, NotFound: there is no such workspace or commit.
            Conflict: the name is taken.
        """
        place = await self._opened(workspace)
        commit, tree = await self._commits.tree(place.root, ref)
        source = f"commit {commit}" if ref == commit else f"commit {commit} ({ref})"
        return await self._add(name, workspace, source, tree, paths, place=place, by=by)

    async def add_snapshot(
        self, name: str, workspace: str, digest: str, paths: Sequence[str], *, by: str
    ) -> Registered:
        """Trust the tests and settings of the workspace as it is, if it is that snapshot.

        Raises:
            Conflict: the workspace is another one by now, or the name is taken.
        """
        place = await self._opened(workspace)
        now = await self._reader.capture(place.root)
        if now.digest != digest:
            raise Conflict(
                f"Workspace {workspace} is snapshot {now.digest} now, not {digest[:64]}. Look at "
                "what changed, then register the snapshot that you trust."
            )
        return await self._add(
            name, workspace, f"snapshot {digest}", now, paths, place=place, by=by
        )

    async def add_folder(
        self, name: str, workspace: str, folder: str, paths: Sequence[str], *, by: str
    ) -> Registered:
        """Trust the tests and settings of a folder that agents cannot write to.

        Raises:
            InvalidInput: no such folder.
            Conflict: the name is taken.
        """
        place = await self._opened(workspace)
        copy = await self._reader.capture(folder)
        return await self._add(name, workspace, f"folder {folder}", copy, paths, place=place, by=by)

    async def every(self) -> list[Kept]:
        """Return all refs, newest first; of a workspace the newest is the one that counts."""
        async with self._database.read() as connection:
            return await trusted.every(connection, Kind.REF)

    async def remove(self, name: str, *, by: str) -> None:
        """Trust a ref no longer; verdicts that rest on it stay what they are.

        Raises:
            NotFound: there is none of that name.
        """
        async with self._database.write() as tx:
            known = await trusted.find(tx, Kind.REF, name)
            if known is None:
                raise NotFound(f"No trusted ref {name[:64]!r}. List them: tmws refs list.")
            await trusted.remove(tx, Kind.REF, name)
            event = events.trusted_ref_removed(name, known.workspace, by=by, at=self._clock.now())
            receipt = await self._notary.append(tx, event)
        self._notary.publish(receipt)

    async def _opened(self, workspace: str) -> Opened:
        async with self._database.read() as connection:
            place = await workspaces.find(connection, workspace)
        if place is None:
            raise _unknown(workspace)
        return place

    async def _add(
        self,
        name: str,
        workspace: str,
        source: str,
        tree: Snapshot,
        paths: Sequence[str],
        *,
        place: Opened,
        by: str,
    ) -> Registered:
        require_name(name, what="Name of a ref")
        patterns = trusted_refs.validated_paths(paths or trusted_refs.DEFAULT_PATHS)
        files = trusted_refs.trusted_files(tree, patterns)
        silenced = trusted_refs.silencing_comments(tree.python_files())
        document = trusted_refs.document(patterns, files, silenced)
        now = self._clock.now()
        kept = Kept(Kind.REF, name, workspace, source, sha256_hex(document), now)
        async with self._database.write() as tx:
            if not await workspaces.still_stands(tx, workspace, place):
                raise _unknown(workspace)
            if await trusted.find(tx, Kind.REF, name):
                raise Conflict(
                    f"Ref {name!r} is registered already. Choose another name (the newest ref of "
                    f"a workspace counts), or remove it first: tmws refs remove {name}."
                )

            def put(run: Execute) -> None:
                for file in files:
                    media_type = trusted_refs.FILE_MEDIA_TYPE
                    artifacts.put(run, file.content, media_type=media_type, at=now)
                artifacts.put(run, document, media_type=trusted_refs.MEDIA_TYPE, at=now)

            await at_once(tx, put)
            await trusted.add(tx, kept)
            event = events.trusted_ref_registered(
                name, workspace, source, kept.digest, by=by, at=now
            )
            receipt = await self._notary.append(tx, event)
        self._notary.publish(receipt)
        return Registered(kept, files, trusted_refs.modules_tested_by(files))


def _unknown(workspace: str) -> NotFound:
    return NotFound(f"No workspace {workspace[:64]!r}. Open one: tmws workspaces add NAME PATH.")
