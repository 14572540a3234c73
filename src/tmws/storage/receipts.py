"""Receipts: kept for some days, one agent's own."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from tmws.storage.tables import receipts


@dataclass(frozen=True, slots=True)
class Receipt:
    """What one agent was shown for one request.

    Attributes:
        request: in the agent's words; empty for a listing.
        shares: how the credit of an outcome is split, by pattern id; in sum 1.
    """

    id: str
    agent_id: str
    at: datetime
    request: str
    shares: Mapping[str, float]


async def add(connection: AsyncConnection, issued: Sequence[Receipt]) -> None:
    """Store receipts."""
    await connection.execute(
        receipts.insert(),
        [
            {
                "id": receipt.id,
                "agent_id": receipt.agent_id,
                "at": receipt.at,
                "request": receipt.request,
                "shares": json.dumps(receipt.shares),
            }
            for receipt in issued
        ],
    )


async def find(
    connection: AsyncConnection, receipt_id: str, *, agent_id: str, since: datetime
) -> Receipt | None:
    """Return an agent's own receipt, unless it was issued before `since`."""
    row = (
        await connection.execute(
            sa.select(receipts).where(
                receipts.c.id == receipt_id,
                receipts.c.agent_id == agent_id,
                receipts.c.at >= since,
            )
        )
    ).one_or_none()
    if row is None:
        return None
    return Receipt(row.id, row.agent_id, row.at, row.request, json.loads(row.shares))


async def forget(connection: AsyncConnection, *, before: datetime) -> None:
    """Remove what was issued before this time."""
    await connection.execute(receipts.delete().where(receipts.c.at < before))


async def thin_out(connection: AsyncConnection, agent_id: str, *, keep: int) -> None:
    """Remove all but an agent's newest receipts."""
    edge = (
        sa.select(receipts.c.at)
        .where(receipts.c.agent_id == agent_id)
        .order_by(receipts.c.at.desc())
        .offset(keep)
        .limit(1)
        .scalar_subquery()
    )
    await connection.execute(
        receipts.delete().where(receipts.c.agent_id == agent_id, receipts.c.at <= edge)
    )
