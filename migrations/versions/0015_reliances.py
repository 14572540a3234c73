"""Answers to whether a claim may count before it is checked.

Revision ID: 0015
Revises: 0014
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table; nobody relies on anything yet."""
    op.create_table(
        "reliances",
        sa.Column("claim_id", sa.String(length=40), nullable=False),
        sa.Column("by", sa.String(length=128), nullable=False),
        sa.Column("stake", sa.Double(), nullable=False),
        sa.Column("least", sa.Double(), nullable=False),
        sa.Column("draw", sa.Double(), nullable=False),
        sa.Column("granted", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("settled_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["claim_id"], ["claims.id"], name="fk_reliances_claim_id_claims"),
        sa.PrimaryKeyConstraint("claim_id", "by", name="pk_reliances"),
    )


def downgrade() -> None:
    """Forget who relied on what; the ledger still tells."""
    op.drop_table("reliances")
