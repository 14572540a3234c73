"""The step that takes away what models left that serve no more."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from tmws.domain.errors import Conflict
from tmws.ports import Clock
from tmws.services.models import Models
from tmws.storage import retired, serving
from tmws.storage.database import Database
from tmws.storage.prepared import at_once
from tmws.storage.serving import Place, Stage

KEPT_FOR = timedelta(days=7)
"""How long vectors stay after another model took over, for whoever goes back."""

LONGEST_SEARCH = timedelta(minutes=1)
"""A search that began with the model before may still compare with its vectors."""

_ROWS_A_STEP = 1_000


class Retirement:
    """Takes vectors away in small steps, so that nobody who writes waits long."""

    def __init__(self, database: Database, models: Models, clock: Clock) -> None:
        self._database = database
        self._models = models
        self._clock = clock

    async def step(self, *, kept_for: timedelta) -> int:
        """Take some vectors away; return how many that were, 0 when none is left.

        Raises:
            Conflict: none has taken over, one is coming, or took over less than `kept_for` ago.
        """
        asked_for = await self._models.asked_for()
        async with self._database.write() as tx:
            places = await at_once(tx, serving.places)
            if not self.is_settled(places, kept_for=kept_for):
                raise Conflict(
                    "No model has taken over yet, one is still reading, or one took over a moment "
                    "ago and searches may still need the one before. See: tmws vectors status."
                )
            kept = asked_for | {place.embedder for place in places}
            for embedder in await retired.embedders(tx, besides=kept):
                if emptied := await retired.empty(tx, embedder, limit=_ROWS_A_STEP):
                    return emptied
        return 0

    def is_settled(self, places: Sequence[Place], *, kept_for: timedelta) -> bool:
        """Say whether models have these places, and all have served this long."""
        edge = self._clock.now() - kept_for
        return bool(places) and all(
            place.stage is Stage.SERVING and place.since <= edge for place in places
        )
