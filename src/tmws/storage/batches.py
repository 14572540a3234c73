"""Answers kept for retries: the same key and content gets the same answer."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from tmws.storage.tables import batches


async def known(
    connection: AsyncConnection, agent_id: str, key: str
) -> tuple[str, tuple[str, ...]] | None:
    """Return fingerprint and pattern ids of the batch that an agent sent under this key."""
    row = (
        await connection.execute(
            sa.select(batches.c.fingerprint, batches.c.pattern_ids).where(
                batches.c.agent_id == agent_id, batches.c.key == key
            )
        )
    ).one_or_none()
    return (row.fingerprint, tuple(json.loads(row.pattern_ids))) if row else None


async def add(
    connection: AsyncConnection,
    agent_id: str,
    key: str,
    *,
    fingerprint: str,
    pattern_ids: Sequence[str],
    at: datetime,
) -> None:
    """Keep the answer, in the transaction that it is about."""
    await connection.execute(
        batches.insert().values(
            agent_id=agent_id,
            key=key,
            fingerprint=fingerprint,
            pattern_ids=json.dumps(pattern_ids),
            at=at,
        )
    )


async def forget(connection: AsyncConnection, pattern_id: str) -> None:
    """Erase the fingerprints that this pattern had a part in: short content can be guessed."""
    await connection.execute(
        batches.update()
        .where(batches.c.pattern_ids.contains(pattern_id, autoescape=True))
        .values(fingerprint="")
    )
