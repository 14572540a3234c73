"""Recommendations whose best was shown or withheld by chance."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table; nothing was tried yet."""
    op.create_table(
        "trials",
        sa.Column("receipt_id", sa.String(length=40), nullable=False),
        sa.Column("pattern_id", sa.String(length=40), nullable=False),
        sa.Column("agent_id", sa.String(length=40), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("shown", sa.Boolean(create_constraint=False), nullable=False),
        sa.Column("good", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(
            ["pattern_id"], ["patterns.id"], name="fk_trials_pattern_id_patterns"
        ),
        sa.ForeignKeyConstraint(["agent_id"], ["agents.id"], name="fk_trials_agent_id_agents"),
        sa.PrimaryKeyConstraint("receipt_id", name="pk_trials"),
    )
    op.create_index(
        "ix_trials_pattern_id", "trials", ["pattern_id", "shown", "agent_id", "at", "good"]
    )
    op.create_index("ix_trials_agent_id_at", "trials", ["agent_id", "at"])


def downgrade() -> None:
    """Forget what was tried."""
    op.drop_table("trials")
