"""pgvector keeps what every index promises, on the server that the tests run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.postgres import PostgresServer
from tmws.domain.errors import BackendUnavailable
from tmws.testing.vector_suite import (
    MODEL,
    SPACE,
    SUITE,
    Check,
    Query,
    agrees,
    ask,
    expected,
    finds_enough_where_most_is_hidden,
    random_rows,
    unit_vectors,
)
from tmws.vectors.pgvector import PgvectorIndex

STORE = "one installation"


@pytest.fixture
async def index(postgres_url: str, tmp_path: Path) -> AsyncIterator[PgvectorIndex]:
    index = PgvectorIndex(tmp_path, postgres_url, STORE)
    yield index
    await index.aclose()


@pytest.mark.parametrize("check", SUITE, ids=lambda check: check.__name__)
async def test_it_keeps_the_promise(check: Check, index: PgvectorIndex) -> None:
    await check(index)


async def test_the_graph_finds_enough_however_little_may_be_seen(
    postgres_url: str, tmp_path: Path
) -> None:
    # Left to itself the planner reads few rows one by one, which is exact.
    graph_only = f"{postgres_url}&enable_seqscan=off&enable_bitmapscan=off&enable_sort=off"
    index = PgvectorIndex(tmp_path, graph_only, STORE)
    await finds_enough_where_most_is_hidden(index)
    await index.aclose()


async def test_another_process_goes_on_where_one_stopped(
    index: PgvectorIndex, postgres_url: str, tmp_path: Path
) -> None:
    rows = random_rows(30)
    await index.refresh(SPACE, MODEL, rows[:20])
    other = PgvectorIndex(tmp_path, postgres_url, STORE)
    assert await other.revision(SPACE, MODEL) == rows[19].revision
    await other.refresh(SPACE, MODEL, rows[20:])
    query = Query(unit_vectors(1, seed=4)[0])
    agrees(await ask(index, query), expected(rows, query))
    await other.aclose()


async def test_many_may_begin_at_once_and_feed_the_same(postgres_url: str, tmp_path: Path) -> None:
    indexes = [PgvectorIndex(tmp_path, postgres_url, STORE) for _ in range(4)]
    rows = random_rows(80)
    await asyncio.gather(*(index.refresh(SPACE, MODEL, rows) for index in indexes))
    assert await indexes[0].count(SPACE, MODEL) == 80
    for each in indexes:
        await each.aclose()


async def test_a_server_that_is_gone_is_unavailable(
    index: PgvectorIndex, postgres: PostgresServer, postgres_url: str
) -> None:
    await index.refresh(SPACE, MODEL, random_rows(3))
    name = postgres_url.partition("@/")[2].partition("?")[0]
    postgres.drop_database(name)
    with pytest.raises(BackendUnavailable, match="did not answer"):
        await index.revision(SPACE, MODEL)


async def test_without_postgresql_it_says_what_to_set(tmp_path: Path) -> None:
    with pytest.raises(BackendUnavailable, match="TMWS_DATABASE_URL"):
        PgvectorIndex(tmp_path, "sqlite:///tmws.db", STORE)


async def test_two_installations_in_one_database_stay_apart(
    index: PgvectorIndex, postgres_url: str, tmp_path: Path
) -> None:
    await index.refresh(SPACE, MODEL, random_rows(30))
    other = PgvectorIndex(tmp_path, postgres_url, "another installation")
    assert await other.revision(SPACE, MODEL) == 0
    assert await ask(other, Query(unit_vectors(1, seed=4)[0])) == []
    await other.clear()
    assert await index.count(SPACE, MODEL) == 30
    await other.aclose()
