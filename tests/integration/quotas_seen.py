"""What an agent keeps and wrote, as tests set and see it."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from tests.integration.services import Installation, agent, pattern
from tmws.app import App
from tmws.domain.agents import Administrator, Agent
from tmws.domain.quotas import Quota, Used
from tmws.storage import quotas
from tmws.storage.prepared import Execute, at_once

ANN = Administrator("ann")
MIB = 2**20
FEW = 500
"""The fewest writes a day that can be set."""
LONG = {"text": "x" * 60_000}


@pytest.fixture
async def alice(app: App) -> Agent:
    return await agent(app, "alice")


def drafts(count: int, name: str = "number", **fields: Any) -> list[Any]:
    return [pattern(f"{name} {each}", **fields) for each in range(count)]


async def kept(app: App, name: str = "alice") -> int:
    """Return how many bytes an agent keeps, as the administrator is shown them."""
    return {each.agent: each.stored_bytes for each in await app.quotas.usage()}[name]


async def written(app: App, name: str = "alice") -> int:
    return {each.agent: each.written for each in await app.quotas.usage()}[name]


async def spent(place: Installation, who: Agent, writes: int) -> None:
    """Have an agent have written so much today, of few."""
    quota, at = Quota(MIB, FEW), place.clock.now()
    async with place.database() as database, database.write() as tx:

        def keep(run: Execute) -> None:
            own = quotas.lock(run, who.id, at=at).own
            ahead = writes * quota.spacing_microseconds
            quotas.keep(run, who.id, Used(own.stored_bytes, ahead), at=at)

        await at_once(tx, keep)


async def rows(place: Installation, table: sa.Table) -> int:
    async with place.database() as database, database.read() as connection:
        return int(await connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0)
