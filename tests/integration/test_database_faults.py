"""A database that is not there, is damaged or refuses us is said to be so."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import make_url

from tests.integration.database_seen import count, database
from tests.integration.services import Installation, agent, learned
from tests.postgres import PostgresServer
from tmws.app import App
from tmws.domain.errors import BackendUnavailable, InvalidInput
from tmws.storage.database import Database

__all__ = ["database"]


@pytest.mark.parametrize("change", [{"password": "guess"}, {"database": "absent"}])
async def test_a_server_that_refuses_us_is_unavailable(
    postgres_url: str, change: dict[str, str]
) -> None:
    url = make_url(postgres_url).set(**change)  # type: ignore[arg-type]
    database = Database(url.render_as_string(hide_password=False))
    with pytest.raises(BackendUnavailable, match="did not answer"):
        async with database.read():
            pass
    await database.aclose()


async def test_a_server_that_goes_away_is_unavailable_and_found_again(
    app: App, postgres: PostgresServer, installation: Installation
) -> None:
    if installation.url.startswith("sqlite"):
        return  # a file does not go away while it is open
    alice = await agent(app, "alice")
    name = make_url(installation.url).database
    end = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"

    async def be_interrupted(database: Database) -> None:
        async with database.write() as tx:
            await tx.scalar(count())
            await asyncio.to_thread(postgres.run_sql, end)
            await tx.scalar(count())

    async with installation.database() as database:
        with pytest.raises(BackendUnavailable):
            await be_interrupted(database)
    assert (await learned(app, alice)).owner == "alice"


async def test_a_pool_that_stays_empty_is_a_fault(sqlite_url: str) -> None:
    database = Database(sqlite_url)
    with pytest.raises(BackendUnavailable):
        async with database.read():
            raise sa.exc.TimeoutError("QueuePool limit reached")
    await database.aclose()


@pytest.mark.parametrize(
    ("said", "asked"),
    [
        ("disk I/O error", "is the disk full"),
        ("unable to open database file", "is its folder there, and writable"),
    ],
)
async def test_what_sqlite_leaves_unsaid_is_asked(sqlite_url: str, said: str, asked: str) -> None:
    """A full disk has no room for what readers share, so even they hear of it."""
    database = Database(sqlite_url)
    with pytest.raises(BackendUnavailable, match=asked):
        async with database.read():
            raise sa.exc.OperationalError("SELECT 1", {}, sqlite3.OperationalError(said))
    await database.aclose()


async def test_what_is_wrong_with_a_statement_is_not_taken_for_a_fault(
    postgres_url: str,
) -> None:
    database = Database(postgres_url)
    with pytest.raises(sa.exc.ProgrammingError):
        async with database.read() as connection:
            await connection.execute(sa.text("SELECT nonsense"))
    await database.aclose()


@pytest.mark.parametrize(
    "url",
    ["mysql://x/y", "nonsense", "", "sqlite+pysqlite:///x", "sqlite://", "sqlite:///:memory:"],
)
def test_another_kind_of_database_is_refused(url: str) -> None:
    with pytest.raises(InvalidInput, match="sqlite:///PATH or postgresql://"):
        Database(url)


async def test_a_folder_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    place = Installation(f"sqlite:///{tmp_path / 'absent' / 'x.db'}", tmp_path / "data")
    with pytest.raises(BackendUnavailable):
        async with place.open():
            pass


@pytest.mark.parametrize("content", [b"no database at all", b"SQLite format 3\0" + b"\xff" * 5000])
async def test_a_damaged_file_is_said_to_be_damaged(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "tmws.db").write_bytes(content)
    with pytest.raises(BackendUnavailable, match="damaged") as refused:
        async with Installation(f"sqlite:///{tmp_path}/tmws.db", tmp_path).open():
            pass
    assert not refused.value.retryable


async def test_a_data_folder_that_cannot_be_made_is_unavailable(
    sqlite_url: str, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BackendUnavailable, match="TMWS_DATA_DIR") as refused:
        async with Installation(sqlite_url, tmp_path / "file" / "data").open():
            pass
    assert not refused.value.retryable
