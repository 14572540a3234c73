"""Which model serves an arm of search.

Revision ID: 0009
Revises: 0008

A store that has vectors already has no row: the first server to start finds out whether its
model has read everything, and takes the place if so.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "serving",
        sa.Column("arm", sa.String(16), nullable=False),
        sa.Column("stage", sa.String(16), nullable=False),
        sa.Column("embedder", sa.String(64), nullable=False),
        sa.Column("backend", sa.String(64), nullable=False),
        sa.Column("model", sa.String(64)),
        sa.Column("dimension", sa.Integer),
        sa.Column("since", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("arm", "stage", name="pk_serving"),
    )


def downgrade() -> None:
    """Remove it; the vectors stay."""
    op.drop_table("serving")
