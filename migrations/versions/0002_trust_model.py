"""The trust model's state in place of counts, computed from the verdicts in the ledger."""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from alembic import op

from tmws.domain.trust.entries import entry_of
from tmws.domain.trust.evidence import Entry, Evidence
from tmws.domain.trust.reference import Replay
from tmws.storage import evidence, trust

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_LOG = sa.text(
    'SELECT e."index", e.leaf, p.payload, c.id AS claim, c.agent_id, c.verdict, c.judgement '
    'FROM ledger_entries e LEFT JOIN ledger_payloads p ON p."index" = e."index" '
    "LEFT JOIN claims c ON c.ledger_index = e.\"index\" AND c.state = 'closed' "
    'ORDER BY e."index"'
)
_COUNTS = sa.text(
    "SELECT agent_id, "
    "sum(CASE WHEN verdict = 'SUPPORTED' THEN 1 ELSE 0 END) AS supported, "
    "sum(CASE WHEN verdict = 'REFUTED' THEN 1 ELSE 0 END) AS refuted, "
    "sum(CASE WHEN verdict = 'INCONCLUSIVE' THEN 1 ELSE 0 END) AS inconclusive, "
    "max(at) AS updated_at FROM evidence GROUP BY agent_id"
)


def upgrade() -> None:
    """Make the model's tables and let it learn every verdict of the ledger, in order."""
    op.create_table(
        "evidence",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("ledger_index", sa.BigInteger(), nullable=False),
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
        sa.ForeignKeyConstraint(["agent_id"], ["agents.id"], name="fk_evidence_agent_id_agents"),
        sa.ForeignKeyConstraint(["owner_id"], ["agents.id"], name="fk_evidence_owner_id_agents"),
        sa.PrimaryKeyConstraint("id", name="pk_evidence"),
        sa.UniqueConstraint("ledger_index", name="uq_evidence_ledger_index"),
    )
    op.create_index("ix_evidence_owner_id_at", "evidence", ["owner_id", "at"], unique=False)
    op.create_index("ix_evidence_task", "evidence", ["task"], unique=False)
    op.create_table(
        "links",
        sa.Column("agent_id", sa.String(length=40), nullable=False),
        sa.Column("owner_id", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(["agent_id"], ["agents.id"], name="fk_links_agent_id_agents"),
        sa.ForeignKeyConstraint(["owner_id"], ["agents.id"], name="fk_links_owner_id_agents"),
        sa.PrimaryKeyConstraint("agent_id", name="pk_links"),
    )
    op.create_table(
        "trust_state",
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("agent", sa.String(length=40), nullable=False),
        sa.Column("topic", sa.String(length=64), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "agent", "topic", name="pk_trust_state"),
    )
    _learn()
    op.drop_table("trust")


def downgrade() -> None:
    """Go back to counts; what else the model knows can be computed again."""
    op.create_table(
        "trust",
        sa.Column("agent_id", sa.String(length=40), nullable=False),
        sa.Column("supported", sa.Integer(), nullable=False),
        sa.Column("refuted", sa.Integer(), nullable=False),
        sa.Column("inconclusive", sa.Integer(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["agent_id"], ["agents.id"], name="fk_trust_agent_id_agents"),
        sa.PrimaryKeyConstraint("agent_id", name="pk_trust"),
    )
    connection = op.get_bind()
    counted = [dict(row._mapping) for row in connection.execute(_COUNTS)]
    if counted:
        table = sa.table("trust", *(sa.column(name) for name in counted[0]))
        connection.execute(table.insert(), counted)
    op.drop_table("trust_state")
    op.drop_table("links")
    op.drop_index("ix_evidence_task", table_name="evidence")
    op.drop_index("ix_evidence_owner_id_at", table_name="evidence")
    op.drop_table("evidence")


def _learn() -> None:
    connection = op.get_bind()
    replay = Replay()
    learned: dict[str, tuple[int, Evidence]] = {}
    for index, entry in _entries(connection):
        replay.add(entry)
        if isinstance(entry, Evidence):
            learned.setdefault(entry.id, (index, entry))
    history = replay.history
    steps = {step.evidence.id: step for path in history.paths.values() for step in path}
    rows = [
        _of_then(
            evidence.Entry(
                told,
                history.owners.get(told.agent, told.agent),
                index,
                steps.get(told.id),
                history.withdrawn.get(told.id),
            )
        )
        for index, told in learned.values()
    ]
    links = [{"agent_id": agent, "owner_id": owner} for agent, owner in history.owners.items()]
    state = trust.told(trust.State(history.model, replay.reference, replay.decided))
    _insert("evidence", rows)
    _insert("links", links)
    names = ("kind", "agent", "topic", "value")
    numbers = [dict(zip(names, (*key, value), strict=True)) for key, value in state.items()]
    _insert("trust_state", numbers)


def _of_then(entry: evidence.Entry) -> dict[str, Any]:
    """Return the row without what later revisions add, which fill it themselves."""
    row = evidence.as_stored(entry)
    return {name: value for name, value in row.items() if name != "restored"}


def _insert(name: str, rows: list[dict[str, Any]]) -> None:
    if rows:
        table = sa.table(name, *(sa.column(column) for column in rows[0]))
        op.get_bind().execute(table.insert(), rows)


def _entries(connection: sa.Connection) -> Iterator[tuple[int, Entry]]:
    """Yield what the model reads of the ledger; what is no such entry, the audit says."""
    for row in connection.execute(_LOG):
        try:
            leaf = json.loads(row.leaf)
            at = datetime.fromisoformat(leaf["at"])
            payload = json.loads(row.payload) if row.payload else _of_claim(row)
            entry = entry_of(leaf["type"], payload, at) if payload else None
        except (ValueError, KeyError, TypeError):
            continue
        if entry is not None:
            yield row[0], entry


def _of_claim(row: Any) -> dict[str, Any] | None:
    """An erased verdict is told by its claim, as far as that is still there."""
    if row.claim is None:
        return None
    level = json.loads(row.judgement)["level"]
    return {"claim": row.claim, "agent": row.agent_id, "verdict": row.verdict, "level": level}
