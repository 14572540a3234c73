"""Another language model than before: read beside the requests, then switched to at once."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest
import sqlalchemy as sa

from tests.endpoints import Endpoint, Writer, played, reply, saying
from tests.integration.services import Installation, agent, learned
from tmws.app import App
from tmws.domain.agents import Agent
from tmws.domain.errors import BackendUnavailable
from tmws.domain.memories import MemoryDraft
from tmws.domain.text import terms
from tmws.ports import Recipe
from tmws.services import upkeep
from tmws.services.learning import FoundPatterns, PatternQuery
from tmws.storage import serving
from tmws.storage.serving import Place, Stage
from tmws.testing.clock import START

OLD, NEW = (
    {"embedder_model": "old", "embedder_dimension": 8},
    {
        "embedder_model": "new",
        "embedder_dimension": 24,
    },
)
DIMENSIONS = {"old": 8, "new": 24}
OLD_ID, NEW_ID = "openai/old/8", "openai/new/24"


def vector(text: str, model: str) -> list[float]:
    """Return a bag of words, hashed: alike for texts that share words, another per model."""
    made = [0.01] * DIMENSIONS[model]
    for word in terms(text):
        made[crc32(f"{model} {word}".encode()) % len(made)] += 1.0
    return made


async def well(request: dict[str, Any], writer: Writer) -> None:
    data = [
        {"index": place, "embedding": vector(text, request["model"])}
        for place, text in enumerate(request["input"])
    ]
    writer.write(reply(json.dumps({"data": data})))
    await writer.drain()


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    async with played(well) as endpoint:
        yield endpoint


def opened(
    installation: Installation, endpoint: Endpoint, **model: Any
) -> contextlib.AbstractAsyncContextManager[App]:
    return installation.open(embedder="openai", embedder_url=endpoint.url, **model)


async def looked(app: App, caller: Agent, text: str = "configuration parser") -> FoundPatterns:
    return await app.learning.find(caller, PatternQuery(text, limit=50))


async def stored(app_place: Installation) -> dict[str, set[int]]:
    """Return the lengths of all vectors by embedder."""
    async with app_place.database() as database, database.read() as connection:
        rows = await connection.execute(sa.text("SELECT embedder, length(vector) FROM vectors"))
        lengths: dict[str, set[int]] = {}
        for embedder, length in rows:
            lengths.setdefault(embedder, set()).add(length)
        return lengths


async def filled(installation: Installation, endpoint: Endpoint, count: int) -> Agent:
    """Store patterns that the old model has read and serves."""
    async with opened(installation, endpoint, **OLD) as app:
        alice = await agent(app, "alice")
        for number in range(count):
            await learned(app, alice, f"parser {number}", summary=f"configuration {number}")
        await app.memory.remember(alice, MemoryDraft("about parsers", tags=("configuration",)))
        await app.upkeep.fill()
        assert OLD_ID in ((await looked(app, alice)).embedder or "")
    return alice


async def test_a_first_model_serves_once_it_has_read_what_was_there(
    installation: Installation, endpoint: Endpoint
) -> None:
    async with installation.open() as app:
        alice = await agent(app, "alice")
        await learned(app, alice, summary="parse configuration files")
    async with opened(installation, endpoint, **NEW) as app:
        before = await looked(app, alice)
        assert before.embedder == "hashing-512-1"
        assert before.degraded == "A first model is still reading, for meaning."
        assert [item.pattern.name for item in before.items] == ["retry"]
        await app.upkeep.fill()
        after = await looked(app, alice)
        assert after.embedder == f"hashing-512-1 + {NEW_ID}"
        assert after.degraded is None
        assert "meaning" in (after.items[0].parts or {})


async def test_a_change_under_load_fails_no_search_and_mixes_no_dimensions(
    installation: Installation, endpoint: Endpoint
) -> None:
    alice = await filled(installation, endpoint, 70)
    async with opened(installation, endpoint, **NEW) as app:
        served: list[str] = []
        done = asyncio.Event()

        async def find() -> None:
            while not done.is_set():
                answer = await looked(app, alice)
                assert answer.degraded is None
                assert len(answer.items) == 50
                served.append((answer.embedder or "").removeprefix("hashing-512-1 + "))

        async def learn() -> None:
            for number in range(100, 140):
                await learned(app, alice, f"parser {number}", summary="configuration of later")

        async def change() -> None:
            await app.upkeep.fill()
            for _ in range(3):
                await looked(app, alice)
            done.set()

        async with asyncio.timeout(100), asyncio.TaskGroup() as tasks:
            for work in (find(), find(), learn(), change()):
                tasks.create_task(work)
        assert set(served) == {OLD_ID, NEW_ID}
        assert served == sorted(served, key=(OLD_ID, NEW_ID).index)
        await app.upkeep.fill()
        states = await app.upkeep.status()
        assert {state.role: state.embedder for state in states if "openai" in state.embedder} == {
            "serving": NEW_ID,
            "kept": OLD_ID,
        }
        assert all(state.texts == state.vectors for state in states if state.role == "serving")
    lengths = await stored(installation)
    assert lengths == {"hashing-512-1": {2048}, OLD_ID: {32}, NEW_ID: {96}}


async def test_killed_half_way_it_goes_on_where_it_was(
    installation: Installation, endpoint: Endpoint
) -> None:
    alice = await filled(installation, endpoint, 100)
    calls = 0
    half_way = asyncio.Event()

    async def stopping(request: dict[str, Any], writer: Writer) -> None:
        nonlocal calls
        calls += 1
        if calls > 2:
            half_way.set()
            await asyncio.Event().wait()
        await well(request, writer)

    endpoint.answer = stopping
    environment = {
        "TMWS_DATA_DIR": str(installation.folder),
        "TMWS_DATABASE_URL": installation.url,
        "TMWS_EMBEDDER": "openai",
        "TMWS_EMBEDDER_URL": endpoint.url,
        "TMWS_EMBEDDER_MODEL": "new",
        "TMWS_EMBEDDER_DIMENSION": "24",
        "TMWS_EMBEDDER_SECONDS": "60",
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tmws", "vectors", "fill"),
        env={**os.environ, **environment},
        stdout=asyncio.subprocess.DEVNULL,
    )
    async with asyncio.timeout(60):
        await half_way.wait()
    os.kill(process.pid, signal.SIGKILL)
    await process.wait()
    endpoint.answer = well
    endpoint.requests.clear()
    async with opened(installation, endpoint, **NEW) as app:
        states = {
            state.kind: state for state in await app.upkeep.status() if state.role == "coming"
        }
        assert states["pattern"].vectors == 64
        found = await looked(app, alice)
        assert OLD_ID in (found.embedder or "")
        assert found.degraded is None
        await app.upkeep.fill()
        assert NEW_ID in ((await looked(app, alice)).embedder or "")
    read = [
        text for *_, body in endpoint.requests if body["model"] == "new" for text in body["input"]
    ]
    assert len([text for text in read if text.startswith("parser")]) == 100 - 64


async def test_a_model_that_is_gone_leaves_words_and_spelling_and_says_so(
    installation: Installation, endpoint: Endpoint
) -> None:
    alice = await filled(installation, endpoint, 3)
    async with installation.database() as database, database.write() as tx:
        gone = Place("meaning", Stage.SERVING, "gone-1", Recipe("gone"), START)
        await serving.put(tx, gone)
    async with opened(installation, endpoint, **NEW) as app:
        found = await looked(app, alice)
        assert len(found.items) == 3
        assert found.embedder == "hashing-512-1"
        assert found.degraded is not None
        assert "No embeddings backend 'gone' is installed" in found.degraded
        await app.upkeep.fill()
        assert (await looked(app, alice)).degraded is None


@pytest.mark.parametrize("fault", ["500", "another length"])
async def test_a_failing_model_costs_no_write_and_reads_it_later(
    installation: Installation, endpoint: Endpoint, fault: str
) -> None:
    alice = await filled(installation, endpoint, 2)
    endpoint.answer = (
        saying(lambda _: {}, "500 Internal Server Error")
        if fault == "500"
        else saying(lambda _: {"data": [{"index": 0, "embedding": [1.0] * 9}]})
    )
    async with opened(installation, endpoint, **OLD) as app:
        await learned(app, alice, "parser of late", summary="configuration")
        found = await looked(app, alice)
        assert len(found.items) == 3
        assert found.degraded is not None
        assert found.degraded.startswith("Without meaning: The embedder openai/old/8 answered")
    endpoint.answer = well
    async with opened(installation, endpoint, **OLD) as app:
        await app.upkeep.fill()
        found = await looked(app, alice)
        assert found.degraded is None
        assert all("meaning" in (item.parts or {}) for item in found.items[:1])
        assert all(state.texts == state.vectors for state in await app.upkeep.status())
    assert (await stored(installation))[OLD_ID] == {32}


async def test_a_model_that_fails_while_it_reads_leaves_the_old_one_serving(
    installation: Installation, endpoint: Endpoint
) -> None:
    """An index that could not be filled is not switched to, and nothing else waits for it."""
    alice = await filled(installation, endpoint, 3)

    async def only_the_old(request: dict[str, Any], writer: Writer) -> None:
        failing = saying(lambda _: {}, "500 Internal Server Error")
        await (well if request["model"] == "old" else failing)(request, writer)

    endpoint.answer = only_the_old
    async with opened(installation, endpoint, **NEW) as app:
        await app.upkeep.fill()
        with pytest.raises(BackendUnavailable, match="openai/new/24"):
            await app.models.try_all()
        found = await looked(app, alice)
        assert (found.embedder or "").endswith(OLD_ID)
        assert found.degraded is None
    endpoint.answer = well
    async with opened(installation, endpoint, **NEW) as app:
        assert OLD_ID in await app.models.try_all()
        await app.upkeep.fill()
        assert NEW_ID in await app.models.try_all()


async def test_who_starts_last_decides_and_going_back_reads_only_what_is_new(
    installation: Installation, endpoint: Endpoint
) -> None:
    alice = await filled(installation, endpoint, 5)
    async with opened(installation, endpoint, **NEW) as app:
        await app.upkeep.fill()
        await learned(app, alice, "parser of late", summary="configuration")
    endpoint.requests.clear()
    async with opened(installation, endpoint, **OLD) as app:
        await app.upkeep.fill()
        assert OLD_ID in ((await looked(app, alice)).embedder or "")
    read = [text for *_, body in endpoint.requests for text in body["input"]]
    assert [text.splitlines()[0] for text in read] == ["parser of late", "configuration parser"]


async def test_a_server_reads_and_switches_beside_its_requests(
    installation: Installation, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice = await filled(installation, endpoint, 40)
    monkeypatch.setattr(upkeep, "_LOOK_SECONDS", 0.01)
    async with opened(installation, endpoint, **NEW) as app:
        running = asyncio.create_task(app.upkeep.run())
        async with asyncio.timeout(60):
            while True:
                found = await looked(app, alice)
                assert found.degraded is None
                if NEW_ID in (found.embedder or ""):
                    break
        await learned(app, alice, "parser of late", summary="configuration")
        running.cancel()
        await asyncio.wait([running])
        assert running.cancelled()


async def test_agents_are_not_told_what_an_endpoint_or_a_server_says(
    installation: Installation, endpoint: Endpoint, tmp_path: Path
) -> None:
    alice = await filled(installation, endpoint, 2)
    endpoint.answer = saying(lambda _: {"error": "secret-host.internal"}, "500 Oops")
    async with opened(
        installation,
        endpoint,
        vectors="pgvector",
        vectors_url=f"postgresql://nobody:pass-word@/secret-base?host={tmp_path}",
        **OLD,
    ) as app:
        found = await looked(app, alice)
        assert found.degraded is not None
        for word in ("secret", "nobody", "pass-word", str(tmp_path)):
            assert word not in found.degraded
        assert len(found.items) == 2
