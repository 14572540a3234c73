"""One agent can be allowed another quota than all.

Revision ID: 0024
Revises: 0023
"""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

_BOUNDS = ("mib", "daily_writes")


def upgrade() -> None:
    """Make room; nobody is allowed anything else but by the ledger of a store that was newer."""
    for bound in _BOUNDS:
        op.add_column("quotas", sa.Column(f"allowed_{bound}", sa.Integer(), nullable=True))
    told = sa.text(
        "INSERT INTO quotas (agent_id, stored_bytes, given_back_at, allowed_mib, "
        "allowed_daily_writes) VALUES (:agent, 0, 0, :mib, :daily_writes) "
        "ON CONFLICT (agent_id) DO UPDATE SET allowed_mib = excluded.allowed_mib, "
        "allowed_daily_writes = excluded.allowed_daily_writes"
    )
    for agent_id, bounds in _allowed().items():
        op.get_bind().execute(told, {"agent": agent_id, **bounds})


def _allowed() -> dict[str, dict[str, int | None]]:
    rows = op.get_bind().execute(
        sa.text(
            "SELECT e.leaf, p.payload FROM ledger_entries e JOIN ledger_payloads p "
            'ON p."index" = e."index" WHERE e.leaf LIKE \'%"quota_set"%\' ORDER BY e."index"'
        )
    )
    entries = [json.loads(payload) for leaf, payload in rows if _is_quota_set(leaf)]
    return {told["agent"]: {bound: told[bound] for bound in _BOUNDS} for told in entries}


def _is_quota_set(leaf: str) -> bool:
    return bool(json.loads(leaf)["type"] == "quota_set")


def downgrade() -> None:
    """Allow all the same again: a version of before knows no other way."""
    for bound in reversed(_BOUNDS):
        op.drop_column("quotas", f"allowed_{bound}")
