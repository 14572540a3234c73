"""What a model left that serves no more: kept for whoever goes back, then taken away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.endpoints import Endpoint, played
from tests.integration.services import Installation, agent, learned
from tests.integration.test_model_change import NEW, NEW_ID, OLD, OLD_ID, looked, opened, well
from tmws.app import App
from tmws.domain.agents import Agent
from tmws.domain.errors import Conflict
from tmws.domain.patterns import Pattern
from tmws.domain.usage import UseOutcome
from tmws.services import retirement
from tmws.services.outcomes import OutcomeReport

HOUR, DAY = 3600, 24 * 3600
REQUEST = "the staging host answers with a stale certificate"


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    async with played(well) as endpoint:
        yield endpoint


async def held(place: Installation) -> dict[str, tuple[int, int]]:
    """Return how many vectors of texts and of uses each model has."""
    counts: dict[str, tuple[int, int]] = {}
    async with place.database() as database, database.read() as connection:
        for column, table in enumerate(("vectors", "use_vectors")):
            rows = await connection.execute(
                sa.text(
                    f"SELECT embedder, count(*) FROM {table} WHERE length(vector) > 0 "
                    "GROUP BY embedder"
                )
            )
            for embedder, count in rows:
                both = [*counts.get(embedder, (0, 0))]
                both[column] = count
                counts[embedder] = (both[0], both[1])
    return counts


async def changed(installation: Installation, endpoint: Endpoint) -> tuple[Agent, Pattern]:
    """Store five patterns and two uses, one of them forgotten, and change the model."""
    async with opened(installation, endpoint, **OLD) as app:
        alice = await agent(app, "alice")
        for number in range(3):
            await learned(app, alice, f"parser {number}", summary=f"configuration {number}")
        used = await learned(app, alice, "rotate", summary="Renew TLS secrets.")
        gone = await learned(app, alice, "gone", summary="Of no use.")
        for what in (used, gone):
            report = OutcomeReport(what.id, UseOutcome.SUCCESS, context=REQUEST)
            await app.outcomes.report(alice, report)
        await app.removal.forget(alice, gone.id)
        await app.upkeep.fill()
    async with opened(installation, endpoint, **NEW) as app:
        await app.upkeep.fill()
    both = {OLD_ID: (4, 1), NEW_ID: (4, 1), "hashing-512-1": (4, 1)}
    assert await held(installation) == both
    return alice, used


async def names(app: App, caller: Agent, text: str) -> set[str]:
    found = await looked(app, caller, text)
    assert found.degraded is None
    return {item.pattern.name for item in found.items}


async def best_use(app: App, caller: Agent) -> str:
    """Return the pattern that the request leads to by what it was used for."""
    found = await looked(app, caller, REQUEST)
    assert found.degraded is None
    assert "uses" in (found.items[0].parts or {})
    return found.items[0].pattern.name


async def test_they_are_pruned_beside_processes_that_still_want_the_old_model(
    installation: Installation, endpoint: Endpoint
) -> None:
    alice, used = await changed(installation, endpoint)
    installation.clock.advance(HOUR)
    async with (
        opened(installation, endpoint, **OLD) as old,
        opened(installation, endpoint, **NEW) as new,
    ):
        for app in (old, new):
            assert await best_use(app, alice) == "rotate"
        assert await new.upkeep.prune() == 5
        assert await new.upkeep.prune() == 0
        for app in (old, new):
            assert await best_use(app, alice) == "rotate"
            assert await names(app, alice, "configuration") >= {f"parser {n}" for n in range(3)}
            await learned(app, alice, f"late {app is old}", summary="configuration of late")
        for app in (old, new):
            assert await names(app, alice, "configuration of late") >= {"late True", "late False"}
        await new.removal.remove(alice, used.id)
        roles = {state.embedder: state.role for state in await new.upkeep.status()}
        assert roles[NEW_ID] == "serving"
    counts = await held(installation)
    assert counts[NEW_ID] == (5, 1)
    assert counts[OLD_ID] == (1, 0)  # of what the process wrote that still wants it


async def test_going_back_reads_everything_again_but_what_was_forgotten(
    installation: Installation, endpoint: Endpoint
) -> None:
    alice, _ = await changed(installation, endpoint)
    installation.clock.advance(HOUR)
    async with opened(installation, endpoint, **NEW) as app:
        await app.upkeep.prune()
    assert OLD_ID not in await held(installation)
    async with opened(installation, endpoint, **OLD) as app:
        await app.models.announce()
        with pytest.raises(Conflict, match="one is still reading"):
            await app.upkeep.prune()
        await app.upkeep.fill()
        assert await best_use(app, alice) == "rotate"
        assert OLD_ID in ((await looked(app, alice)).embedder or "")
    assert (await held(installation))[OLD_ID] == (4, 1)


async def test_nothing_is_pruned_while_a_search_may_still_need_it(
    installation: Installation, endpoint: Endpoint
) -> None:
    await changed(installation, endpoint)
    before = await held(installation)
    async with opened(installation, endpoint, **NEW) as app:
        with pytest.raises(Conflict, match="took over a moment ago"):
            await app.upkeep.prune()
    assert await held(installation) == before


async def test_a_server_prunes_after_a_week_in_small_steps_and_not_before(
    installation: Installation, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retirement, "_ROWS_A_STEP", 2)
    alice, _ = await changed(installation, endpoint)
    before = await held(installation)
    async with opened(installation, endpoint, **NEW) as app:
        installation.clock.advance(7 * DAY - HOUR)
        await app.upkeep.fill()
        assert await held(installation) == before
        installation.clock.advance(2 * HOUR)
        stop = asyncio.Event()

        async def search() -> None:
            while not stop.is_set():
                assert await best_use(app, alice) == "rotate"

        searching = asyncio.create_task(search())
        await app.upkeep.fill()
        stop.set()
        await searching
    del before[OLD_ID]
    assert await held(installation) == before


async def test_an_index_of_its_own_hears_of_it(
    postgres_url: str, endpoint: Endpoint, tmp_path: Path
) -> None:
    installation = Installation(postgres_url, tmp_path / "data")
    await changed(installation, endpoint)
    async with opened(installation, endpoint, vectors="pgvector", **NEW) as app:
        await app.upkeep.fill()
        assert {state.indexed for state in await app.upkeep.status()} == {4}
        installation.clock.advance(HOUR)
        await app.upkeep.prune()
        await app.upkeep.fill()
        compared = {each.embedder: each for each in await app.upkeep.check(whole=True)}
        assert all(each.holds for each in compared.values())
        assert (compared[OLD_ID].asked, compared[OLD_ID].strays) == (0, 0)
        assert OLD_ID not in {state.embedder for state in await app.upkeep.status()}


async def test_where_no_model_was_ever_given_a_place_nothing_is_pruned(
    installation: Installation, endpoint: Endpoint
) -> None:
    async with opened(installation, endpoint, **OLD) as app:
        alice = await agent(app, "alice")
        await learned(app, alice, "parser", summary="configuration")
    async with installation.open() as app:
        with pytest.raises(Conflict):
            await app.upkeep.prune()
    assert (await held(installation))[OLD_ID] == (1, 0)
