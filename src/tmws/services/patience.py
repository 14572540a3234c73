"""How long an index is waited for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Collection, Sequence
from typing import TypeVar

from tmws.domain.errors import BackendUnavailable
from tmws.ports import Match, Vector, VectorIndex, VectorRow

T = TypeVar("T")


class Patience:
    """An index whose calls may take so long together.

    What its caller asks of SQL between them takes no part of that and is never cut off: a
    transaction that was left half-way answers nothing any more, so that exact vectors could
    not serve in the index's place.

    Each call raises BackendUnavailable once the time is over.
    """

    def __init__(self, index: VectorIndex, seconds: float) -> None:
        """Begin with all of the time."""
        self._index = index
        self._seconds = self._left = seconds

    async def wait(self, awaited: Awaitable[T]) -> T:
        """Return what comes of this, in the time that is left.

        Raises:
            BackendUnavailable: nothing did.
        """
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            async with asyncio.timeout(self._left):
                return await awaited
        except TimeoutError as error:
            raise BackendUnavailable(
                f"The vector index did not answer in {self._seconds:g} s; exact vectors serve."
            ) from error
        finally:
            self._left -= loop.time() - began

    async def revision(self, namespace: str, embedder_id: str) -> int:
        """Return the highest revision that was taken over."""
        return await self.wait(self._index.revision(namespace, embedder_id))

    async def refresh(
        self, namespace: str, embedder_id: str, rows: Sequence[VectorRow], *, after: int = 0
    ) -> None:
        """Have it take over what changed."""
        await self.wait(self._index.refresh(namespace, embedder_id, rows, after=after))

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
        """Return the nearest readable items."""
        return await self.wait(
            self._index.search(
                query,
                namespace=namespace,
                embedder_id=embedder_id,
                caller_id=caller_id,
                granted=granted,
                limit=limit,
                among=among,
            )
        )

    async def count(self, namespace: str, embedder_id: str) -> int:
        """Return how many vectors can be found."""
        return await self.wait(self._index.count(namespace, embedder_id))

    async def clear(self) -> None:
        """Have it forget everything."""
        await self.wait(self._index.clear())

    async def aclose(self) -> None:
        """Let go of it."""
        await self._index.aclose()
