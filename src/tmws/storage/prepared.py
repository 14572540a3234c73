"""Statements that are compiled once, and many of them in one trip to the database.

A verdict moves a dozen numbers by as many small statements. Built, compiled and handed to
SQLite's thread one by one they cost some twenty times what the file itself takes. Here
their text is ready, and a whole step of them runs on that thread at once. PostgreSQL gets
the same statements, one after another.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from functools import partial
from operator import itemgetter
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.util import greenlet_spawn

Value = str | int | float | bytes | None
T = TypeVar("T")

_SQLITE = sqlite.dialect(paramstyle="qmark")


class Prepared:
    """A statement whose values are named parameters, of types that drivers know."""

    def __init__(self, statement: sa.Select[*tuple[Any, ...]] | sa.UpdateBase) -> None:
        self.on_postgresql = statement
        self._compile(statement)

    def _compile(self, statement: sa.Select[*tuple[Any, ...]] | sa.UpdateBase) -> None:
        compiled = statement.compile(dialect=_SQLITE, compile_kwargs={"render_postcompile": True})
        assert isinstance(compiled, SQLCompiler)
        self.on_sqlite = str(compiled)
        self.order = tuple(compiled.positiontup or ())
        self.in_order = _in_order(self.order)
        self.fixed = {n: value for n, value in compiled.params.items() if value is not None}


class Upsert(Prepared):
    """Stores so many rows, in place of those that have their keys."""

    def __init__(self, table: sa.Table, *, rows: int) -> None:
        columns = plain(table)
        keys = [column.name for column in table.primary_key]
        others = [column.name for column in table.c if not column.primary_key]
        values = [
            {c.name: sa.bindparam(numbered(c.name, row), type_=c.type) for c in columns.c}
            for row in range(rows)
        ]
        lite, post = (
            sqlite.insert(columns).values(values),
            postgresql.insert(columns).values(values),
        )
        self._compile(
            lite.on_conflict_do_update(
                index_elements=keys, set_={name: lite.excluded[name] for name in others}
            )
        )
        self.on_postgresql = post.on_conflict_do_update(
            index_elements=keys, set_={name: post.excluded[name] for name in others}
        )


class FirstKept(Prepared):
    """Stores a row unless there is one of its key, however many try at once."""

    def __init__(self, table: sa.Table) -> None:
        columns = plain(table)
        values = {c.name: sa.bindparam(c.name, type_=c.type) for c in columns.c}
        self._compile(sqlite.insert(columns).values(values).on_conflict_do_nothing())
        self.on_postgresql = postgresql.insert(columns).values(values).on_conflict_do_nothing()


def _in_order(names: Sequence[str]) -> Callable[[Mapping[str, Value]], Sequence[Value]]:
    """Return what takes the values of these names out of a mapping, in this order."""
    if len(names) > 1:
        return itemgetter(*names)
    return lambda values: [values[name] for name in names]


Values = Mapping[str, Value] | tuple[Value, ...]
"""By name, or in the order of the statement, which saves many rows their names."""

Execute = Callable[[Prepared, Values], Sequence[Any]]
"""Runs one statement with these values and returns all rows it gives."""


def several(name: str, count: int) -> list[sa.BindParameter[str]]:
    """Return parameters for a list with room for so many; see `room_for` and `filling`."""
    return [
        sa.bindparam(numbered(name, place), type_=sa.String, required=False)
        for place in range(count)
    ]


def room_for(values: Collection[str]) -> int:
    """Return a power of two, 0 for nothing: so few lengths of lists are compiled at all."""
    return 1 << (len(values) - 1).bit_length() if values else 0


def filling(name: str, values: Sequence[str]) -> dict[str, Value]:
    """Return the values of a list; what room is left repeats the last one."""
    room = room_for(values)
    return {numbered(name, place): values[min(place, len(values) - 1)] for place in range(room)}


def numbered(name: str, row: int) -> str:
    """Return the name of a parameter that stands in one of several rows."""
    return f"{name}{row}"


def plain(table: sa.Table) -> sa.TableClause:
    """Return the table with the values that drivers know, e.g. a time as its number."""
    return sa.table(
        table.name, *(sa.column(column.name, _plain_type(column.type)) for column in table.c)
    )


def inserted(table: sa.Table) -> Prepared:
    """Return how one row is stored, its values named like the columns."""
    return Prepared(plain(table).insert())


def _plain_type(type_: sa.types.TypeEngine[Any]) -> sa.types.TypeEngine[Any]:
    return type_.impl_instance if isinstance(type_, sa.types.TypeDecorator) else type_


async def at_once(connection: AsyncConnection, work: Callable[[Execute], T]) -> T:
    """Run a step of statements, and what is computed between them, without coming back.

    It is part of the connection's transaction. `work` must not touch what belongs to the
    event loop: on SQLite it runs on the driver's thread.
    """
    if connection.dialect.name != "sqlite":
        return await connection.run_sync(lambda sync: work(partial(_on_postgresql, sync)))
    driver: Any = (await connection.get_raw_connection()).dbapi_connection
    return await _answered(driver.on_thread(lambda raw: work(partial(_on_sqlite, raw.cursor()))))


async def at_last(connection: AsyncConnection, work: Callable[[Execute], T]) -> T:
    """Do so as the last step of a transaction that only reads: on SQLite it ends on that trip."""
    if connection.dialect.name != "sqlite":
        return await at_once(connection, work)
    driver: Any = (await connection.get_raw_connection()).dbapi_connection
    return await _answered(driver.at_last(lambda raw: work(partial(_on_sqlite, raw.cursor()))))


async def at_once_and_kept(engine: AsyncEngine, work: Callable[[Execute], T]) -> T:
    """Do so on SQLite as a transaction of its own, which begins and ends on that trip."""
    return await _alone(engine, partial(_kept, work=work))


async def at_a_glance(engine: AsyncEngine, work: Callable[[Execute], T]) -> T:
    """Do so on SQLite without a transaction: each statement sees what was committed last."""
    return await _alone(engine, lambda raw: work(partial(_on_sqlite, raw.cursor())))


async def _alone(engine: AsyncEngine, work: Callable[[sqlite3.Connection], T]) -> T:
    pool: Any = engine.pool
    driver, give_back = await _taken(engine)
    try:
        return await _answered(driver.alone(work))
    finally:
        if pool.checkedin() < pool.size():
            give_back()
        else:  # it is one too many: whoever is cancelled has to let it be closed
            await asyncio.shield(asyncio.ensure_future(greenlet_spawn(give_back)))


async def _taken(engine: AsyncEngine) -> tuple[Any, Callable[[], None]]:
    """Return a connection of the pool, and what gives it back.

    One that is open is taken as the pool itself takes it. Its public wrapper would cost a
    twentieth of a verdict, to mind what nobody gives back: a trip always does.
    """
    pool: Any = engine.pool
    if pool.checkedin():
        entry = pool._do_get()
        if entry.dbapi_connection is not None:
            return entry.dbapi_connection, partial(entry.checkin, _fairy_was_created=False)
        pool._do_return_conn(entry)  # it was lost, and has to be opened again
    pooled = await engine.raw_connection()
    return pooled.dbapi_connection, pooled.close


async def _answered(trip: Awaitable[T]) -> T:
    try:
        return await trip
    except sqlite3.Error as error:
        raise sa.exc.DBAPIError.instance(None, None, error, sqlite3.Error) from error


def _kept(connection: sqlite3.Connection, work: Callable[[Execute], T]) -> T:
    cursor = connection.cursor()
    cursor.execute("BEGIN IMMEDIATE")
    try:
        found = work(partial(_on_sqlite, cursor))
        cursor.execute("COMMIT")
    except BaseException:
        connection.rollback()  # SQLite ends some failed transactions itself: this minds neither
        raise
    return found


def _on_sqlite(cursor: sqlite3.Cursor, prepared: Prepared, values: Values) -> Sequence[Any]:
    if not isinstance(values, tuple):
        named = {**prepared.fixed, **values} if prepared.fixed else values
        return cursor.execute(prepared.on_sqlite, prepared.in_order(named)).fetchall()
    return cursor.execute(prepared.on_sqlite, values).fetchall()


def _on_postgresql(connection: sa.Connection, prepared: Prepared, values: Values) -> Sequence[Any]:
    if isinstance(values, tuple):
        values = dict(zip(prepared.order, values, strict=True))
    found = connection.execute(prepared.on_postgresql, values)
    return found.all() if found.returns_rows else ()
