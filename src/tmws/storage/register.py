"""What administrators' acts left in the database, in the words of the ledger.

Rows are taken as they stand: what no act of ours would write is there to be found.
"""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from tmws.domain.canonical import Json, digest, sha256_hex
from tmws.domain.register import Fact
from tmws.storage import switches, workspaces
from tmws.storage.columns import moment
from tmws.storage.environments import environments, workspace_environments
from tmws.storage.prepared import at_once
from tmws.storage.tables import (
    agents,
    credentials,
    memberships,
    namespaces,
    quotas,
    reliances,
    trusted,
)
from tmws.storage.trusted import Kind

Facts = dict[Fact, dict[str, Json]]
_CALLED = {Kind.REF: "trusted ref", Kind.HELD: "held check", Kind.CHECKER: "checker"}


async def standing(connection: AsyncConnection) -> Facts:
    """Return every thing that the ledger tells of, as its row stands."""
    facts = {**await _agents(connection), **await _secrets(connection)}
    facts |= await _quotas(connection) | await _environments(connection) | await _stakes(connection)
    for name, root in (await workspaces.every(connection)).items():
        facts["workspace", name] = {"root": root}
    levels = sa.select(namespaces).where(namespaces.c.least_level.is_not(None))
    for row in await connection.execute(levels):
        facts["least level of", row.name] = {"level": row.least_level}
    for tool, reason in (await at_once(connection, switches.disabled)).items():
        facts["switched-off tool", tool] = {"reason": reason}
    for row in await connection.execute(sa.select(trusted)):
        facts[_CALLED.get(row.kind, row.kind), row.name] = {
            "workspace": row.workspace,
            "source": row.source,
            "sha256": row.digest,
        }
    return facts


async def _agents(connection: AsyncConnection) -> Facts:
    spaces: defaultdict[str, list[Json]] = defaultdict(list)
    ordered = sa.select(memberships).order_by(memberships.c.position, memberships.c.namespace)
    for row in await connection.execute(ordered):
        spaces[row.agent_id].append(row.namespace)
    facts: Facts = {}
    for row in await connection.execute(sa.select(agents)):
        facts["agent", row.id] = {
            "name": row.name,
            "role": row.role,
            "namespaces": spaces[row.id],
        }
        if row.disabled_because is not None:
            facts["disabled agent", row.id] = {"reason": row.disabled_because}
    return facts


async def _quotas(connection: AsyncConnection) -> Facts:
    mib, writes = (
        sa.type_coerce(bound, sa.types.NULLTYPE)
        for bound in (quotas.c.allowed_mib, quotas.c.allowed_daily_writes)
    )
    rows = await connection.execute(
        sa.select(quotas.c.agent_id, mib, writes).where(
            sa.or_(mib.is_not(None), writes.is_not(None))
        )
    )
    return {
        ("quota of", agent_id): {"mib": most, "daily_writes": often}
        for agent_id, most, often in rows
    }


async def _secrets(connection: AsyncConnection) -> Facts:
    """Return what opens the door for each agent; two secrets are none that was told of."""
    valid: defaultdict[str, list[str]] = defaultdict(list)
    unrevoked = sa.select(credentials).where(credentials.c.revoked_at.is_(None))
    for row in await connection.execute(unrevoked.order_by(credentials.c.id)):
        valid[row.agent_id].append(row.secret_sha256)
    return {
        ("secret of", agent_id): {"secret_sha256": ",".join(valid[agent_id]) or None}
        for agent_id in await connection.scalars(sa.select(agents.c.id))
    }


async def _environments(connection: AsyncConnection) -> Facts:
    facts: Facts = {}
    for row in await connection.execute(sa.select(environments)):
        plugins = _names(row.plugins)
        made = digest({"lock": sha256_hex(row.lock.encode()), "plugins": plugins})
        # What is stored counts, and what it calls itself.
        called = row.digest if row.digest == made else f"{row.digest}, {made}"
        facts["environment", row.name] = {"digest": called, "plugins": plugins}
    chosen = workspace_environments.c.environment.is_not(None)
    for row in await connection.execute(sa.select(workspace_environments).where(chosen)):
        facts["environment of", row.workspace] = {"environment": row.environment}
    return facts


async def _stakes(connection: AsyncConnection) -> Facts:
    found = await connection.execute(
        sa.select(*(sa.type_coerce(c, sa.types.NULLTYPE).label(c.name) for c in reliances.c))
    )
    return {
        ("stake", f"of {row.by} on {row.claim_id}"): {
            "stake": row.stake,
            "draw": row.draw,
            "since": _moment(row.since),
        }
        for row in found
    }


def _moment(stored: Any) -> Json:
    """Return a time as entries tell it; what is none as it stands."""
    try:
        return None if stored is None else moment(stored).isoformat()
    except (TypeError, OverflowError):
        return str(stored)


def _names(stored: str) -> Json:
    """Return a list of names as it was stored; what is no such list as it stands."""
    try:
        names = json.loads(stored)
    except ValueError:
        return stored
    plain = isinstance(names, list) and all(isinstance(name, str) for name in names)
    return names if plain else stored
