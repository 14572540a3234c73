"""One way in: an engine, and transactions that read or write."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from tmws.domain.errors import BackendUnavailable, Conflict, InvalidInput
from tmws.storage.one_trip import OneTripDriver
from tmws.storage.place import place_of
from tmws.storage.prepared import Execute, at_a_glance, at_once, at_once_and_kept

T = TypeVar("T")
Transaction = AsyncConnection
"""What `Database.read` and `Database.write` yield, and every storage function takes first."""

SQLITE_BUSY_SECONDS = 30.0
_EMPTIES_EVERY_SECONDS, _EMPTIES_MILLISECONDS = 0.2, 100
# Classes of SQLSTATE (PostgreSQL, Appendix A) that say nothing against the statement: the
# connection, the login, a deadlock, resources, an operator, the system, its own fault.
_FAULTS = frozenset({"08", "28", "3D", "40", "53", "55", "57", "58", "XX"})
_BAD_VALUE, _ROLLED_BACK = "22", "40"
_TRIES = 4
_READS, _WRITES = "BEGIN", "BEGIN IMMEDIATE"
_READING: dict[str, dict[str, Any]] = {
    "sqlite": {"tmws_begin": _READS},
    "postgresql": {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True},
}
_GLANCING: dict[str, dict[str, Any]] = {
    "sqlite": {},
    "postgresql": {"isolation_level": "AUTOCOMMIT", "postgresql_readonly": True},
}
_DRIVERS = {
    "sqlite": "sqlite+aiosqlite",
    "sqlite+aiosqlite": "sqlite+aiosqlite",
    "postgresql": "postgresql+asyncpg",
    "postgresql+asyncpg": "postgresql+asyncpg",
}


# What SQLite says of a disk without room for its shared memory, and of rights.
_MEANT = {
    "disk I/O error": " (is the disk full?)",
    "unable to open database file": " (is its folder there, and writable?)",
    "attempt to write a readonly database": " (may this user write the file and its folder?)",
}


class _Deadlocked(BackendUnavailable):
    """The server took back a transaction so that others can go on; it may be tried again."""


class Database:
    """A SQLite file or a PostgreSQL server behind one interface.

    A SQLite file has one writer at a time. A write transaction takes that place with its
    first statement, whatever that is, so it cannot fail half-way because another writer came
    first; writers of this process queue in order instead of polling the file.
    """

    def __init__(self, url: str) -> None:
        """Prepare an engine for `sqlite:///FILE` or `postgresql://…`; nothing connects yet.

        Raises:
            InvalidInput: the URL names another kind of database.
        """
        self.url = _with_driver(url)
        self.dialect = self.url.get_backend_name()
        self.engine = _engine(self.url)
        self._place = place_of(self.url)
        sa.event.listen(self.engine.sync_engine, "connect", self._place.opened)
        self._reading = self.engine.execution_options(**_READING[self.dialect])
        self._glancing = self.engine.execution_options(**_GLANCING[self.dialect])
        self._writing = self.engine.execution_options(tmws_begin=_WRITES)
        self._writer = asyncio.Lock() if self.dialect == "sqlite" else None

    @contextlib.asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """Open a transaction that sees one state of the data from its first query on.

        Raises:
            BackendUnavailable: the database did not answer.
        """
        with _translated():
            async with self._reading.begin() as connection:
                self._place.require()
                yield connection

    @contextlib.asynccontextmanager
    async def glance(self) -> AsyncIterator[AsyncConnection]:
        """Open a connection for a single query, which sees one state by itself.

        Nothing begins or ends: a third of the trips to the database.

        Raises:
            BackendUnavailable: the database did not answer.
        """
        with _translated():
            async with self._glancing.connect() as connection:
                self._place.require()
                yield connection

    async def glance_at_once(self, work: Callable[[Execute], T]) -> T:
        """Do the same for a single query that is prepared: on SQLite in one trip.

        Raises:
            BackendUnavailable: the database did not answer.
        """
        if self.dialect != "sqlite":
            async with self.glance() as connection:
                return await at_once(connection, work)
        with _translated():
            found = await at_a_glance(self.engine, work)
        self._place.require()
        return found

    @contextlib.asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """Open a transaction that may write: all of it is kept, or nothing.

        Raises:
            BackendUnavailable: the database did not answer, is full, or stayed locked.
        """
        async with contextlib.AsyncExitStack() as stack:
            if self._writer:
                await stack.enter_async_context(self._writer)
            stack.enter_context(_translated())
            connection = await stack.enter_async_context(self._writing.begin())
            self._place.require()
            yield connection
        self._place.require()  # what went into a file that is gone is not kept

    async def at_once(self, work: Callable[[Execute], T]) -> T:
        """Run a write transaction that is one step: all of it is kept, or nothing.

        On SQLite that is a single trip to the driver's thread, with its beginning and its
        end: an eighth of what these take as trips of their own. Whoever is cancelled on the
        way does not know which of the two it was, as with any commit.

        Args:
            work: must not touch what belongs to the event loop. What it raises takes back
                what was written. A server that ends it because others wait for it in a
                circle has it run again.

        Raises:
            BackendUnavailable: the database did not answer, is full, or stayed locked.
        """
        if self._writer is None:
            return await self._again(work)
        with _translated():
            async with self._writer:
                found = await at_once_and_kept(self.engine, work)
        self._place.require()  # what went into a file that is gone is not kept
        return found

    async def _again(self, work: Callable[[Execute], T]) -> T:
        for _ in range(_TRIES - 1):
            with contextlib.suppress(_Deadlocked):
                async with self.write() as tx:
                    return await at_once(tx, work)
        async with self.write() as tx:
            return await at_once(tx, work)

    async def drop_old_pages(self) -> None:
        """Let a SQLite file forget what stood in it before, as far as no reader needs it.

        It waits for readers, and keeps writers from the file no longer than an instant at a
        time. On a server that is VACUUM's work, which its administrator plans.

        Raises:
            BackendUnavailable: the database did not answer.
        """
        if self._writer is None:
            return
        until = asyncio.get_running_loop().time() + SQLITE_BUSY_SECONDS
        while True:
            with _translated():
                async with self._writer, self.engine.connect() as connection:
                    driver: Any = (await connection.get_raw_connection()).dbapi_connection
                    if await driver.on_thread(_emptied_log):
                        return
            if asyncio.get_running_loop().time() > until:
                return
            await asyncio.sleep(_EMPTIES_EVERY_SECONDS)

    async def aclose(self) -> None:
        """Close every pooled connection."""
        await self.engine.dispose()


def _with_driver(url: str) -> sa.URL:
    refused = InvalidInput(
        "The database URL is refused: use sqlite:///PATH or postgresql://USER@HOST/NAME."
    )
    try:
        parsed = sa.make_url(url)
        driver = _DRIVERS[parsed.drivername]
    except (sa.exc.ArgumentError, KeyError) as error:
        raise refused from error
    if driver.startswith("sqlite") and parsed.database in {None, "", ":memory:"}:
        raise refused  # a store that every connection has for itself is none
    return parsed.set(drivername=driver)


def _engine(url: sa.URL) -> AsyncEngine:
    if url.get_backend_name() != "sqlite":
        try:
            return create_async_engine(url, pool_size=8, max_overflow=8, pool_pre_ping=True)
        except ModuleNotFoundError as error:
            raise BackendUnavailable(
                "PostgreSQL needs the 'postgres' extra. Run: pip install 'tmws[postgres]'.",
                retryable=False,
            ) from error
    engine = create_async_engine(
        url,
        module=OneTripDriver(),
        connect_args={"timeout": SQLITE_BUSY_SECONDS},
        # Every way out of `read` and `write` ends the transaction; a second rollback on
        # return to the pool would be one more trip.
        pool_reset_on_return=None,
        # The one that was used last has the most of the file's pages at hand.
        pool_use_lifo=True,
    )
    sa.event.listen(engine.sync_engine, "connect", _prepare_sqlite)
    sa.event.listen(engine.sync_engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # BEGIN is ours: the driver's own comes too late
    cursor = connection.cursor()
    # FULL: what was acknowledged survives a power cut, not only a killed process.
    # The cache holds the terms of a store that the default would read again each time.
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        "cache_size=-32768",
        "temp_store=MEMORY",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _emptied_log(connection: sqlite3.Connection) -> bool:
    """Write the write-ahead log back and cut it off; say whether nobody stood in the way.

    Waiting for readers keeps every writer out, so it waits for a moment only. All rows are
    fetched: a statement that is not through would keep this connection from its next commit.
    """
    cursor = connection.cursor()
    try:
        cursor.execute(f"PRAGMA busy_timeout = {_EMPTIES_MILLISECONDS}").fetchall()
        [(busy, _, _)] = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    finally:
        cursor.execute(f"PRAGMA busy_timeout = {int(SQLITE_BUSY_SECONDS * 1000)}").fetchall()
        cursor.close()
    return not busy


def _begin_sqlite(connection: sa.Connection) -> None:
    begin = connection.get_execution_options().get("tmws_begin")
    if begin is None:
        return
    driver: Any = connection.connection.dbapi_connection
    # Together with its first statement: what a transaction sees is decided there anyway.
    driver.begin(begin)


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except IntegrityError as error:
        raise Conflict(
            "Another writer stored the same thing first. Nothing was written; read it again."
        ) from error
    except DBAPIError as error:
        sql_class = str(getattr(error.orig, "sqlstate", None) or "")[:2]
        if sql_class == _BAD_VALUE:
            raise InvalidInput(
                "A value cannot be stored as text. Leave out NUL and other control characters."
            ) from error
        if type(error.orig) is sqlite3.DatabaseError:  # SQLITE_CORRUPT, SQLITE_NOTADB
            raise _damaged(error) from error
        faulty = isinstance(error, OperationalError) or sql_class in _FAULTS
        if not faulty and not error.connection_invalidated:
            raise
        raise _unavailable(error, _Deadlocked if sql_class == _ROLLED_BACK else None) from error
    except (OSError, PoolTimeout) as error:
        raise _unavailable(error) from error


def _unavailable(
    error: Exception, kind: type[BackendUnavailable] | None = None
) -> BackendUnavailable:
    return (kind or BackendUnavailable)(
        f"The database did not answer: {_first_line(error)}. Nothing was written; try again, "
        "and run 'tmws doctor' if it stays."
    )


def _damaged(error: Exception) -> BackendUnavailable:
    return BackendUnavailable(
        f"The database file is damaged: {_first_line(error)}. Stop every server, keep a copy of "
        "the data folder, and put a backup of the whole folder in its place.",
        retryable=False,
    )


def _first_line(error: Exception) -> str:
    cause = getattr(error, "orig", None) or error
    said = str(cause).splitlines()[0][:120] if str(cause) else type(cause).__name__
    return said + _MEANT.get(said, "")
