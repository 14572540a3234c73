"""Every table, once. Constraint names follow one rule, so that migrations can name them."""

from __future__ import annotations

import sqlalchemy as sa

from tmws.storage.columns import Moment, metadata
from tmws.storage.figure_tables import agent_usage, class_weeks, trials, use_spans, use_weeks
from tmws.storage.ledger_tables import ledger_entries, ledger_head, ledger_payloads
from tmws.storage.model_tables import serving
from tmws.storage.trust_tables import evidence, links, reliances, trust_state

__all__ = [
    "Moment",
    "agent_usage",
    "class_weeks",
    "evidence",
    "ledger_entries",
    "ledger_head",
    "ledger_payloads",
    "links",
    "metadata",
    "reliances",
    "serving",
    "trials",
    "trust_state",
    "use_spans",
    "use_weeks",
]

namespaces = sa.Table(
    "namespaces",
    metadata,
    sa.Column("name", sa.String(64), primary_key=True),
    # Counts the writes to searchable documents: a process whose index is behind sees it.
    sa.Column("revision", sa.BigInteger, nullable=False, default=0),
    # The least level that verdicts in it have to reach; None for the installation's.
    sa.Column("least_level", sa.String(16)),
    # Counts how often uses were taken back: an index that holds them has to begin anew.
    sa.Column("uses_undone", sa.BigInteger, nullable=False, default=0),
    # What uses of its open patterns were worth: what is expected of a new pattern.
    sa.Column("evidence_good", sa.Double, nullable=False, default=0.0),
    sa.Column("evidence_bad", sa.Double, nullable=False, default=0.0),
)

agents = sa.Table(
    "agents",
    metadata,
    sa.Column("id", sa.String(40), primary_key=True),
    sa.Column("name", sa.String(64), nullable=False, unique=True),
    sa.Column("role", sa.String(16), nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    # Why an administrator shut it out; None while it may act.
    sa.Column("disabled_because", sa.Text),
)

memberships = sa.Table(
    "memberships",
    metadata,
    sa.Column("agent_id", sa.ForeignKey("agents.id"), primary_key=True),
    sa.Column("namespace", sa.ForeignKey("namespaces.name"), primary_key=True),
    sa.Column("position", sa.Integer, nullable=False),
)

credentials = sa.Table(
    "credentials",
    metadata,
    sa.Column("id", sa.String(40), primary_key=True),
    sa.Column("agent_id", sa.ForeignKey("agents.id"), nullable=False, index=True),
    # SHA-256 is enough for 256 random bits: there is nothing to guess.
    sa.Column("secret_sha256", sa.String(64), nullable=False, unique=True),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("revoked_at", Moment),
)

# What each agent uses of what it may: what it keeps, and when all its writes are given back.
quotas = sa.Table(
    "quotas",
    metadata,
    sa.Column("agent_id", sa.ForeignKey("agents.id"), primary_key=True),
    sa.Column("stored_bytes", sa.BigInteger, nullable=False),
    sa.Column("given_back_at", Moment, nullable=False),
    # What an administrator allows it in place of what all are allowed.
    sa.Column("allowed_mib", sa.Integer),
    sa.Column("allowed_daily_writes", sa.Integer),
    sqlite_with_rowid=False,
)

_FIGURES = """level namespace owner_id category successes partials failures proven_successes
    proven_failures last_used_at removed_at id""".split()

patterns = sa.Table(
    "patterns",
    metadata,
    sa.Column("id", sa.String(40), primary_key=True),
    sa.Column("namespace", sa.ForeignKey("namespaces.name"), nullable=False),
    sa.Column("owner_id", sa.ForeignKey("agents.id"), nullable=False, index=True),
    sa.Column("name", sa.String(120), nullable=False),
    sa.Column("category", sa.String(50), nullable=False),
    sa.Column("summary", sa.Text, nullable=False),
    sa.Column("data", sa.Text, nullable=False),
    sa.Column("level", sa.String(16), nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("successes", sa.Integer, nullable=False, default=0),
    sa.Column("partials", sa.Integer, nullable=False, default=0),
    sa.Column("failures", sa.Integer, nullable=False, default=0),
    sa.Column("proven_successes", sa.Integer, nullable=False, default=0),
    sa.Column("proven_failures", sa.Integer, nullable=False, default=0),
    sa.Column("credit", sa.Double, nullable=False, default=0.0),
    sa.Column("credit_good", sa.Double, nullable=False, default=0.0),
    sa.Column("evidence_good", sa.Double, nullable=False, default=0.0),
    sa.Column("evidence_bad", sa.Double, nullable=False, default=0.0),
    sa.Column("duration_seconds", sa.Double),
    sa.Column("last_used_at", Moment),
    sa.Column("subcategory", sa.String(50)),
    sa.Column("complexity", sa.Integer),
    sa.Column("learning_weight", sa.Double, nullable=False),
    sa.Column("origin", sa.String(16), nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    # Of the newest version; the ones before stand in `pattern_versions`.
    sa.Column("author_id", sa.ForeignKey("agents.id"), nullable=False),
    sa.Column("author_trust", sa.Double),
    sa.Column("written_at", Moment, nullable=False),
    sa.Column("removed_at", Moment),
    # Nothing is left but the id, and what was counted under it.
    sa.Column("forgotten_at", Moment),
    # A removed pattern gives its name back.
    sa.Index(
        "uq_patterns_living_name",
        "namespace",
        "owner_id",
        "name",
        unique=True,
        sqlite_where=sa.text("removed_at IS NULL"),
        postgresql_where=sa.text("removed_at IS NULL"),
    ),
    # Listings walk one of these from its new end and stop at a full page.
    sa.Index(None, "category", "created_at"),
    sa.Index(None, "created_at"),
    # Figures over all patterns read this alone, never the patterns' data.
    sa.Index("ix_patterns_figures", *_FIGURES),
    sa.Index(None, "last_used_at", "created_at"),
)

# What a pattern said before it was revised; nothing here ever changes.
pattern_versions = sa.Table(
    "pattern_versions",
    metadata,
    sa.Column("pattern_id", sa.ForeignKey("patterns.id"), primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("name", sa.String(120), nullable=False),
    sa.Column("category", sa.String(50), nullable=False),
    sa.Column("subcategory", sa.String(50)),
    sa.Column("summary", sa.Text, nullable=False),
    sa.Column("data", sa.Text, nullable=False),
    sa.Column("tags", sa.Text, nullable=False),
    sa.Column("complexity", sa.Integer),
    sa.Column("learning_weight", sa.Double, nullable=False),
    sa.Column("author_id", sa.ForeignKey("agents.id"), nullable=False),
    sa.Column("author_trust", sa.Double),
    sa.Column("written_at", Moment, nullable=False),
    sa.Index(None, "author_id", "written_at"),
)

# Who opened, closed, removed or restored what: so that it can be undone.
pattern_acts = sa.Table(
    "pattern_acts",
    metadata,
    sa.Column("id", sa.String(40), primary_key=True),
    sa.Column("pattern_id", sa.ForeignKey("patterns.id"), nullable=False),
    # None for the administrator of the store.
    sa.Column("agent_id", sa.ForeignKey("agents.id")),
    sa.Column("act", sa.String(16), nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
    sa.Column("at", Moment, nullable=False),
    sa.Index(None, "agent_id", "at"),
)

# What a batch was answered, for whoever sends it again.
batches = sa.Table(
    "batches",
    metadata,
    sa.Column("agent_id", sa.ForeignKey("agents.id"), primary_key=True),
    sa.Column("key", sa.String(100), primary_key=True),
    sa.Column("fingerprint", sa.String(64), nullable=False),
    sa.Column("pattern_ids", sa.Text, nullable=False),
    sa.Column("at", Moment, nullable=False),
)

pattern_tags = sa.Table(
    "pattern_tags",
    metadata,
    sa.Column("pattern_id", sa.ForeignKey("patterns.id"), primary_key=True),
    sa.Column("tag", sa.String(50), primary_key=True),
    sa.Index(None, "tag", "pattern_id"),
    sqlite_with_rowid=False,
)

pattern_grants = sa.Table(
    "pattern_grants",
    metadata,
    sa.Column("pattern_id", sa.ForeignKey("patterns.id"), primary_key=True),
    sa.Column("agent_id", sa.ForeignKey("agents.id"), primary_key=True),
    sa.Index(None, "agent_id", "pattern_id"),
)

uses = sa.Table(
    "uses",
    metadata,
    sa.Column("id", sa.String(40), primary_key=True),
    sa.Column("pattern_id", sa.ForeignKey("patterns.id"), nullable=False),
    sa.Column("agent_id", sa.ForeignKey("agents.id"), nullable=False),
    sa.Column("claim_id", sa.ForeignKey("claims.id")),
    sa.Column("outcome", sa.String(16), nullable=False),
    sa.Column("duration_seconds", sa.Double),
    sa.Column("context", sa.Text, nullable=False),
    sa.Column("at", Moment, nullable=False),
    # Less than one where only the receipt was named, not which pattern served.
    sa.Column("share", sa.Double, nullable=False, default=1.0),
    # Without a reference: receipts are forgotten, what they led to is not.
    sa.Column("receipt_id", sa.String(40)),
    # The newest version at that time.
    sa.Column("version", sa.Integer, nullable=False),
    # One claim proves one use of one pattern, however often it is reported.
    sa.UniqueConstraint("pattern_id", "claim_id"),
    # And one receipt leads to one use of one pattern.
    sa.Index(None, "receipt_id", "pattern_id", unique=True),
    sa.Index("ix_uses_pattern_id_at", "pattern_id", "at", "agent_id", "outcome", "share"),
    sa.Index(None, "agent_id", "at"),
)

# What a withdrawn verdict proved, should it count again. Without references: a use may be
# taken back meanwhile.
withdrawn_proofs = sa.Table(
    "withdrawn_proofs",
    metadata,
    sa.Column("use_id", sa.String(40), primary_key=True),
    sa.Column("claim_id", sa.String(40), nullable=False, index=True),
)

# What uses were for, one vector for each embedder that answered.
use_vectors = sa.Table(
    "use_vectors",
    metadata,
    sa.Column("use_id", sa.ForeignKey("uses.id"), primary_key=True),
    sa.Column("embedder", sa.String(64), primary_key=True),
    sa.Column("namespace", sa.ForeignKey("namespaces.name"), nullable=False),
    sa.Column("revision", sa.BigInteger, nullable=False),
    sa.Column("vector", sa.LargeBinary, nullable=False),
    sa.Index(None, "namespace", "embedder", "revision"),
)

# What was shown to whom for which request, so that an outcome can be traced to it.
receipts = sa.Table(
    "receipts",
    metadata,
    sa.Column("id", sa.String(40), primary_key=True),
    sa.Column("agent_id", sa.ForeignKey("agents.id"), nullable=False),
    sa.Column("at", Moment, nullable=False),
    sa.Column("request", sa.Text, nullable=False),
    # JSON: share of the credit by pattern id.
    sa.Column("shares", sa.Text, nullable=False),
    sa.Index(None, "agent_id", "at"),
    sa.Index(None, "at"),
)

memories = sa.Table(
    "memories",
    metadata,
    sa.Column("id", sa.String(40), primary_key=True),
    sa.Column("namespace", sa.ForeignKey("namespaces.name"), nullable=False),
    sa.Column("owner_id", sa.ForeignKey("agents.id"), nullable=False, index=True),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("tags", sa.Text, nullable=False),
    sa.Column("level", sa.String(16), nullable=False),
    sa.Column("claim_id", sa.ForeignKey("claims.id"), index=True),
    sa.Column("created_at", Moment, nullable=False),
    sa.Index(None, "created_at"),
)

# What search sees of a pattern or memory.
documents = sa.Table(
    "documents",
    metadata,
    sa.Column(
        "id",
        sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
        primary_key=True,
        autoincrement=True,
    ),
    sa.Column("item_id", sa.String(40), nullable=False, unique=True),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("namespace", sa.ForeignKey("namespaces.name"), nullable=False),
    sa.Column("owner_id", sa.ForeignKey("agents.id"), nullable=False),
    sa.Column("level", sa.String(16), nullable=False),
    # The row stays, so that every index of vectors learns that the thing is gone.
    sa.Column("removed", sa.Boolean(create_constraint=False), nullable=False, default=False),
    # Of its namespace, at the last change.
    sa.Column("revision", sa.BigInteger, nullable=False),
    # Its stems, spaces around each; empty once it is removed.
    sa.Column("terms", sa.Text, nullable=False),
    sa.Index(None, "namespace", "kind", "revision"),
    # Where else than in its own namespaces an agent may find something.
    sa.Index(None, "owner_id", "namespace"),
    sa.Index(
        "ix_documents_system",
        "namespace",
        sqlite_where=sa.text("level = 'system'"),
        postgresql_where=sa.text("level = 'system'"),
    ),
)

# One for each embedder that answered; a document without any is found by its words.
# An empty vector says that there was one, to indexes that have it still.
vectors = sa.Table(
    "vectors",
    metadata,
    sa.Column("document_id", sa.ForeignKey("documents.id"), primary_key=True),
    sa.Column("embedder", sa.String(64), primary_key=True),
    sa.Column("revision", sa.BigInteger, nullable=False),
    sa.Column("vector", sa.LargeBinary, nullable=False),
    sa.Index(None, "embedder", "revision"),
)

workspaces = sa.Table(
    "workspaces",
    metadata,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("root", sa.Text, nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    # Claims go on to name it; whoever adds the name again begins a new one.
    sa.Column("removed_at", Moment),
)

claims = sa.Table(
    "claims",
    metadata,
    sa.Column("id", sa.String(40), primary_key=True),
    sa.Column("agent_id", sa.ForeignKey("agents.id"), nullable=False),
    sa.Column("namespace", sa.ForeignKey("namespaces.name"), nullable=False),
    sa.Column("statement", sa.Text, nullable=False),
    sa.Column("workspace", sa.ForeignKey("workspaces.name"), nullable=False),
    sa.Column("check", sa.Text, nullable=False),
    sa.Column("applied", sa.Text, nullable=False),
    sa.Column("confidence", sa.Double),
    sa.Column("effort_minutes", sa.Double),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("lease_until", Moment),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("snapshot_digest", sa.String(64), nullable=False),
    sa.Column("judgement", sa.Text),
    sa.Column("verdict", sa.String(16)),
    sa.Column("run", sa.Text),
    sa.Column("evidence_digest", sa.ForeignKey("artifacts.digest")),
    sa.Column("ledger_index", sa.BigInteger),
    sa.Column("closed_at", Moment),
    sa.Column("level", sa.String(16), nullable=False, server_default="reproduced"),
    # Digest of what it is judged by beside the workspace, None where there is nothing.
    sa.Column("basis", sa.String(64)),
    sa.Index(None, "agent_id", "created_at"),
    sa.Index(None, "agent_id", "snapshot_digest"),
    sa.Index(None, "snapshot_digest"),
    # Those that a dead server left are looked for again and again.
    sa.Index(None, "state", "lease_until"),
)

# What administrators keep from agents: tests and settings to trust, questions to ask.
trusted = sa.Table(
    "trusted",
    metadata,
    sa.Column("kind", sa.String(16), primary_key=True),
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("workspace", sa.ForeignKey("workspaces.name"), nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("digest", sa.ForeignKey("artifacts.digest"), nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    sa.Index(None, "workspace"),
)

artifacts = sa.Table(
    "artifacts",
    metadata,
    sa.Column("digest", sa.String(64), primary_key=True),
    sa.Column("media_type", sa.String(80), nullable=False),
    sa.Column("content", sa.LargeBinary, nullable=False),
    sa.Column("created_at", Moment, nullable=False),
)

switches = sa.Table(
    "switches",
    metadata,
    sa.Column("tool", sa.String(64), primary_key=True),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("disabled_at", Moment, nullable=False),
)
