"""Another index than the exact one: it serves while it can, and costs nothing when it cannot."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import signal
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
import sqlalchemy as sa

from tests.integration.chroma_servers import chroma_server
from tests.integration.services import Installation, agent, learned, silent
from tests.integration.test_search import names
from tests.patience import ENOUGH_SECONDS
from tests.postgres import PostgresServer
from tmws.app import App
from tmws.domain.errors import BackendUnavailable, InvalidInput
from tmws.domain.memories import MemoryDraft
from tmws.embeddings.hashing import HashingEmbedder
from tmws.faces.mcp.registry import Call
from tmws.faces.mcp.tools.learning import FindPatterns, find_patterns
from tmws.services.learning import PatternQuery
from tmws.services.memory import MemoryQuery
from tmws.services.nearest import ROWS_A_QUERY, Block, Nearest, Space
from tmws.storage.database import Transaction
from tmws.storage.documents import Kind
from tmws.storage.turns import turn
from tmws.vectors.exact import ExactIndex


@pytest.fixture
def on_postgres(postgres_url: str, tmp_path: Path) -> Installation:
    return Installation(postgres_url, tmp_path / "data")


async def found(app: App, text: str = "configuration parser") -> tuple[set[str], str | None]:
    [alice] = await app.agents.every()
    answer = await app.learning.find(alice, PatternQuery(text, limit=50))
    for item in answer.items:
        assert "characters" in (item.parts or {})
    return set(names(answer)), answer.degraded


async def test_the_chosen_index_serves_what_was_just_written(on_postgres: Installation) -> None:
    async with on_postgres.open(vectors="pgvector") as app, on_postgres.open() as other:
        alice = await agent(app, "alice")
        await learned(app, alice, "first", summary="parse configuration files")
        assert await found(app) == ({"first"}, None)
        await learned(other, alice, "second", summary="parsing of configuration")
        assert await found(app) == ({"first", "second"}, None)


async def test_it_hides_what_the_exact_index_hides(on_postgres: Installation) -> None:
    async with on_postgres.open(vectors="pgvector") as app, on_postgres.open() as exact:
        alice, bob = await agent(app, "alice"), await agent(app, "bob")
        for level in ("private", "shared", "public"):
            shared_with = ("bob",) if level == "shared" else ()
            await learned(app, alice, f"{level} retry", level=level, shared_with=shared_with)
        for caller in (alice, bob):
            query = PatternQuery("retry")
            assert names(await app.learning.find(caller, query)) == names(
                await exact.learning.find(caller, query)
            )


async def test_far_behind_it_lets_exact_vectors_serve(on_postgres: Installation) -> None:
    async with on_postgres.open() as app:
        alice = await agent(app, "alice")
        for number in range(ROWS_A_QUERY + 1):
            await learned(app, alice, f"parser {number}", summary="configuration")
    async with on_postgres.open(vectors="pgvector") as app:
        seen, degraded = await found(app)
        assert len(seen) == 50
        assert degraded == "The vector index is catching up; exact vectors serve."
        assert (await found(app))[1] is None


async def test_a_lost_index_costs_neither_an_answer_nor_a_write(
    on_postgres: Installation, postgres: PostgresServer
) -> None:
    elsewhere = postgres.create_database("elsewhere")
    async with on_postgres.open(vectors="pgvector", vectors_url=elsewhere) as app:
        alice = await agent(app, "alice")
        await learned(app, alice, "first", summary="parse configuration files")
        assert await found(app) == ({"first"}, None)
        well = await find_patterns.run(Call(app, alice, silent), FindPatterns(query="parser"))
        assert isinstance(well, dict)
        assert "degraded" not in well
        # In a thread: the server waits for whoever is logging in, which takes this loop.
        await asyncio.to_thread(postgres.drop_database, "elsewhere")
        await learned(app, alice, "second", summary="parsing of configuration")
        await app.memory.remember(alice, MemoryDraft("configuration of the parser"))
        seen, degraded = await found(app)
        assert seen == {"first", "second"}
        assert degraded is not None
        assert "did not answer" in degraded
        call = Call(app, alice, silent)
        told = await find_patterns.run(call, FindPatterns(query="configuration parser"))
        assert isinstance(told, dict)
        assert told["degraded"] == degraded
        recalled = await app.memory.recall(alice, MemoryQuery("configuration parser"))
        assert len(recalled.items) == 1
        assert recalled.degraded == degraded
    postgres.create_database("elsewhere")
    async with on_postgres.open(vectors="pgvector", vectors_url=elsewhere) as app:
        assert await found(app) == ({"first", "second"}, None)
    postgres.drop_database("elsewhere")


class Stalling:
    """A database whose answers about vectors are late, by as much as a test says."""

    def __init__(self, seconds: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._seconds = seconds

    async def stall(self, connection: Transaction) -> None:
        driver: Any = (await connection.get_raw_connection()).dbapi_connection
        await driver.on_thread(lambda raw: raw.set_trace_callback(self._answering))

    def _answering(self, statement: str) -> None:
        if "FROM vectors" in statement:
            over = threading.Event()
            self._loop.call_soon_threadsafe(self._loop.call_later, self._seconds, over.set)
            assert over.wait(60)


async def test_a_database_that_stalls_is_no_fault_of_the_index(
    sqlite_url: str, tmp_path: Path
) -> None:
    """Cut off half-way its transaction would answer nothing, and neither would exact vectors."""
    place, model = Installation(sqlite_url, tmp_path), HashingEmbedder()
    async with place.open() as app:
        alice = await agent(app, "alice")
        kept = await learned(app, alice, "first", summary="parse configuration files")
    [near] = await model.embed(["configuration"])
    space = Space(Block(Kind.PATTERN, kept.namespace, model.id), written=1)
    nearest = Nearest(ExactIndex, lambda **_: ExactIndex(), seconds=0.05)
    async with place.database() as database, database.read() as connection:
        await Stalling(0.2).stall(connection)
        found = await nearest.search(
            connection, near, [space], caller_id=alice.id, granted=(), limit=5
        )
    assert [match.pattern_id for match in found.matches] == [kept.id]
    assert not found.degraded


async def test_an_index_that_nobody_installed_is_refused(on_postgres: Installation) -> None:
    with pytest.raises(InvalidInput, match="No vectors backend 'faiss'"):
        async with on_postgres.open(vectors="faiss"):
            pass


async def test_chroma_in_the_data_folder_serves_its_owner_and_others_go_on_exactly(
    installation: Installation,
) -> None:
    async with installation.open(vectors="chroma") as owner:
        alice = await agent(owner, "alice")
        await learned(owner, alice, "first", summary="parse configuration files")
        await until_it_serves(owner)
        async with installation.open(vectors="chroma") as other:
            await learned(other, alice, "second", summary="parsing of configuration")
            for seen in await until(other, lambda said: "owns the Chroma store" in (said or "")):
                assert seen == {"first", "second"}
        assert (await until_it_serves(owner))[-1] == {"first", "second"}


async def test_first_requests_that_come_together_start_one_index(
    installation: Installation,
) -> None:
    """Else the one that came second keeps the store, and nobody asks it."""
    async with installation.open(vectors="chroma") as app:
        alice = await agent(app, "alice")
        await learned(app, alice, "first", summary="parse configuration files")
        for seen, degraded in await asyncio.gather(*(found(app) for _ in range(6))):
            assert seen == {"first"}
            assert "owns the Chroma store" not in (degraded or "")
        await until_it_serves(app)


async def until_it_serves(app: App) -> list[set[str]]:
    return await until(app, lambda degraded: degraded is None)


async def until(app: App, expected: Callable[[str | None], bool]) -> list[set[str]]:
    """Ask until that is said of the index; return what was found each time."""
    answers = []
    async with asyncio.timeout(ENOUGH_SECONDS):
        while True:
            seen, degraded = await found(app)
            answers.append(seen)
            if expected(degraded):
                return answers
            await asyncio.sleep(0.2)


async def test_a_chroma_server_killed_half_way_costs_nothing(
    installation: Installation, tmp_path: Path
) -> None:
    with chroma_server(tmp_path / "store") as server:
        async with installation.open(vectors="chroma", vectors_url=server.address) as app:
            alice = await agent(app, "alice")
            await learned(app, alice, "first", summary="parse configuration files")
            assert await found(app) == ({"first"}, None)
            server.kill()
            await learned(app, alice, "second", summary="parsing of configuration")
            seen, degraded = await found(app)
            assert seen == {"first", "second"}
            assert degraded is not None
            assert "did not answer" in degraded
        server.start()
        async with installation.open(vectors="chroma", vectors_url=server.address) as app:
            assert await found(app) == ({"first", "second"}, None)


async def test_a_killed_server_is_named_in_the_status_and_nothing_waits_for_it(
    sqlite_url: str, tmp_path: Path
) -> None:
    place = Installation(sqlite_url, tmp_path / "data")
    with chroma_server(tmp_path / "store") as server:
        async with place.open(vectors="chroma", vectors_url=server.address) as app:
            alice = await agent(app, "alice")
            await learned(app, alice, "first", summary="parse configuration files")
            await app.upkeep.fill()
            assert await app.upkeep.trouble() is None
            server.kill()
            trouble = await app.upkeep.trouble()
            assert isinstance(trouble, BackendUnavailable)
            [state] = await app.upkeep.status()
            assert (state.vectors, state.indexed, state.behind) == (1, None, None)
            with pytest.raises(BackendUnavailable):
                await app.upkeep.check(whole=True)


async def test_a_server_that_hangs_is_left_alone_and_exact_vectors_serve(
    sqlite_url: str, tmp_path: Path
) -> None:
    place = Installation(sqlite_url, tmp_path / "data")
    with chroma_server(tmp_path / "store") as server:
        async with place.open(
            vectors="chroma", vectors_url=server.address, vectors_seconds=1.0
        ) as app:
            alice = await agent(app, "alice")
            await learned(app, alice, "first", summary="parse configuration files")
            await app.upkeep.fill()
            assert server.process is not None
            server.process.send_signal(signal.SIGSTOP)
            await learned(app, alice, "second", summary="parsing of configuration")
            for _ in range(2):  # the second does not wait for it again
                seen, degraded = await found(app)
                assert seen == {"first", "second"}
                assert degraded is not None
                assert "did not answer" in degraded


async def test_while_another_process_feeds_the_index_exact_vectors_serve(
    on_postgres: Installation,
) -> None:
    async with on_postgres.open(vectors="pgvector") as app, on_postgres.database() as database:
        alice = await agent(app, "alice")
        await learned(app, alice, "first", summary="parse configuration files")
        async with database.read() as other, turn(other, "vectors") as theirs:
            assert theirs
            await app.upkeep.fill()
            seen, degraded = await found(app)
            assert seen == {"first"}
            assert degraded == "The vector index is catching up; exact vectors serve."
            with pytest.raises(BackendUnavailable, match="is behind"):
                await app.upkeep.check(whole=True)
        assert await found(app) == ({"first"}, None)


async def test_status_check_and_rebuild_say_and_mend_what_is_wrong(
    installation: Installation, tmp_path: Path
) -> None:
    with chroma_server(tmp_path / "store") as server:
        async with installation.open(vectors="chroma", vectors_url=server.address) as app:
            alice = await agent(app, "alice")
            for number in range(30):
                await learned(app, alice, f"parser {number}", summary="configuration")
            [before] = await app.upkeep.status()
            assert (before.texts, before.vectors, before.indexed, before.behind) == (30, 30, 0, 30)
            await app.upkeep.fill()
            [state] = await app.upkeep.status()
            assert (state.role, state.indexed, state.behind) == ("serving", 30, 0)
            [compared] = await app.upkeep.check(whole=True)
            assert (compared.asked, compared.recall, compared.strays) == (30, 1.0, 0)
            await lose_some(server.address)
            [compared] = await app.upkeep.check(whole=True)
            assert not compared.holds
            assert compared.strays == -10
            await app.upkeep.rebuild()
            [compared] = await app.upkeep.check(whole=True)
            assert compared.holds


async def lose_some(address: str) -> None:
    """Take ten vectors out of the only collection, behind the index's back."""
    base = "/api/v2/tenants/default_tenant/databases/default_database/collections"
    async with httpx2.AsyncClient(base_url=address) as http:
        [collection] = (await http.get(base)).json()
        rows = (await http.post(f"{base}/{collection['id']}/get", json={"limit": 10})).json()
        await http.post(f"{base}/{collection['id']}/delete", json={"ids": rows["ids"]})


@pytest.mark.parametrize("damage", ["deleted", "overwritten"])
async def test_a_ruined_folder_loses_nothing_and_rebuild_restores_it(
    installation: Installation, damage: str
) -> None:
    store = installation.folder / "vectors" / "chroma" / "store"
    async with installation.open(vectors="chroma") as app:
        alice = await agent(app, "alice")
        await learned(app, alice, "first", summary="parse configuration files")
        await until_it_serves(app)
    if damage == "deleted":
        shutil.rmtree(store)
    else:
        (store / "chroma.sqlite3").write_bytes(b"garbage" * 1_000)
    async with installation.open(vectors="chroma") as app:
        await learned(app, alice, "second", summary="parsing of configuration")
        assert (await found(app))[0] == {"first", "second"}
        await app.upkeep.rebuild()
        assert await found(app) == ({"first", "second"}, None)
        [state] = await app.upkeep.status()
        assert (state.indexed, state.behind) == (2, 0)


async def test_an_index_that_knows_more_than_a_backup_forgets_what_never_happened(
    sqlite_url: str, tmp_path: Path
) -> None:
    place, backup = Installation(sqlite_url, tmp_path / "data"), tmp_path / "backup.db"
    with chroma_server(tmp_path / "store") as server:
        async with place.open(vectors="chroma", vectors_url=server.address) as app:
            alice = await agent(app, "alice")
            await learned(app, alice, "first", summary="parse configuration files")
            with contextlib.closing(sqlite3.connect(tmp_path / "tmws.db")) as whole:
                whole.execute("VACUUM INTO ?", [str(backup)])
            for number in range(5):
                await learned(app, alice, f"lost {number}", summary="parsing of configuration")
            await app.upkeep.fill()
            [state] = await app.upkeep.status()
            assert state.indexed == 6
        put_back(backup, tmp_path / "tmws.db")
        async with place.open(vectors="chroma", vectors_url=server.address) as app:
            await app.upkeep.fill()
            [compared] = await app.upkeep.check(whole=True)
            assert (compared.asked, compared.strays) == (1, 0)
            assert await found(app) == ({"first"}, None)


def put_back(backup: Path, database: Path) -> None:
    for left in database.parent.glob(f"{database.name}*"):
        left.unlink()
    backup.rename(database)


async def test_an_index_from_before_a_restored_backup_starts_anew(
    installation: Installation, tmp_path: Path
) -> None:
    with chroma_server(tmp_path / "store") as server:
        async with installation.open(vectors="chroma", vectors_url=server.address) as app:
            alice = await agent(app, "alice")
            await learned(app, alice, "first", summary="parse configuration files")
            await app.upkeep.fill()
            async with installation.database() as database, database.write() as tx:
                # What a backup does: the count of writes is behind what the index has seen.
                await tx.execute(sa.text("UPDATE namespaces SET revision = 0"))
                await tx.execute(sa.text("DELETE FROM vectors"))
            await app.upkeep.fill()
            await learned(app, alice, "second", summary="parsing of configuration")
            await app.upkeep.fill()
            assert (await found(app, "parsing configuration"))[0] == {"first", "second"}
            states = await app.upkeep.status()
            assert all(state.indexed == state.vectors == 2 for state in states)
