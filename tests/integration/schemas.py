"""What all revisions in turn make of an empty database, as a script of SQL.

`python -m tests.integration.schemas` writes the scripts that new stores are made from.
"""

from __future__ import annotations

import asyncio
import itertools
import re
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from tests.postgres import PostgresServer, postgres_server
from tmws.storage.database import Database
from tmws.storage.migrations import scripts

FOLDER = scripts() / "schema"
BESIDE_THE_METADATA = {"alembic_version"}
"""Tables that no code of ours names."""

CHANCE = {
    "sqlite": "lower(hex(randomblob(8)))",
    "postgresql": "substr(replace(gen_random_uuid()::text, '-', ''), 1, 16)",
}
"""What each store draws for itself: the end of its ledger's origin, `tmws/` and 16 digits."""

_ORIGIN = re.compile(r"'tmws/[0-9a-f]{16}'")
_SHADOWS = ("_config", "_content", "_data", "_docsize", "_idx")
_SETTING = re.compile(r"SET \w+ = |SELECT pg_catalog\.set_config|--|\\")


def alembic(connection: sa.Connection, direction: str, revision: str) -> None:
    """Have Alembic bring a database up or down to a revision, in an open transaction."""
    config = Config()
    config.set_main_option("script_location", str(scripts()))
    config.attributes["connection"] = connection
    getattr(command, direction)(config, revision)


async def revised(url: str) -> None:
    """Lead an empty database through every revision."""
    database = Database(url)
    try:
        async with database.write() as connection:
            await connection.run_sync(alembic, "upgrade", "head")
    finally:
        await database.aclose()


async def tables(url: str) -> set[str]:
    """Return the names of the tables that stand there."""
    database = Database(url)
    try:
        async with database.read() as connection:
            names = await connection.run_sync(lambda sync: sa.inspect(sync).get_table_names())
    finally:
        await database.aclose()
    return set(names) - BESIDE_THE_METADATA


def of_sqlite(file: Path) -> str:
    """Return the script of a SQLite file: tables, then what stands on them, then rows."""
    with closing(sqlite3.connect(file)) as connection:
        script = "\n".join(f"{each};" for each in _of_sqlite(connection))
    # SQLAlchemy ends a column's line with a blank, which SQLite keeps.
    return "\n".join(_in_order(line.rstrip() for line in script.splitlines())) + "\n"


def _in_order(lines: Iterable[str]) -> Iterator[str]:
    """Sort the references of each table: where one is copied, chance orders them."""
    for references, several in itertools.groupby(lines, lambda line: "CONSTRAINT fk_" in line):
        run = list(several)
        if not references:
            yield from run
            continue
        *others, last = sorted(line.removesuffix(",") for line in run)
        yield from (f"{line}," for line in others)
        yield last + ("," if run[-1].endswith(",") else "")


def _of_sqlite(connection: sqlite3.Connection) -> Iterator[str]:
    made = connection.execute(
        "SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL "
        "ORDER BY type != 'table', type != 'index', name"
    ).fetchall()
    virtual = [name for _, name, sql in made if sql.startswith("CREATE VIRTUAL")]
    shadows = {name + end for name in virtual for end in _SHADOWS}
    kept = [each for each in made if each[1] not in shadows]
    yield from (sql for _, _, sql in kept)
    for kind, name, _ in kept:
        if kind == "table" and name not in virtual:
            yield from _rows(connection, name)


def _rows(connection: sqlite3.Connection, table: str) -> Iterator[str]:
    columns = connection.execute(f'PRAGMA table_info("{table}")').fetchall()
    quoted = ", ".join(f'quote("{column}")' for _, column, *_ in columns)
    for row in connection.execute(f'SELECT {quoted} FROM "{table}"').fetchall():
        yield _drawn(f"INSERT INTO {table} VALUES ({', '.join(row)})", "sqlite")


def of_postgres(server: PostgresServer, name: str) -> str:
    """Return the script of a PostgreSQL database, as its own program writes it."""
    printed = server.run(
        *("pg_dump", "-h", str(server.data), "-U", "postgres", "-d", name),
        *("--no-owner", "--no-privileges", "--no-comments", "--inserts"),
        "--exclude-extension=*",
    )
    # Settings of the session are the caller's, and a schema may have another name.
    lines = (each for each in printed.splitlines() if each and not _SETTING.match(each))
    return _drawn("\n".join(lines).replace("public.", ""), "postgresql") + "\n"


def _drawn(text: str, dialect: str) -> str:
    return _ORIGIN.sub(f"'tmws/' || {CHANCE[dialect]}", text)


def kept(dialect: str) -> str:
    """Return the script that new stores are made from."""
    return (FOLDER / f"{dialect}.sql").read_text("utf-8")


def main() -> None:
    """Write both scripts."""
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "revised.db"
        asyncio.run(revised(f"sqlite:///{file}"))
        (FOLDER / "sqlite.sql").write_text(of_sqlite(file), "utf-8")
    with postgres_server() as server:
        asyncio.run(revised(server.create_database("revised")))
        (FOLDER / "postgresql.sql").write_text(of_postgres(server, "revised"), "utf-8")


if __name__ == "__main__":
    main()
