"""Agents, their namespaces and their secrets."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from tmws.domain.agents import Agent, Role
from tmws.storage.prepared import Execute, Prepared
from tmws.storage.tables import agents, credentials, memberships, namespaces

_OF_ID = agents.c.id == sa.bindparam("of", type_=sa.String)
_DISABLED = Prepared(sa.select(agents.c.name).where(_OF_ID, agents.c.disabled_because.is_not(None)))
_ID = Prepared(sa.select(agents.c.id).where(agents.c.name == sa.bindparam("name", type_=sa.String)))


async def add(connection: AsyncConnection, agent: Agent) -> None:
    """Store an agent and whatever namespace of its does not exist yet."""
    await connection.execute(
        agents.insert().values(
            id=agent.id, name=agent.name, role=agent.role.value, created_at=agent.created_at
        )
    )
    for position, namespace in enumerate(agent.namespaces):
        await _ensure_namespace(connection, namespace)
        await connection.execute(
            memberships.insert().values(agent_id=agent.id, namespace=namespace, position=position)
        )


async def _ensure_namespace(connection: AsyncConnection, name: str) -> None:
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    await connection.execute(
        insert(namespaces).values(name=name, revision=0).on_conflict_do_nothing()
    )


async def named(connection: AsyncConnection, name: str) -> Agent | None:
    """Return the agent of this name."""
    found = await _select(connection, agents.c.name == name)
    return found[0] if found else None


async def every(connection: AsyncConnection) -> list[Agent]:
    """Return all agents by name."""
    return await _select(connection, sa.true())


async def disable(connection: AsyncConnection, agent_id: str, *, reason: str) -> bool:
    """Shut an agent out; say whether it was not shut out before."""
    result = await connection.execute(
        agents.update()
        .where(agents.c.id == agent_id, agents.c.disabled_because.is_(None))
        .values(disabled_because=reason)
    )
    return bool(result.rowcount)


async def enable(connection: AsyncConnection, agent_id: str) -> bool:
    """Let an agent act again; say whether it was shut out."""
    result = await connection.execute(
        agents.update()
        .where(agents.c.id == agent_id, agents.c.disabled_because.is_not(None))
        .values(disabled_because=None)
    )
    return bool(result.rowcount)


def disabled_name(run: Execute, agent_id: str) -> str | None:
    """Return the agent's name if an administrator shut it out."""
    found = run(_DISABLED, {"of": agent_id})
    return str(found[0][0]) if found else None


async def lock(connection: AsyncConnection, agent_id: str) -> None:
    """Make others who lock the same agent wait until the transaction ends."""
    if connection.dialect.name == "sqlite":
        return  # whoever writes there is alone already
    # Not the key: rows that merely refer to the agent are written meanwhile, and a
    # transaction that holds what we want next never waits for us.
    await connection.execute(
        sa.select(agents.c.id).where(agents.c.id == agent_id).with_for_update(key_share=True)
    )


def ids_of(run: Execute, names: Sequence[str]) -> dict[str, str]:
    """Return name to id of those that exist."""
    found = {name: run(_ID, {"name": name}) for name in names}
    return {name: str(rows[0][0]) for name, rows in found.items() if rows}


async def names_of(
    connection: AsyncConnection, ids: Sequence[str], *, reader: Agent | None
) -> dict[str, str]:
    """Return id to name of those that share a namespace with the reader, all without one."""
    known: sa.ColumnElement[bool] = agents.c.id.in_(ids)
    if reader is not None:
        beside = sa.select(memberships.c.agent_id).where(
            memberships.c.namespace.in_(reader.namespaces)
        )
        known = sa.and_(known, agents.c.id.in_(beside))
    rows = await connection.execute(sa.select(agents.c.id, agents.c.name).where(known))
    return {row.id: row.name for row in rows}


async def holding(connection: AsyncConnection, secret_sha256: str) -> Agent | None:
    """Return the agent whose unrevoked secret has this digest."""
    owner = sa.select(credentials.c.agent_id).where(
        credentials.c.secret_sha256 == secret_sha256, credentials.c.revoked_at.is_(None)
    )
    found = await _select(connection, agents.c.id.in_(owner))
    return found[0] if found else None


async def add_credential(
    connection: AsyncConnection, *, id: str, agent_id: str, secret_sha256: str, at: datetime
) -> None:
    """Store the digest of a new secret."""
    await connection.execute(
        credentials.insert().values(
            id=id, agent_id=agent_id, secret_sha256=secret_sha256, created_at=at
        )
    )


async def revoke_credentials(connection: AsyncConnection, agent_id: str, *, at: datetime) -> None:
    """Make every secret of the agent invalid."""
    await connection.execute(
        credentials.update()
        .where(credentials.c.agent_id == agent_id, credentials.c.revoked_at.is_(None))
        .values(revoked_at=at)
    )


async def _select(connection: AsyncConnection, condition: sa.ColumnElement[bool]) -> list[Agent]:
    rows = await connection.execute(
        sa.select(agents, memberships.c.namespace)
        .join(memberships, memberships.c.agent_id == agents.c.id)
        .where(condition)
        .order_by(agents.c.name, memberships.c.position)
    )
    found: dict[str, Agent] = {}
    for row in rows:
        known = found.get(row.id)
        found[row.id] = Agent(
            id=row.id,
            name=row.name,
            role=Role(row.role),
            namespaces=(*(known.namespaces if known else ()), row.namespace),
            created_at=row.created_at,
            disabled_because=row.disabled_because,
        )
    return list(found.values())
