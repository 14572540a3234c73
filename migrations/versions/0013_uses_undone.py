"""How often uses were taken back in a namespace.

Revision ID: 0013
Revises: 0012

Whoever holds uses that were taken back before runs an older version; counting begins at none.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    op.add_column(
        "namespaces", sa.Column("uses_undone", sa.BigInteger, nullable=False, server_default="0")
    )


def downgrade() -> None:
    """Forget it."""
    op.drop_column("namespaces", "uses_undone")
