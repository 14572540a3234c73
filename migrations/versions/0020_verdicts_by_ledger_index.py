"""Verdicts are kept in the order of the ledger: its index is their key.

SQLite keeps such a row under its own number, so no index of ledger indexes stands beside it.

Revision ID: 0020
Revises: 0019
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Let the ledger's index be the key, and each claim's id stand once."""
    _rekey("ledger_index", "id", sa.Integer())


def downgrade() -> None:
    """Let the claim's id be the key again."""
    _rekey("id", "ledger_index", sa.BigInteger())


def _rekey(key: str, other: str, number: sa.types.TypeEngine[int]) -> None:
    if op.get_bind().dialect.name == "sqlite":
        _remake(key, other, number)
        return
    op.drop_constraint("pk_evidence", "evidence", type_="primary")
    op.drop_constraint(f"uq_evidence_{key}", "evidence", type_="unique")
    op.create_primary_key("pk_evidence", "evidence", [key])
    op.create_unique_constraint(f"uq_evidence_{other}", "evidence", [other])


def _remake(key: str, other: str, number: sa.types.TypeEngine[int]) -> None:
    op.create_table(
        "new_evidence",
        sa.Column("ledger_index", number, autoincrement=False, nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        *_others(),
        sa.ForeignKeyConstraint(["agent_id"], ["agents.id"], name="fk_evidence_agent_id_agents"),
        sa.ForeignKeyConstraint(["owner_id"], ["agents.id"], name="fk_evidence_owner_id_agents"),
        sa.PrimaryKeyConstraint(key, name="pk_evidence"),
        sa.UniqueConstraint(other, name=f"uq_evidence_{other}"),
    )
    names = ", ".join(("ledger_index", "id", *(column.name for column in _others())))
    op.execute(
        f"INSERT INTO new_evidence ({names}) SELECT {names} FROM evidence "  # noqa: S608  # our own names
        "ORDER BY ledger_index"
    )
    op.drop_table("evidence")
    op.rename_table("new_evidence", "evidence")
    op.create_index("ix_evidence_owner_id_at", "evidence", ["owner_id", "at"])
    op.create_index("ix_evidence_task_ledger_index", "evidence", ["task", "ledger_index"])


def _others() -> list[sa.Column[Any]]:
    return [
        sa.Column("agent_id", sa.String(length=40), nullable=False),
        sa.Column("owner_id", sa.String(length=40), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("verdict", sa.String(length=16), nullable=False),
        sa.Column("task", sa.String(length=64), nullable=True),
        sa.Column("type", sa.String(length=32), nullable=False),
        sa.Column("effort_minutes", sa.Double(), nullable=True),
        sa.Column("author", sa.String(length=40), nullable=True),
        sa.Column("relied_on", sa.Boolean(create_constraint=False), nullable=False),
        sa.Column("weight", sa.Double(), nullable=False),
        sa.Column("confidence", sa.Double(), nullable=True),
        sa.Column("severity", sa.Double(), nullable=False),
        sa.Column("step", sa.Text(), nullable=True),
        sa.Column("withdrawn", sa.Text(), nullable=True),
        sa.Column("restored", sa.Text(), nullable=True),
    ]
