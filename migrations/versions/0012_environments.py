"""Packages that checks run with, and which workspaces use them."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables; no workspace uses an environment yet."""
    op.create_table(
        "environments",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("lock", sa.Text(), nullable=False),
        sa.Column("plugins", sa.Text(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_environments"),
    )
    op.create_table(
        "workspace_environments",
        sa.Column("workspace", sa.String(length=64), nullable=False),
        sa.Column("environment", sa.String(length=64), nullable=True),
        sa.Column("chosen_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace"],
            ["workspaces.name"],
            name="fk_workspace_environments_workspace_workspaces",
        ),
        sa.ForeignKeyConstraint(
            ["environment"],
            ["environments.name"],
            name="fk_workspace_environments_environment_environments",
        ),
        sa.PrimaryKeyConstraint("workspace", name="pk_workspace_environments"),
    )


def downgrade() -> None:
    """Forget both."""
    op.drop_table("workspace_environments")
    op.drop_table("environments")
