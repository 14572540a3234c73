"""Bring the schema to its newest version, once, whoever starts first."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from tmws.domain.errors import BackendUnavailable
from tmws.storage.database import Database
from tmws.storage.schema import create

HEAD = "0025"
"""The newest revision in `migrations/versions`."""

_ADVISORY_LOCK = 0x746D7773  # "tmws"


async def upgrade(database: Database) -> None:
    """Create or update every table; return at once when there is nothing to do.

    Raises:
        BackendUnavailable: the database does not answer, or was written by a newer TMWS.
    """
    if await _current(database) == HEAD:
        return
    async with _exclusive(database) as connection:
        # Whoever held the lock before may have done it.
        if await connection.run_sync(_recorded) == HEAD:
            return
        if await connection.run_sync(_is_empty):
            await create(connection, scripts() / "schema")
        else:
            await connection.run_sync(_run_alembic)


async def _current(database: Database) -> str | None:
    if database.dialect == "sqlite" and not _sqlite_file(database).exists():
        return None
    async with database.read() as connection:
        return await connection.run_sync(_recorded)


def _is_empty(connection: sa.Connection) -> bool:
    return not sa.inspect(connection).get_table_names()


def _recorded(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    version = sa.select(sa.column("version_num", sa.String)).select_from(
        sa.table("alembic_version")
    )
    return connection.scalar(version)


@contextlib.asynccontextmanager
async def _exclusive(database: Database) -> AsyncIterator[AsyncConnection]:
    """Open a write transaction that no other process's upgrade can overlap."""
    if database.dialect == "sqlite":
        # Switching a fresh file to WAL ignores the busy timeout, so a file lock comes first.
        with _file_locked(_sqlite_file(database).with_suffix(".upgrade-lock")):
            async with database.write() as connection:
                yield connection
        return
    async with database.write() as connection:
        await connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_ADVISORY_LOCK)))
        yield connection


def _sqlite_file(database: Database) -> Path:
    return Path(str(database.url.database))


@contextlib.contextmanager
def _file_locked(path: Path) -> Iterator[None]:
    try:
        handle = path.open("w")
    except OSError as error:
        raise BackendUnavailable(
            f"The database cannot be made in {path.parent}: {error.strerror}. Choose another "
            "place by TMWS_DATA_DIR or TMWS_DATABASE_URL.",
            retryable=False,
        ) from error
    with handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _run_alembic(connection: sa.Connection) -> None:
    # Imported here: 0.1 s that only a first start or an update has to pay.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415
    from alembic.util import CommandError  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(scripts()))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise BackendUnavailable(
            f"The database was written by a newer TMWS ({error}). Install that version.",
            retryable=False,
        ) from error


def scripts() -> Path:
    """Return the folder of migrations: in the wheel, or beside `src` in a checkout."""
    package = Path(__file__).parents[1]
    shipped = package / "_migrations"
    return shipped if shipped.exists() else package.parents[1] / "migrations"
