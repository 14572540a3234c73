"""An installation with a history, and somebody who holds a copy of its database."""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from tests.integration.services import (
    Installation,
    agent,
    ended,
    verified,
)
from tests.postgres import PostgresServer
from tmws.app import App
from tmws.domain.ledger import Tree, leaf_hash
from tmws.domain.trust.entries import entry_of
from tmws.domain.trust.reference import Replay
from tmws.services.audit import AuditReport
from tmws.storage import evidence, trust
from tmws.storage.database import Database

SIZE = 7  # a workspace, two agents, four verdicts
VERDICTS = (3, 4, 5, 6)


@dataclass(frozen=True, slots=True)
class Original:
    """An installation with a history, closed: every test works on a copy."""

    url: str
    folder: Path
    claims: tuple[str, ...]


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    folder = tmp_path_factory.mktemp("original")
    if request.param == "sqlite":
        yield Installation(f"sqlite:///{folder / 'data' / 'tmws.db'}", folder / "data")
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    name = f"test_{secrets.token_hex(8)}"
    yield Installation(server.create_database(name), folder / "data")
    server.drop_database(name)


@pytest.fixture(scope="module")
async def original(place: Installation) -> Original:
    async with place.open() as app:
        return await with_history(place, app)


async def with_history(place: Installation, app: App) -> Original:
    await app.workspaces.add("shop", place.workspace(), by="test")
    alice, bob = await agent(app, "alice"), await agent(app, "bob")
    place.sandbox.will(ended(0), ended(1), ended(0), ended(0))
    made = [
        await verified(app, alice),
        await verified(app, bob),
        await verified(app, alice, exit_code=1),
        await verified(app, alice, exit_code=2),
    ]
    return Original(place.url, place.folder, tuple(report.claim.id for report in made))


@pytest.fixture
def copy(
    original: Original, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Installation]:
    shutil.copytree(original.folder, tmp_path / "data")
    if original.url.startswith("sqlite"):
        yield Installation(f"sqlite:///{tmp_path / 'data' / 'tmws.db'}", tmp_path / "data")
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    name, source = f"test_{secrets.token_hex(8)}", sa.make_url(original.url).database
    server.run_sql(f'CREATE DATABASE "{name}" TEMPLATE "{source}" OWNER tmws')
    yield Installation(server.url(name), tmp_path / "data")
    server.drop_database(name)


@pytest.fixture
async def attacker(copy: Installation) -> AsyncIterator[Attacker]:
    async with copy.database() as database:
        yield Attacker(database, copy)


class Attacker:
    """Holds the database with every right its owner has, but not the signing key."""

    def __init__(self, database: Database, place: Installation) -> None:
        self._database = database
        self.place = place

    async def does(self, *statements: str, **values: object) -> None:
        """Run these in one transaction, with the guards of the tables taken away first."""
        async with self._database.write() as tx:
            await self._drop_guards(tx)
            for statement in statements:
                given = {name: value for name, value in values.items() if f":{name}" in statement}
                await tx.execute(sa.text(statement), given)

    async def finds(self, query: str, **values: object) -> sa.Row[tuple[object, ...]]:
        async with self._database.read() as connection:
            return (await connection.execute(sa.text(query), values)).one()

    async def rebuilds_the_head(self) -> None:
        """Make the head agree with the entries that are there now."""
        async with self._database.read() as connection:
            rows = await connection.execute(
                sa.text('SELECT leaf_hash FROM ledger_entries ORDER BY "index"')
            )
            tree = Tree()
            for row in rows:
                tree = tree.appended(bytes(row.leaf_hash))
        peaks = json.dumps([peak.hex() for peak in tree.peaks])
        await self.does(
            "UPDATE ledger_head SET size = :size, peaks = :peaks", size=tree.size, peaks=peaks
        )

    async def replays(self) -> Replay:
        """Compute trust from the payloads that are there now, as the product does."""
        replay = Replay()
        async with self._database.read() as connection:
            rows = await connection.execute(
                sa.text(
                    "SELECT e.leaf, p.payload FROM ledger_entries e "
                    'JOIN ledger_payloads p ON p."index" = e."index" ORDER BY e."index"'
                )
            )
            for row in rows:
                leaf = json.loads(row.leaf)
                at = datetime.fromisoformat(leaf["at"])
                entry = entry_of(leaf["type"], json.loads(row.payload), at)
                if entry is not None:
                    replay.add(entry)
        return replay

    async def makes_trust_agree(self) -> None:
        """Write what trust would be after the entries that are there now."""
        replay = await self.replays()
        history = replay.history
        steps = {step.evidence.id: step for path in history.paths.values() for step in path}
        state = trust.State(history.model, replay.reference, replay.decided)
        async with self._database.write() as tx:
            await self._drop_guards(tx)
            rows = await tx.execute(sa.text("SELECT id, ledger_index FROM claims"))
            places = {row.id: row.ledger_index for row in rows}
            await trust.replace(tx, state)
            await evidence.replace(
                tx,
                [
                    evidence.Entry(told, told.agent, places[told.id], steps.get(told.id))
                    for told in history.evidence
                ],
            )

    async def rewrites(self, index: int, leaf: str) -> None:
        """Replace an entry and make hash and head agree with it."""
        await self.does(
            'UPDATE ledger_entries SET leaf = :leaf, leaf_hash = :hash WHERE "index" = :index',
            leaf=leaf,
            hash=leaf_hash(leaf.encode()),
            index=index,
        )
        await self.rebuilds_the_head()

    async def _drop_guards(self, tx: AsyncConnection) -> None:
        if self._database.dialect == "sqlite":
            await tx.execute(sa.text("PRAGMA defer_foreign_keys = ON"))
            for verb in ("update", "delete"):
                await tx.execute(sa.text(f"DROP TRIGGER IF EXISTS ledger_entries_no_{verb}"))
            return
        await tx.execute(
            sa.text("DROP TRIGGER IF EXISTS ledger_entries_append_only ON ledger_entries")
        )
        await tx.execute(
            sa.text(
                "ALTER TABLE ledger_payloads DROP CONSTRAINT IF EXISTS "
                "fk_ledger_payloads_index_ledger_entries"
            )
        )


async def audited(place: Installation) -> AuditReport:
    async with place.open() as app:
        return await app.audit.verify()


def said(report: AuditReport) -> str:
    return "\n".join(f"{problem.index}: {problem.what}" for problem in report.problems)
