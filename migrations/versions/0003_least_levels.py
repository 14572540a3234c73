"""What a claim's verdict has to reach, and the least that a namespace asks for."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Every claim so far asked for `reproduced`; no namespace asks for more."""
    level = sa.Column("level", sa.String(length=16), nullable=False, server_default="reproduced")
    op.add_column("claims", level)
    op.add_column("namespaces", sa.Column("least_level", sa.String(length=16), nullable=True))


def downgrade() -> None:
    """Forget both."""
    op.drop_column("namespaces", "least_level")
    op.drop_column("claims", "level")
