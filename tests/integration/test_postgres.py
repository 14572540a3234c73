"""The server that other tests rely on: real, private, and as an installation has it."""

from __future__ import annotations

import stat

import pytest
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.sql import text

from tests.postgres import PostgresServer, postgres_server


async def ask(url: str, question: str) -> object:
    engine = create_async_engine(make_url(url).set(drivername="postgresql+asyncpg"))
    try:
        async with engine.connect() as connection:
            return await connection.scalar(text(question))
    finally:
        await engine.dispose()


async def test_a_database_has_pgvector_and_an_owner_without_rights(postgres_url: str) -> None:
    assert await ask(postgres_url, "SELECT '[1,0]'::vector <=> '[0,1]'::vector") == 1.0
    assert await ask(postgres_url, "SELECT current_setting('is_superuser')") == "off"


async def test_the_owner_needs_his_password(postgres_url: str) -> None:
    stranger = make_url(postgres_url).set(password="guess")
    with pytest.raises(DBAPIError, match="password authentication failed"):
        await ask(stranger.render_as_string(hide_password=False), "SELECT 1")


def test_nobody_else_on_the_machine_reaches_the_server(postgres: PostgresServer) -> None:
    assert stat.S_IMODE(postgres.data.parent.stat().st_mode) == 0o700
    assert postgres.run_sql("SHOW listen_addresses") == ""


def test_a_durable_server_writes_through_and_leaves_nothing_behind() -> None:
    with postgres_server(durable=True) as server:
        assert server.run_sql("SHOW fsync") == "on"
        folder = server.data.parent
    assert not folder.exists()
