"""A Chroma store in the data folder, held by a process of its own."""

from __future__ import annotations

import asyncio
import base64
import fcntl
import importlib.util
import json
import os
import shutil
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tmws.domain.errors import BackendUnavailable, Conflict
from tmws.vectors.chroma_shelf import Shelf

if TYPE_CHECKING:
    from tmws.ports import Vector

_START_SECONDS = 60.0
_CALL_SECONDS = 30.0
_END_SECONDS = 5.0
_LONGEST_ANSWER = 64 * 1024 * 1024
_REBUILD, _CATALOGUE = "rebuild", "chroma.sqlite3"
_PROGRAM = "tmws.vectors.chroma_child"


class EmbeddedStore:
    """Starts the process that holds the store when first asked, and again after it died.

    One process of this machine owns the folder at a time; another one gets a Conflict. It
    may still ask for a new start, which the owner then makes.
    """

    def __init__(self, folder: Path) -> None:
        """Prepare; nothing is started yet.

        Raises:
            BackendUnavailable: the package is not installed.
        """
        if importlib.util.find_spec("chromadb") is None:
            raise BackendUnavailable(
                "The vector index 'chroma' needs the package 'chromadb' unless TMWS_VECTORS_URL "
                "names a server. Run: pip install 'tmws[chroma]'.",
                retryable=False,
            )
        self._folder = folder
        self._child: Process | None = None
        self._turn = asyncio.Lock()

    async def find(self, name: str) -> Shelf | None:
        found = await self._call("find", name=name)
        return Shelf(**found) if found else None

    async def create(self, name: str, metadata: Mapping[str, Any]) -> Shelf:
        return Shelf(**await self._call("create", name=name, metadata=metadata))

    async def describe(self, shelf: Shelf, metadata: Mapping[str, Any]) -> None:
        await self._call("describe", name=shelf.name, metadata=metadata)

    async def upsert(
        self,
        shelf: Shelf,
        ids: Sequence[str],
        vectors: Vector,
        metadatas: Sequence[Mapping[str, Any]],
    ) -> None:
        packed = base64.b64encode(vectors.tobytes()).decode()
        await self._call("upsert", name=shelf.name, ids=ids, vectors=packed, metadatas=metadatas)

    async def nearest(
        self,
        shelf: Shelf,
        query: Vector,
        *,
        where: Mapping[str, Any],
        ids: Sequence[str] | None,
        limit: int,
    ) -> list[tuple[str, float]]:
        packed = base64.b64encode(query.tobytes()).decode()
        found = await self._call(
            "nearest", name=shelf.name, query=packed, where=where, ids=ids, limit=limit
        )
        return [(key, distance) for key, distance in found]

    async def revisions(self, shelf: Shelf, ids: Sequence[str]) -> dict[str, int]:
        found: dict[str, int] = await self._call("revisions", name=shelf.name, ids=ids)
        return found

    async def count(self, shelf: Shelf, where: Mapping[str, Any] | None = None) -> int:
        return int(await self._call("count", name=shelf.name, where=where))

    async def clear(self, prefix: str) -> None:  # noqa: ARG002  (the folder is ours alone)
        """Remove the store, damaged or not; where another process owns it, have it do so."""
        async with self._turn:
            await self._end()
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with (self._folder / "owner").open("a+") as owner:
                try:
                    fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    (self._folder / _REBUILD).touch()
                else:
                    _remove(self._folder / "store")

    async def aclose(self) -> None:
        if self._turn.locked() and self._child is not None:
            self._child.kill()  # nobody waits for what it is doing
        async with self._turn:
            await self._end()

    async def _call(self, operation: str, **arguments: Any) -> Any:
        request = json.dumps({"operation": operation, **arguments})
        exchange = asyncio.create_task(self._exchange(request))
        exchange.add_done_callback(_noticed)
        # Whoever gives up waiting does not leave an answer for the next request to find.
        answer = await asyncio.shield(exchange)
        if "error" in answer:
            raise BackendUnavailable(
                "Chroma failed; exact vectors serve. If it stays, run 'tmws vectors rebuild'."
            ) from RuntimeError(answer["error"])
        return answer["result"]

    async def _exchange(self, request: str) -> dict[str, Any]:
        async with self._turn:
            child = await self._started()
            try:
                return await asyncio.wait_for(_answer(child, request), _CALL_SECONDS)
            except TimeoutError as error:
                child.kill()
                raise BackendUnavailable(
                    f"Chroma did not answer in {_CALL_SECONDS:g} s; exact vectors serve."
                ) from error

    async def _started(self) -> Process:
        if (self._folder / _REBUILD).exists():
            await self._end()
            _remove(self._folder / "store")
            (self._folder / _REBUILD).unlink(missing_ok=True)
        if self._child is not None and not (self._folder / "store" / _CATALOGUE).exists():
            await self._end()  # it would go on answering from files that nobody can see
        if self._child is None or self._child.returncode is not None:
            self._child = await self._start()
        return self._child

    async def _start(self) -> Process:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-m", _PROGRAM, str(self._folder)),
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,
            limit=_LONGEST_ANSWER,
            # An interrupt from the terminal ends the server, and that ends the child.
            start_new_session=True,
            env={"PATH": os.defpath, "HOME": str(self._folder), "ANONYMIZED_TELEMETRY": "False"},
        )
        try:
            said = await asyncio.wait_for(_read(child), _START_SECONDS)
        except BaseException:
            await _ended(child)
            raise
        if "ready" in said:
            return child
        await _ended(child)
        if "owner" in said:
            raise Conflict(
                f"Process {said['owner']} owns the Chroma store; here exact vectors serve. For "
                "several processes run a Chroma server and set TMWS_VECTORS_URL."
            )
        raise BackendUnavailable(
            "The Chroma store cannot be opened; exact vectors serve. Run 'tmws vectors rebuild'."
        ) from RuntimeError(said["error"])

    async def _end(self) -> None:
        if self._child is not None:
            await _ended(self._child)
            self._child = None


def _remove(store: Path) -> None:
    """Remove the store as far as that is possible, whatever has taken its place."""
    if store.is_dir() and not store.is_symlink():
        shutil.rmtree(store, ignore_errors=True)
    else:
        store.unlink(missing_ok=True)


def _noticed(exchange: asyncio.Task[Any]) -> None:
    """Take note of a failure that nobody waits for any more."""
    if not exchange.cancelled():
        exchange.exception()


async def _answer(child: Process, request: str) -> dict[str, Any]:
    assert child.stdin is not None
    try:
        child.stdin.write(request.encode() + b"\n")
        await child.stdin.drain()
    except OSError as error:
        raise await _died(child) from error
    return await _read(child)


async def _read(child: Process) -> dict[str, Any]:
    assert child.stdout is not None
    line = await child.stdout.readline()
    if not line.endswith(b"\n"):
        raise await _died(child)
    answer: dict[str, Any] = json.loads(line)
    return answer


async def _died(child: Process) -> BackendUnavailable:
    status = await child.wait()
    return BackendUnavailable(
        f"The process that held the Chroma store died ({status}); its files may be damaged. "
        "Exact vectors serve; if it stays, run 'tmws vectors rebuild'."
    )


async def _ended(child: Process) -> None:
    """Let the child end by itself, and end it when it does not."""
    assert child.stdin is not None
    child.stdin.close()
    try:
        await asyncio.wait_for(child.wait(), _END_SECONDS)
    except TimeoutError:
        child.kill()
        await child.wait()
