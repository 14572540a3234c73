"""What administrators keep from agents, and what a claim was judged by."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """No claim so far was judged by anything but its workspace."""
    op.add_column("claims", sa.Column("basis", sa.String(length=64), nullable=True))
    op.create_table(
        "trusted",
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("workspace", sa.String(length=64), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace"], ["workspaces.name"], name="fk_trusted_workspace_workspaces"
        ),
        sa.ForeignKeyConstraint(
            ["digest"], ["artifacts.digest"], name="fk_trusted_digest_artifacts"
        ),
        sa.PrimaryKeyConstraint("kind", "name", name="pk_trusted"),
    )
    op.create_index("ix_trusted_workspace", "trusted", ["workspace"], unique=False)


def downgrade() -> None:
    """Forget both; what was stored by content stays."""
    op.drop_index("ix_trusted_workspace", "trusted")
    op.drop_table("trusted")
    op.drop_column("claims", "basis")
