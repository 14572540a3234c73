"""Whether the database is still the one that this process opened.

Whoever restores a backup under a running server puts another database in its place. A
SQLite connection goes on writing into the file that nobody sees any more, and on both
kinds what is kept in memory tells of what is there no longer. So neither is gone on with.
"""

from __future__ import annotations

import os
from typing import Any, NoReturn

import sqlalchemy as sa

from tmws.domain.errors import BackendUnavailable


class SqliteFile:
    """The file at a path, as it was when the first connection was opened on it."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._opened: tuple[int, int] | None = None

    def opened(self, _connection: object, _record: object) -> None:
        """Remember which file it is; SQLAlchemy calls it with every new connection."""
        if self._opened is None:
            self._opened = self._now()

    def require(self) -> None:
        """Refuse to go on with a file that nobody finds any more.

        Raises:
            BackendUnavailable: another file lies at the path, or none.
        """
        if self._opened is not None and self._now() != self._opened:
            _refuse(f"The database file {self._path}")

    def _now(self) -> tuple[int, int] | None:
        try:
            found = os.stat(self._path)  # noqa: PTH116  # every transaction asks: a path costs more
        except OSError:
            return None
        return found.st_dev, found.st_ino


class PostgresDatabase:
    """A database of a server, as the connections to it found it."""

    def __init__(self) -> None:
        self._databases: set[int] = set()
        self._tables: set[int] = set()

    def opened(self, connection: Any, _record: object) -> None:
        """Remember which one it is; SQLAlchemy calls it with every new connection."""
        cursor = connection.cursor()
        try:
            cursor.execute(
                "SELECT oid, to_regclass('ledger_head')::oid FROM pg_database "
                "WHERE datname = current_database()"
            )
            database, table = cursor.fetchone()
        finally:
            cursor.close()
            connection.rollback()
        self._databases.add(database)
        if table is not None:  # else the store is made next
            self._tables.add(table)

    def require(self) -> None:
        """Refuse to go on where a connection was opened on another one.

        Raises:
            BackendUnavailable: the database was made anew since the first connection.
        """
        if len(self._databases) > 1 or len(self._tables) > 1:
            _refuse("The database")


def place_of(url: sa.URL) -> SqliteFile | PostgresDatabase:
    """Return what watches the database at this address."""
    if url.get_backend_name() == "sqlite":
        return SqliteFile(str(url.database))
    return PostgresDatabase()


def _refuse(what: str) -> NoReturn:
    raise BackendUnavailable(
        f"{what} was replaced or removed while this process ran, so what it wrote would be lost. "
        "Nothing was written. Restart this server, and every other one of the store.",
        retryable=False,
    )
