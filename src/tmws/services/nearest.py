"""The step that compares vectors: in the chosen index, or exactly while that cannot serve."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator, Callable, Collection
from dataclasses import dataclass

import structlog

from tmws.domain.errors import BackendUnavailable, TmwsError
from tmws.ports import Match, Vector, VectorIndex, VectorRow
from tmws.storage import documents, ledger
from tmws.storage.database import Transaction
from tmws.storage.documents import Kind
from tmws.storage.turns import turn

_log = structlog.get_logger()

ROWS_A_QUERY = 64
"""How many vectors an index takes over while a query waits for it."""

_ROWS_A_LOAD = 10_000
_ANSWER_SECONDS = 3.0
_TURN_SECONDS, _TURN_POLL_SECONDS = 1.0, 0.02
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 5.0, 300.0


@dataclass(frozen=True, slots=True)
class Block:
    """Vectors that are compared with each other: of one kind, one namespace, one model."""

    kind: Kind
    namespace: str
    embedder: str

    @property
    def space(self) -> str:
        """What an index calls it."""
        return f"{self.kind.value}/{self.namespace}"


@dataclass(frozen=True, slots=True)
class Neighbours:
    """What is near; `degraded` says why the chosen index did not serve, None if it did."""

    matches: list[Match]
    degraded: str | None = None


class Nearest:
    """Keeps the indexes in step with SQL, and searches them.

    An index that fails or lags costs neither a write nor an answer: SQL has every vector,
    and exact search takes over. A failed one is left alone for a while, longer each time.
    """

    def __init__(
        self, exact: Callable[[], VectorIndex], chosen: Callable[..., VectorIndex] | None = None
    ) -> None:
        """Indexes are made when first needed.

        Args:
            chosen: makes, from `store`, what searches instead of the exact index; None for
                nothing.
        """
        self._make_exact = exact
        self._make_chosen = chosen
        self._made: VectorIndex | None = None
        self._feeding = asyncio.Lock()
        self._loaded: dict[Block, int] = {}
        self._pause = _Pause()

    @functools.cached_property
    def _exact(self) -> VectorIndex:
        return self._make_exact()

    async def search(
        self,
        connection: Transaction,
        query: Vector,
        block: Block,
        *,
        caller_id: str,
        granted: Collection[str],
        limit: int,
        among: Collection[str] | None = None,
    ) -> Neighbours:
        """Return the nearest readable items; the arguments are the port's."""

        async def found_in(index: VectorIndex) -> list[Match]:
            return await index.search(
                query,
                namespace=block.space,
                embedder_id=block.embedder,
                caller_id=caller_id,
                granted=granted,
                limit=limit,
                among=among,
            )

        reason = None
        if self._make_chosen is not None:
            try:
                async with self._watched(connection) as index:
                    await self._catch_up(connection, index, block)
                    return Neighbours(await found_in(index))
            except TmwsError as error:
                reason = error.message
        await self._load(connection, block)
        return Neighbours(await found_in(self._exact), reason)

    async def aclose(self) -> None:
        """Let go of the chosen index."""
        if self._made is not None:
            await self._made.aclose()

    @contextlib.asynccontextmanager
    async def _watched(self, connection: Transaction) -> AsyncIterator[VectorIndex]:
        """Yield the chosen index; one that fails is not asked again before its pause is over.

        Raises:
            BackendUnavailable: it failed now, or a short while ago.
        """
        assert self._make_chosen is not None
        self._pause.require_over()
        try:
            if self._made is None:
                self._made = self._make_chosen(store=await ledger.origin(connection))
            async with asyncio.timeout(_ANSWER_SECONDS):
                yield self._made
        except TimeoutError as error:
            slow = BackendUnavailable(
                f"The vector index did not answer in {_ANSWER_SECONDS:g} s; exact vectors serve."
            )
            self._pause.begin(slow)
            raise slow from error
        except _Behind:
            raise
        except TmwsError as error:
            self._pause.begin(error)
            raise
        self._pause.end()

    async def _catch_up(self, connection: Transaction, index: VectorIndex, block: Block) -> None:
        """Take over some of what is missing.

        Raises:
            _Behind: there is more.
        """
        async with self._feeding:
            if not await _lags(connection, index, block):
                return
            async with _waited_turn(connection) as ours:
                if ours:
                    await _feed(connection, index, block, limit=ROWS_A_QUERY)
            if await _lags(connection, index, block):
                raise _Behind("The vector index is catching up; exact vectors serve.")

    async def _load(self, connection: Transaction, block: Block) -> None:
        """Bring the exact index up to what this transaction sees."""
        written = await documents.revision_of(connection, block.namespace)
        if self._loaded.get(block) == written:
            return
        while await _feed(connection, self._exact, block, limit=_ROWS_A_LOAD):
            pass
        self._loaded[block] = written


class _Behind(BackendUnavailable):
    """The index is well but lags."""


class _Pause:
    """How long a failed index is left alone: twice as long after each failure in a row."""

    def __init__(self) -> None:
        self._reason: TmwsError | None = None
        self._seconds = _FIRST_PAUSE_SECONDS
        self._until = 0.0

    def require_over(self) -> None:
        if self._reason is not None and asyncio.get_running_loop().time() < self._until:
            raise self._reason

    def begin(self, reason: TmwsError) -> None:
        _log.warning("vector_index_unavailable", reason=reason.message, pause=self._seconds)
        self._reason = reason
        self._until = asyncio.get_running_loop().time() + self._seconds
        self._seconds = min(2 * self._seconds, _LONGEST_PAUSE_SECONDS)

    def end(self) -> None:
        self._reason = None
        self._seconds = _FIRST_PAUSE_SECONDS


async def _feed(connection: Transaction, index: VectorIndex, block: Block, *, limit: int) -> int:
    """Have the index take over some of what it lacks; return how much that was."""
    held = await index.revision(block.space, block.embedder)
    rows = await _since(connection, block, held, limit=limit)
    await index.refresh(block.space, block.embedder, rows, after=held)
    return len(rows)


async def _lags(connection: Transaction, index: VectorIndex, block: Block) -> bool:
    held = await index.revision(block.space, block.embedder)
    return bool(await _since(connection, block, held, limit=1))


async def _since(
    connection: Transaction, block: Block, revision: int, *, limit: int
) -> list[VectorRow]:
    rows = await documents.vectors_since(
        connection,
        kind=block.kind,
        namespace=block.namespace,
        embedder=block.embedder,
        revision=revision,
        limit=limit,
    )
    return [
        VectorRow(row.item_id, row.owner_id, row.level, row.revision, row.vector) for row in rows
    ]


@contextlib.asynccontextmanager
async def _waited_turn(connection: Transaction) -> AsyncIterator[bool]:
    """Yield whether this process may feed the index; another one's turn is short."""
    waited = 0.0
    while True:
        async with turn(connection, "vectors") as ours:
            if ours or waited >= _TURN_SECONDS:
                yield ours
                return
        await asyncio.sleep(_TURN_POLL_SECONDS)
        waited += _TURN_POLL_SECONDS
