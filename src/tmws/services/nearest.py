"""The step that compares vectors: in the chosen index, or exactly while that cannot serve."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from dataclasses import dataclass

import structlog

from tmws.domain.errors import BackendUnavailable, TmwsError
from tmws.ports import ExactVectors, Match, Vector, VectorIndex, VectorRow
from tmws.services.patience import Patience
from tmws.services.pauses import Pause
from tmws.storage import changes, ledger
from tmws.storage.database import Database, Transaction
from tmws.storage.documents import Kind
from tmws.storage.turns import turn

_log = structlog.get_logger()

ROWS_A_QUERY = 64
"""How many vectors an index takes over while a query waits for it."""

_ROWS_A_TURN, _ROWS_A_LOAD = 256, 10_000
_FEED_SECONDS = 60.0
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
class Space:
    """A block that is looked into.

    Attributes:
        written: revision of the namespace, as the transaction sees it.
        among: look at these ids only; None for all.
    """

    block: Block
    written: int
    among: Collection[str] | None = None


@dataclass(frozen=True, slots=True)
class Neighbours:
    """What is near; `degraded` says why the chosen index did not serve, nothing if it did."""

    matches: list[Match]
    degraded: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Held:
    """What the chosen index holds: how many vectors, and how many changes it lacks."""

    count: int
    behind: int


class Nearest:
    """Keeps the indexes in step with SQL, and searches them.

    An index that fails or lags costs neither a write nor an answer: SQL has every vector,
    and exact search takes over. A failed one is left alone for a while, longer each time.
    """

    def __init__(
        self,
        exact: Callable[[], ExactVectors],
        chosen: Callable[..., VectorIndex] | None = None,
        *,
        seconds: float = 3.0,
    ) -> None:
        """Indexes are made when first needed.

        Args:
            chosen: makes, from `store`, what searches instead of the exact index; None for
                nothing.
            seconds: how long a search waits for that one.
        """
        self._make_exact = exact
        self._made_exact: ExactVectors | None = None
        self._make_chosen = chosen
        self._seconds = seconds
        self._made: VectorIndex | None = None
        self._feeding = asyncio.Lock()
        self._loaded: dict[Block, int] = {}
        self._fed: dict[Block, tuple[int, int]] = {}
        self._pause = Pause(
            "vector_index",
            first_seconds=_FIRST_PAUSE_SECONDS,
            longest_seconds=_LONGEST_PAUSE_SECONDS,
        )

    @property
    def keeps_an_index(self) -> bool:
        """Whether there is another index than the exact one."""
        return self._make_chosen is not None

    @property
    def _exact(self) -> ExactVectors:
        if self._made_exact is None:
            self._made_exact = self._make_exact()
        return self._made_exact

    async def search(
        self,
        connection: Transaction,
        query: Vector,
        spaces: Sequence[Space],
        *,
        caller_id: str,
        granted: Collection[str],
        limit: int,
    ) -> Neighbours:
        """Return the nearest readable items of all spaces, which are of one model.

        The other arguments are the port's.
        """
        found: list[Match] = []
        left, reasons = list(spaces), set()
        if self.keeps_an_index:
            left = []
            for space in spaces:
                try:
                    async with self._watched(connection) as index:
                        await self._catch_up(connection, index, space.block, space.written)
                        found += await index.search(
                            query,
                            namespace=space.block.space,
                            embedder_id=space.block.embedder,
                            caller_id=caller_id,
                            granted=granted,
                            limit=limit,
                            among=space.among,
                        )
                except TmwsError as error:
                    reasons.add(error.message)
                    left.append(space)
        if left:
            for space in left:
                await self._load(connection, space.block, space.written)
            found += await self._exact.search_all(
                query,
                {space.block.space: space.among for space in left},
                embedder_id=left[0].block.embedder,
                caller_id=caller_id,
                granted=granted,
                limit=limit,
            )
        nearest = sorted(found, key=lambda match: (-match.similarity, match.pattern_id))
        return Neighbours(nearest[:limit], frozenset(reasons))

    async def feed(self, database: Database, block: Block) -> bool:
        """Have the chosen index take over some of what it lacks; say whether it did.

        An index that knows more than SQL comes from before a backup was put back. It starts
        anew, because what it knows may never have happened.

        Raises:
            BackendUnavailable: it does not answer, or there is none.
        """
        async with (
            self._feeding,
            database.read() as connection,
            self._watched(connection, seconds=_FEED_SECONDS) as index,
        ):
            held = await index.revision(block.space, block.embedder)
            # Asked of a transaction that began later than the answer, so it is never older.
            async with database.read() as later:
                if held > await changes.revision_of(later, block.namespace):
                    _log.warning("vector_index_ahead", block=block.space)
                    await index.clear()
                async with turn(later, "vectors") as ours:
                    if not ours:
                        return False
                    return await _feed(later, index, block, limit=_ROWS_A_TURN) > 0

    async def held(self, connection: Transaction, block: Block) -> Held | None:
        """Return what the chosen index holds, None where there is none or it is silent."""
        try:
            async with self._watched(connection) as index:
                count = await index.count(block.space, block.embedder)
                revision = await index.revision(block.space, block.embedder)
        except TmwsError:
            return None
        return Held(count, await changes.count_since(connection, *_named(block), revision))

    async def trouble(self, connection: Transaction) -> TmwsError | None:
        """Return why the chosen index does not serve, None when it does or there is none."""
        if not self.keeps_an_index:
            return None
        try:
            async with self._watched(connection) as index:
                await index.revision("", "")
        except TmwsError as error:
            return error
        return None

    async def clear(self, connection: Transaction) -> None:
        """Have the chosen index forget everything.

        Raises:
            BackendUnavailable: it does not answer, or there is none.
        """
        self._pause.end()
        async with self._feeding, self._watched(connection, seconds=_FEED_SECONDS) as index:
            await index.clear()

    async def require_up_to_date(self, connection: Transaction, block: Block) -> None:
        """Return if the chosen index has taken over everything.

        Raises:
            BackendUnavailable: it has not, does not answer, or there is none.
        """
        async with self._watched(connection) as index:
            if await _lags(connection, index, block):
                raise _Behind("The vector index is behind. Look again when it has caught up.")

    async def rows(self, connection: Transaction, block: Block) -> list[VectorRow]:
        """Return what SQL knows about a block, removals included."""
        rows: list[VectorRow] = []
        while True:
            since = rows[-1].revision if rows else 0
            more = await _since(connection, block, since, limit=_ROWS_A_LOAD)
            if not more:
                return rows
            rows += more

    async def both(
        self, connection: Transaction, query: Vector, block: Block, *, caller_id: str, limit: int
    ) -> tuple[set[str], set[str]]:
        """Return what exact search and the chosen index find.

        Raises:
            BackendUnavailable: the chosen index does not answer.
        """
        written = await changes.revision_of(connection, block.namespace)
        await self._load(connection, block, written)
        async with self._watched(connection) as index:
            exact, found = [
                await each.search(
                    query,
                    namespace=block.space,
                    embedder_id=block.embedder,
                    caller_id=caller_id,
                    granted=(),
                    limit=limit,
                )
                for each in (self._exact, index)
            ]
        return {match.pattern_id for match in exact}, {match.pattern_id for match in found}

    async def aclose(self) -> None:
        """Let go of the indexes."""
        for index in (self._made, self._made_exact):
            if index is not None:
                await index.aclose()

    @contextlib.asynccontextmanager
    async def _watched(
        self, connection: Transaction, *, seconds: float | None = None
    ) -> AsyncIterator[Patience]:
        """Yield the chosen index; one that fails is not asked again before its pause is over.

        Raises:
            BackendUnavailable: it failed now, or a short while ago.
        """
        if self._make_chosen is None:
            raise _EXACT
        self._pause.require_over()
        try:
            store = None if self._made else await ledger.origin(connection)
            # Of several first requests one makes it: a second one would keep the first out.
            if self._made is None:
                self._made = self._make_chosen(store=store)
            yield Patience(self._made, self._seconds if seconds is None else seconds)
        except _Behind:
            raise
        except TmwsError as error:
            self._pause.begin(error)
            raise
        self._pause.end()

    async def _catch_up(
        self, connection: Transaction, index: Patience, block: Block, written: int
    ) -> None:
        """Take over some of what is missing.

        Raises:
            _Behind: there is more.
        """
        async with self._turn_of(index):
            held = await index.revision(block.space, block.embedder)
            if self._fed.get(block) == (written, held):
                return
            if not await _since(connection, block, held, limit=1):
                self._fed[block] = (written, held)
                return
            async with _waited_turn(connection) as ours:
                if ours:
                    await _feed(connection, index, block, limit=ROWS_A_QUERY)
            if await _lags(connection, index, block):
                raise _Behind("The vector index is catching up; exact vectors serve.")

    @contextlib.asynccontextmanager
    async def _turn_of(self, index: Patience) -> AsyncIterator[None]:
        await index.wait(self._feeding.acquire())
        try:
            yield
        finally:
            self._feeding.release()

    async def _load(self, connection: Transaction, block: Block, written: int) -> None:
        """Bring the exact index up to what this transaction sees."""
        if self._loaded.get(block) == written:
            return
        while await _feed(connection, self._exact, block, limit=_ROWS_A_LOAD):
            pass
        self._loaded[block] = written


class _Behind(BackendUnavailable):
    """The index is well but lags."""


_EXACT = BackendUnavailable(
    "Vectors are searched exactly, straight from the database: there is no index to keep.",
    retryable=False,
)


async def _feed(connection: Transaction, index: VectorIndex, block: Block, *, limit: int) -> int:
    """Have the index take over some of what it lacks; return how much that was."""
    held = await index.revision(block.space, block.embedder)
    rows = await _since(connection, block, held, limit=limit)
    await index.refresh(block.space, block.embedder, rows, after=held)
    return len(rows)


async def _lags(connection: Transaction, index: VectorIndex, block: Block) -> bool:
    held = await index.revision(block.space, block.embedder)
    return bool(await _since(connection, block, held, limit=1))


def _named(block: Block) -> tuple[Kind, str, str]:
    return block.kind, block.namespace, block.embedder


async def _since(
    connection: Transaction, block: Block, revision: int, *, limit: int
) -> list[VectorRow]:
    rows = await changes.vectors_since(
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
