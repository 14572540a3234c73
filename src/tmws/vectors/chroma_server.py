"""Chroma's own server, over its HTTP interface (version 2): no package of Chroma is needed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import httpx2

from tmws.domain.errors import BackendUnavailable
from tmws.vectors.chroma_shelf import CONFIGURATION, Shelf

if TYPE_CHECKING:
    from tmws.ports import Vector

_CALL_SECONDS = 10.0
_BASE = "/api/v2/tenants/default_tenant/databases/default_database/collections"
_ABSENT = 404
_NAMES_A_PAGE = 500


class ServerStore:
    """Speaks to one server; a call that takes too long is given up."""

    def __init__(self, address: str) -> None:
        """Prepare to connect.

        Raises:
            BackendUnavailable: the address is none of HTTP.
        """
        if not address.startswith(("http://", "https://")):
            raise BackendUnavailable(
                "TMWS_VECTORS_URL is refused: give http://HOST:PORT of a Chroma server, or leave "
                "it out to keep the index in the data folder.",
                retryable=False,
            )
        self._http = httpx2.AsyncClient(base_url=address, timeout=_CALL_SECONDS)

    async def find(self, name: str) -> Shelf | None:
        with _translated():
            answer = await self._http.get(f"{_BASE}/{name}")
            if answer.status_code == _ABSENT:
                return None
            return _shelf(answer.raise_for_status().json())

    async def create(self, name: str, metadata: Mapping[str, Any]) -> Shelf:
        wanted = {
            "name": name,
            "metadata": metadata,
            "configuration": CONFIGURATION,
            "get_or_create": True,
        }
        return _shelf(await self._post("", wanted))

    async def describe(self, shelf: Shelf, metadata: Mapping[str, Any]) -> None:
        with _translated():
            answer = await self._http.put(f"{_BASE}/{shelf.id}", json={"new_metadata": metadata})
            answer.raise_for_status()

    async def upsert(
        self,
        shelf: Shelf,
        ids: Sequence[str],
        vectors: Vector,
        metadatas: Sequence[Mapping[str, Any]],
    ) -> None:
        rows = {"ids": ids, "embeddings": vectors.tolist(), "metadatas": metadatas}
        await self._post(f"/{shelf.id}/upsert", rows)

    async def nearest(
        self,
        shelf: Shelf,
        query: Vector,
        *,
        where: Mapping[str, Any],
        ids: Sequence[str] | None,
        limit: int,
    ) -> list[tuple[str, float]]:
        wanted = {
            "query_embeddings": [query.tolist()],
            "where": where,
            "ids": ids,
            "n_results": limit,
            "include": ["distances"],
        }
        found = await self._post(f"/{shelf.id}/query", wanted)
        return list(zip(found["ids"][0], found["distances"][0], strict=True))

    async def revisions(self, shelf: Shelf, ids: Sequence[str]) -> dict[str, int]:
        found = await self._post(f"/{shelf.id}/get", {"ids": ids, "include": ["metadatas"]})
        return {
            key: int(metadata["revision"])
            for key, metadata in zip(found["ids"], found["metadatas"], strict=True)
        }

    async def count(self, shelf: Shelf, where: Mapping[str, Any] | None = None) -> int:
        if where is not None:
            found = await self._post(f"/{shelf.id}/get", {"where": where, "include": []})
            return len(found["ids"])
        with _translated():
            answer = await self._http.get(f"{_BASE}/{shelf.id}/count")
            return int(answer.raise_for_status().json())

    async def clear(self, prefix: str) -> None:
        for name in await self._names():
            if name.startswith(prefix):
                with _translated():
                    answer = await self._http.delete(f"{_BASE}/{name}")
                    answer.raise_for_status()

    async def aclose(self) -> None:
        await self._http.aclose()

    async def _names(self) -> list[str]:
        names: list[str] = []
        while True:
            page = {"limit": _NAMES_A_PAGE, "offset": len(names)}
            with _translated():
                answer = (await self._http.get(_BASE, params=page)).raise_for_status().json()
            if not answer:
                return names
            names += [each["name"] for each in answer]

    async def _post(self, path: str, body: Mapping[str, Any]) -> Any:
        with _translated():
            answer = await self._http.post(f"{_BASE}{path}", json=body)
            return answer.raise_for_status().json()


def _shelf(answer: Mapping[str, Any]) -> Shelf:
    return Shelf(answer["id"], answer["name"], answer["metadata"])


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    # A foreign server on that port may answer anything, or nothing that can be read.
    except (httpx2.HTTPError, ValueError, KeyError, TypeError) as error:
        raise BackendUnavailable(
            "The Chroma server did not answer; exact vectors serve."
        ) from error
