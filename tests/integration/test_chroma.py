"""Chroma keeps what every index promises, in the data folder and on a server."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from secrets import token_hex

import pytest

from tests.integration.chroma_servers import ChromaServer, chroma_server
from tmws.domain.errors import BackendUnavailable, Conflict
from tmws.testing.vector_suite import (
    MODEL,
    SPACE,
    SUITE,
    Check,
    Query,
    agrees,
    ask,
    expected,
    random_rows,
    unit_vectors,
)
from tmws.vectors.chroma import ChromaIndex

ROWS = random_rows(60)
QUERY = Query(unit_vectors(1, seed=30)[0])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChromaServer]:
    """One server for all tests of this module; each is an installation of its own on it."""
    with chroma_server(tmp_path_factory.mktemp("chroma")) as running:
        yield running


@pytest.fixture(params=["embedded", "server"])
async def index(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[ChromaIndex]:
    address = None
    if request.param == "server":
        address = request.getfixturevalue("server").address
    index = ChromaIndex(tmp_path / "chroma", address, token_hex(8))
    yield index
    await index.aclose()


@pytest.fixture
async def embedded(tmp_path: Path) -> AsyncIterator[ChromaIndex]:
    index = ChromaIndex(tmp_path / "chroma", None, "one installation")
    yield index
    await index.aclose()


@pytest.mark.parametrize("check", SUITE, ids=lambda check: check.__name__)
async def test_it_keeps_the_promise(check: Check, index: ChromaIndex) -> None:
    await check(index)


async def test_a_store_is_there_again_after_a_restart(
    embedded: ChromaIndex, tmp_path: Path
) -> None:
    await embedded.refresh(SPACE, MODEL, ROWS)
    await embedded.aclose()
    again = ChromaIndex(tmp_path / "chroma", None, "one installation")
    assert await again.revision(SPACE, MODEL) == ROWS[-1].revision
    agrees(await ask(again, QUERY), expected(ROWS, QUERY))
    await again.aclose()


async def test_a_second_process_is_told_who_owns_the_store(
    embedded: ChromaIndex, tmp_path: Path
) -> None:
    await embedded.refresh(SPACE, MODEL, ROWS)
    second = ChromaIndex(tmp_path / "chroma", None, "one installation")
    with pytest.raises(Conflict, match=f"Process {os.getpid()} owns the Chroma store"):
        await second.revision(SPACE, MODEL)
    await embedded.aclose()
    assert await second.count(SPACE, MODEL) == len(ROWS)
    await second.aclose()


async def test_the_owner_starts_anew_when_another_process_asks_for_it(
    embedded: ChromaIndex, tmp_path: Path
) -> None:
    await embedded.refresh(SPACE, MODEL, ROWS)
    second = ChromaIndex(tmp_path / "chroma", None, "one installation")
    await second.clear()
    assert await embedded.revision(SPACE, MODEL) == 0
    await embedded.refresh(SPACE, MODEL, ROWS)
    assert await embedded.count(SPACE, MODEL) == len(ROWS)
    await second.aclose()


async def test_a_killed_holder_is_started_again(embedded: ChromaIndex, tmp_path: Path) -> None:
    await embedded.refresh(SPACE, MODEL, ROWS)
    child = embedded._store._child  # type: ignore[attr-defined]
    os.kill(child.pid, signal.SIGKILL)
    with pytest.raises(BackendUnavailable, match=r"died \(-9\)"):
        await embedded.revision(SPACE, MODEL)
    assert await embedded.revision(SPACE, MODEL) == ROWS[-1].revision
    agrees(await ask(embedded, QUERY), expected(ROWS, QUERY))
    assert (tmp_path / "chroma").stat().st_mode & 0o077 == 0


def files(store: Path) -> list[Path]:
    return [path for path in store.rglob("*") if path.is_file()]


@pytest.mark.parametrize("name", ["chroma.sqlite3", "header.bin", "link_lists.bin", "*"])
async def test_a_damaged_store_ends_its_holder_at_worst_and_can_be_cleared(
    embedded: ChromaIndex, tmp_path: Path, name: str
) -> None:
    many = random_rows(1_200)  # more than Chroma keeps outside its graph
    await embedded.refresh(SPACE, MODEL, many)
    await embedded.aclose()
    store = tmp_path / "chroma" / "store"
    for path in files(store):
        if path.match(name):
            path.write_bytes(bytes(path.stat().st_size))
    with pytest.raises(BackendUnavailable, match="tmws vectors rebuild"):
        await ask(embedded, QUERY)
    await embedded.clear()
    assert await embedded.revision(SPACE, MODEL) == 0
    await embedded.refresh(SPACE, MODEL, many)
    agrees(await ask(embedded, QUERY), expected(many, QUERY))


async def test_a_store_that_is_no_folder_can_be_cleared(
    embedded: ChromaIndex, tmp_path: Path
) -> None:
    await embedded.refresh(SPACE, MODEL, ROWS)
    await embedded.aclose()
    store, elsewhere = tmp_path / "chroma" / "store", tmp_path / "elsewhere"
    store.rename(elsewhere)
    for put in (lambda: store.write_text("no store"), lambda: store.symlink_to(tmp_path / "gone")):
        put()
        with pytest.raises(BackendUnavailable, match="tmws vectors rebuild"):
            await embedded.revision(SPACE, MODEL)
        await embedded.clear()
        assert await embedded.revision(SPACE, MODEL) == 0
        await embedded.clear()
    assert files(elsewhere)


async def test_a_folder_that_is_deleted_under_it_is_noticed_and_filled_again(
    embedded: ChromaIndex, tmp_path: Path
) -> None:
    await embedded.refresh(SPACE, MODEL, ROWS[:30])
    for path in files(tmp_path / "chroma" / "store"):
        path.unlink()
    with pytest.raises(BackendUnavailable):
        await embedded.refresh(SPACE, MODEL, ROWS[30:], after=30)
    assert await embedded.revision(SPACE, MODEL) == 0
    await embedded.refresh(SPACE, MODEL, ROWS)
    agrees(await ask(embedded, QUERY), expected(ROWS, QUERY))


async def test_a_server_may_die_and_come_back(tmp_path: Path) -> None:
    with chroma_server(tmp_path / "store") as server:
        index = ChromaIndex(tmp_path / "unused", server.address, "one installation")
        await index.refresh(SPACE, MODEL, ROWS[:30])
        server.kill()
        with pytest.raises(BackendUnavailable, match="Chroma server did not answer"):
            await index.refresh(SPACE, MODEL, ROWS[30:])
        server.start()
        await index.refresh(SPACE, MODEL, ROWS[30:])
        agrees(await ask(index, QUERY), expected(ROWS, QUERY))
        await index.aclose()


async def test_two_installations_on_one_server_stay_apart(
    server: ChromaServer, tmp_path: Path
) -> None:
    one, two = (ChromaIndex(tmp_path, server.address, token_hex(8)) for _ in range(2))
    await one.refresh(SPACE, MODEL, ROWS)
    assert await two.revision(SPACE, MODEL) == 0
    assert await ask(two, QUERY) == []
    await two.clear()
    assert await one.count(SPACE, MODEL) == len(ROWS)
    for index in (one, two):
        await index.aclose()


@pytest.mark.parametrize("address", ["localhost:8000", "ftp://here"])
async def test_an_address_that_is_none_is_refused(address: str, tmp_path: Path) -> None:
    with pytest.raises(BackendUnavailable, match="TMWS_VECTORS_URL"):
        ChromaIndex(tmp_path, address, "one installation")
