"""Workspaces can be removed; claims about them go on to name them.

Revision ID: 0023
Revises: 0022
"""

from __future__ import annotations

import json
from datetime import datetime

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make room; nothing is removed but by the ledger of a store that was newer before."""
    op.add_column("workspaces", sa.Column("removed_at", sa.BigInteger(), nullable=True))
    told = sa.text("UPDATE workspaces SET removed_at = :at WHERE name = :workspace")
    for name, at in _removed().items():
        op.get_bind().execute(told, {"workspace": name, "at": at})


def _removed() -> dict[str, int | None]:
    rows = op.get_bind().execute(
        sa.text(
            "SELECT e.leaf, p.payload FROM ledger_entries e JOIN ledger_payloads p "
            'ON p."index" = e."index" WHERE e.leaf LIKE \'%"workspace_removed"%\' '
            'OR e.leaf LIKE \'%"workspace_registered"%\' ORDER BY e."index"'
        )
    )
    found: dict[str, int | None] = {}
    for leaf, payload in rows:
        act, name = json.loads(leaf), json.loads(payload)["workspace"]
        gone = act["type"] == "workspace_removed"
        found[name] = _microseconds(act["at"]) if gone else None
    return found


def _microseconds(at: str) -> int:
    return round(datetime.fromisoformat(at).timestamp() * 1_000_000)


def downgrade() -> None:
    """Open again what claims name; a version of before cannot do without it."""
    op.execute(
        "DELETE FROM workspace_environments WHERE environment IS NULL AND workspace IN "
        "(SELECT name FROM workspaces WHERE removed_at IS NOT NULL) AND workspace NOT IN "
        "(SELECT workspace FROM claims)"
    )
    op.execute(
        "DELETE FROM workspaces WHERE removed_at IS NOT NULL AND name NOT IN "
        "(SELECT workspace FROM claims)"
    )
    op.drop_column("workspaces", "removed_at")
