"""A backup that is put in place under a running server: nothing goes where nobody finds it."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import make_url

from tests.integration.services import Installation, agent, learned
from tests.postgres import PostgresServer
from tmws.domain.errors import BackendUnavailable
from tmws.services.learning import PatternQuery


def backup(file: Path, to: Path) -> None:
    """Copy a SQLite file that is in use, as SQLite itself does it."""
    with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(to)) as target:
        source.backup(target)


def restore(kept: Path, file: Path) -> None:
    """Put a copy in the place of a file, as an administrator does."""
    for old in file.parent.glob(f"{file.name}*"):
        old.unlink()
    shutil.copy(kept, file)


async def test_nothing_is_written_into_a_file_that_a_backup_replaced(
    sqlite_url: str, tmp_path: Path
) -> None:
    place, file, kept = Installation(sqlite_url, tmp_path), tmp_path / "tmws.db", tmp_path / "kept"
    async with place.open() as app:
        alice = await agent(app, "alice")
        await learned(app, alice, "before")
        backup(file, kept)
        restore(kept, file)
        for refused in (learned(app, alice, "after"), agent(app, "bob"), app.audit.verify()):
            with pytest.raises(BackendUnavailable, match=r"was replaced .* Restart this server"):
                await refused
    async with place.open() as app:
        assert (await app.audit.verify()).holds
        assert [each.name for each in await app.agents.every()] == ["alice"]


async def test_a_file_that_was_removed_takes_no_more_writes(
    sqlite_url: str, tmp_path: Path
) -> None:
    place = Installation(sqlite_url, tmp_path)
    async with place.open() as app:
        alice = await agent(app, "alice")
        (tmp_path / "tmws.db").unlink()
        with pytest.raises(BackendUnavailable, match="was replaced or removed"):
            await learned(app, alice, "after")


async def test_a_database_that_was_made_anew_is_not_searched_by_what_was_known_of_the_old_one(
    postgres: PostgresServer, postgres_url: str, tmp_path: Path
) -> None:
    place, name = Installation(postgres_url, tmp_path), str(make_url(postgres_url).database)
    async with place.open() as app:
        alice = await agent(app, "alice")
        await learned(app, alice, "before")
        await app.learning.find(alice, PatternQuery("before"))
        postgres.drop_database(name)
        postgres.create_database(name)
        async with place.open() as restored:
            again = await agent(restored, "alice")
            await learned(restored, again, "restored")
        for refused in (
            app.learning.find(alice, PatternQuery("before")),
            learned(app, alice, "after"),
        ):
            with pytest.raises(BackendUnavailable, match=r"was replaced .* Restart this server"):
                await refused
    async with place.open() as app:
        found = await app.learning.find(again, PatternQuery())
        assert [each.pattern.name for each in found.items] == ["restored"]
