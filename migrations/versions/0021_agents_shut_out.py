"""Agents can be shut out, and why stands beside them.

Revision ID: 0021
Revises: 0020
"""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make room; nobody is shut out but by the ledger of a store that was newer before."""
    op.add_column("agents", sa.Column("disabled_because", sa.Text(), nullable=True))
    told = sa.text("UPDATE agents SET disabled_because = :reason WHERE id = :agent")
    for agent_id, reason in _shut_out().items():
        op.get_bind().execute(told, {"agent": agent_id, "reason": reason})


def _shut_out() -> dict[str, str | None]:
    rows = op.get_bind().execute(
        sa.text(
            "SELECT e.leaf, p.payload FROM ledger_entries e JOIN ledger_payloads p "
            'ON p."index" = e."index" WHERE e.leaf LIKE \'%"agent_disabled"%\' '
            'OR e.leaf LIKE \'%"agent_enabled"%\' ORDER BY e."index"'
        )
    )
    found: dict[str, str | None] = {}
    for leaf, payload in rows:
        told = json.loads(payload)
        off = json.loads(leaf)["type"] == "agent_disabled"
        found[told["agent"]] = told["reason"] if off else None
    return found


def downgrade() -> None:
    """Let all of them in again: a version of before knows no other way.

    Whoever must stay out needs another secret first: tmws agents rotate.
    """
    op.drop_column("agents", "disabled_because")
