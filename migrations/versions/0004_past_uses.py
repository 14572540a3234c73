"""Uses that are found by what they were for, statistics by agent, and receipts."""

import dataclasses
from typing import Any

import sqlalchemy as sa
from alembic import op

from tmws.domain.usage import Usage, UseOutcome
from tmws.storage.tables import Moment

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_COUNTS = tuple(field.name for field in dataclasses.fields(Usage) if field.name != "prior")
_NEW = ("credit", "credit_good", "evidence_good", "evidence_bad")

_USES = sa.table(
    "uses",
    *(sa.column(name) for name in ("id", "pattern_id", "agent_id", "claim_id", "outcome")),
    sa.column("duration_seconds"),
    sa.column("at", Moment),
)
_PATTERNS = sa.table("patterns", *(sa.column(name) for name in ("id", "namespace", "level", *_NEW)))
_AGENT_USAGE = sa.table(
    "agent_usage",
    sa.column("pattern_id"),
    sa.column("agent_id"),
    *(sa.column(name) for name in _COUNTS if name != "last_used_at"),
    sa.column("last_used_at", Moment),
)
_NAMESPACES = sa.table(
    "namespaces", *(sa.column(name) for name in ("name", "evidence_good", "evidence_bad"))
)


def _share(name: str, *, of_nothing: str = "0") -> sa.Column[float]:
    return sa.Column(name, sa.Double(), nullable=False, server_default=of_nothing)


def upgrade() -> None:
    """Make the tables, and count every use again for its agent and for what it is worth."""
    for table, names in (("patterns", _NEW), ("namespaces", ("evidence_good", "evidence_bad"))):
        for name in names:
            op.add_column(table, _share(name))
    op.add_column("uses", _share("share", of_nothing="1"))
    op.add_column("uses", sa.Column("receipt_id", sa.String(length=40), nullable=True))
    op.create_index(
        "ix_uses_receipt_id_pattern_id", "uses", ["receipt_id", "pattern_id"], unique=True
    )
    op.create_table(
        "use_vectors",
        sa.Column("use_id", sa.String(length=40), nullable=False),
        sa.Column("embedder", sa.String(length=64), nullable=False),
        sa.Column("namespace", sa.String(length=64), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["use_id"], ["uses.id"], name="fk_use_vectors_use_id_uses"),
        sa.ForeignKeyConstraint(
            ["namespace"], ["namespaces.name"], name="fk_use_vectors_namespace_namespaces"
        ),
        sa.PrimaryKeyConstraint("use_id", "embedder", name="pk_use_vectors"),
    )
    op.create_index(
        "ix_use_vectors_namespace_embedder_revision",
        "use_vectors",
        ["namespace", "embedder", "revision"],
    )
    op.create_table(
        "agent_usage",
        sa.Column("pattern_id", sa.String(length=40), nullable=False),
        sa.Column("agent_id", sa.String(length=40), nullable=False),
        sa.Column("successes", sa.Integer(), nullable=False),
        sa.Column("partials", sa.Integer(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("proven_successes", sa.Integer(), nullable=False),
        sa.Column("proven_failures", sa.Integer(), nullable=False),
        sa.Column("credit", sa.Double(), nullable=False),
        sa.Column("credit_good", sa.Double(), nullable=False),
        sa.Column("evidence_good", sa.Double(), nullable=False),
        sa.Column("evidence_bad", sa.Double(), nullable=False),
        sa.Column("duration_seconds", sa.Double(), nullable=True),
        sa.Column("last_used_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["pattern_id"], ["patterns.id"], name="fk_agent_usage_pattern_id_patterns"
        ),
        sa.ForeignKeyConstraint(["agent_id"], ["agents.id"], name="fk_agent_usage_agent_id_agents"),
        sa.PrimaryKeyConstraint("pattern_id", "agent_id", name="pk_agent_usage"),
    )
    op.create_table(
        "receipts",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("agent_id", sa.String(length=40), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("request", sa.Text(), nullable=False),
        sa.Column("shares", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["agent_id"], ["agents.id"], name="fk_receipts_agent_id_agents"),
        sa.PrimaryKeyConstraint("id", name="pk_receipts"),
    )
    op.create_index("ix_receipts_agent_id_at", "receipts", ["agent_id", "at"])
    op.create_index("ix_receipts_at", "receipts", ["at"])
    _count_again()


def _count_again() -> None:
    connection = op.get_bind()
    overall: dict[str, Usage] = {}
    own: dict[tuple[str, str], Usage] = {}
    for row in connection.execute(sa.select(_USES).order_by(_USES.c.at, _USES.c.id)):
        key = (row.pattern_id, row.agent_id)
        told: dict[str, Any] = {
            "duration_seconds": row.duration_seconds,
            "proven": row.claim_id is not None,
            "at": row.at,
            "own": own.get(key),
        }
        outcome = UseOutcome(row.outcome)
        overall[row.pattern_id] = overall.get(row.pattern_id, Usage()).after(outcome, **told)
        own[key] = own.get(key, Usage()).after(outcome, **told)
    for (pattern_id, agent_id), counted in own.items():
        counts = {name: getattr(counted, name) for name in _COUNTS}
        connection.execute(
            _AGENT_USAGE.insert().values(pattern_id=pattern_id, agent_id=agent_id, **counts)
        )
    for pattern_id, counted in overall.items():
        good, bad = counted.evidence_good, counted.evidence_bad
        connection.execute(
            _PATTERNS.update()
            .where(_PATTERNS.c.id == pattern_id)
            .values(evidence_good=good, evidence_bad=bad)
        )
    _expect(connection)


def _expect(connection: sa.Connection) -> None:
    open_ones = sa.select(
        _PATTERNS.c.namespace,
        sa.func.sum(_PATTERNS.c.evidence_good).label("good"),
        sa.func.sum(_PATTERNS.c.evidence_bad).label("bad"),
    ).where(_PATTERNS.c.level.in_(("public", "system")))
    for row in connection.execute(open_ones.group_by(_PATTERNS.c.namespace)).all():
        connection.execute(
            _NAMESPACES.update()
            .where(_NAMESPACES.c.name == row.namespace)
            .values(evidence_good=row.good, evidence_bad=row.bad)
        )


def downgrade() -> None:
    """Remove them; the uses themselves stay, and with them what is counted again."""
    for table in ("receipts", "agent_usage", "use_vectors"):
        op.drop_table(table)
    op.drop_index("ix_uses_receipt_id_pattern_id", table_name="uses")
    # Shares of a use that no pattern was named for were no uses before.
    op.execute("DELETE FROM uses WHERE share < 1")
    for table, names in (
        ("uses", ("receipt_id", "share")),
        ("namespaces", ("evidence_good", "evidence_bad")),
        ("patterns", _NEW),
    ):
        for name in names:
            op.drop_column(table, name)
