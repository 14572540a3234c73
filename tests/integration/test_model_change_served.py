"""Another model while servers run: real processes, killed half-way, with searches going on."""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from tests.answers import text_of
from tests.endpoints import Endpoint, Writer, played
from tests.integration.services import Installation, learned
from tests.integration.test_model_change import NEW_ID, OLD_ID, stored, well
from tests.patience import ENOUGH_SECONDS
from tmws.domain.usage import UseOutcome
from tmws.services.outcomes import OutcomeReport
from tmws.services.upkeep import TEXTS_A_TURN

PATTERNS, USES = 80, 40
REQUEST = "the staging host answers with a stale certificate"
SPELLING = "hashing-512-1 + "


def environment(place: Installation, endpoint: Endpoint, model: str, secret: str) -> dict[str, str]:
    dimension = {"old": "8", "new": "24"}[model]
    return {
        "TMWS_DATA_DIR": str(place.folder),
        "TMWS_DATABASE_URL": place.url,
        "TMWS_AGENT_ID": "alice",
        "TMWS_AGENT_SECRET": secret,
        "TMWS_EMBEDDER": "openai",
        "TMWS_EMBEDDER_URL": endpoint.url,
        "TMWS_EMBEDDER_MODEL": model,
        "TMWS_EMBEDDER_DIMENSION": dimension,
    }


@asynccontextmanager
async def session(log: Path, settings: Mapping[str, str]) -> AsyncIterator[Client]:
    """Start `tmws serve` on standard streams and connect to it."""
    server = StdioServerParameters(
        command=sys.executable, args=["-m", "tmws", "serve"], env=dict(settings)
    )
    with log.open("w") as errors:
        async with Client(stdio_client(server, errors)) as client:
            yield client


@asynccontextmanager
async def unattended(settings: Mapping[str, str]) -> AsyncIterator[Process]:
    """Start `tmws serve` that nobody speaks to; it is killed without warning at the end."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tmws", "serve"),
        env={**os.environ, **settings},
        stdin=PIPE,
        stdout=DEVNULL,
        stderr=DEVNULL,
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


class Searcher:
    """Asks one server again and again; every answer has to be whole."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.served: list[str] = []
        self._answered = asyncio.Condition()

    async def run(self) -> None:
        while True:
            found = await self._asked("configuration parser")
            assert len(found["items"]) == 50
            best = (await self._asked(REQUEST))["items"][0]
            assert best["name"] == "rotate"
            assert "uses" in best["why"]
            async with self._answered:
                self.served.append(found["embedder"].removeprefix(SPELLING))
                self._answered.notify_all()
            await asyncio.sleep(0.02)  # the servers are to get on with their reading, too

    async def until(self, embedder: str) -> None:
        seen = len(self.served)
        async with self._answered:
            await self._answered.wait_for(lambda: embedder in self.served[seen:])

    async def _asked(self, query: str) -> dict[str, Any]:
        result = await self._client.call_tool("find_patterns", {"query": query, "limit": 50})
        assert not result.is_error, text_of(result)
        found: dict[str, Any] = result.structured_content or {}
        assert "degraded" not in found
        return found


async def written(client: Client) -> None:
    """Learn and report without end, beside the change."""
    number = 0
    while True:
        name = f"late parser {number}"
        fields = {"name": name, "category": "build", "summary": "configuration of late"}
        result = await client.call_tool("learn_pattern", fields)
        assert not result.is_error, text_of(result)
        use = {"pattern_id": (result.structured_content or {})["id"], "outcome": "partial"}
        result = await client.call_tool("report_outcome", use | {"context": f"late {number}"})
        assert not result.is_error, text_of(result)
        number += 1
        await asyncio.sleep(0.1)


class HalfWay:
    """Lets the new model read two turns of texts, then leaves whoever reads on waiting."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self._turns = 0

    async def __call__(self, request: dict[str, Any], writer: Writer) -> None:
        if request["model"] == "new" and len(request["input"]) == TEXTS_A_TURN:
            self._turns += 1
            if self._turns > 2:
                self.reached.set()
                await asyncio.Event().wait()
        await well(request, writer)


async def prepared(place: Installation, endpoint: Endpoint) -> str:
    """Store patterns and uses that the old model has read; return alice's secret."""
    model = {"embedder_model": "old", "embedder_dimension": 8}
    async with place.open(embedder="openai", embedder_url=endpoint.url, **model) as app:
        made = await app.agents.create("alice", by="test")
        for number in range(PATTERNS):
            await learned(app, made.agent, f"parser {number}", summary=f"configuration {number}")
        used = await learned(app, made.agent, "rotate", summary="Renew TLS secrets.")
        for _ in range(USES):
            report = OutcomeReport(used.id, UseOutcome.SUCCESS, context=REQUEST)
            await app.outcomes.report(made.agent, report)
        await app.upkeep.fill()
    return made.secret


async def uses_read(place: Installation) -> dict[str, tuple[int, set[int]]]:
    """Return how many uses each model has read, and the lengths of their vectors."""
    async with place.database() as database, database.read() as connection:
        rows = await connection.execute(sa.text("SELECT embedder, length(vector) FROM use_vectors"))
        read: dict[str, tuple[int, set[int]]] = {}
        for embedder, length in rows:
            count, lengths = read.get(embedder, (0, set()))
            read[embedder] = count + 1, lengths | {length}
        return read


async def long_ago(place: Installation) -> None:
    """Have all models taken over long before, as after a week."""
    async with place.database() as database, database.write() as tx:
        await tx.execute(sa.text("UPDATE serving SET since = 0"))


async def test_servers_change_the_model_beside_their_requests_though_one_is_killed(
    sqlite_url: str, postgres_url: str, tmp_path: Path
) -> None:
    """One more half-minute for each database would say nothing new, so both change at once."""
    places = [
        Installation(url, tmp_path / url.partition(":")[0]) for url in (sqlite_url, postgres_url)
    ]
    async with played(well) as endpoint:
        secrets = [await prepared(place, endpoint) for place in places]
    async with asyncio.timeout(ENOUGH_SECONDS), asyncio.TaskGroup() as both:
        for place, secret in zip(places, secrets, strict=True):
            both.create_task(changed(place, secret))


async def changed(place: Installation, secret: str) -> None:
    """Change the model, kill who reads, have the rest go on, and prune; all under load."""
    half_way = HalfWay()
    async with played(half_way) as endpoint:
        old, new = (environment(place, endpoint, model, secret) for model in ("old", "new"))
        async with (
            session(place.folder / "old.log", old) as first,
            asyncio.TaskGroup() as tasks,
        ):
            of_old = Searcher(first)
            load = [tasks.create_task(of_old.run()), tasks.create_task(written(first))]
            await of_old.until(OLD_ID)
            async with unattended(new) as reading:
                await half_way.reached.wait()
                assert set(of_old.served) == {OLD_ID}
                reading.kill()
            endpoint.answer = well
            async with session(place.folder / "new.log", new) as second:
                of_new = Searcher(second)
                load.append(tasks.create_task(of_new.run()))
                await asyncio.gather(of_old.until(NEW_ID), of_new.until(NEW_ID))
                load.pop(1).cancel()
                await all_read_once(place)
                await pruned_under_load(place, of_old, of_new)
                for task in load:
                    task.cancel()
                await asyncio.wait(load)
            for searcher in (of_old, of_new):
                assert searcher.served == sorted(searcher.served, key=(OLD_ID, NEW_ID).index)


async def all_read_once(place: Installation) -> None:
    """Check that the new model has read everything and no lengths are mixed."""
    assert await stored(place) == {"hashing-512-1": {2048}, OLD_ID: {32}, NEW_ID: {96}}
    read = await uses_read(place)
    assert {embedder: lengths for embedder, (_, lengths) in read.items()} == await stored(place)
    assert read[NEW_ID][0] == read["hashing-512-1"][0] >= USES


async def pruned_under_load(place: Installation, *searchers: Searcher) -> None:
    """Have a week pass, and see the servers prune while every search is answered in full."""
    await long_ago(place)
    while OLD_ID in await uses_read(place):
        await asyncio.gather(*(searcher.until(NEW_ID) for searcher in searchers))
    assert (await stored(place))[OLD_ID] == {0}
    await asyncio.gather(*(searcher.until(NEW_ID) for searcher in searchers))
