"""A new store is written by one script, which says what all revisions make."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from tests.integration import schemas
from tests.integration.services import Installation
from tests.postgres import PostgresServer
from tmws.storage import migrations
from tmws.storage.tables import metadata


def script(place: Installation, postgres: PostgresServer) -> str:
    """Return the script that would write this installation's database as it is."""
    url = sa.make_url(place.url)
    assert url.database is not None
    if url.get_backend_name() == "sqlite":
        return schemas.of_sqlite(Path(url.database))
    return schemas.of_postgres(postgres, url.database)


def kept_script(place: Installation) -> str:
    return schemas.kept(sa.make_url(place.url).get_backend_name())


async def test_new_stores_are_written_by_the_script_of_what_all_revisions_make(
    installation: Installation, postgres: PostgresServer
) -> None:
    """Where this fails after a new revision: `python -m tests.integration.schemas`."""
    installation.folder.mkdir()
    await schemas.revised(installation.url)
    assert script(installation, postgres) == kept_script(installation)


async def test_the_script_writes_what_it_says(
    installation: Installation, postgres: PostgresServer
) -> None:
    async with installation.database() as database:
        installation.folder.mkdir()
        await migrations.upgrade(database)
    assert script(installation, postgres) == kept_script(installation)


async def test_each_store_draws_its_own_origin(tmp_path: Path) -> None:
    origins = set()
    for name in ("one", "two"):
        place = Installation(f"sqlite:///{tmp_path / name}.db", tmp_path / name)
        async with place.database() as database:
            await migrations.upgrade(database)
            async with database.read() as tx:
                origins.add(await tx.scalar(sa.text("SELECT origin FROM ledger_head")))
    assert len(origins) == 2


async def test_a_database_that_others_use_too_goes_through_the_revisions(
    installation: Installation,
) -> None:
    installation.folder.mkdir()
    async with installation.database() as database:
        async with database.write() as tx:
            await tx.execute(sa.text("CREATE TABLE guests (name TEXT)"))
        await migrations.upgrade(database)
    assert await schemas.tables(installation.url) == {*metadata.tables, "guests"}
