"""Vectors in Chroma: a store in the data folder that this process owns, or a server."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from tmws.ports import Match, Vector, VectorRow
from tmws.vectors.chroma_embedded import EmbeddedStore
from tmws.vectors.chroma_server import ServerStore
from tmws.vectors.chroma_shelf import Shelf
from tmws.vectors.order import (
    OPEN_LEVELS,
    SHARED,
    SPARE,
    dimension_of,
    nearest_first,
    require_alike,
    require_held,
)

_ROWS_A_CALL = 1_000
_NOBODY = "(removed)"  # no agent's id: what was removed keeps its place, so that it stays removed


class Store(Protocol):
    """What is asked of Chroma, wherever it runs."""

    async def find(self, name: str) -> Shelf | None: ...

    async def create(self, name: str, metadata: Mapping[str, Any]) -> Shelf: ...

    async def describe(self, shelf: Shelf, metadata: Mapping[str, Any]) -> None: ...

    async def upsert(
        self,
        shelf: Shelf,
        ids: Sequence[str],
        vectors: Vector,
        metadatas: Sequence[Mapping[str, Any]],
    ) -> None: ...

    async def nearest(
        self,
        shelf: Shelf,
        query: Vector,
        *,
        where: Mapping[str, Any],
        ids: Sequence[str] | None,
        limit: int,
    ) -> list[tuple[str, float]]:
        """Return ids and cosine distances."""
        ...

    async def revisions(self, shelf: Shelf, ids: Sequence[str]) -> dict[str, int]: ...

    async def count(self, shelf: Shelf, where: Mapping[str, Any] | None = None) -> int: ...

    async def clear(self, prefix: str) -> None:
        """Remove every collection whose name begins with this."""
        ...

    async def aclose(self) -> None: ...


class ChromaIndex:
    """One collection per namespace and embedder, with cosine distance and no embedder of its own.

    Rows come first and the revision after them, so a crash in between only means that some
    rows are taken over again.
    """

    def __init__(self, folder: Path, address: str | None, store: str) -> None:
        """Prepare to connect; nothing is started or connected yet.

        Args:
            address: `http://HOST:PORT` of a server, None to keep the store in the folder.
            store: names the installation, so that two on one server stay apart.
        """
        self._store: Store = ServerStore(address) if address else EmbeddedStore(folder)
        self._prefix = f"tmws-{_digest(store)[:12]}-"

    async def revision(self, namespace: str, embedder_id: str) -> int:
        """Return the highest revision that was taken over."""
        shelf = await self._shelf(namespace, embedder_id)
        return int(shelf.metadata["revision"]) if shelf else 0

    async def count(self, namespace: str, embedder_id: str) -> int:
        """Return how many vectors can be found."""
        shelf = await self._shelf(namespace, embedder_id)
        if shelf is None:
            return 0
        removed = await self._store.count(shelf, {"owner": _NOBODY})
        return await self._store.count(shelf) - removed

    async def refresh(
        self, namespace: str, embedder_id: str, rows: Sequence[VectorRow], *, after: int = 0
    ) -> None:
        """Take over what changed.

        Raises:
            InvalidInput: a vector has another length than those held; nothing was taken over.
        """
        if not rows:
            return
        shelf = await self._shelf(namespace, embedder_id)
        known = shelf.metadata if shelf else {"revision": 0, "dimension": 0}
        require_held(int(known["revision"]), after)
        dimension = int(known["dimension"]) or dimension_of(rows)
        require_alike(rows, dimension)
        described = {
            "space": namespace,
            "embedder": embedder_id,
            "dimension": dimension,
            "revision": max(int(known["revision"]), *(row.revision for row in rows)),
        }
        if shelf is None:
            name = self._name(namespace, embedder_id)
            shelf = await self._store.create(name, {**described, "revision": 0})
        newest = {row.pattern_id: row for row in sorted(rows, key=lambda row: row.revision)}
        for start in range(0, len(newest) if dimension else 0, _ROWS_A_CALL):
            part = list(newest.values())[start : start + _ROWS_A_CALL]
            await self._put(shelf, part, dimension)
        await self._store.describe(shelf, described)

    async def search(
        self,
        query: Vector,
        *,
        namespace: str,
        embedder_id: str,
        caller_id: str,
        granted: Collection[str],
        limit: int,
        among: Collection[str] | None = None,
    ) -> list[Match]:
        """Return at most `limit` nearest readable items, nearest first, ties by id."""
        if limit < 1 or (among is not None and not among):
            return []
        shelf = await self._shelf(namespace, embedder_id)
        if shelf is None or not shelf.metadata["dimension"]:
            return []
        found = await self._store.nearest(
            shelf,
            query,
            where=_readable(caller_id, granted),
            ids=None if among is None else list(among),
            limit=limit + SPARE,
        )
        return nearest_first(((key, 1.0 - distance) for key, distance in found), limit)

    async def clear(self) -> None:
        """Remove this installation's collections."""
        await self._store.clear(self._prefix)

    async def aclose(self) -> None:
        """Stop what was started and close what was opened."""
        await self._store.aclose()

    async def _shelf(self, namespace: str, embedder_id: str) -> Shelf | None:
        return await self._store.find(self._name(namespace, embedder_id))

    def _name(self, namespace: str, embedder_id: str) -> str:
        return self._prefix + _digest(f"{namespace}\n{embedder_id}")[:32]

    async def _put(self, shelf: Shelf, rows: Sequence[VectorRow], dimension: int) -> None:
        held = await self._store.revisions(shelf, [row.pattern_id for row in rows])
        fresh = [row for row in rows if row.revision >= held.get(row.pattern_id, 0)]
        if not fresh:
            return
        nowhere = np.eye(1, dimension, dtype=np.float32).tobytes()
        vectors = np.frombuffer(
            b"".join(nowhere if row.vector is None else row.vector for row in fresh), np.float32
        )
        await self._store.upsert(
            shelf,
            [row.pattern_id for row in fresh],
            vectors.reshape(len(fresh), dimension),
            [_described(row) for row in fresh],
        )


def _described(row: VectorRow) -> dict[str, Any]:
    """Return every key each time: Chroma keeps the old value of one that is left out."""
    gone = row.vector is None
    return {
        "revision": row.revision,
        "owner": _NOBODY if gone else row.owner_id,
        "open": not gone and row.level in OPEN_LEVELS,
        "shared": row.pattern_id if not gone and row.level == SHARED else "",
    }


def _readable(caller_id: str, granted: Collection[str]) -> dict[str, Any]:
    opened: list[dict[str, Any]] = [{"open": True}, {"owner": caller_id}]
    if granted:
        opened.append({"shared": {"$in": list(granted)}})
    return {"$or": opened}


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
