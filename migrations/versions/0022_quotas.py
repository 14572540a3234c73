"""What each agent keeps is counted, so that it can be bounded.

Revision ID: 0022
Revises: 0021
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

_ROW_BYTES = 4096
"""As much as the code counted beside the text when this was written."""


def upgrade() -> None:
    """Count what there is: patterns with their versions, and notes; not what was forgotten.

    Nor what an administrator removed, whose time of removal is that of an act by nobody.
    """
    op.create_table(
        "quotas",
        sa.Column("agent_id", sa.String(length=40), nullable=False),
        sa.Column("stored_bytes", sa.BigInteger(), nullable=False),
        sa.Column("given_back_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["agent_id"], ["agents.id"], name="fk_quotas_agent_id_agents"),
        sa.PrimaryKeyConstraint("agent_id", name="pk_quotas"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_links_owner_id", "links", ["owner_id"])
    content, text = f"{_size('summary')} + {_size('data')}", _size("text")
    op.execute(
        f"""
        INSERT INTO quotas (agent_id, stored_bytes, given_back_at)
        SELECT owner_id, sum(size), 0 FROM (
            SELECT owner_id, {_ROW_BYTES} + {content} + coalesce((
                SELECT sum({_ROW_BYTES} + {content}) FROM pattern_versions
                WHERE pattern_id = patterns.id
            ), 0) AS size
            FROM patterns
            WHERE forgotten_at IS NULL AND NOT EXISTS (
                SELECT 1 FROM pattern_acts
                WHERE agent_id IS NULL AND at = patterns.removed_at
                AND pattern_id = patterns.id AND act = 'removed'
            )
            UNION ALL
            SELECT owner_id, {_ROW_BYTES} + {text} AS size FROM memories WHERE kind = 'note'
        ) AS kept GROUP BY owner_id
        """  # noqa: S608  # our own names
    )


def _size(column: str) -> str:
    if op.get_bind().dialect.name == "postgresql":
        return f"octet_length({column})"
    return f"length(CAST({column} AS BLOB))"


def downgrade() -> None:
    """Count nothing; what there is says it again."""
    op.drop_index("ix_links_owner_id", "links")
    op.drop_table("quotas")
