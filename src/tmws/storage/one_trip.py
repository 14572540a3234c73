"""SQLite through aiosqlite, with one trip to the driver's thread per statement.

SQLAlchemy's adapter makes four: open a cursor, execute, fetch, close. Each costs more
than a small statement itself, and a verdict takes two dozen statements. Here one function
does all four on the thread, and begins the transaction first where none is open.
"""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import aiosqlite
from sqlalchemy.dialects.sqlite.aiosqlite import (
    AsyncAdapt_aiosqlite_connection,
    AsyncAdapt_aiosqlite_cursor,
    AsyncAdapt_aiosqlite_dbapi,
)

T = TypeVar("T")


@dataclass(slots=True)
class _Ended:
    """What is left of a driver's cursor once its statement is done."""

    description: Any = None
    rowcount: int = -1
    lastrowid: int | None = None
    arraysize: int = 1

    def close(self) -> None:
        """It is closed already."""


class _Cursor(AsyncAdapt_aiosqlite_cursor):
    __slots__ = ()
    _awaitable_cursor_close = False

    def _make_new_cursor(self, connection: Any) -> Any:  # noqa: ARG002  # the adapter's signature
        return _Ended()

    def _aenter_cursor(self, cursor: Any) -> Any:
        return cursor

    async def _execute_async(self, operation: Any, parameters: Any) -> Any:
        await self._run("execute", operation, () if parameters is None else parameters)

    async def _executemany_async(self, operation: Any, seq_of_parameters: Any) -> Any:
        await self._run("executemany", operation, seq_of_parameters)

    async def _run(self, method: str, operation: str, parameters: Any) -> None:
        connection: Any = self._connection
        adapted: Any = self._adapt_connection
        async with adapted._execute_mutex:
            # aiosqlite offers no public way to run a function on its thread.
            statement = partial(_statement, connection._conn, method, operation, parameters)
            self._cursor, rows = await connection._execute(adapted.begun(statement))
            self._rows = deque(rows)


class SqliteConnection(AsyncAdapt_aiosqlite_connection):
    """A connection of the driver, as SQLAlchemy's pool keeps it."""

    __slots__ = ("_begin", "_closing", "_open")
    _cursor_cls = _Cursor

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._begin: str | None = None
        self._closing = self._open = False

    def begin(self, statement: str) -> None:
        """Open a transaction by this statement on the next trip; without one, never."""
        self._begin = statement

    def begun(self, work: Callable[[], T]) -> Callable[[], T]:
        """Return what also opens the transaction that is due."""
        begin, self._begin = self._begin, None
        if begin is None:
            return work
        self._open = True
        return partial(_after, self._connection._conn, begin, work)

    def cursor(self, server_side: bool = False) -> Any:  # the adapter's signature
        """Return a cursor; one that streams keeps the adapter's way and begins nothing itself."""
        if server_side:
            self.run_async(lambda _: self.on_thread(lambda _: None))
        return super().cursor(server_side)

    def commit(self) -> None:
        """Keep what was written, if anything began."""
        if self._closed():
            super().commit()

    def rollback(self) -> None:
        """Take back what was written, if anything began."""
        if self._closed():
            super().rollback()

    def _closed(self) -> bool:
        was_open, self._begin, self._open = self._open, None, False
        return was_open

    async def _terminate_graceful_close(self) -> None:
        self._closing = True
        await super()._terminate_graceful_close()

    def _terminate_force_close(self) -> None:
        # Whoever waited for the close was cancelled, but it goes on by itself. Stopping the
        # thread under it would let it, and the end of the loop, wait for ever.
        if not self._closing:
            super()._terminate_force_close()

    async def on_thread(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run a function on the driver's thread, where the real connection may be used."""
        connection: Any = self._connection
        async with self._execute_mutex:
            found: T = await connection._execute(self.begun(partial(work, connection._conn)))
        return found

    async def at_last(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do so as the last act of a transaction that only reads, and end it on the way."""
        found = await self.on_thread(partial(_before_end, work))
        self._open = False
        return found

    def alone(self, work: Callable[[sqlite3.Connection], T]) -> Awaitable[T]:
        """Do so for the only user of this connection, who has begun nothing on it."""
        connection: Any = self._connection
        trip: Awaitable[T] = connection._execute(work, connection._conn)
        return trip


class OneTripDriver(AsyncAdapt_aiosqlite_dbapi):
    """The module that SQLAlchemy takes for the driver."""

    def __init__(self) -> None:
        super().__init__(aiosqlite, sqlite3)

    def connect(self, *arg: Any, **kw: Any) -> AsyncAdapt_aiosqlite_connection:
        """Open a connection whose statements take one trip each."""
        return SqliteConnection(self, super().connect(*arg, **kw)._connection)


def _after(connection: sqlite3.Connection, begin: str, work: Callable[[], T]) -> T:
    connection.execute(begin)
    return work()


def _before_end(work: Callable[[sqlite3.Connection], T], connection: sqlite3.Connection) -> T:
    found = work(connection)
    connection.execute("COMMIT")
    return found


def _statement(
    connection: sqlite3.Connection, method: str, operation: str, parameters: Any
) -> tuple[_Ended, Sequence[Any]]:
    cursor = connection.cursor()
    try:
        getattr(cursor, method)(operation, parameters)
        rows = cursor.fetchall() if cursor.description else ()
        return _Ended(cursor.description, cursor.rowcount, cursor.lastrowid), rows
    finally:
        cursor.close()
