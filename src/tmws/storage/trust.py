"""Each agent's record of verdicts."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from tmws.domain.trust import NO_RECORD, TrustScore
from tmws.storage import agents
from tmws.storage.tables import trust


async def load(connection: AsyncConnection, agent_id: str) -> TrustScore:
    """Return the agent's score; `NO_RECORD` before its first verdict."""
    row = (await connection.execute(sa.select(trust).where(trust.c.agent_id == agent_id))).first()
    return TrustScore(row.supported, row.refuted, row.inconclusive) if row else NO_RECORD


async def load_for_update(connection: AsyncConnection, agent_id: str) -> TrustScore:
    """Return the score and keep others from changing it until the transaction ends."""
    # The agent's own row is the lock: it exists before the first verdict does.
    await agents.lock(connection, agent_id)
    return await load(connection, agent_id)


async def save(
    connection: AsyncConnection, agent_id: str, score: TrustScore, *, at: datetime
) -> None:
    """Write the score of an agent whose row is locked."""
    values = {
        "supported": score.supported,
        "refuted": score.refuted,
        "inconclusive": score.inconclusive,
        "updated_at": at,
    }
    changed = await connection.execute(
        trust.update().where(trust.c.agent_id == agent_id).values(values)
    )
    if not changed.rowcount:
        await connection.execute(trust.insert().values(agent_id=agent_id, **values))


async def every(connection: AsyncConnection) -> dict[str, TrustScore]:
    """Return agent id to score of all that have a record."""
    rows = await connection.execute(sa.select(trust))
    return {row.agent_id: TrustScore(row.supported, row.refuted, row.inconclusive) for row in rows}
