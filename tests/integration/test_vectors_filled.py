"""`tmws vectors fill` succeeds when everything is read, and not otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.endpoints import played, saying, vectors
from tests.integration.command import tmws
from tests.integration.services import Installation, agent, learned
from tmws.domain.errors import BackendUnavailable, Conflict
from tmws.storage.turns import turn

WHOLE = {"embedder_model": "m", "embedder_dimension": 2}


well = saying(lambda texts: {"data": vectors(texts, 2)})


def test_a_model_that_cannot_be_made_is_a_failure_that_says_what_is_missing(tmp_path: Path) -> None:
    asked = tmws("vectors", "fill", "--json", data=tmp_path, TMWS_EMBEDDER="openai")
    assert asked.status == 7
    assert "needs TMWS_EMBEDDER_URL" in asked.errors
    assert asked.document() == []
    assert tmws("vectors", "fill", data=tmp_path, TMWS_EMBEDDER="hashing").status == 0


async def test_a_model_that_falls_silent_is_a_failure_though_it_serves(
    installation: Installation,
) -> None:
    async with played(well) as endpoint:
        settings = {"embedder": "openai", "embedder_url": endpoint.url, **WHOLE}
        async with installation.open(**settings) as app:
            alice = await agent(app, "alice")
            await app.upkeep.fill()
            await app.upkeep.require_filled()
            endpoint.answer = saying(lambda _: {}, "500 Oops")
            await learned(app, alice)
            await app.upkeep.fill()
            with pytest.raises(BackendUnavailable, match="openai/m/2 answered"):
                await app.upkeep.require_filled()
        endpoint.answer = well
        async with installation.open(**settings) as app:
            await app.upkeep.fill()
            await app.upkeep.require_filled()


async def test_what_another_process_is_still_reading_is_not_called_read(
    installation: Installation,
) -> None:
    async with played(well) as endpoint:
        async with installation.open() as app:
            await learned(app, await agent(app, "alice"))
        settings = {"embedder": "openai", "embedder_url": endpoint.url, **WHOLE}
        async with installation.open(**settings) as app, installation.database() as other:
            async with other.read() as connection, turn(connection, "reading") as theirs:
                assert theirs
                await app.upkeep.fill()
                with pytest.raises(Conflict, match="another process is reading"):
                    await app.upkeep.require_filled()
            await app.upkeep.fill()
            await app.upkeep.require_filled()


async def test_what_an_index_did_not_take_over_is_not_called_done(
    postgres_url: str, tmp_path: Path
) -> None:
    place = Installation(postgres_url, tmp_path / "data")
    async with place.open(vectors="pgvector") as app, place.database() as other:
        await learned(app, await agent(app, "alice"))
        async with other.read() as connection, turn(connection, "vectors") as theirs:
            assert theirs
            await app.upkeep.fill()
            with pytest.raises(Conflict, match="behind by 1: another process"):
                await app.upkeep.require_filled()
        await app.upkeep.fill()
        await app.upkeep.require_filled()
