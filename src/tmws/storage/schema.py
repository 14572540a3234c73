"""A new store is written as its newest revision leaves it, not by every revision in turn."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncConnection


async def create(connection: AsyncConnection, folder: Path) -> None:
    """Write tables, triggers and first rows into an empty database.

    Args:
        connection: in an open transaction that has run a statement.
        folder: holds one script for each kind of database, written from what the
            revisions make (`python -m tests.integration.schemas`).
    """
    dialect = connection.dialect.name
    script = (folder / f"{dialect}.sql").read_text("utf-8")
    if dialect == "sqlite":
        # The driver's own way to run a script would commit what came before.
        for statement in statements(script):
            await connection.exec_driver_sql(statement)
        return
    raw = await connection.get_raw_connection()
    driver = raw.driver_connection
    assert driver is not None
    await driver.execute(script)


def statements(script: str) -> Iterator[str]:
    """Cut a script for SQLite where its statements end; those in a trigger end none."""
    begun: list[str] = []
    for line in script.splitlines():
        begun.append(line)
        statement = "\n".join(begun)
        if sqlite3.complete_statement(statement):
            yield statement
            begun.clear()
