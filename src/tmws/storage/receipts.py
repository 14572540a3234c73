"""Receipts: kept for some days, one agent's own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from tmws.storage.columns import microseconds
from tmws.storage.prepared import Execute, Prepared, inserted, plain
from tmws.storage.tables import receipts

_PLAIN = plain(receipts)
_OTHERS = _PLAIN.alias("others")
_AGENT = sa.bindparam("agent", type_=sa.String)
_ADD = inserted(receipts)
_FORGET = Prepared(_PLAIN.delete().where(_PLAIN.c.at < sa.bindparam("before", type_=sa.BigInteger)))
_THIN_OUT = Prepared(
    _PLAIN.delete().where(
        _PLAIN.c.agent_id == _AGENT,
        _PLAIN.c.at
        <= sa.select(_OTHERS.c.at)
        .where(_OTHERS.c.agent_id == _AGENT)
        .order_by(_OTHERS.c.at.desc())
        .offset(sa.bindparam("kept", type_=sa.Integer))
        .limit(1)
        .scalar_subquery(),
    )
)


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


def add(run: Execute, receipt: Receipt) -> None:
    """Store a receipt."""
    run(
        _ADD,
        {
            "id": receipt.id,
            "agent_id": receipt.agent_id,
            "at": microseconds(receipt.at),
            "request": receipt.request,
            "shares": json.dumps(receipt.shares),
        },
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


def forget(run: Execute, *, before: datetime) -> None:
    """Remove what was issued before this time."""
    run(_FORGET, {"before": microseconds(before)})


def thin_out(run: Execute, agent_id: str, *, keep: int) -> None:
    """Remove all but an agent's newest receipts."""
    run(_THIN_OUT, {"agent": agent_id, "kept": keep})
