"""The first schema: agents, patterns, memories, claims, trust, switches, ledger."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_APPEND_ONLY = {
    "sqlite": [
        f"CREATE TRIGGER ledger_entries_no_{verb} BEFORE {verb} ON ledger_entries "
        "BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END"
        for verb in ("update", "delete")
    ],
    "postgresql": [
        "CREATE FUNCTION ledger_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'the ledger is append-only'; END $$",
        "CREATE TRIGGER ledger_entries_append_only "
        "BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_entries "
        "FOR EACH STATEMENT EXECUTE FUNCTION ledger_append_only()",
    ],
}

# Terms are made by `tmws.domain.text`, the same for both: the databases only match them.
_WORDS = {
    "sqlite": [
        'CREATE VIRTUAL TABLE words USING fts5(terms, tokenize = "unicode61 remove_diacritics 0")',
    ],
    "postgresql": [
        "CREATE TABLE words (rowid BIGINT PRIMARY KEY, terms TSVECTOR NOT NULL)",
        "CREATE INDEX ix_words_terms ON words USING gin (terms)",
    ],
}

_CHANCE = {
    "sqlite": "lower(hex(randomblob(8)))",
    "postgresql": "substr(md5(gen_random_uuid()::text), 1, 16)",
}


def upgrade() -> None:
    """Create every table, the word index, and what the ledger needs from the start."""
    op.create_table(
        "agents",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_agents"),
        sa.UniqueConstraint("name", name="uq_agents_name"),
    )
    op.create_table(
        "artifacts",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("media_type", sa.String(length=80), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_artifacts"),
    )
    op.create_table(
        "ledger_entries",
        sa.Column("index", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("leaf", sa.Text(), nullable=False),
        sa.Column("leaf_hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("index", name="pk_ledger_entries"),
    )
    op.create_table(
        "ledger_head",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("origin", sa.String(length=64), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("peaks", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_ledger_head"),
    )
    op.create_table(
        "namespaces",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_namespaces"),
    )
    op.create_table(
        "switches",
        sa.Column("tool", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("disabled_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tool", name="pk_switches"),
    )
    op.create_table(
        "workspaces",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("root", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_workspaces"),
    )
    op.create_table(
        "claims",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("agent_id", sa.String(length=40), nullable=False),
        sa.Column("namespace", sa.String(length=64), nullable=False),
        sa.Column("statement", sa.Text(), nullable=False),
        sa.Column("workspace", sa.String(length=64), nullable=False),
        sa.Column("check", sa.Text(), nullable=False),
        sa.Column("applied", sa.Text(), nullable=False),
        sa.Column("confidence", sa.Double(), nullable=True),
        sa.Column("effort_minutes", sa.Double(), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("lease_until", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("snapshot_digest", sa.String(length=64), nullable=False),
        sa.Column("judgement", sa.Text(), nullable=True),
        sa.Column("verdict", sa.String(length=16), nullable=True),
        sa.Column("run", sa.Text(), nullable=True),
        sa.Column("evidence_digest", sa.String(length=64), nullable=True),
        sa.Column("ledger_index", sa.BigInteger(), nullable=True),
        sa.Column("closed_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["agent_id"], ["agents.id"], name="fk_claims_agent_id_agents"),
        sa.ForeignKeyConstraint(
            ["evidence_digest"], ["artifacts.digest"], name="fk_claims_evidence_digest_artifacts"
        ),
        sa.ForeignKeyConstraint(
            ["namespace"], ["namespaces.name"], name="fk_claims_namespace_namespaces"
        ),
        sa.ForeignKeyConstraint(
            ["workspace"], ["workspaces.name"], name="fk_claims_workspace_workspaces"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_claims"),
    )
    op.create_index(
        "ix_claims_agent_id_created_at", "claims", ["agent_id", "created_at"], unique=False
    )
    op.create_index(
        "ix_claims_agent_id_snapshot_digest",
        "claims",
        ["agent_id", "snapshot_digest"],
        unique=False,
    )
    op.create_table(
        "credentials",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("agent_id", sa.String(length=40), nullable=False),
        sa.Column("secret_sha256", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["agent_id"], ["agents.id"], name="fk_credentials_agent_id_agents"),
        sa.PrimaryKeyConstraint("id", name="pk_credentials"),
        sa.UniqueConstraint("secret_sha256", name="uq_credentials_secret_sha256"),
    )
    op.create_index("ix_credentials_agent_id", "credentials", ["agent_id"], unique=False)
    op.create_table(
        "documents",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("item_id", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("namespace", sa.String(length=64), nullable=False),
        sa.Column("owner_id", sa.String(length=40), nullable=False),
        sa.Column("level", sa.String(length=16), nullable=False),
        sa.ForeignKeyConstraint(
            ["namespace"], ["namespaces.name"], name="fk_documents_namespace_namespaces"
        ),
        sa.ForeignKeyConstraint(["owner_id"], ["agents.id"], name="fk_documents_owner_id_agents"),
        sa.PrimaryKeyConstraint("id", name="pk_documents"),
        sa.UniqueConstraint("item_id", name="uq_documents_item_id"),
    )
    op.create_index("ix_documents_namespace_kind", "documents", ["namespace", "kind"], unique=False)
    op.create_table(
        "ledger_payloads",
        sa.Column("index", sa.BigInteger(), nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["index"], ["ledger_entries.index"], name="fk_ledger_payloads_index_ledger_entries"
        ),
        sa.PrimaryKeyConstraint("index", name="pk_ledger_payloads"),
    )
    op.create_table(
        "memberships",
        sa.Column("agent_id", sa.String(length=40), nullable=False),
        sa.Column("namespace", sa.String(length=64), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["agent_id"], ["agents.id"], name="fk_memberships_agent_id_agents"),
        sa.ForeignKeyConstraint(
            ["namespace"], ["namespaces.name"], name="fk_memberships_namespace_namespaces"
        ),
        sa.PrimaryKeyConstraint("agent_id", "namespace", name="pk_memberships"),
    )
    op.create_table(
        "patterns",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("namespace", sa.String(length=64), nullable=False),
        sa.Column("owner_id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("category", sa.String(length=50), nullable=False),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.Column("level", sa.String(length=16), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("successes", sa.Integer(), nullable=False),
        sa.Column("partials", sa.Integer(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("proven_successes", sa.Integer(), nullable=False),
        sa.Column("proven_failures", sa.Integer(), nullable=False),
        sa.Column("duration_seconds", sa.Double(), nullable=True),
        sa.Column("last_used_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["namespace"], ["namespaces.name"], name="fk_patterns_namespace_namespaces"
        ),
        sa.ForeignKeyConstraint(["owner_id"], ["agents.id"], name="fk_patterns_owner_id_agents"),
        sa.PrimaryKeyConstraint("id", name="pk_patterns"),
        sa.UniqueConstraint(
            "namespace", "owner_id", "name", name="uq_patterns_namespace_owner_id_name"
        ),
    )
    op.create_index(
        "ix_patterns_category_created_at", "patterns", ["category", "created_at"], unique=False
    )
    op.create_index("ix_patterns_created_at", "patterns", ["created_at"], unique=False)
    op.create_index("ix_patterns_owner_id", "patterns", ["owner_id"], unique=False)
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
    op.create_table(
        "memories",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("namespace", sa.String(length=64), nullable=False),
        sa.Column("owner_id", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("tags", sa.Text(), nullable=False),
        sa.Column("level", sa.String(length=16), nullable=False),
        sa.Column("claim_id", sa.String(length=40), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["claim_id"], ["claims.id"], name="fk_memories_claim_id_claims"),
        sa.ForeignKeyConstraint(
            ["namespace"], ["namespaces.name"], name="fk_memories_namespace_namespaces"
        ),
        sa.ForeignKeyConstraint(["owner_id"], ["agents.id"], name="fk_memories_owner_id_agents"),
        sa.PrimaryKeyConstraint("id", name="pk_memories"),
    )
    op.create_index("ix_memories_claim_id", "memories", ["claim_id"], unique=False)
    op.create_index("ix_memories_created_at", "memories", ["created_at"], unique=False)
    op.create_index("ix_memories_owner_id", "memories", ["owner_id"], unique=False)
    op.create_table(
        "pattern_grants",
        sa.Column("pattern_id", sa.String(length=40), nullable=False),
        sa.Column("agent_id", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(
            ["agent_id"], ["agents.id"], name="fk_pattern_grants_agent_id_agents"
        ),
        sa.ForeignKeyConstraint(
            ["pattern_id"], ["patterns.id"], name="fk_pattern_grants_pattern_id_patterns"
        ),
        sa.PrimaryKeyConstraint("pattern_id", "agent_id", name="pk_pattern_grants"),
    )
    op.create_index(
        "ix_pattern_grants_agent_id_pattern_id",
        "pattern_grants",
        ["agent_id", "pattern_id"],
        unique=False,
    )
    op.create_table(
        "pattern_tags",
        sa.Column("pattern_id", sa.String(length=40), nullable=False),
        sa.Column("tag", sa.String(length=50), nullable=False),
        sa.ForeignKeyConstraint(
            ["pattern_id"], ["patterns.id"], name="fk_pattern_tags_pattern_id_patterns"
        ),
        sa.PrimaryKeyConstraint("pattern_id", "tag", name="pk_pattern_tags"),
    )
    op.create_index(
        "ix_pattern_tags_tag_pattern_id", "pattern_tags", ["tag", "pattern_id"], unique=False
    )
    op.create_table(
        "uses",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("pattern_id", sa.String(length=40), nullable=False),
        sa.Column("agent_id", sa.String(length=40), nullable=False),
        sa.Column("claim_id", sa.String(length=40), nullable=True),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("duration_seconds", sa.Double(), nullable=True),
        sa.Column("context", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["agent_id"], ["agents.id"], name="fk_uses_agent_id_agents"),
        sa.ForeignKeyConstraint(["claim_id"], ["claims.id"], name="fk_uses_claim_id_claims"),
        sa.ForeignKeyConstraint(
            ["pattern_id"], ["patterns.id"], name="fk_uses_pattern_id_patterns"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_uses"),
        sa.UniqueConstraint("pattern_id", "claim_id", name="uq_uses_pattern_id_claim_id"),
    )
    op.create_table(
        "vectors",
        sa.Column(
            "document_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("embedder", sa.String(length=64), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["document_id"], ["documents.id"], name="fk_vectors_document_id_documents"
        ),
        sa.PrimaryKeyConstraint("document_id", "embedder", name="pk_vectors"),
    )
    op.create_index(
        "ix_vectors_embedder_revision", "vectors", ["embedder", "revision"], unique=False
    )
    dialect = op.get_bind().dialect.name
    for statement in [*_APPEND_ONLY[dialect], *_WORDS[dialect]]:
        op.execute(statement)
    op.execute(
        "INSERT INTO ledger_head (id, origin, size, peaks) "  # noqa: S608  # our own words
        f"VALUES (1, 'tmws/' || {_CHANCE[dialect]}, 0, '[]')"
    )
    op.execute("INSERT INTO namespaces (name, revision) VALUES ('default', 0)")


def downgrade() -> None:
    """Drop everything."""
    op.drop_table("words")
    op.drop_index("ix_vectors_embedder_revision", table_name="vectors")
    op.drop_table("vectors")
    op.drop_table("uses")
    op.drop_index("ix_pattern_tags_tag_pattern_id", table_name="pattern_tags")
    op.drop_table("pattern_tags")
    op.drop_index("ix_pattern_grants_agent_id_pattern_id", table_name="pattern_grants")
    op.drop_table("pattern_grants")
    op.drop_index("ix_memories_owner_id", table_name="memories")
    op.drop_index("ix_memories_created_at", table_name="memories")
    op.drop_index("ix_memories_claim_id", table_name="memories")
    op.drop_table("memories")
    op.drop_table("trust")
    op.drop_index("ix_patterns_owner_id", table_name="patterns")
    op.drop_index("ix_patterns_created_at", table_name="patterns")
    op.drop_index("ix_patterns_category_created_at", table_name="patterns")
    op.drop_table("patterns")
    op.drop_table("memberships")
    op.drop_table("ledger_payloads")
    op.drop_index("ix_documents_namespace_kind", table_name="documents")
    op.drop_table("documents")
    op.drop_index("ix_credentials_agent_id", table_name="credentials")
    op.drop_table("credentials")
    op.drop_index("ix_claims_agent_id_snapshot_digest", table_name="claims")
    op.drop_index("ix_claims_agent_id_created_at", table_name="claims")
    op.drop_table("claims")
    op.drop_table("workspaces")
    op.drop_table("switches")
    op.drop_table("namespaces")
    op.drop_table("ledger_head")
    op.drop_table("ledger_entries")
    op.drop_table("artifacts")
    op.drop_table("agents")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION ledger_append_only")
