"""The step that turns text into vectors: by the model that serves, and the one to come."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tmws.domain.errors import BackendUnavailable, Conflict, InvalidInput, TmwsError
from tmws.domain.ranking import Arm
from tmws.indexes.finding import is_asked
from tmws.ports import Clock, Embedder, Recipe, Vector
from tmws.services.pauses import Pause
from tmws.storage import documents, serving
from tmws.storage.database import Database, Transaction
from tmws.storage.documents import Kind
from tmws.storage.prepared import at_once
from tmws.storage.serving import Place, Stage

_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 2.0, 60.0


@dataclass(frozen=True, slots=True)
class Speakers:
    """Who serves each arm now; None where nobody does yet."""

    recipes: Mapping[Arm, Recipe | None]


@dataclass(slots=True)
class Spoken:
    """What the models made of a query.

    Attributes:
        embedders: id of the model by arm, of those that answered or still may.
        shortfalls: what could not serve as configured.
        coming: of a model that still reads, what ends once `vectors` holds its arm, or
            `shortfalls` the reason why it does not.
    """

    vectors: dict[Arm, Vector] = field(default_factory=dict)
    embedders: dict[Arm, str] = field(default_factory=dict)
    shortfalls: set[str] = field(default_factory=set)
    coming: dict[Arm, asyncio.Task[None]] = field(default_factory=dict)

    async def whole(self) -> Spoken:
        """Return it when nothing is coming any more."""
        for reading in self.coming.values():
            await reading
        return self


class Models:
    """Knows which model serves an arm, which is SQL's to say, and speaks to them all.

    The model of the settings takes an arm over once it has read everything; until then the
    one before it serves, and every text that is written is read by both.
    """

    def __init__(
        self,
        database: Database,
        wanted: Mapping[Arm, Recipe],
        make: Callable[[Recipe], Embedder],
        clock: Clock,
    ) -> None:
        """Models are made when first needed: many processes never need any.

        Args:
            wanted: the models of the settings.
            make: returns the embedder of a recipe, or raises BackendUnavailable.
        """
        self._database = database
        self._wanted = wanted
        self._make = make
        self._clock = clock
        self._kept: dict[Recipe, _Kept] = {}
        self._complete: set[Recipe] = set()

    async def made_of(self, text: str) -> dict[str, bytes]:
        """Return what each model makes of a text that is written, by the model's id.

        A model that does not answer never costs a write: it reads the text later.
        """
        made: dict[str, bytes] = {}
        for recipe in await self._readers():
            try:
                embedder = await self.embedder(recipe)
                made[embedder.id] = (await self.embed(recipe, [text]))[0].tobytes()
            except TmwsError:
                continue  # its pause has said so in the log
        return made

    async def speakers(self) -> Speakers:
        """Return who serves now: asked once, it is good for several wordings of one request."""
        stored = await self.places()
        return Speakers({arm: _serving(stored, arm) for arm in self._wanted})

    async def asked(self, text: str, speakers: Speakers) -> Spoken:
        """Return what the serving models make of a query.

        A model that runs here may go on after this returns: what takes it milliseconds may be
        waited for in a transaction, which is no place to wait for a server.
        """
        spoken = Spoken()
        for arm, wanted in self._wanted.items():
            recipe = speakers.recipes[arm]
            try:
                if recipe is None and await self.has_read_all(wanted):
                    recipe = wanted
                if recipe is None:
                    spoken.shortfalls.add(f"A first model is still reading, for {arm.value}.")
                    continue
                embedder = await self.embedder(recipe)
                if not is_asked(arm, embedder, text):
                    continue
                spoken.embedders[arm] = embedder.id
            except TmwsError as error:
                spoken.shortfalls.add(f"Without {arm.value}: {error.message}")
                continue
            spoken.coming[arm] = asyncio.create_task(self._read(text, arm, recipe, spoken))
            if recipe.model is not None:
                await spoken.coming[arm]
        await asyncio.sleep(0)  # they begin, and those that are quick are through
        spoken.coming = {arm: each for arm, each in spoken.coming.items() if not each.done()}
        return spoken

    async def _read(self, text: str, arm: Arm, recipe: Recipe, spoken: Spoken) -> None:
        try:
            spoken.vectors[arm] = (await self.embed(recipe, [text]))[0]
        except TmwsError as error:
            spoken.shortfalls.add(f"Without {arm.value}: {error.message}")

    async def embed(self, recipe: Recipe, texts: list[str]) -> Vector:
        """Return the vectors of a model, checked for their length.

        Raises:
            BackendUnavailable: it did not answer, now or a short while ago.
        """
        embedder = await self.embedder(recipe)
        kept = self._kept[recipe]
        try:
            made = await embedder.embed(texts)
            _require_shape(made, embedder, len(texts))
        except BackendUnavailable as error:
            kept.pause.begin(error)
            raise
        kept.pause.end()
        return made

    async def embedder(self, recipe: Recipe) -> Embedder:
        """Return the model of a recipe.

        Raises:
            BackendUnavailable: it is not installed, or failed a short while ago.
        """
        kept = self._kept.setdefault(recipe, _Kept())
        kept.pause.require_over()
        async with kept.making:
            if kept.embedder is None:
                kept.embedder = await self._made(recipe, kept.pause)
        return kept.embedder

    async def _made(self, recipe: Recipe, pause: Pause) -> Embedder:
        try:
            # Importing a runtime takes a tenth of a second or more.
            return await asyncio.to_thread(self._make, recipe)
        except InvalidInput as error:
            gone = BackendUnavailable(error.message, retryable=False)
            pause.begin(gone)
            raise gone from error
        except BackendUnavailable as error:
            pause.begin(error)
            raise

    async def has_read_all(self, recipe: Recipe) -> bool:
        """Return whether nothing is stored that the model has not read."""
        if recipe in self._complete:
            return True
        embedder = await self.embedder(recipe)
        async with self._database.read() as connection:
            if await _lacks(connection, embedder.id):
                return False
        self._complete.add(recipe)
        return True

    async def announce(self) -> None:
        """Make the models of the settings the ones to come, where others serve.

        A server does so once, when it starts: whoever was started last decides.
        """
        for arm, recipe in self._wanted.items():
            try:
                embedder = await self.embedder(recipe)
            except TmwsError:
                continue
            async with self._database.write() as tx:
                stored = await at_once(tx, serving.places)
                await serving.clear(tx, arm.value, (Stage.COMING,))
                theirs = [place for place in stored if place.arm == arm.value]
                if not any(_is(place, Stage.SERVING, embedder.id) for place in theirs):
                    coming = Place(arm.value, Stage.COMING, embedder.id, recipe, self._clock.now())
                    await serving.put(tx, coming)

    async def take_over(self, coming: Place) -> bool:
        """Let a model serve from now on if it has read everything; say whether it does."""
        async with self._database.write() as tx:
            if coming not in await at_once(tx, serving.places):
                return False
            if await _lacks(tx, coming.embedder):
                return False
            await serving.clear(tx, coming.arm, (Stage.COMING,))
            now = self._clock.now()
            await serving.put(
                tx, Place(coming.arm, Stage.SERVING, coming.embedder, coming.recipe, now)
            )
        return True

    async def asked_for(self) -> set[str]:
        """Return the ids of the models of the settings, of those that can be made here."""
        ids = set()
        for recipe in self._wanted.values():
            with contextlib.suppress(TmwsError):  # its pause has said so in the log
                ids.add((await self.embedder(recipe)).id)
        return ids

    async def places(self) -> list[Place]:
        """Return who serves and who is coming."""
        return await self._database.glance_at_once(serving.places)

    async def try_all(self) -> str:
        """Return who serves.

        Raises:
            BackendUnavailable: a model of the settings does not answer, or none serves yet.
        """
        for recipe in self._wanted.values():
            await self.embed(recipe, ["a short text"])
        spoken = await (await self.asked("a short text", await self.speakers())).whole()
        if spoken.shortfalls:
            raise BackendUnavailable(" ".join(sorted(spoken.shortfalls)))
        return ", ".join(f"{arm.value} by {name}" for arm, name in spoken.embedders.items())

    async def require_all_read(self) -> None:
        """Return if the models of the settings serve, and nothing is stored that they did not read.

        Raises:
            BackendUnavailable: one of them does not answer.
            Conflict: one of them does, and yet is not through.
        """
        stored = await self.places()
        for arm, recipe in self._wanted.items():
            embedder = await self.embedder(recipe)
            serves = any(
                place.arm == arm.value and _is(place, Stage.SERVING, embedder.id)
                for place in stored
            )
            async with self._database.read() as connection:
                if serves and not await _lacks(connection, embedder.id):
                    continue
            await self.embed(recipe, ["a short text"])
            raise Conflict(
                f"{embedder.id} has not read everything: another process is reading, or the model "
                "refused a text, as the log says. Look again: tmws vectors status."
            )

    async def aclose(self) -> None:
        """Let go of every model."""
        for kept in self._kept.values():
            if kept.embedder is not None:
                await kept.embedder.aclose()

    async def _readers(self) -> list[Recipe]:
        """Return the models that read what is written now, each once."""
        stored = await self.places()
        theirs = [place.recipe for place in stored if Arm(place.arm) in self._wanted]
        return list(dict.fromkeys([*self._wanted.values(), *theirs]))


@dataclass(slots=True)
class _Kept:
    embedder: Embedder | None = None
    making: asyncio.Lock = field(default_factory=asyncio.Lock)
    pause: Pause = field(
        default_factory=lambda: Pause(
            "embedder",
            first_seconds=_FIRST_PAUSE_SECONDS,
            longest_seconds=_LONGEST_PAUSE_SECONDS,
        )
    )


def _require_shape(made: Vector, embedder: Embedder, count: int) -> None:
    if made.shape != (count, embedder.dimension):
        raise BackendUnavailable(
            f"The embedder {embedder.id} made vectors of shape {made.shape} instead of "
            f"({count}, {embedder.dimension}); they are not used."
        )


def _serving(stored: list[Place], arm: Arm) -> Recipe | None:
    for place in stored:
        if place.arm == arm.value and place.stage is Stage.SERVING:
            return place.recipe
    return None


async def _lacks(connection: Transaction, embedder: str) -> bool:
    """Say whether something is stored that a model has not read."""
    for kind in Kind:
        if await documents.lacking(connection, kind=kind, embedder=embedder, limit=1):
            return True
    return False


def _is(place: Place, stage: Stage, embedder: str) -> bool:
    return place.stage is stage and place.embedder == embedder
