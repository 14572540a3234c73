"""Stakes that end: when each was given, and nothing that its claim's verdict tells already.

Revision ID: 0018
Revises: 0017
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Count the time of what stands from when it was last given; what was refused is none."""
    op.add_column("reliances", sa.Column("since", sa.BigInteger(), nullable=True))
    op.execute('UPDATE reliances SET since = "at" WHERE granted = 1')
    op.execute("UPDATE reliances SET stake = 0 WHERE granted = 0")
    for name in ("least", "granted", "at", "settled_at"):
        op.drop_column("reliances", name)


def downgrade() -> None:
    """Let stakes stand until their claims are decided again; the ledger tells what was asked."""
    op.add_column(
        "reliances", sa.Column("least", sa.Double(), nullable=False, server_default="0.5")
    )
    op.add_column(
        "reliances", sa.Column("granted", sa.Integer(), nullable=False, server_default="0")
    )
    op.add_column("reliances", sa.Column("at", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("reliances", sa.Column("settled_at", sa.BigInteger(), nullable=True))
    op.execute("UPDATE reliances SET granted = 1 WHERE stake > 0")
    op.execute('UPDATE reliances SET "at" = since WHERE since IS NOT NULL')
    op.execute(
        "UPDATE reliances SET settled_at = (SELECT min(other.closed_at) "
        "FROM claims AS one JOIN claims AS other ON other.agent_id = one.agent_id "
        'AND other.snapshot_digest = one.snapshot_digest AND other."check" = one."check" '
        "WHERE one.id = reliances.claim_id AND other.verdict IN ('SUPPORTED', 'REFUTED'))"
    )
    op.drop_column("reliances", "since")
