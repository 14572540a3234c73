"""What was withdrawn can count again: who let it, and what it proved.

Revision ID: 0019
Revises: 0018
"""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make room; what was withdrawn before proves nothing again, its verdict may count."""
    op.add_column("evidence", sa.Column("restored", sa.Text(), nullable=True))
    op.create_table(
        "withdrawn_proofs",
        sa.Column("use_id", sa.String(length=40), nullable=False),
        sa.Column("claim_id", sa.String(length=40), nullable=False),
        sa.PrimaryKeyConstraint("use_id", name="pk_withdrawn_proofs"),
    )
    op.create_index("ix_withdrawn_proofs_claim_id", "withdrawn_proofs", ["claim_id"])
    told = sa.text("UPDATE evidence SET restored = :act WHERE id = :claim AND withdrawn IS NULL")
    for claim_id, act in _restored().items():
        op.get_bind().execute(told, {"claim": claim_id, "act": act})


def _restored() -> dict[str, str]:
    """Return who restored what, as the ledger tells it to a store that was newer before."""
    rows = op.get_bind().execute(
        sa.text(
            "SELECT e.leaf, p.payload FROM ledger_entries e JOIN ledger_payloads p "
            'ON p."index" = e."index" WHERE e.leaf LIKE \'%evidence_restored%\' '
            'ORDER BY e."index"'
        )
    )
    found = {}
    for leaf, payload in rows:
        told = json.loads(payload)
        found[told["evidence"]] = json.dumps([told["reason"], told["by"], json.loads(leaf)["at"]])
    return found


def downgrade() -> None:
    """Forget both; the ledger still tells what was restored, and why."""
    op.drop_table("withdrawn_proofs")
    op.drop_column("evidence", "restored")
