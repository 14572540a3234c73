"""Indexes that find the claims of dead servers, and the verdicts on one snapshot."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_COLUMNS = (["snapshot_digest"], ["state", "lease_until"])


def upgrade() -> None:
    """Make the indexes."""
    for columns in _COLUMNS:
        op.create_index(op.f(f"ix_claims_{'_'.join(columns)}"), "claims", columns)


def downgrade() -> None:
    """Drop the indexes."""
    for columns in _COLUMNS:
        op.drop_index(op.f(f"ix_claims_{'_'.join(columns)}"), table_name="claims")
