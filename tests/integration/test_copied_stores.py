"""A store is copied whole: into a folder as a backup, and into the other kind of database."""

from __future__ import annotations

import json
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from tests.integration.command import tmws
from tests.integration.services import Installation, agent, learned, verified
from tests.postgres import PostgresServer
from tmws.app import App
from tmws.domain.agents import Administrator
from tmws.domain.memories import MemoryDraft
from tmws.domain.usage import UseOutcome
from tmws.domain.versions import Revision
from tmws.services.learning import PatternQuery
from tmws.services.outcomes import OutcomeReport
from tmws.storage.database import Database
from tmws.storage.prepared import plain
from tmws.storage.tables import metadata


@pytest.fixture
async def used(installation: Installation) -> Installation:
    """A store in which much happened."""
    async with installation.open() as app:
        await app.workspaces.add("shop", installation.workspace(), by="test")
        alice, bob = await agent(app, "alice"), await agent(app, "bob")
        kept = await learned(app, alice, tags=("a",), level="shared", shared_with=("bob",))
        gone = await learned(app, alice, "gone", data={"é": "\N{SNOWMAN}"})
        await app.revisions.revise(alice, kept.id, Revision(summary="again"), version=1)
        await app.memory.remember(bob, MemoryDraft("a note"))
        held = await verified(app, alice, applied=(kept.id,))
        withdrawn = await verified(app, bob, exit_code=1)
        for who in (alice, bob):
            for outcome in (UseOutcome.SUCCESS, UseOutcome.FAILURE):
                await app.outcomes.report(who, OutcomeReport(kept.id, outcome, 2.0, "tried"))
        await app.corrections.withdraw(withdrawn.claim.id, reason="x", by="test")
        await app.corrections.link("bob", "alice", reason="one owner", by="test")
        await app.removal.remove(Administrator("ann"), gone.id)
        await app.learning.find(alice, PatternQuery("retry"))
        assert held.claim.id
    return installation


@pytest.fixture
async def other_url(postgres: PostgresServer) -> AsyncIterator[str]:
    """An empty PostgreSQL database that the store does not lie in."""
    yield postgres.create_database("copied_store")
    postgres.drop_database("copied_store")


async def rows(url: str) -> dict[str, list[dict[str, Any]]]:
    """Return everything that a database holds, table by table."""
    database = Database(url)
    try:
        async with database.read() as connection:
            return {
                table.name: [
                    dict(row)
                    for row in (
                        await connection.execute(
                            sa.select(plain(table)).order_by(
                                *(plain(table).c[key.name] for key in table.primary_key)
                            )
                        )
                    ).mappings()
                ]
                for table in metadata.sorted_tables
            }
    finally:
        await database.aclose()


def environment(place: Installation) -> dict[str, str]:
    return {"TMWS_DATABASE_URL": place.url}


async def goes_on(app: App) -> None:
    """Do in a copy what takes new keys of tables, and see that it holds."""
    [alice] = [each for each in await app.agents.every() if each.name == "alice"]
    await learned(app, alice, "in the copy")
    await verified(app, alice, exit_code=7)
    found = await app.learning.find(alice, PatternQuery("copy"))
    assert "in the copy" in {each.pattern.name for each in found.items}
    report = await app.audit.verify()
    assert report.holds, report.problems


async def test_a_folder_takes_all_that_a_store_holds_and_is_one(
    used: Installation, tmp_path: Path
) -> None:
    folder = tmp_path / "backup"
    done = tmws("store", "copy", str(folder), "--json", data=used.folder, **environment(used))
    assert done.status == 0, done.errors
    url = f"sqlite:///{folder}/tmws.db"
    assert await rows(url) == await rows(used.url)
    secret = folder / "keys" / "ed25519"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert tmws("ledger", "verify", data=folder).status == 0
    async with Installation(url, folder, used.clock, used.sandbox).open() as app:
        await goes_on(app)
    again = tmws("store", "copy", str(folder), data=used.folder, **environment(used))
    assert again.status == 4
    assert again.errors.endswith("is there already. Nothing was copied. Name a new folder.\n")


async def test_an_empty_postgresql_takes_all_that_a_store_holds(
    used: Installation, other_url: str
) -> None:
    done = tmws("store", "copy", other_url, "--json", data=used.folder, **environment(used))
    assert done.status == 0, done.errors
    assert other_url not in done.output
    told = json.loads(done.output)
    kept = await rows(used.url)
    assert await rows(other_url) == kept
    assert told["rows"] == sum(map(len, kept.values()))
    again = tmws("store", "copy", other_url, data=used.folder, **environment(used))
    assert again.status == 4
    assert "is not empty" in again.errors
    assert await rows(other_url) == kept
    async with Installation(other_url, used.folder, used.clock, used.sandbox).open() as app:
        await goes_on(app)


@pytest.mark.parametrize("target", ["sqlite:///x.db", "mysql://x", "{}/absent/folder"])
def test_what_is_no_place_for_a_copy_is_refused_and_leaves_nothing(
    tmp_path: Path, target: str
) -> None:
    data = tmp_path / "data"
    done = tmws("store", "copy", target.format(tmp_path), data=data)
    assert done.status == 2, done.errors
    assert "folder" in done.errors
    assert [each.name for each in tmp_path.iterdir()] == ["data"]
