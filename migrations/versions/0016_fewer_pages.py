"""Keys that are the tables themselves, and the first verdict on a task found at once.

A verdict writes to every B-tree it touches, and each costs a page in the log of the file.

Revision ID: 0016
Revises: 0015
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_TAGS = "ix_pattern_tags_tag_pattern_id"


def upgrade() -> None:
    """Order the verdicts on a task; in SQLite, leave out what only repeated the key."""
    op.drop_index("ix_evidence_task", table_name="evidence")
    op.create_index("ix_evidence_task_ledger_index", "evidence", ["task", "ledger_index"])
    if op.get_bind().dialect.name == "sqlite":
        _remake_ledger(sa.Integer())
        _remake_state(with_rowid=False)
        _remake_tags(with_rowid=False)


def downgrade() -> None:
    """Give every table its rows and its index of keys again."""
    op.drop_index("ix_evidence_task_ledger_index", table_name="evidence")
    op.create_index("ix_evidence_task", "evidence", ["task"])
    if op.get_bind().dialect.name == "sqlite":
        _remake_ledger(sa.BigInteger())
        _remake_state(with_rowid=True)
        _remake_tags(with_rowid=True)


def _remake_ledger(key: sa.types.TypeEngine[int]) -> None:
    """Make both tables again; what refers to the entries waits beside them meanwhile."""
    op.create_table(
        "new_entries",
        sa.Column("index", key, autoincrement=False, nullable=False),
        sa.Column("leaf", sa.Text(), nullable=False),
        sa.Column("leaf_hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("index", name="pk_ledger_entries"),
    )
    op.execute(
        'INSERT INTO new_entries SELECT "index", leaf, leaf_hash FROM ledger_entries '
        'ORDER BY "index"'
    )
    op.execute("CREATE TABLE waiting AS SELECT * FROM ledger_payloads")
    op.drop_table("ledger_payloads")
    _take_place("new_entries", "ledger_entries")
    for verb in ("update", "delete"):
        op.execute(
            f"CREATE TRIGGER ledger_entries_no_{verb} BEFORE {verb} ON ledger_entries "
            "BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END"
        )
    op.create_table(
        "ledger_payloads",
        sa.Column("index", key, autoincrement=False, nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["index"], ["ledger_entries.index"], name="fk_ledger_payloads_index_ledger_entries"
        ),
        sa.PrimaryKeyConstraint("index", name="pk_ledger_payloads"),
    )
    op.execute(
        'INSERT INTO ledger_payloads SELECT "index", salt, payload FROM waiting ORDER BY "index"'
    )
    op.drop_table("waiting")


def _remake_state(*, with_rowid: bool) -> None:
    op.create_table(
        "new_state",
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("agent", sa.String(length=40), nullable=False),
        sa.Column("topic", sa.String(length=64), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "agent", "topic", name="pk_trust_state"),
        sqlite_with_rowid=with_rowid,
    )
    op.execute(
        "INSERT INTO new_state SELECT kind, agent, topic, value FROM trust_state "
        "ORDER BY kind, agent, topic"
    )
    _take_place("new_state", "trust_state")


def _remake_tags(*, with_rowid: bool) -> None:
    op.create_table(
        "new_tags",
        sa.Column("pattern_id", sa.String(length=40), nullable=False),
        sa.Column("tag", sa.String(length=50), nullable=False),
        sa.ForeignKeyConstraint(
            ["pattern_id"], ["patterns.id"], name="fk_pattern_tags_pattern_id_patterns"
        ),
        sa.PrimaryKeyConstraint("pattern_id", "tag", name="pk_pattern_tags"),
        sqlite_with_rowid=with_rowid,
    )
    op.execute(
        "INSERT INTO new_tags SELECT pattern_id, tag FROM pattern_tags ORDER BY pattern_id, tag"
    )
    _take_place("new_tags", "pattern_tags")
    op.create_index(_TAGS, "pattern_tags", ["tag", "pattern_id"])


def _take_place(new: str, old: str) -> None:
    op.drop_table(old)
    op.rename_table(new, old)
