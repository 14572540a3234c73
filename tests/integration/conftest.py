"""A real database of each kind, new for every test that asks."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.integration.services import Installation, agent
from tests.postgres import PostgresServer, postgres_server
from tmws.app import App
from tmws.domain.agents import Agent

_running: list[PostgresServer] = []


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """One server for all tests of a process; not safe against power cuts."""
    # Another folder's conftest hands this fixture on, and pytest takes it for a second one.
    if _running:
        yield _running[0]
        return
    with postgres_server() as server:
        _running.append(server)
        yield server
        _running.clear()


@pytest.fixture
def postgres_url(postgres: PostgresServer) -> Iterator[str]:
    """The address of an empty PostgreSQL database with pgvector."""
    name = f"test_{secrets.token_hex(8)}"
    yield postgres.create_database(name)
    postgres.drop_database(name)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """The address of a SQLite file that does not exist yet."""
    return f"sqlite:///{tmp_path / 'tmws.db'}"


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest) -> str:
    """An empty database of each kind in turn: what holds on one holds on the other."""
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture
def installation(database_url: str, tmp_path: Path) -> Installation:
    """A place for one installation on each kind of database; nothing is there yet."""
    return Installation(database_url, tmp_path / "data")


@pytest.fixture
async def app(installation: Installation) -> AsyncIterator[App]:
    """An open app on a new installation."""
    async with installation.open() as app:
        yield app


@pytest.fixture
async def alice(app: App, installation: Installation) -> Agent:
    """An agent who may make claims about the workspace `shop`."""
    await app.workspaces.add("shop", installation.workspace(), by="test")
    return await agent(app, "alice")
