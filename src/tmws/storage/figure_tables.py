"""The tables that figures are taken from; `tables` names them beside all others."""

from __future__ import annotations

import sqlalchemy as sa

from tmws.storage.columns import Moment, metadata

# The uses of each pattern, added up by weeks that begin on Monday: triggers on `uses` keep
# it, so that figures over all patterns need not read every use.
use_weeks = sa.Table(
    "use_weeks",
    metadata,
    sa.Column("pattern_id", sa.ForeignKey("patterns.id"), primary_key=True),
    sa.Column("week", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("successes", sa.Integer, nullable=False),
    sa.Column("partials", sa.Integer, nullable=False),
    sa.Column("failures", sa.Integer, nullable=False),
    sa.Index("ix_use_weeks_week", "week", "pattern_id", "successes", "partials", "failures"),
    sqlite_with_rowid=False,
)

# The same for all living patterns that the same agents may read, whoever they are shared
# with: triggers on `use_weeks` and on `patterns` keep it.
class_weeks = sa.Table(
    "class_weeks",
    metadata,
    sa.Column("week", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("namespace", sa.String(64), primary_key=True),
    sa.Column("level", sa.String(16), primary_key=True),
    sa.Column("owner_id", sa.String(40), primary_key=True),
    sa.Column("successes", sa.Integer, nullable=False),
    sa.Column("partials", sa.Integer, nullable=False),
    sa.Column("failures", sa.Integer, nullable=False),
    sqlite_with_rowid=False,
)

# The uses of each pattern in the nine weeks that end with this one, and in the last four of
# them: what a trend is looked for by. Triggers on `use_weeks` keep it.
use_spans = sa.Table(
    "use_spans",
    metadata,
    sa.Column("week", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("pattern_id", sa.String(40), primary_key=True),
    sa.Column("uses", sa.Integer, nullable=False),
    sa.Column("late", sa.Integer, nullable=False),
    sa.Column("good", sa.Integer, nullable=False),
    sa.Column("late_good", sa.Integer, nullable=False),
    sqlite_with_rowid=False,
)

# The same counts as in `patterns`, for each agent that reported.
agent_usage = sa.Table(
    "agent_usage",
    metadata,
    sa.Column("pattern_id", sa.ForeignKey("patterns.id"), primary_key=True),
    sa.Column("agent_id", sa.ForeignKey("agents.id"), primary_key=True),
    sa.Column("successes", sa.Integer, nullable=False),
    sa.Column("partials", sa.Integer, nullable=False),
    sa.Column("failures", sa.Integer, nullable=False),
    sa.Column("proven_successes", sa.Integer, nullable=False),
    sa.Column("proven_failures", sa.Integer, nullable=False),
    sa.Column("credit", sa.Double, nullable=False),
    sa.Column("credit_good", sa.Double, nullable=False),
    sa.Column("evidence_good", sa.Double, nullable=False),
    sa.Column("evidence_bad", sa.Double, nullable=False),
    sa.Column("duration_seconds", sa.Double),
    sa.Column("last_used_at", Moment),
)

# Recommendations whose best was shown or withheld by chance, and how the task went.
trials = sa.Table(
    "trials",
    metadata,
    # Without a reference: receipts are forgotten, what they led to is not.
    sa.Column("receipt_id", sa.String(40), primary_key=True),
    sa.Column("pattern_id", sa.ForeignKey("patterns.id"), nullable=False),
    sa.Column("agent_id", sa.ForeignKey("agents.id"), nullable=False),
    sa.Column("at", Moment, nullable=False),
    sa.Column("shown", sa.Boolean(create_constraint=False), nullable=False),
    # How well it went, 0 to 1; None until somebody says.
    sa.Column("good", sa.Double),
    sa.Index("ix_trials_pattern_id", "pattern_id", "shown", "agent_id", "at", "good"),
    sa.Index(None, "agent_id", "at"),
)
