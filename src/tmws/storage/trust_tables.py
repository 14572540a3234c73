"""The tables of trust; `tables` names them beside all others."""

from __future__ import annotations

import sqlalchemy as sa

from tmws.storage.columns import LEDGER_INDEX, Moment, metadata

# What the trust model learned from each verdict, and when; every score follows from it.
evidence = sa.Table(
    "evidence",
    metadata,
    sa.Column("ledger_index", LEDGER_INDEX, primary_key=True, autoincrement=False),
    # The claim's id, without a reference: an erased claim leaves what it counted.
    sa.Column("id", sa.String(40), nullable=False, unique=True),
    sa.Column("agent_id", sa.ForeignKey("agents.id"), nullable=False),
    # Whom it counts for: another agent once identities are linked.
    sa.Column("owner_id", sa.ForeignKey("agents.id"), nullable=False),
    sa.Column("at", Moment, nullable=False),
    sa.Column("verdict", sa.String(16), nullable=False),
    sa.Column("task", sa.String(64)),
    sa.Column("type", sa.String(32), nullable=False),
    sa.Column("effort_minutes", sa.Double),
    sa.Column("author", sa.String(40)),
    sa.Column("relied_on", sa.Boolean(create_constraint=False), nullable=False),
    sa.Column("weight", sa.Double, nullable=False),
    sa.Column("confidence", sa.Double),
    sa.Column("severity", sa.Double, nullable=False),
    # JSON; None where it moved nothing, was not withdrawn, or not restored after that.
    sa.Column("step", sa.Text),
    sa.Column("withdrawn", sa.Text),
    sa.Column("restored", sa.Text),
    sa.Index(None, "owner_id", "at"),
    # Whoever met a task first described it.
    sa.Index(None, "task", "ledger_index"),
)

links = sa.Table(
    "links",
    metadata,
    sa.Column("agent_id", sa.ForeignKey("agents.id"), primary_key=True),
    sa.Column("owner_id", sa.ForeignKey("agents.id"), nullable=False, index=True),
)

# Who lets which claim count before it is checked; also who was refused, because one draw
# holds for a claim however often it is asked about.
reliances = sa.Table(
    "reliances",
    metadata,
    sa.Column("claim_id", sa.ForeignKey("claims.id"), primary_key=True),
    # An agent's id, or an administrator's name.
    sa.Column("by", sa.String(128), primary_key=True),
    # 0 where it was refused, or let go.
    sa.Column("stake", sa.Double, nullable=False),
    sa.Column("draw", sa.Double, nullable=False),
    # When it was granted first.
    sa.Column("since", Moment),
)

# A row for each number of the trust model: beliefs by part, records, tallies, tasks, the
# scales and the mix. `storage.trust` says how each is written.
trust_state = sa.Table(
    "trust_state",
    metadata,
    sa.Column("kind", sa.String(16), primary_key=True),
    sa.Column("agent", sa.String(40), primary_key=True),
    sa.Column("topic", sa.String(64), primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
    sqlite_with_rowid=False,
)
