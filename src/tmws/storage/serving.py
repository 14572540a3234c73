"""Which model serves an arm of search, and which one is to take its place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from tmws.ports import Recipe
from tmws.storage.columns import moment
from tmws.storage.prepared import Execute, Prepared, plain
from tmws.storage.tables import serving


class Stage(StrEnum):
    """What a model is to an arm."""

    SERVING = "serving"
    COMING = "coming"


@dataclass(frozen=True, slots=True)
class Place:
    """A model's place in an arm; `embedder` is the id that its vectors carry."""

    arm: str
    stage: Stage
    embedder: str
    recipe: Recipe
    since: datetime


def places(run: Execute) -> list[Place]:
    """Return who serves and who is coming, in every arm."""
    return [
        Place(arm, Stage(stage), embedder, Recipe(backend, model, dimension), moment(since))
        for arm, stage, embedder, backend, model, dimension, since in run(_PLACES, {})
    ]


_TABLE = plain(serving)
_PLACES = Prepared(
    sa.select(
        _TABLE.c.arm,
        _TABLE.c.stage,
        _TABLE.c.embedder,
        _TABLE.c.backend,
        _TABLE.c.model,
        _TABLE.c.dimension,
        _TABLE.c.since,
    ).order_by(_TABLE.c.arm, _TABLE.c.stage)
)


async def put(connection: AsyncConnection, place: Place) -> None:
    """Give a model a place, in place of whoever had it."""
    await clear(connection, place.arm, (place.stage,))
    await connection.execute(
        serving.insert().values(
            arm=place.arm,
            stage=place.stage.value,
            embedder=place.embedder,
            backend=place.recipe.backend,
            model=place.recipe.model,
            dimension=place.recipe.dimension,
            since=place.since,
        )
    )


async def clear(connection: AsyncConnection, arm: str, stages: Sequence[Stage]) -> None:
    """Leave these places of an arm empty."""
    await connection.execute(
        serving.delete().where(
            serving.c.arm == arm, serving.c.stage.in_([stage.value for stage in stages])
        )
    )
