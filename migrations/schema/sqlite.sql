CREATE TABLE agent_usage (
	pattern_id VARCHAR(40) NOT NULL,
	agent_id VARCHAR(40) NOT NULL,
	successes INTEGER NOT NULL,
	partials INTEGER NOT NULL,
	failures INTEGER NOT NULL,
	proven_successes INTEGER NOT NULL,
	proven_failures INTEGER NOT NULL,
	credit DOUBLE NOT NULL,
	credit_good DOUBLE NOT NULL,
	evidence_good DOUBLE NOT NULL,
	evidence_bad DOUBLE NOT NULL,
	duration_seconds DOUBLE,
	last_used_at BIGINT,
	CONSTRAINT pk_agent_usage PRIMARY KEY (pattern_id, agent_id),
	CONSTRAINT fk_agent_usage_agent_id_agents FOREIGN KEY(agent_id) REFERENCES agents (id),
	CONSTRAINT fk_agent_usage_pattern_id_patterns FOREIGN KEY(pattern_id) REFERENCES patterns (id)
);
CREATE TABLE agents (
	id VARCHAR(40) NOT NULL,
	name VARCHAR(64) NOT NULL,
	role VARCHAR(16) NOT NULL,
	created_at BIGINT NOT NULL, disabled_because TEXT,
	CONSTRAINT pk_agents PRIMARY KEY (id),
	CONSTRAINT uq_agents_name UNIQUE (name)
);
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL,
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
CREATE TABLE artifacts (
	digest VARCHAR(64) NOT NULL,
	media_type VARCHAR(80) NOT NULL,
	content BLOB NOT NULL,
	created_at BIGINT NOT NULL,
	CONSTRAINT pk_artifacts PRIMARY KEY (digest)
);
CREATE TABLE batches (
	agent_id VARCHAR(40) NOT NULL,
	"key" VARCHAR(100) NOT NULL,
	fingerprint VARCHAR(64) NOT NULL,
	pattern_ids TEXT NOT NULL,
	at BIGINT NOT NULL,
	CONSTRAINT pk_batches PRIMARY KEY (agent_id, "key"),
	CONSTRAINT fk_batches_agent_id_agents FOREIGN KEY(agent_id) REFERENCES agents (id)
);
CREATE TABLE claims (
	id VARCHAR(40) NOT NULL,
	agent_id VARCHAR(40) NOT NULL,
	namespace VARCHAR(64) NOT NULL,
	statement TEXT NOT NULL,
	workspace VARCHAR(64) NOT NULL,
	"check" TEXT NOT NULL,
	applied TEXT NOT NULL,
	confidence DOUBLE,
	effort_minutes DOUBLE,
	state VARCHAR(16) NOT NULL,
	attempt INTEGER NOT NULL,
	lease_until BIGINT,
	created_at BIGINT NOT NULL,
	snapshot_digest VARCHAR(64) NOT NULL,
	judgement TEXT,
	verdict VARCHAR(16),
	run TEXT,
	evidence_digest VARCHAR(64),
	ledger_index BIGINT,
	closed_at BIGINT, level VARCHAR(16) DEFAULT 'reproduced' NOT NULL, basis VARCHAR(64),
	CONSTRAINT pk_claims PRIMARY KEY (id),
	CONSTRAINT fk_claims_agent_id_agents FOREIGN KEY(agent_id) REFERENCES agents (id),
	CONSTRAINT fk_claims_evidence_digest_artifacts FOREIGN KEY(evidence_digest) REFERENCES artifacts (digest),
	CONSTRAINT fk_claims_namespace_namespaces FOREIGN KEY(namespace) REFERENCES namespaces (name),
	CONSTRAINT fk_claims_workspace_workspaces FOREIGN KEY(workspace) REFERENCES workspaces (name)
);
CREATE TABLE class_weeks (
	week INTEGER NOT NULL,
	namespace VARCHAR(64) NOT NULL,
	level VARCHAR(16) NOT NULL,
	owner_id VARCHAR(40) NOT NULL,
	successes INTEGER NOT NULL,
	partials INTEGER NOT NULL,
	failures INTEGER NOT NULL,
	CONSTRAINT pk_class_weeks PRIMARY KEY (week, namespace, level, owner_id)
)
 WITHOUT ROWID

;
CREATE TABLE credentials (
	id VARCHAR(40) NOT NULL,
	agent_id VARCHAR(40) NOT NULL,
	secret_sha256 VARCHAR(64) NOT NULL,
	created_at BIGINT NOT NULL,
	revoked_at BIGINT,
	CONSTRAINT pk_credentials PRIMARY KEY (id),
	CONSTRAINT fk_credentials_agent_id_agents FOREIGN KEY(agent_id) REFERENCES agents (id),
	CONSTRAINT uq_credentials_secret_sha256 UNIQUE (secret_sha256)
);
CREATE TABLE documents (
	id INTEGER NOT NULL,
	item_id VARCHAR(40) NOT NULL,
	kind VARCHAR(16) NOT NULL,
	namespace VARCHAR(64) NOT NULL,
	owner_id VARCHAR(40) NOT NULL,
	level VARCHAR(16) NOT NULL, removed BOOLEAN DEFAULT 0 NOT NULL, revision BIGINT DEFAULT '0' NOT NULL, terms TEXT DEFAULT '' NOT NULL,
	CONSTRAINT pk_documents PRIMARY KEY (id),
	CONSTRAINT fk_documents_namespace_namespaces FOREIGN KEY(namespace) REFERENCES namespaces (name),
	CONSTRAINT fk_documents_owner_id_agents FOREIGN KEY(owner_id) REFERENCES agents (id),
	CONSTRAINT uq_documents_item_id UNIQUE (item_id)
);
CREATE TABLE environments (
	name VARCHAR(64) NOT NULL,
	digest VARCHAR(64) NOT NULL,
	lock TEXT NOT NULL,
	plugins TEXT NOT NULL,
	changed_at BIGINT NOT NULL,
	CONSTRAINT pk_environments PRIMARY KEY (name)
);
CREATE TABLE "evidence" (
	ledger_index INTEGER NOT NULL,
	id VARCHAR(40) NOT NULL,
	agent_id VARCHAR(40) NOT NULL,
	owner_id VARCHAR(40) NOT NULL,
	at BIGINT NOT NULL,
	verdict VARCHAR(16) NOT NULL,
	task VARCHAR(64),
	type VARCHAR(32) NOT NULL,
	effort_minutes DOUBLE,
	author VARCHAR(40),
	relied_on BOOLEAN NOT NULL,
	weight DOUBLE NOT NULL,
	confidence DOUBLE,
	severity DOUBLE NOT NULL,
	step TEXT,
	withdrawn TEXT,
	restored TEXT,
	CONSTRAINT pk_evidence PRIMARY KEY (ledger_index),
	CONSTRAINT fk_evidence_agent_id_agents FOREIGN KEY(agent_id) REFERENCES agents (id),
	CONSTRAINT fk_evidence_owner_id_agents FOREIGN KEY(owner_id) REFERENCES agents (id),
	CONSTRAINT uq_evidence_id UNIQUE (id)
);
CREATE TABLE "ledger_entries" (
	"index" INTEGER NOT NULL,
	leaf TEXT NOT NULL,
	leaf_hash BLOB NOT NULL,
	CONSTRAINT pk_ledger_entries PRIMARY KEY ("index")
);
CREATE TABLE ledger_head (
	id INTEGER NOT NULL,
	origin VARCHAR(64) NOT NULL,
	size BIGINT NOT NULL,
	peaks TEXT NOT NULL,
	CONSTRAINT pk_ledger_head PRIMARY KEY (id)
);
CREATE TABLE ledger_payloads (
	"index" INTEGER NOT NULL,
	salt BLOB NOT NULL,
	payload TEXT NOT NULL,
	CONSTRAINT pk_ledger_payloads PRIMARY KEY ("index"),
	CONSTRAINT fk_ledger_payloads_index_ledger_entries FOREIGN KEY("index") REFERENCES ledger_entries ("index")
);
CREATE TABLE links (
	agent_id VARCHAR(40) NOT NULL,
	owner_id VARCHAR(40) NOT NULL,
	CONSTRAINT pk_links PRIMARY KEY (agent_id),
	CONSTRAINT fk_links_agent_id_agents FOREIGN KEY(agent_id) REFERENCES agents (id),
	CONSTRAINT fk_links_owner_id_agents FOREIGN KEY(owner_id) REFERENCES agents (id)
);
CREATE TABLE memberships (
	agent_id VARCHAR(40) NOT NULL,
	namespace VARCHAR(64) NOT NULL,
	position INTEGER NOT NULL,
	CONSTRAINT pk_memberships PRIMARY KEY (agent_id, namespace),
	CONSTRAINT fk_memberships_agent_id_agents FOREIGN KEY(agent_id) REFERENCES agents (id),
	CONSTRAINT fk_memberships_namespace_namespaces FOREIGN KEY(namespace) REFERENCES namespaces (name)
);
CREATE TABLE memories (
	id VARCHAR(40) NOT NULL,
	namespace VARCHAR(64) NOT NULL,
	owner_id VARCHAR(40) NOT NULL,
	kind VARCHAR(16) NOT NULL,
	text TEXT NOT NULL,
	tags TEXT NOT NULL,
	level VARCHAR(16) NOT NULL,
	claim_id VARCHAR(40),
	created_at BIGINT NOT NULL,
	CONSTRAINT pk_memories PRIMARY KEY (id),
	CONSTRAINT fk_memories_claim_id_claims FOREIGN KEY(claim_id) REFERENCES claims (id),
	CONSTRAINT fk_memories_namespace_namespaces FOREIGN KEY(namespace) REFERENCES namespaces (name),
	CONSTRAINT fk_memories_owner_id_agents FOREIGN KEY(owner_id) REFERENCES agents (id)
);
CREATE TABLE namespaces (
	name VARCHAR(64) NOT NULL,
	revision BIGINT NOT NULL, least_level VARCHAR(16), evidence_good DOUBLE DEFAULT '0' NOT NULL, evidence_bad DOUBLE DEFAULT '0' NOT NULL, uses_undone BIGINT DEFAULT '0' NOT NULL,
	CONSTRAINT pk_namespaces PRIMARY KEY (name)
);
CREATE TABLE pattern_acts (
	id VARCHAR(40) NOT NULL,
	pattern_id VARCHAR(40) NOT NULL,
	agent_id VARCHAR(40),
	act VARCHAR(16) NOT NULL,
	detail TEXT NOT NULL,
	at BIGINT NOT NULL,
	CONSTRAINT pk_pattern_acts PRIMARY KEY (id),
	CONSTRAINT fk_pattern_acts_agent_id_agents FOREIGN KEY(agent_id) REFERENCES agents (id),
	CONSTRAINT fk_pattern_acts_pattern_id_patterns FOREIGN KEY(pattern_id) REFERENCES patterns (id)
);
CREATE TABLE pattern_grants (
	pattern_id VARCHAR(40) NOT NULL,
	agent_id VARCHAR(40) NOT NULL,
	CONSTRAINT pk_pattern_grants PRIMARY KEY (pattern_id, agent_id),
	CONSTRAINT fk_pattern_grants_agent_id_agents FOREIGN KEY(agent_id) REFERENCES agents (id),
	CONSTRAINT fk_pattern_grants_pattern_id_patterns FOREIGN KEY(pattern_id) REFERENCES patterns (id)
);
CREATE TABLE "pattern_tags" (
	pattern_id VARCHAR(40) NOT NULL,
	tag VARCHAR(50) NOT NULL,
	CONSTRAINT pk_pattern_tags PRIMARY KEY (pattern_id, tag),
	CONSTRAINT fk_pattern_tags_pattern_id_patterns FOREIGN KEY(pattern_id) REFERENCES patterns (id)
)
 WITHOUT ROWID

;
CREATE TABLE pattern_versions (
	pattern_id VARCHAR(40) NOT NULL,
	version INTEGER NOT NULL,
	name VARCHAR(120) NOT NULL,
	category VARCHAR(50) NOT NULL,
	subcategory VARCHAR(50),
	summary TEXT NOT NULL,
	data TEXT NOT NULL,
	tags TEXT NOT NULL,
	complexity INTEGER,
	learning_weight DOUBLE NOT NULL,
	author_id VARCHAR(40) NOT NULL,
	author_trust DOUBLE,
	written_at BIGINT NOT NULL,
	CONSTRAINT pk_pattern_versions PRIMARY KEY (pattern_id, version),
	CONSTRAINT fk_pattern_versions_author_id_agents FOREIGN KEY(author_id) REFERENCES agents (id),
	CONSTRAINT fk_pattern_versions_pattern_id_patterns FOREIGN KEY(pattern_id) REFERENCES patterns (id)
);
CREATE TABLE "patterns" (
	id VARCHAR(40) NOT NULL,
	namespace VARCHAR(64) NOT NULL,
	owner_id VARCHAR(40) NOT NULL,
	name VARCHAR(120) NOT NULL,
	category VARCHAR(50) NOT NULL,
	summary TEXT NOT NULL,
	data TEXT NOT NULL,
	level VARCHAR(16) NOT NULL,
	version INTEGER NOT NULL,
	created_at BIGINT NOT NULL,
	successes INTEGER NOT NULL,
	partials INTEGER NOT NULL,
	failures INTEGER NOT NULL,
	proven_successes INTEGER NOT NULL,
	proven_failures INTEGER NOT NULL,
	duration_seconds DOUBLE,
	last_used_at BIGINT,
	credit DOUBLE DEFAULT '0' NOT NULL,
	credit_good DOUBLE DEFAULT '0' NOT NULL,
	evidence_good DOUBLE DEFAULT '0' NOT NULL,
	evidence_bad DOUBLE DEFAULT '0' NOT NULL,
	subcategory VARCHAR(50),
	complexity INTEGER,
	learning_weight DOUBLE NOT NULL,
	origin VARCHAR(16) NOT NULL,
	source TEXT NOT NULL,
	author_id VARCHAR(40) NOT NULL,
	author_trust DOUBLE,
	written_at BIGINT NOT NULL,
	removed_at BIGINT,
	forgotten_at BIGINT,
	CONSTRAINT pk_patterns PRIMARY KEY (id),
	CONSTRAINT fk_patterns_author_id_agents FOREIGN KEY(author_id) REFERENCES agents (id),
	CONSTRAINT fk_patterns_namespace_namespaces FOREIGN KEY(namespace) REFERENCES namespaces (name),
	CONSTRAINT fk_patterns_owner_id_agents FOREIGN KEY(owner_id) REFERENCES agents (id)
);
CREATE TABLE quotas (
	agent_id VARCHAR(40) NOT NULL,
	stored_bytes BIGINT NOT NULL,
	given_back_at BIGINT NOT NULL, allowed_mib INTEGER, allowed_daily_writes INTEGER,
	CONSTRAINT pk_quotas PRIMARY KEY (agent_id),
	CONSTRAINT fk_quotas_agent_id_agents FOREIGN KEY(agent_id) REFERENCES agents (id)
)
 WITHOUT ROWID

;
CREATE TABLE receipts (
	id VARCHAR(40) NOT NULL,
	agent_id VARCHAR(40) NOT NULL,
	at BIGINT NOT NULL,
	request TEXT NOT NULL,
	shares TEXT NOT NULL,
	CONSTRAINT pk_receipts PRIMARY KEY (id),
	CONSTRAINT fk_receipts_agent_id_agents FOREIGN KEY(agent_id) REFERENCES agents (id)
);
CREATE TABLE reliances (
	claim_id VARCHAR(40) NOT NULL,
	"by" VARCHAR(128) NOT NULL,
	stake DOUBLE NOT NULL,
	draw DOUBLE NOT NULL,
	since BIGINT,
	CONSTRAINT pk_reliances PRIMARY KEY (claim_id, "by"),
	CONSTRAINT fk_reliances_claim_id_claims FOREIGN KEY(claim_id) REFERENCES claims (id)
);
CREATE TABLE serving (
	arm VARCHAR(16) NOT NULL,
	stage VARCHAR(16) NOT NULL,
	embedder VARCHAR(64) NOT NULL,
	backend VARCHAR(64) NOT NULL,
	model VARCHAR(64),
	dimension INTEGER,
	since BIGINT NOT NULL,
	CONSTRAINT pk_serving PRIMARY KEY (arm, stage)
);
CREATE TABLE switches (
	tool VARCHAR(64) NOT NULL,
	reason TEXT NOT NULL,
	disabled_at BIGINT NOT NULL,
	CONSTRAINT pk_switches PRIMARY KEY (tool)
);
CREATE TABLE trials (
	receipt_id VARCHAR(40) NOT NULL,
	pattern_id VARCHAR(40) NOT NULL,
	agent_id VARCHAR(40) NOT NULL,
	at BIGINT NOT NULL,
	shown BOOLEAN NOT NULL,
	good DOUBLE,
	CONSTRAINT pk_trials PRIMARY KEY (receipt_id),
	CONSTRAINT fk_trials_agent_id_agents FOREIGN KEY(agent_id) REFERENCES agents (id),
	CONSTRAINT fk_trials_pattern_id_patterns FOREIGN KEY(pattern_id) REFERENCES patterns (id)
);
CREATE TABLE "trust_state" (
	kind VARCHAR(16) NOT NULL,
	agent VARCHAR(40) NOT NULL,
	topic VARCHAR(64) NOT NULL,
	value TEXT NOT NULL,
	CONSTRAINT pk_trust_state PRIMARY KEY (kind, agent, topic)
)
 WITHOUT ROWID

;
CREATE TABLE trusted (
	kind VARCHAR(16) NOT NULL,
	name VARCHAR(64) NOT NULL,
	workspace VARCHAR(64) NOT NULL,
	source TEXT NOT NULL,
	digest VARCHAR(64) NOT NULL,
	created_at BIGINT NOT NULL,
	CONSTRAINT pk_trusted PRIMARY KEY (kind, name),
	CONSTRAINT fk_trusted_digest_artifacts FOREIGN KEY(digest) REFERENCES artifacts (digest),
	CONSTRAINT fk_trusted_workspace_workspaces FOREIGN KEY(workspace) REFERENCES workspaces (name)
);
CREATE TABLE use_spans (
	week INTEGER NOT NULL,
	pattern_id VARCHAR(40) NOT NULL,
	uses INTEGER NOT NULL,
	late INTEGER NOT NULL,
	good INTEGER NOT NULL,
	late_good INTEGER NOT NULL,
	CONSTRAINT pk_use_spans PRIMARY KEY (week, pattern_id)
)
 WITHOUT ROWID

;
CREATE TABLE use_vectors (
	use_id VARCHAR(40) NOT NULL,
	embedder VARCHAR(64) NOT NULL,
	namespace VARCHAR(64) NOT NULL,
	revision BIGINT NOT NULL,
	vector BLOB NOT NULL,
	CONSTRAINT pk_use_vectors PRIMARY KEY (use_id, embedder),
	CONSTRAINT fk_use_vectors_namespace_namespaces FOREIGN KEY(namespace) REFERENCES namespaces (name),
	CONSTRAINT fk_use_vectors_use_id_uses FOREIGN KEY(use_id) REFERENCES uses (id)
);
CREATE TABLE use_weeks (
	pattern_id VARCHAR(40) NOT NULL,
	week INTEGER NOT NULL,
	successes INTEGER NOT NULL,
	partials INTEGER NOT NULL,
	failures INTEGER NOT NULL,
	CONSTRAINT pk_use_weeks PRIMARY KEY (pattern_id, week),
	CONSTRAINT fk_use_weeks_pattern_id_patterns FOREIGN KEY(pattern_id) REFERENCES patterns (id)
)
 WITHOUT ROWID

;
CREATE TABLE uses (
	id VARCHAR(40) NOT NULL,
	pattern_id VARCHAR(40) NOT NULL,
	agent_id VARCHAR(40) NOT NULL,
	claim_id VARCHAR(40),
	outcome VARCHAR(16) NOT NULL,
	duration_seconds DOUBLE,
	context TEXT NOT NULL,
	at BIGINT NOT NULL, share DOUBLE DEFAULT '1' NOT NULL, receipt_id VARCHAR(40), version INTEGER DEFAULT '1' NOT NULL,
	CONSTRAINT pk_uses PRIMARY KEY (id),
	CONSTRAINT fk_uses_agent_id_agents FOREIGN KEY(agent_id) REFERENCES agents (id),
	CONSTRAINT fk_uses_claim_id_claims FOREIGN KEY(claim_id) REFERENCES claims (id),
	CONSTRAINT fk_uses_pattern_id_patterns FOREIGN KEY(pattern_id) REFERENCES patterns (id),
	CONSTRAINT uq_uses_pattern_id_claim_id UNIQUE (pattern_id, claim_id)
);
CREATE TABLE vectors (
	document_id INTEGER NOT NULL,
	embedder VARCHAR(64) NOT NULL,
	revision BIGINT NOT NULL,
	vector BLOB NOT NULL,
	CONSTRAINT pk_vectors PRIMARY KEY (document_id, embedder),
	CONSTRAINT fk_vectors_document_id_documents FOREIGN KEY(document_id) REFERENCES documents (id)
);
CREATE TABLE withdrawn_proofs (
	use_id VARCHAR(40) NOT NULL,
	claim_id VARCHAR(40) NOT NULL,
	CONSTRAINT pk_withdrawn_proofs PRIMARY KEY (use_id)
);
CREATE TABLE workspace_environments (
	workspace VARCHAR(64) NOT NULL,
	environment VARCHAR(64),
	chosen_at BIGINT NOT NULL,
	CONSTRAINT pk_workspace_environments PRIMARY KEY (workspace),
	CONSTRAINT fk_workspace_environments_environment_environments FOREIGN KEY(environment) REFERENCES environments (name),
	CONSTRAINT fk_workspace_environments_workspace_workspaces FOREIGN KEY(workspace) REFERENCES workspaces (name)
);
CREATE TABLE workspaces (
	name VARCHAR(64) NOT NULL,
	root TEXT NOT NULL,
	created_at BIGINT NOT NULL, removed_at BIGINT,
	CONSTRAINT pk_workspaces PRIMARY KEY (name)
);
CREATE INDEX ix_claims_agent_id_created_at ON claims (agent_id, created_at);
CREATE INDEX ix_claims_agent_id_snapshot_digest ON claims (agent_id, snapshot_digest);
CREATE INDEX ix_claims_snapshot_digest ON claims (snapshot_digest);
CREATE INDEX ix_claims_state_lease_until ON claims (state, lease_until);
CREATE INDEX ix_credentials_agent_id ON credentials (agent_id);
CREATE INDEX ix_documents_namespace_kind_revision ON documents (namespace, kind, revision);
CREATE INDEX ix_documents_owner_id_namespace ON documents (owner_id, namespace);
CREATE INDEX ix_documents_system ON documents (namespace) WHERE level = 'system';
CREATE INDEX ix_evidence_owner_id_at ON evidence (owner_id, at);
CREATE INDEX ix_evidence_task_ledger_index ON evidence (task, ledger_index);
CREATE INDEX ix_links_owner_id ON links (owner_id);
CREATE INDEX ix_memories_claim_id ON memories (claim_id);
CREATE INDEX ix_memories_created_at ON memories (created_at);
CREATE INDEX ix_memories_owner_id ON memories (owner_id);
CREATE INDEX ix_pattern_acts_agent_id_at ON pattern_acts (agent_id, at);
CREATE INDEX ix_pattern_grants_agent_id_pattern_id ON pattern_grants (agent_id, pattern_id);
CREATE INDEX ix_pattern_tags_tag_pattern_id ON pattern_tags (tag, pattern_id);
CREATE INDEX ix_pattern_versions_author_id_written_at ON pattern_versions (author_id, written_at);
CREATE INDEX ix_patterns_category_created_at ON patterns (category, created_at);
CREATE INDEX ix_patterns_created_at ON patterns (created_at);
CREATE INDEX ix_patterns_figures ON patterns (level, namespace, owner_id, category, successes, partials, failures, proven_successes, proven_failures, last_used_at, removed_at, id);
CREATE INDEX ix_patterns_last_used_at_created_at ON patterns (last_used_at, created_at);
CREATE INDEX ix_patterns_owner_id ON patterns (owner_id);
CREATE INDEX ix_receipts_agent_id_at ON receipts (agent_id, at);
CREATE INDEX ix_receipts_at ON receipts (at);
CREATE INDEX ix_trials_agent_id_at ON trials (agent_id, at);
CREATE INDEX ix_trials_pattern_id ON trials (pattern_id, shown, agent_id, at, good);
CREATE INDEX ix_trusted_workspace ON trusted (workspace);
CREATE INDEX ix_use_vectors_namespace_embedder_revision ON use_vectors (namespace, embedder, revision);
CREATE INDEX ix_use_weeks_week ON use_weeks (week, pattern_id, successes, partials, failures);
CREATE INDEX ix_uses_agent_id_at ON uses (agent_id, at);
CREATE INDEX ix_uses_pattern_id_at ON uses (pattern_id, at, agent_id, outcome, share);
CREATE UNIQUE INDEX ix_uses_receipt_id_pattern_id ON uses (receipt_id, pattern_id);
CREATE INDEX ix_vectors_embedder_revision ON vectors (embedder, revision);
CREATE INDEX ix_withdrawn_proofs_claim_id ON withdrawn_proofs (claim_id);
CREATE UNIQUE INDEX uq_patterns_living_name ON patterns (namespace, owner_id, name) WHERE removed_at IS NULL;
CREATE TRIGGER ledger_entries_no_delete BEFORE delete ON ledger_entries BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER ledger_entries_no_update BEFORE update ON ledger_entries BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER patterns_moved AFTER UPDATE OF namespace, level, owner_id, removed_at ON patterns BEGIN INSERT INTO class_weeks (week, namespace, level, owner_id, successes, partials, failures) SELECT weeks.week, OLD.namespace, OLD.level, OLD.owner_id, -weeks.successes, -weeks.partials, -weeks.failures FROM use_weeks AS weeks WHERE weeks.pattern_id = OLD.id AND OLD.removed_at IS NULL ON CONFLICT (week, namespace, level, owner_id) DO UPDATE SET successes = class_weeks.successes + excluded.successes, partials = class_weeks.partials + excluded.partials, failures = class_weeks.failures + excluded.failures; INSERT INTO class_weeks (week, namespace, level, owner_id, successes, partials, failures) SELECT weeks.week, NEW.namespace, NEW.level, NEW.owner_id, weeks.successes, weeks.partials, weeks.failures FROM use_weeks AS weeks WHERE weeks.pattern_id = NEW.id AND NEW.removed_at IS NULL ON CONFLICT (week, namespace, level, owner_id) DO UPDATE SET successes = class_weeks.successes + excluded.successes, partials = class_weeks.partials + excluded.partials, failures = class_weeks.failures + excluded.failures; END;
CREATE TRIGGER use_weeks_delete AFTER DELETE ON use_weeks BEGIN INSERT INTO use_spans (week, pattern_id, uses, late, good, late_good) SELECT OLD.week + age, OLD.pattern_id, (-OLD.successes) + (-OLD.partials) + (-OLD.failures), CASE WHEN age < 4 THEN ((-OLD.successes) + (-OLD.partials) + (-OLD.failures)) ELSE 0 END, (-OLD.successes), CASE WHEN age < 4 THEN (-OLD.successes) ELSE 0 END FROM (SELECT 0 AS age UNION ALL SELECT 1 AS age UNION ALL SELECT 2 AS age UNION ALL SELECT 3 AS age UNION ALL SELECT 4 AS age UNION ALL SELECT 5 AS age UNION ALL SELECT 6 AS age UNION ALL SELECT 7 AS age UNION ALL SELECT 8 AS age) AS ages WHERE (-OLD.successes) + (-OLD.partials) + (-OLD.failures) <> 0 OR (-OLD.successes) <> 0 ON CONFLICT (week, pattern_id) DO UPDATE SET uses = use_spans.uses + excluded.uses, late = use_spans.late + excluded.late, good = use_spans.good + excluded.good, late_good = use_spans.late_good + excluded.late_good; INSERT INTO class_weeks (week, namespace, level, owner_id, successes, partials, failures) SELECT OLD.week, kept.namespace, kept.level, kept.owner_id, -OLD.successes, -OLD.partials, -OLD.failures FROM patterns AS kept WHERE kept.id = OLD.pattern_id AND kept.removed_at IS NULL AND ((-OLD.successes) <> 0 OR (-OLD.partials) <> 0 OR (-OLD.failures) <> 0) ON CONFLICT (week, namespace, level, owner_id) DO UPDATE SET successes = class_weeks.successes + excluded.successes, partials = class_weeks.partials + excluded.partials, failures = class_weeks.failures + excluded.failures; END;
CREATE TRIGGER use_weeks_insert AFTER INSERT ON use_weeks BEGIN INSERT INTO use_spans (week, pattern_id, uses, late, good, late_good) SELECT NEW.week + age, NEW.pattern_id, (NEW.successes) + (NEW.partials) + (NEW.failures), CASE WHEN age < 4 THEN ((NEW.successes) + (NEW.partials) + (NEW.failures)) ELSE 0 END, (NEW.successes), CASE WHEN age < 4 THEN (NEW.successes) ELSE 0 END FROM (SELECT 0 AS age UNION ALL SELECT 1 AS age UNION ALL SELECT 2 AS age UNION ALL SELECT 3 AS age UNION ALL SELECT 4 AS age UNION ALL SELECT 5 AS age UNION ALL SELECT 6 AS age UNION ALL SELECT 7 AS age UNION ALL SELECT 8 AS age) AS ages WHERE (NEW.successes) + (NEW.partials) + (NEW.failures) <> 0 OR (NEW.successes) <> 0 ON CONFLICT (week, pattern_id) DO UPDATE SET uses = use_spans.uses + excluded.uses, late = use_spans.late + excluded.late, good = use_spans.good + excluded.good, late_good = use_spans.late_good + excluded.late_good; INSERT INTO class_weeks (week, namespace, level, owner_id, successes, partials, failures) SELECT NEW.week, kept.namespace, kept.level, kept.owner_id, NEW.successes, NEW.partials, NEW.failures FROM patterns AS kept WHERE kept.id = NEW.pattern_id AND kept.removed_at IS NULL AND ((NEW.successes) <> 0 OR (NEW.partials) <> 0 OR (NEW.failures) <> 0) ON CONFLICT (week, namespace, level, owner_id) DO UPDATE SET successes = class_weeks.successes + excluded.successes, partials = class_weeks.partials + excluded.partials, failures = class_weeks.failures + excluded.failures; END;
CREATE TRIGGER use_weeks_update AFTER UPDATE ON use_weeks BEGIN INSERT INTO use_spans (week, pattern_id, uses, late, good, late_good) SELECT NEW.week + age, NEW.pattern_id, (NEW.successes - OLD.successes) + (NEW.partials - OLD.partials) + (NEW.failures - OLD.failures), CASE WHEN age < 4 THEN ((NEW.successes - OLD.successes) + (NEW.partials - OLD.partials) + (NEW.failures - OLD.failures)) ELSE 0 END, (NEW.successes - OLD.successes), CASE WHEN age < 4 THEN (NEW.successes - OLD.successes) ELSE 0 END FROM (SELECT 0 AS age UNION ALL SELECT 1 AS age UNION ALL SELECT 2 AS age UNION ALL SELECT 3 AS age UNION ALL SELECT 4 AS age UNION ALL SELECT 5 AS age UNION ALL SELECT 6 AS age UNION ALL SELECT 7 AS age UNION ALL SELECT 8 AS age) AS ages WHERE (NEW.successes - OLD.successes) + (NEW.partials - OLD.partials) + (NEW.failures - OLD.failures) <> 0 OR (NEW.successes - OLD.successes) <> 0 ON CONFLICT (week, pattern_id) DO UPDATE SET uses = use_spans.uses + excluded.uses, late = use_spans.late + excluded.late, good = use_spans.good + excluded.good, late_good = use_spans.late_good + excluded.late_good; INSERT INTO class_weeks (week, namespace, level, owner_id, successes, partials, failures) SELECT NEW.week, kept.namespace, kept.level, kept.owner_id, NEW.successes - OLD.successes, NEW.partials - OLD.partials, NEW.failures - OLD.failures FROM patterns AS kept WHERE kept.id = NEW.pattern_id AND kept.removed_at IS NULL AND ((NEW.successes - OLD.successes) <> 0 OR (NEW.partials - OLD.partials) <> 0 OR (NEW.failures - OLD.failures) <> 0) ON CONFLICT (week, namespace, level, owner_id) DO UPDATE SET successes = class_weeks.successes + excluded.successes, partials = class_weeks.partials + excluded.partials, failures = class_weeks.failures + excluded.failures; END;
CREATE TRIGGER uses_counted AFTER INSERT ON uses BEGIN INSERT INTO use_weeks (pattern_id, week, successes, partials, failures) VALUES (NEW.pattern_id, (NEW.at + 259200000000) / 604800000000, CASE WHEN NEW.outcome = 'success' AND NEW.share >= 1 THEN 1 ELSE 0 END, CASE WHEN NEW.outcome = 'partial' AND NEW.share >= 1 THEN 1 ELSE 0 END, CASE WHEN NEW.outcome = 'failure' AND NEW.share >= 1 THEN 1 ELSE 0 END) ON CONFLICT (pattern_id, week) DO UPDATE SET successes = use_weeks.successes + excluded.successes, partials = use_weeks.partials + excluded.partials, failures = use_weeks.failures + excluded.failures; END;
CREATE TRIGGER uses_recounted AFTER UPDATE OF pattern_id, outcome, at, share ON uses BEGIN UPDATE use_weeks SET successes = successes - CASE WHEN OLD.outcome = 'success' AND OLD.share >= 1 THEN 1 ELSE 0 END, partials = partials - CASE WHEN OLD.outcome = 'partial' AND OLD.share >= 1 THEN 1 ELSE 0 END, failures = failures - CASE WHEN OLD.outcome = 'failure' AND OLD.share >= 1 THEN 1 ELSE 0 END WHERE pattern_id = OLD.pattern_id AND week = (OLD.at + 259200000000) / 604800000000; INSERT INTO use_weeks (pattern_id, week, successes, partials, failures) VALUES (NEW.pattern_id, (NEW.at + 259200000000) / 604800000000, CASE WHEN NEW.outcome = 'success' AND NEW.share >= 1 THEN 1 ELSE 0 END, CASE WHEN NEW.outcome = 'partial' AND NEW.share >= 1 THEN 1 ELSE 0 END, CASE WHEN NEW.outcome = 'failure' AND NEW.share >= 1 THEN 1 ELSE 0 END) ON CONFLICT (pattern_id, week) DO UPDATE SET successes = use_weeks.successes + excluded.successes, partials = use_weeks.partials + excluded.partials, failures = use_weeks.failures + excluded.failures; END;
CREATE TRIGGER uses_uncounted AFTER DELETE ON uses BEGIN UPDATE use_weeks SET successes = successes - CASE WHEN OLD.outcome = 'success' AND OLD.share >= 1 THEN 1 ELSE 0 END, partials = partials - CASE WHEN OLD.outcome = 'partial' AND OLD.share >= 1 THEN 1 ELSE 0 END, failures = failures - CASE WHEN OLD.outcome = 'failure' AND OLD.share >= 1 THEN 1 ELSE 0 END WHERE pattern_id = OLD.pattern_id AND week = (OLD.at + 259200000000) / 604800000000; END;
INSERT INTO alembic_version VALUES ('0025');
INSERT INTO ledger_head VALUES (1, 'tmws/' || lower(hex(randomblob(8))), 0, '[]');
INSERT INTO namespaces VALUES ('default', 0, NULL, 0.0, 0.0, 0);
INSERT INTO trust_state VALUES ('mix', '', '', '{"level":[0.0,4.0],"points":[["",0.0,4.840000000000001,1.0,1.0]]}');
INSERT INTO trust_state VALUES ('model', '', '', '{"version":"logit-5","scales":[1.6,0.4,0.3,2.2,2.0,0.8,2.2,0.5,0.3,0.0],"calibration":[1.0,0.0,200.0],"decided":0,"drawn":0}');
