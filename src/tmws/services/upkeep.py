"""Upkeep: what a model has not read is read, what an index lacks is fed to it, old sums go."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import NoReturn

import numpy as np
import structlog

from tmws.domain.analytics import week_of
from tmws.domain.errors import Conflict, TmwsError
from tmws.ports import Clock, Recipe
from tmws.services.models import Models
from tmws.services.nearest import Block, Nearest
from tmws.services.retirement import KEPT_FOR, LONGEST_SEARCH, Retirement
from tmws.storage import reading, trends
from tmws.storage.database import Database
from tmws.storage.documents import Kind
from tmws.storage.serving import Place, Stage
from tmws.storage.turns import turn

_log = structlog.get_logger()

TEXTS_A_TURN = 32
SAMPLE = 50

_LOOK_SECONDS = 5.0
_COMPARED = 10


@dataclass(frozen=True, slots=True)
class BlockState:
    """How far one model and the index are with one namespace.

    Attributes:
        role: `serving`, `coming`, or `kept` for a model that serves no more, until it is pruned.
        texts, vectors: stored in SQL; what is missing is still to be read.
        indexed: vectors that the index can find; None when it does not answer.
        behind: changes that the index has not taken over; None the same.
    """

    kind: str
    namespace: str
    embedder: str
    role: str
    texts: int
    vectors: int
    indexed: int | None
    behind: int | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """What the index finds of what exact search finds.

    Attributes:
        asked: how many stored vectors were looked for.
        recall: mean share of the ten nearest that were found.
        strays: how many more vectors the index holds than SQL; negative for fewer.
    """

    kind: str
    namespace: str
    embedder: str
    asked: int
    recall: float
    strays: int

    @property
    def holds(self) -> bool:
        """Whether the index can be relied on."""
        return self.strays == 0 and self.recall >= 0.95


class Upkeep:
    """Runs beside the requests of a server, in small steps, one process at a time.

    Nothing is kept in memory between steps: what was read stands in SQL, so whoever is
    killed half-way leaves the rest to the next.
    """

    def __init__(
        self,
        database: Database,
        models: Models,
        nearest: Nearest,
        retirement: Retirement,
        clock: Clock,
    ) -> None:
        self._database = database
        self._clock = clock
        self._models = models
        self._nearest = nearest
        self._retirement = retirement
        self._pruned_for: tuple[Place, ...] = ()
        self._swept_in: int | None = None
        self._all_read_at: _Mark | None = None
        self._known_blocks: tuple[_Mark | None, list[Block]] = (None, [])

    async def run(self) -> NoReturn:
        """Work whenever there is something to do, until cancelled."""
        await asyncio.sleep(_LOOK_SECONDS)  # most sessions of a client begin with a request
        announced = False
        while True:
            try:
                if not announced:
                    await self._models.announce()
                    announced = True
                await self._work()
            except TmwsError as error:
                _log.warning("upkeep_failed", reason=error.message)
            await asyncio.sleep(_LOOK_SECONDS)

    async def fill(self) -> None:
        """Work until there is nothing left to do that can be done."""
        await self._models.announce()
        await self._work()

    async def require_filled(self) -> None:
        """Return if there is nothing left to read, nor for an index to take over.

        Raises:
            BackendUnavailable: a model or the index does not answer.
            Conflict: another process is at it.
        """
        await self._models.require_all_read()
        if behind := sum(state.behind or 0 for state in await self.status()):
            raise Conflict(
                f"The index is behind by {behind}: another process is feeding it. Look again: "
                "tmws vectors status."
            )

    async def _work(self) -> None:
        more = True
        while more:
            more = await self.step() or await self._swept()

    async def step(self) -> bool:
        """Do a little of what is to be done; say whether anything was."""
        mark = await self._mark()
        if mark != self._all_read_at:
            blocked = False
            for recipe in mark.recipes:
                progress = await self._read_some(recipe)
                if progress is Progress.SOME:
                    return True
                blocked |= progress is Progress.BLOCKED
            for place in mark.places:
                if place.stage is Stage.COMING:
                    if await self._models.take_over(place):
                        _log.info("model_serves", arm=place.arm, embedder=place.embedder)
                        return True
                    blocked = True
            self._all_read_at = None if blocked else mark
        for block in await self._blocks(mark):
            if await self._nearest.feed(self._database, block):
                return True
        if mark.places == self._pruned_for or not self._retirement.is_settled(
            mark.places, kept_for=KEPT_FOR
        ):
            return False
        if await self._retirement.step(kept_for=KEPT_FOR):
            return True
        self._pruned_for = mark.places
        return False

    async def _swept(self) -> bool:
        """Once a week, forget a little of what trends of earlier weeks were told from."""
        now = self._clock.now()
        if week_of(now) == self._swept_in:
            return False
        async with self._database.write() as tx:
            if await trends.forget(tx, before=now):
                return True
        self._swept_in = week_of(now)
        return False

    async def prune(self) -> int:
        """Take away now what models left that serve no more; return how many vectors.

        Raises:
            Conflict: a model is coming, or took over a moment ago.
        """
        pruned = 0
        while some := await self._retirement.step(kept_for=LONGEST_SEARCH):
            pruned += some
        return pruned

    async def status(self) -> list[BlockState]:
        """Return how far every model and the index are."""
        roles = {
            place.embedder: place.stage.value
            for place in reversed(await self._models.places())  # serving outweighs coming
        }
        async with self._database.read() as connection:
            texts = await reading.counts(connection)
            vectors = await reading.blocks(connection)
            coming = [name for name, role in roles.items() if role == Stage.COMING.value]
            for kind, namespace in texts:
                for embedder in coming:
                    vectors.setdefault((kind, namespace, embedder), 0)
            states = []
            for (kind, namespace, embedder), count in sorted(vectors.items()):
                if not count and embedder not in roles:
                    continue  # pruned
                block = Block(Kind(kind), namespace, embedder)
                held = await self._nearest.held(connection, block)
                states.append(
                    BlockState(
                        *(kind, namespace, embedder),
                        role=roles.get(embedder, "kept"),
                        texts=texts.get((kind, namespace), 0),
                        vectors=count,
                        indexed=held.count if held else None,
                        behind=held.behind if held else None,
                    )
                )
        return states

    async def trouble(self) -> TmwsError | None:
        """Return why the chosen index does not serve here, None when it does.

        A Conflict means that it serves in the process that owns it.
        """
        async with self._database.read() as connection:
            return await self._nearest.trouble(connection)

    @property
    def keeps_an_index(self) -> bool:
        """Whether there is an index to check and rebuild: exact search needs none."""
        return self._nearest.keeps_an_index

    async def rebuild(self) -> None:
        """Have the index forget everything and take it over again.

        Raises:
            BackendUnavailable: it does not answer.
        """
        async with self._database.read() as connection:
            await self._nearest.clear(connection)
        self._known_blocks = (None, [])
        for block in await self._blocks():
            while await self._nearest.feed(self._database, block):
                pass
            async with self._database.read() as connection:
                await self._nearest.require_up_to_date(connection, block)

    async def check(self, *, whole: bool) -> list[Comparison]:
        """Compare the index with exact search, for some vectors of each block or for all.

        Raises:
            BackendUnavailable: it does not answer, or lags.
        """
        async with self._database.read() as connection:
            compared = []
            for kind, namespace, embedder in sorted(await reading.blocks(connection)):
                block = Block(Kind(kind), namespace, embedder)
                await self._nearest.require_up_to_date(connection, block)
                rows = await self._nearest.rows(connection, block)
                live = [row for row in rows if row.vector is not None]
                asked = live if whole else live[:: -(-len(live) // SAMPLE) or 1]
                shares = []
                for row in asked:
                    query = np.frombuffer(row.vector or b"", np.float32)
                    exact, found = await self._nearest.both(
                        connection, query, block, caller_id=row.owner_id, limit=_COMPARED
                    )
                    shares.append(len(exact & found) / len(exact) if exact else 1.0)
                held = await self._nearest.held(connection, block)
                compared.append(
                    Comparison(
                        *(kind, namespace, embedder),
                        asked=len(asked),
                        recall=sum(shares) / len(shares) if shares else 1.0,
                        strays=(held.count if held else 0) - len(live),
                    )
                )
        return compared

    async def _mark(self) -> _Mark:
        """Return what changes whenever there may be something new to read."""
        places = tuple(await self._models.places())
        async with self._database.read() as connection:
            return _Mark(places, await reading.writes(connection))

    async def _read_some(self, recipe: Recipe) -> Progress:
        """Let a model read a few texts, unless another process has its turn."""
        try:
            embedder = await self._models.embedder(recipe)
        except TmwsError:
            return Progress.BLOCKED  # its pause has said so in the log
        async with self._database.read() as connection, turn(connection, "reading") as ours:
            if not ours:
                return Progress.BLOCKED
            texts = await reading.unread(connection, embedder=embedder.id, limit=TEXTS_A_TURN)
            if not texts:
                return Progress.NONE_LEFT
            try:
                made = await self._models.embed(recipe, [text for _, text in texts])
            except TmwsError:
                return Progress.BLOCKED
            read = list(zip(texts, (vector.tobytes() for vector in made), strict=True))
            async with self._database.write() as tx:
                kept = await reading.keep(tx, read, embedder=embedder.id)
            return Progress.SOME if kept else Progress.BLOCKED

    async def _blocks(self, mark: _Mark | None = None) -> list[Block]:
        """Return what an index has to hold; nothing where there is none to keep."""
        if not self._nearest.keeps_an_index:
            return []
        if mark is None or self._known_blocks[0] != mark:
            async with self._database.read() as connection:
                found = await reading.blocks(connection)
            blocks = [Block(Kind(kind), *rest) for kind, *rest in found]
            self._known_blocks = (mark, blocks)
        return self._known_blocks[1]


class Progress(Enum):
    """How far a model came in one step."""

    SOME = "some"
    NONE_LEFT = "none left"
    BLOCKED = "blocked"


@dataclass(frozen=True, slots=True)
class _Mark:
    places: tuple[Place, ...]
    writes: int

    @property
    def recipes(self) -> Sequence[Recipe]:
        """The models that have to have read everything, each once."""
        return list(dict.fromkeys(place.recipe for place in self.places))
