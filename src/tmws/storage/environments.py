"""Rows of environments, and of the workspaces that use them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from tmws.domain.environments import Environment
from tmws.storage.tables import Moment, metadata

environments = sa.Table(
    "environments",
    metadata,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Column("lock", sa.Text, nullable=False),
    sa.Column("plugins", sa.Text, nullable=False),
    sa.Column("changed_at", Moment, nullable=False),
)

# A row without an environment says since when the workspace does without one.
workspace_environments = sa.Table(
    "workspace_environments",
    metadata,
    sa.Column("workspace", sa.ForeignKey("workspaces.name"), primary_key=True),
    sa.Column("environment", sa.ForeignKey("environments.name")),
    sa.Column("chosen_at", Moment, nullable=False),
)


@dataclass(frozen=True, slots=True)
class Kept:
    """An environment with the lock that it is built from."""

    environment: Environment
    lock: str
    changed_at: datetime
    workspaces: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a workspace's checks run with, and since when that is so, None for always."""

    environment: Environment | None = None
    since: datetime | None = None

    def stood_at(self, moment: datetime) -> bool:
        """Say whether a check of that moment ran with the same packages."""
        return self.since is None or self.since < moment


async def put(
    connection: AsyncConnection, environment: Environment, lock: str, *, at: datetime
) -> None:
    """Keep an environment under its name, in place of an earlier one of that name."""
    values = {
        "digest": environment.digest,
        "lock": lock,
        "plugins": json.dumps(environment.plugins),
        "changed_at": at,
    }
    changed = await connection.execute(
        environments.update().where(environments.c.name == environment.name).values(values)
    )
    if changed.rowcount == 0:
        await connection.execute(environments.insert().values(name=environment.name, **values))


async def remove(connection: AsyncConnection, name: str) -> None:
    """Forget an environment that no workspace uses."""
    await connection.execute(environments.delete().where(environments.c.name == name))


async def every(connection: AsyncConnection) -> list[Kept]:
    """Return all environments, by name."""
    users: dict[str, list[str]] = {}
    for row in await connection.execute(
        sa.select(workspace_environments).order_by(workspace_environments.c.workspace)
    ):
        users.setdefault(row.environment, []).append(row.workspace)
    rows = await connection.execute(sa.select(environments).order_by(environments.c.name))
    return [
        Kept(_environment(row), row.lock, row.changed_at, tuple(users.get(row.name, ())))
        for row in rows
    ]


async def choose(
    connection: AsyncConnection, workspace: str, name: str | None, *, at: datetime
) -> None:
    """Let the workspace's checks run with this environment from now on, None for none."""
    mine = workspace_environments.c.workspace == workspace
    await connection.execute(workspace_environments.delete().where(mine))
    await connection.execute(
        workspace_environments.insert().values(workspace=workspace, environment=name, chosen_at=at)
    )


async def chosen(connection: AsyncConnection, workspace: str) -> Chosen:
    """Return what the workspace's checks run with."""
    query = (
        sa.select(workspace_environments.c.chosen_at, environments)
        .select_from(workspace_environments.outerjoin(environments))
        .where(workspace_environments.c.workspace == workspace)
    )
    row = (await connection.execute(query)).first()
    if row is None:
        return Chosen()
    if row.name is None:
        return Chosen(None, row.chosen_at)
    return Chosen(_environment(row), max(row.chosen_at, row.changed_at))


async def ran_with(
    connection: AsyncConnection, wanted: Chosen, workspace: str, moment: datetime
) -> bool:
    """Say whether a check of this workspace at that moment ran with these very packages."""
    theirs = await chosen(connection, workspace)
    return theirs.environment == wanted.environment and theirs.stood_at(moment)


def _environment(row: sa.Row[tuple[object, ...]]) -> Environment:
    return Environment(row.name, row.digest, tuple(json.loads(row.plugins)))
