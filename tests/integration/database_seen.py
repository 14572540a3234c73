"""A database as a test looks at it: the installation's own, and a table to count."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import sqlalchemy as sa

from tests.integration.services import Installation
from tmws.app import App
from tmws.storage import artifacts
from tmws.storage.database import Database
from tmws.storage.prepared import Execute, Prepared
from tmws.storage.tables import agents as agents_table
from tmws.testing.clock import START

LOOK = sa.text("SELECT 1")
_COUNTED = Prepared(sa.select(sa.func.count()).select_from(agents_table))


@pytest.fixture
async def database(app: App, installation: Installation) -> AsyncIterator[Database]:
    """The database of an open app, as a process beside it has it."""
    assert app.settings.url == installation.url
    async with installation.database() as database:
        yield database


def count() -> sa.Select[int]:
    return sa.select(sa.func.count()).select_from(agents_table)


def counted(run: Execute) -> int:
    """Count the agents."""
    [[found]] = run(_COUNTED, {})
    return int(found)


def put(run: Execute, *numbers: int) -> list[str]:
    """Keep a few bytes for each number."""
    return [
        artifacts.put(run, f"bytes {number}".encode(), media_type="x", at=START)
        for number in numbers
    ]
