CREATE FUNCTION ledger_append_only() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN RAISE EXCEPTION 'the ledger is append-only'; END $$;
CREATE FUNCTION patterns_moved() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN INSERT INTO class_weeks (week, namespace, level, owner_id, successes, partials, failures) SELECT weeks.week, OLD.namespace, OLD.level, OLD.owner_id, -weeks.successes, -weeks.partials, -weeks.failures FROM use_weeks AS weeks WHERE weeks.pattern_id = OLD.id AND OLD.removed_at IS NULL ON CONFLICT (week, namespace, level, owner_id) DO UPDATE SET successes = class_weeks.successes + excluded.successes, partials = class_weeks.partials + excluded.partials, failures = class_weeks.failures + excluded.failures; INSERT INTO class_weeks (week, namespace, level, owner_id, successes, partials, failures) SELECT weeks.week, NEW.namespace, NEW.level, NEW.owner_id, weeks.successes, weeks.partials, weeks.failures FROM use_weeks AS weeks WHERE weeks.pattern_id = NEW.id AND NEW.removed_at IS NULL ON CONFLICT (week, namespace, level, owner_id) DO UPDATE SET successes = class_weeks.successes + excluded.successes, partials = class_weeks.partials + excluded.partials, failures = class_weeks.failures + excluded.failures; RETURN NULL; END $$;
CREATE FUNCTION use_weeks_delete() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN INSERT INTO use_spans (week, pattern_id, uses, late, good, late_good) SELECT OLD.week + age, OLD.pattern_id, (-OLD.successes) + (-OLD.partials) + (-OLD.failures), CASE WHEN age < 4 THEN ((-OLD.successes) + (-OLD.partials) + (-OLD.failures)) ELSE 0 END, (-OLD.successes), CASE WHEN age < 4 THEN (-OLD.successes) ELSE 0 END FROM (SELECT 0 AS age UNION ALL SELECT 1 AS age UNION ALL SELECT 2 AS age UNION ALL SELECT 3 AS age UNION ALL SELECT 4 AS age UNION ALL SELECT 5 AS age UNION ALL SELECT 6 AS age UNION ALL SELECT 7 AS age UNION ALL SELECT 8 AS age) AS ages WHERE (-OLD.successes) + (-OLD.partials) + (-OLD.failures) <> 0 OR (-OLD.successes) <> 0 ON CONFLICT (week, pattern_id) DO UPDATE SET uses = use_spans.uses + excluded.uses, late = use_spans.late + excluded.late, good = use_spans.good + excluded.good, late_good = use_spans.late_good + excluded.late_good; INSERT INTO class_weeks (week, namespace, level, owner_id, successes, partials, failures) SELECT OLD.week, kept.namespace, kept.level, kept.owner_id, -OLD.successes, -OLD.partials, -OLD.failures FROM patterns AS kept WHERE kept.id = OLD.pattern_id AND kept.removed_at IS NULL AND ((-OLD.successes) <> 0 OR (-OLD.partials) <> 0 OR (-OLD.failures) <> 0) ON CONFLICT (week, namespace, level, owner_id) DO UPDATE SET successes = class_weeks.successes + excluded.successes, partials = class_weeks.partials + excluded.partials, failures = class_weeks.failures + excluded.failures; RETURN NULL; END $$;
CREATE FUNCTION use_weeks_insert() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN INSERT INTO use_spans (week, pattern_id, uses, late, good, late_good) SELECT NEW.week + age, NEW.pattern_id, (NEW.successes) + (NEW.partials) + (NEW.failures), CASE WHEN age < 4 THEN ((NEW.successes) + (NEW.partials) + (NEW.failures)) ELSE 0 END, (NEW.successes), CASE WHEN age < 4 THEN (NEW.successes) ELSE 0 END FROM (SELECT 0 AS age UNION ALL SELECT 1 AS age UNION ALL SELECT 2 AS age UNION ALL SELECT 3 AS age UNION ALL SELECT 4 AS age UNION ALL SELECT 5 AS age UNION ALL SELECT 6 AS age UNION ALL SELECT 7 AS age UNION ALL SELECT 8 AS age) AS ages WHERE (NEW.successes) + (NEW.partials) + (NEW.failures) <> 0 OR (NEW.successes) <> 0 ON CONFLICT (week, pattern_id) DO UPDATE SET uses = use_spans.uses + excluded.uses, late = use_spans.late + excluded.late, good = use_spans.good + excluded.good, late_good = use_spans.late_good + excluded.late_good; INSERT INTO class_weeks (week, namespace, level, owner_id, successes, partials, failures) SELECT NEW.week, kept.namespace, kept.level, kept.owner_id, NEW.successes, NEW.partials, NEW.failures FROM patterns AS kept WHERE kept.id = NEW.pattern_id AND kept.removed_at IS NULL AND ((NEW.successes) <> 0 OR (NEW.partials) <> 0 OR (NEW.failures) <> 0) ON CONFLICT (week, namespace, level, owner_id) DO UPDATE SET successes = class_weeks.successes + excluded.successes, partials = class_weeks.partials + excluded.partials, failures = class_weeks.failures + excluded.failures; RETURN NULL; END $$;
CREATE FUNCTION use_weeks_update() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN INSERT INTO use_spans (week, pattern_id, uses, late, good, late_good) SELECT NEW.week + age, NEW.pattern_id, (NEW.successes - OLD.successes) + (NEW.partials - OLD.partials) + (NEW.failures - OLD.failures), CASE WHEN age < 4 THEN ((NEW.successes - OLD.successes) + (NEW.partials - OLD.partials) + (NEW.failures - OLD.failures)) ELSE 0 END, (NEW.successes - OLD.successes), CASE WHEN age < 4 THEN (NEW.successes - OLD.successes) ELSE 0 END FROM (SELECT 0 AS age UNION ALL SELECT 1 AS age UNION ALL SELECT 2 AS age UNION ALL SELECT 3 AS age UNION ALL SELECT 4 AS age UNION ALL SELECT 5 AS age UNION ALL SELECT 6 AS age UNION ALL SELECT 7 AS age UNION ALL SELECT 8 AS age) AS ages WHERE (NEW.successes - OLD.successes) + (NEW.partials - OLD.partials) + (NEW.failures - OLD.failures) <> 0 OR (NEW.successes - OLD.successes) <> 0 ON CONFLICT (week, pattern_id) DO UPDATE SET uses = use_spans.uses + excluded.uses, late = use_spans.late + excluded.late, good = use_spans.good + excluded.good, late_good = use_spans.late_good + excluded.late_good; INSERT INTO class_weeks (week, namespace, level, owner_id, successes, partials, failures) SELECT NEW.week, kept.namespace, kept.level, kept.owner_id, NEW.successes - OLD.successes, NEW.partials - OLD.partials, NEW.failures - OLD.failures FROM patterns AS kept WHERE kept.id = NEW.pattern_id AND kept.removed_at IS NULL AND ((NEW.successes - OLD.successes) <> 0 OR (NEW.partials - OLD.partials) <> 0 OR (NEW.failures - OLD.failures) <> 0) ON CONFLICT (week, namespace, level, owner_id) DO UPDATE SET successes = class_weeks.successes + excluded.successes, partials = class_weeks.partials + excluded.partials, failures = class_weeks.failures + excluded.failures; RETURN NULL; END $$;
CREATE FUNCTION uses_counted() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN INSERT INTO use_weeks (pattern_id, week, successes, partials, failures) VALUES (NEW.pattern_id, (NEW.at + 259200000000) / 604800000000, CASE WHEN NEW.outcome = 'success' AND NEW.share >= 1 THEN 1 ELSE 0 END, CASE WHEN NEW.outcome = 'partial' AND NEW.share >= 1 THEN 1 ELSE 0 END, CASE WHEN NEW.outcome = 'failure' AND NEW.share >= 1 THEN 1 ELSE 0 END) ON CONFLICT (pattern_id, week) DO UPDATE SET successes = use_weeks.successes + excluded.successes, partials = use_weeks.partials + excluded.partials, failures = use_weeks.failures + excluded.failures; RETURN NULL; END $$;
CREATE FUNCTION uses_recounted() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN UPDATE use_weeks SET successes = successes - CASE WHEN OLD.outcome = 'success' AND OLD.share >= 1 THEN 1 ELSE 0 END, partials = partials - CASE WHEN OLD.outcome = 'partial' AND OLD.share >= 1 THEN 1 ELSE 0 END, failures = failures - CASE WHEN OLD.outcome = 'failure' AND OLD.share >= 1 THEN 1 ELSE 0 END WHERE pattern_id = OLD.pattern_id AND week = (OLD.at + 259200000000) / 604800000000; INSERT INTO use_weeks (pattern_id, week, successes, partials, failures) VALUES (NEW.pattern_id, (NEW.at + 259200000000) / 604800000000, CASE WHEN NEW.outcome = 'success' AND NEW.share >= 1 THEN 1 ELSE 0 END, CASE WHEN NEW.outcome = 'partial' AND NEW.share >= 1 THEN 1 ELSE 0 END, CASE WHEN NEW.outcome = 'failure' AND NEW.share >= 1 THEN 1 ELSE 0 END) ON CONFLICT (pattern_id, week) DO UPDATE SET successes = use_weeks.successes + excluded.successes, partials = use_weeks.partials + excluded.partials, failures = use_weeks.failures + excluded.failures; RETURN NULL; END $$;
CREATE FUNCTION uses_uncounted() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN UPDATE use_weeks SET successes = successes - CASE WHEN OLD.outcome = 'success' AND OLD.share >= 1 THEN 1 ELSE 0 END, partials = partials - CASE WHEN OLD.outcome = 'partial' AND OLD.share >= 1 THEN 1 ELSE 0 END, failures = failures - CASE WHEN OLD.outcome = 'failure' AND OLD.share >= 1 THEN 1 ELSE 0 END WHERE pattern_id = OLD.pattern_id AND week = (OLD.at + 259200000000) / 604800000000; RETURN NULL; END $$;
CREATE TABLE agent_usage (
    pattern_id character varying(40) NOT NULL,
    agent_id character varying(40) NOT NULL,
    successes integer NOT NULL,
    partials integer NOT NULL,
    failures integer NOT NULL,
    proven_successes integer NOT NULL,
    proven_failures integer NOT NULL,
    credit double precision NOT NULL,
    credit_good double precision NOT NULL,
    evidence_good double precision NOT NULL,
    evidence_bad double precision NOT NULL,
    duration_seconds double precision,
    last_used_at bigint
);
CREATE TABLE agents (
    id character varying(40) NOT NULL,
    name character varying(64) NOT NULL,
    role character varying(16) NOT NULL,
    created_at bigint NOT NULL,
    disabled_because text
);
CREATE TABLE alembic_version (
    version_num character varying(32) NOT NULL
);
CREATE TABLE artifacts (
    digest character varying(64) NOT NULL,
    media_type character varying(80) NOT NULL,
    content bytea NOT NULL,
    created_at bigint NOT NULL
);
CREATE TABLE batches (
    agent_id character varying(40) NOT NULL,
    key character varying(100) NOT NULL,
    fingerprint character varying(64) NOT NULL,
    pattern_ids text NOT NULL,
    at bigint NOT NULL
);
CREATE TABLE claims (
    id character varying(40) NOT NULL,
    agent_id character varying(40) NOT NULL,
    namespace character varying(64) NOT NULL,
    statement text NOT NULL,
    workspace character varying(64) NOT NULL,
    "check" text NOT NULL,
    applied text NOT NULL,
    confidence double precision,
    effort_minutes double precision,
    state character varying(16) NOT NULL,
    attempt integer NOT NULL,
    lease_until bigint,
    created_at bigint NOT NULL,
    snapshot_digest character varying(64) NOT NULL,
    judgement text,
    verdict character varying(16),
    run text,
    evidence_digest character varying(64),
    ledger_index bigint,
    closed_at bigint,
    level character varying(16) DEFAULT 'reproduced'::character varying NOT NULL,
    basis character varying(64)
);
CREATE TABLE class_weeks (
    week integer NOT NULL,
    namespace character varying(64) NOT NULL,
    level character varying(16) NOT NULL,
    owner_id character varying(40) NOT NULL,
    successes integer NOT NULL,
    partials integer NOT NULL,
    failures integer NOT NULL
);
CREATE TABLE credentials (
    id character varying(40) NOT NULL,
    agent_id character varying(40) NOT NULL,
    secret_sha256 character varying(64) NOT NULL,
    created_at bigint NOT NULL,
    revoked_at bigint
);
CREATE TABLE documents (
    id bigint NOT NULL,
    item_id character varying(40) NOT NULL,
    kind character varying(16) NOT NULL,
    namespace character varying(64) NOT NULL,
    owner_id character varying(40) NOT NULL,
    level character varying(16) NOT NULL,
    removed boolean DEFAULT false NOT NULL,
    revision bigint DEFAULT '0'::bigint NOT NULL,
    terms text DEFAULT ''::text NOT NULL
);
CREATE SEQUENCE documents_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE documents_id_seq OWNED BY documents.id;
CREATE TABLE environments (
    name character varying(64) NOT NULL,
    digest character varying(64) NOT NULL,
    lock text NOT NULL,
    plugins text NOT NULL,
    changed_at bigint NOT NULL
);
CREATE TABLE evidence (
    id character varying(40) NOT NULL,
    ledger_index bigint NOT NULL,
    agent_id character varying(40) NOT NULL,
    owner_id character varying(40) NOT NULL,
    at bigint NOT NULL,
    verdict character varying(16) NOT NULL,
    task character varying(64),
    type character varying(32) NOT NULL,
    effort_minutes double precision,
    author character varying(40),
    relied_on boolean NOT NULL,
    weight double precision NOT NULL,
    confidence double precision,
    severity double precision NOT NULL,
    step text,
    withdrawn text,
    restored text
);
CREATE TABLE ledger_entries (
    index bigint NOT NULL,
    leaf text NOT NULL,
    leaf_hash bytea NOT NULL
);
CREATE TABLE ledger_head (
    id integer NOT NULL,
    origin character varying(64) NOT NULL,
    size bigint NOT NULL,
    peaks text NOT NULL
);
CREATE SEQUENCE ledger_head_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE ledger_head_id_seq OWNED BY ledger_head.id;
CREATE TABLE ledger_payloads (
    index bigint NOT NULL,
    salt bytea NOT NULL,
    payload text NOT NULL
);
CREATE TABLE links (
    agent_id character varying(40) NOT NULL,
    owner_id character varying(40) NOT NULL
);
CREATE TABLE memberships (
    agent_id character varying(40) NOT NULL,
    namespace character varying(64) NOT NULL,
    "position" integer NOT NULL
);
CREATE TABLE memories (
    id character varying(40) NOT NULL,
    namespace character varying(64) NOT NULL,
    owner_id character varying(40) NOT NULL,
    kind character varying(16) NOT NULL,
    text text NOT NULL,
    tags text NOT NULL,
    level character varying(16) NOT NULL,
    claim_id character varying(40),
    created_at bigint NOT NULL
);
CREATE TABLE namespaces (
    name character varying(64) NOT NULL,
    revision bigint NOT NULL,
    least_level character varying(16),
    evidence_good double precision DEFAULT '0'::double precision NOT NULL,
    evidence_bad double precision DEFAULT '0'::double precision NOT NULL,
    uses_undone bigint DEFAULT '0'::bigint NOT NULL
);
CREATE TABLE pattern_acts (
    id character varying(40) NOT NULL,
    pattern_id character varying(40) NOT NULL,
    agent_id character varying(40),
    act character varying(16) NOT NULL,
    detail text NOT NULL,
    at bigint NOT NULL
);
CREATE TABLE pattern_grants (
    pattern_id character varying(40) NOT NULL,
    agent_id character varying(40) NOT NULL
);
CREATE TABLE pattern_tags (
    pattern_id character varying(40) NOT NULL,
    tag character varying(50) NOT NULL
);
CREATE TABLE pattern_versions (
    pattern_id character varying(40) NOT NULL,
    version integer NOT NULL,
    name character varying(120) NOT NULL,
    category character varying(50) NOT NULL,
    subcategory character varying(50),
    summary text NOT NULL,
    data text NOT NULL,
    tags text NOT NULL,
    complexity integer,
    learning_weight double precision NOT NULL,
    author_id character varying(40) NOT NULL,
    author_trust double precision,
    written_at bigint NOT NULL
);
CREATE TABLE patterns (
    id character varying(40) NOT NULL,
    namespace character varying(64) NOT NULL,
    owner_id character varying(40) NOT NULL,
    name character varying(120) NOT NULL,
    category character varying(50) NOT NULL,
    summary text NOT NULL,
    data text NOT NULL,
    level character varying(16) NOT NULL,
    version integer NOT NULL,
    created_at bigint NOT NULL,
    successes integer NOT NULL,
    partials integer NOT NULL,
    failures integer NOT NULL,
    proven_successes integer NOT NULL,
    proven_failures integer NOT NULL,
    duration_seconds double precision,
    last_used_at bigint,
    credit double precision DEFAULT '0'::double precision NOT NULL,
    credit_good double precision DEFAULT '0'::double precision NOT NULL,
    evidence_good double precision DEFAULT '0'::double precision NOT NULL,
    evidence_bad double precision DEFAULT '0'::double precision NOT NULL,
    subcategory character varying(50),
    complexity integer,
    learning_weight double precision NOT NULL,
    origin character varying(16) NOT NULL,
    source text NOT NULL,
    author_id character varying(40) NOT NULL,
    author_trust double precision,
    written_at bigint NOT NULL,
    removed_at bigint,
    forgotten_at bigint
);
CREATE TABLE quotas (
    agent_id character varying(40) NOT NULL,
    stored_bytes bigint NOT NULL,
    given_back_at bigint NOT NULL,
    allowed_mib integer,
    allowed_daily_writes integer
);
CREATE TABLE receipts (
    id character varying(40) NOT NULL,
    agent_id character varying(40) NOT NULL,
    at bigint NOT NULL,
    request text NOT NULL,
    shares text NOT NULL
);
CREATE TABLE reliances (
    claim_id character varying(40) NOT NULL,
    by character varying(128) NOT NULL,
    stake double precision NOT NULL,
    draw double precision NOT NULL,
    since bigint
);
CREATE TABLE serving (
    arm character varying(16) NOT NULL,
    stage character varying(16) NOT NULL,
    embedder character varying(64) NOT NULL,
    backend character varying(64) NOT NULL,
    model character varying(64),
    dimension integer,
    since bigint NOT NULL
);
CREATE TABLE switches (
    tool character varying(64) NOT NULL,
    reason text NOT NULL,
    disabled_at bigint NOT NULL
);
CREATE TABLE trials (
    receipt_id character varying(40) NOT NULL,
    pattern_id character varying(40) NOT NULL,
    agent_id character varying(40) NOT NULL,
    at bigint NOT NULL,
    shown boolean NOT NULL,
    good double precision
);
CREATE TABLE trust_state (
    kind character varying(16) NOT NULL,
    agent character varying(40) NOT NULL,
    topic character varying(64) NOT NULL,
    value text NOT NULL
);
CREATE TABLE trusted (
    kind character varying(16) NOT NULL,
    name character varying(64) NOT NULL,
    workspace character varying(64) NOT NULL,
    source text NOT NULL,
    digest character varying(64) NOT NULL,
    created_at bigint NOT NULL
);
CREATE TABLE use_spans (
    week integer NOT NULL,
    pattern_id character varying(40) NOT NULL,
    uses integer NOT NULL,
    late integer NOT NULL,
    good integer NOT NULL,
    late_good integer NOT NULL
);
CREATE TABLE use_vectors (
    use_id character varying(40) NOT NULL,
    embedder character varying(64) NOT NULL,
    namespace character varying(64) NOT NULL,
    revision bigint NOT NULL,
    vector bytea NOT NULL
);
CREATE TABLE use_weeks (
    pattern_id character varying(40) NOT NULL,
    week integer NOT NULL,
    successes integer NOT NULL,
    partials integer NOT NULL,
    failures integer NOT NULL
);
CREATE TABLE uses (
    id character varying(40) NOT NULL,
    pattern_id character varying(40) NOT NULL,
    agent_id character varying(40) NOT NULL,
    claim_id character varying(40),
    outcome character varying(16) NOT NULL,
    duration_seconds double precision,
    context text NOT NULL,
    at bigint NOT NULL,
    share double precision DEFAULT '1'::double precision NOT NULL,
    receipt_id character varying(40),
    version integer DEFAULT 1 NOT NULL
);
CREATE TABLE vectors (
    document_id bigint NOT NULL,
    embedder character varying(64) NOT NULL,
    revision bigint NOT NULL,
    vector bytea NOT NULL
);
CREATE TABLE withdrawn_proofs (
    use_id character varying(40) NOT NULL,
    claim_id character varying(40) NOT NULL
);
CREATE TABLE workspace_environments (
    workspace character varying(64) NOT NULL,
    environment character varying(64),
    chosen_at bigint NOT NULL
);
CREATE TABLE workspaces (
    name character varying(64) NOT NULL,
    root text NOT NULL,
    created_at bigint NOT NULL,
    removed_at bigint
);
ALTER TABLE ONLY documents ALTER COLUMN id SET DEFAULT nextval('documents_id_seq'::regclass);
ALTER TABLE ONLY ledger_head ALTER COLUMN id SET DEFAULT nextval('ledger_head_id_seq'::regclass);
INSERT INTO alembic_version VALUES ('0025');
INSERT INTO ledger_head VALUES (1, 'tmws/' || substr(replace(gen_random_uuid()::text, '-', ''), 1, 16), 0, '[]');
INSERT INTO namespaces VALUES ('default', 0, NULL, 0, 0, 0);
INSERT INTO trust_state VALUES ('model', '', '', '{"version":"logit-5","scales":[1.6,0.4,0.3,2.2,2.0,0.8,2.2,0.5,0.3,0.0],"calibration":[1.0,0.0,200.0],"decided":0,"drawn":0}');
INSERT INTO trust_state VALUES ('mix', '', '', '{"level":[0.0,4.0],"points":[["",0.0,4.840000000000001,1.0,1.0]]}');
SELECT pg_catalog.setval('documents_id_seq', 1, false);
SELECT pg_catalog.setval('ledger_head_id_seq', 1, false);
ALTER TABLE ONLY alembic_version
    ADD CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num);
ALTER TABLE ONLY agent_usage
    ADD CONSTRAINT pk_agent_usage PRIMARY KEY (pattern_id, agent_id);
ALTER TABLE ONLY agents
    ADD CONSTRAINT pk_agents PRIMARY KEY (id);
ALTER TABLE ONLY artifacts
    ADD CONSTRAINT pk_artifacts PRIMARY KEY (digest);
ALTER TABLE ONLY batches
    ADD CONSTRAINT pk_batches PRIMARY KEY (agent_id, key);
ALTER TABLE ONLY claims
    ADD CONSTRAINT pk_claims PRIMARY KEY (id);
ALTER TABLE ONLY class_weeks
    ADD CONSTRAINT pk_class_weeks PRIMARY KEY (week, namespace, level, owner_id);
ALTER TABLE ONLY credentials
    ADD CONSTRAINT pk_credentials PRIMARY KEY (id);
ALTER TABLE ONLY documents
    ADD CONSTRAINT pk_documents PRIMARY KEY (id);
ALTER TABLE ONLY environments
    ADD CONSTRAINT pk_environments PRIMARY KEY (name);
ALTER TABLE ONLY evidence
    ADD CONSTRAINT pk_evidence PRIMARY KEY (ledger_index);
ALTER TABLE ONLY ledger_entries
    ADD CONSTRAINT pk_ledger_entries PRIMARY KEY (index);
ALTER TABLE ONLY ledger_head
    ADD CONSTRAINT pk_ledger_head PRIMARY KEY (id);
ALTER TABLE ONLY ledger_payloads
    ADD CONSTRAINT pk_ledger_payloads PRIMARY KEY (index);
ALTER TABLE ONLY links
    ADD CONSTRAINT pk_links PRIMARY KEY (agent_id);
ALTER TABLE ONLY memberships
    ADD CONSTRAINT pk_memberships PRIMARY KEY (agent_id, namespace);
ALTER TABLE ONLY memories
    ADD CONSTRAINT pk_memories PRIMARY KEY (id);
ALTER TABLE ONLY namespaces
    ADD CONSTRAINT pk_namespaces PRIMARY KEY (name);
ALTER TABLE ONLY pattern_acts
    ADD CONSTRAINT pk_pattern_acts PRIMARY KEY (id);
ALTER TABLE ONLY pattern_grants
    ADD CONSTRAINT pk_pattern_grants PRIMARY KEY (pattern_id, agent_id);
ALTER TABLE ONLY pattern_tags
    ADD CONSTRAINT pk_pattern_tags PRIMARY KEY (pattern_id, tag);
ALTER TABLE ONLY pattern_versions
    ADD CONSTRAINT pk_pattern_versions PRIMARY KEY (pattern_id, version);
ALTER TABLE ONLY patterns
    ADD CONSTRAINT pk_patterns PRIMARY KEY (id);
ALTER TABLE ONLY quotas
    ADD CONSTRAINT pk_quotas PRIMARY KEY (agent_id);
ALTER TABLE ONLY receipts
    ADD CONSTRAINT pk_receipts PRIMARY KEY (id);
ALTER TABLE ONLY reliances
    ADD CONSTRAINT pk_reliances PRIMARY KEY (claim_id, by);
ALTER TABLE ONLY serving
    ADD CONSTRAINT pk_serving PRIMARY KEY (arm, stage);
ALTER TABLE ONLY switches
    ADD CONSTRAINT pk_switches PRIMARY KEY (tool);
ALTER TABLE ONLY trials
    ADD CONSTRAINT pk_trials PRIMARY KEY (receipt_id);
ALTER TABLE ONLY trust_state
    ADD CONSTRAINT pk_trust_state PRIMARY KEY (kind, agent, topic);
ALTER TABLE ONLY trusted
    ADD CONSTRAINT pk_trusted PRIMARY KEY (kind, name);
ALTER TABLE ONLY use_spans
    ADD CONSTRAINT pk_use_spans PRIMARY KEY (week, pattern_id);
ALTER TABLE ONLY use_vectors
    ADD CONSTRAINT pk_use_vectors PRIMARY KEY (use_id, embedder);
ALTER TABLE ONLY use_weeks
    ADD CONSTRAINT pk_use_weeks PRIMARY KEY (pattern_id, week);
ALTER TABLE ONLY uses
    ADD CONSTRAINT pk_uses PRIMARY KEY (id);
ALTER TABLE ONLY vectors
    ADD CONSTRAINT pk_vectors PRIMARY KEY (document_id, embedder);
ALTER TABLE ONLY withdrawn_proofs
    ADD CONSTRAINT pk_withdrawn_proofs PRIMARY KEY (use_id);
ALTER TABLE ONLY workspace_environments
    ADD CONSTRAINT pk_workspace_environments PRIMARY KEY (workspace);
ALTER TABLE ONLY workspaces
    ADD CONSTRAINT pk_workspaces PRIMARY KEY (name);
ALTER TABLE ONLY agents
    ADD CONSTRAINT uq_agents_name UNIQUE (name);
ALTER TABLE ONLY credentials
    ADD CONSTRAINT uq_credentials_secret_sha256 UNIQUE (secret_sha256);
ALTER TABLE ONLY documents
    ADD CONSTRAINT uq_documents_item_id UNIQUE (item_id);
ALTER TABLE ONLY evidence
    ADD CONSTRAINT uq_evidence_id UNIQUE (id);
ALTER TABLE ONLY uses
    ADD CONSTRAINT uq_uses_pattern_id_claim_id UNIQUE (pattern_id, claim_id);
CREATE INDEX ix_claims_agent_id_created_at ON claims USING btree (agent_id, created_at);
CREATE INDEX ix_claims_agent_id_snapshot_digest ON claims USING btree (agent_id, snapshot_digest);
CREATE INDEX ix_claims_snapshot_digest ON claims USING btree (snapshot_digest);
CREATE INDEX ix_claims_state_lease_until ON claims USING btree (state, lease_until);
CREATE INDEX ix_credentials_agent_id ON credentials USING btree (agent_id);
CREATE INDEX ix_documents_namespace_kind_revision ON documents USING btree (namespace, kind, revision);
CREATE INDEX ix_documents_owner_id_namespace ON documents USING btree (owner_id, namespace);
CREATE INDEX ix_documents_system ON documents USING btree (namespace) WHERE ((level)::text = 'system'::text);
CREATE INDEX ix_evidence_owner_id_at ON evidence USING btree (owner_id, at);
CREATE INDEX ix_evidence_task_ledger_index ON evidence USING btree (task, ledger_index);
CREATE INDEX ix_links_owner_id ON links USING btree (owner_id);
CREATE INDEX ix_memories_claim_id ON memories USING btree (claim_id);
CREATE INDEX ix_memories_created_at ON memories USING btree (created_at);
CREATE INDEX ix_memories_owner_id ON memories USING btree (owner_id);
CREATE INDEX ix_pattern_acts_agent_id_at ON pattern_acts USING btree (agent_id, at);
CREATE INDEX ix_pattern_grants_agent_id_pattern_id ON pattern_grants USING btree (agent_id, pattern_id);
CREATE INDEX ix_pattern_tags_tag_pattern_id ON pattern_tags USING btree (tag, pattern_id);
CREATE INDEX ix_pattern_versions_author_id_written_at ON pattern_versions USING btree (author_id, written_at);
CREATE INDEX ix_patterns_category_created_at ON patterns USING btree (category, created_at);
CREATE INDEX ix_patterns_created_at ON patterns USING btree (created_at);
CREATE INDEX ix_patterns_figures ON patterns USING btree (level, namespace, owner_id, category, successes, partials, failures, proven_successes, proven_failures, last_used_at, removed_at, id);
CREATE INDEX ix_patterns_last_used_at_created_at ON patterns USING btree (last_used_at, created_at);
CREATE INDEX ix_patterns_owner_id ON patterns USING btree (owner_id);
CREATE INDEX ix_receipts_agent_id_at ON receipts USING btree (agent_id, at);
CREATE INDEX ix_receipts_at ON receipts USING btree (at);
CREATE INDEX ix_trials_agent_id_at ON trials USING btree (agent_id, at);
CREATE INDEX ix_trials_pattern_id ON trials USING btree (pattern_id, shown, agent_id, at, good);
CREATE INDEX ix_trusted_workspace ON trusted USING btree (workspace);
CREATE INDEX ix_use_vectors_namespace_embedder_revision ON use_vectors USING btree (namespace, embedder, revision);
CREATE INDEX ix_use_weeks_week ON use_weeks USING btree (week, pattern_id, successes, partials, failures);
CREATE INDEX ix_uses_agent_id_at ON uses USING btree (agent_id, at);
CREATE INDEX ix_uses_pattern_id_at ON uses USING btree (pattern_id, at, agent_id, outcome, share);
CREATE UNIQUE INDEX ix_uses_receipt_id_pattern_id ON uses USING btree (receipt_id, pattern_id);
CREATE INDEX ix_vectors_embedder_revision ON vectors USING btree (embedder, revision);
CREATE INDEX ix_withdrawn_proofs_claim_id ON withdrawn_proofs USING btree (claim_id);
CREATE UNIQUE INDEX uq_patterns_living_name ON patterns USING btree (namespace, owner_id, name) WHERE (removed_at IS NULL);
CREATE TRIGGER ledger_entries_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger_entries FOR EACH STATEMENT EXECUTE FUNCTION ledger_append_only();
CREATE TRIGGER patterns_moved AFTER UPDATE OF namespace, level, owner_id, removed_at ON patterns FOR EACH ROW EXECUTE FUNCTION patterns_moved();
CREATE TRIGGER use_weeks_delete AFTER DELETE ON use_weeks FOR EACH ROW EXECUTE FUNCTION use_weeks_delete();
CREATE TRIGGER use_weeks_insert AFTER INSERT ON use_weeks FOR EACH ROW EXECUTE FUNCTION use_weeks_insert();
CREATE TRIGGER use_weeks_update AFTER UPDATE ON use_weeks FOR EACH ROW EXECUTE FUNCTION use_weeks_update();
CREATE TRIGGER uses_counted AFTER INSERT ON uses FOR EACH ROW EXECUTE FUNCTION uses_counted();
CREATE TRIGGER uses_recounted AFTER UPDATE OF pattern_id, outcome, at, share ON uses FOR EACH ROW EXECUTE FUNCTION uses_recounted();
CREATE TRIGGER uses_uncounted AFTER DELETE ON uses FOR EACH ROW EXECUTE FUNCTION uses_uncounted();
ALTER TABLE ONLY agent_usage
    ADD CONSTRAINT fk_agent_usage_agent_id_agents FOREIGN KEY (agent_id) REFERENCES agents(id);
ALTER TABLE ONLY agent_usage
    ADD CONSTRAINT fk_agent_usage_pattern_id_patterns FOREIGN KEY (pattern_id) REFERENCES patterns(id);
ALTER TABLE ONLY batches
    ADD CONSTRAINT fk_batches_agent_id_agents FOREIGN KEY (agent_id) REFERENCES agents(id);
ALTER TABLE ONLY claims
    ADD CONSTRAINT fk_claims_agent_id_agents FOREIGN KEY (agent_id) REFERENCES agents(id);
ALTER TABLE ONLY claims
    ADD CONSTRAINT fk_claims_evidence_digest_artifacts FOREIGN KEY (evidence_digest) REFERENCES artifacts(digest);
ALTER TABLE ONLY claims
    ADD CONSTRAINT fk_claims_namespace_namespaces FOREIGN KEY (namespace) REFERENCES namespaces(name);
ALTER TABLE ONLY claims
    ADD CONSTRAINT fk_claims_workspace_workspaces FOREIGN KEY (workspace) REFERENCES workspaces(name);
ALTER TABLE ONLY credentials
    ADD CONSTRAINT fk_credentials_agent_id_agents FOREIGN KEY (agent_id) REFERENCES agents(id);
ALTER TABLE ONLY documents
    ADD CONSTRAINT fk_documents_namespace_namespaces FOREIGN KEY (namespace) REFERENCES namespaces(name);
ALTER TABLE ONLY documents
    ADD CONSTRAINT fk_documents_owner_id_agents FOREIGN KEY (owner_id) REFERENCES agents(id);
ALTER TABLE ONLY evidence
    ADD CONSTRAINT fk_evidence_agent_id_agents FOREIGN KEY (agent_id) REFERENCES agents(id);
ALTER TABLE ONLY evidence
    ADD CONSTRAINT fk_evidence_owner_id_agents FOREIGN KEY (owner_id) REFERENCES agents(id);
ALTER TABLE ONLY ledger_payloads
    ADD CONSTRAINT fk_ledger_payloads_index_ledger_entries FOREIGN KEY (index) REFERENCES ledger_entries(index);
ALTER TABLE ONLY links
    ADD CONSTRAINT fk_links_agent_id_agents FOREIGN KEY (agent_id) REFERENCES agents(id);
ALTER TABLE ONLY links
    ADD CONSTRAINT fk_links_owner_id_agents FOREIGN KEY (owner_id) REFERENCES agents(id);
ALTER TABLE ONLY memberships
    ADD CONSTRAINT fk_memberships_agent_id_agents FOREIGN KEY (agent_id) REFERENCES agents(id);
ALTER TABLE ONLY memberships
    ADD CONSTRAINT fk_memberships_namespace_namespaces FOREIGN KEY (namespace) REFERENCES namespaces(name);
ALTER TABLE ONLY memories
    ADD CONSTRAINT fk_memories_claim_id_claims FOREIGN KEY (claim_id) REFERENCES claims(id);
ALTER TABLE ONLY memories
    ADD CONSTRAINT fk_memories_namespace_namespaces FOREIGN KEY (namespace) REFERENCES namespaces(name);
ALTER TABLE ONLY memories
    ADD CONSTRAINT fk_memories_owner_id_agents FOREIGN KEY (owner_id) REFERENCES agents(id);
ALTER TABLE ONLY pattern_acts
    ADD CONSTRAINT fk_pattern_acts_agent_id_agents FOREIGN KEY (agent_id) REFERENCES agents(id);
ALTER TABLE ONLY pattern_acts
    ADD CONSTRAINT fk_pattern_acts_pattern_id_patterns FOREIGN KEY (pattern_id) REFERENCES patterns(id);
ALTER TABLE ONLY pattern_grants
    ADD CONSTRAINT fk_pattern_grants_agent_id_agents FOREIGN KEY (agent_id) REFERENCES agents(id);
ALTER TABLE ONLY pattern_grants
    ADD CONSTRAINT fk_pattern_grants_pattern_id_patterns FOREIGN KEY (pattern_id) REFERENCES patterns(id);
ALTER TABLE ONLY pattern_tags
    ADD CONSTRAINT fk_pattern_tags_pattern_id_patterns FOREIGN KEY (pattern_id) REFERENCES patterns(id);
ALTER TABLE ONLY pattern_versions
    ADD CONSTRAINT fk_pattern_versions_author_id_agents FOREIGN KEY (author_id) REFERENCES agents(id);
ALTER TABLE ONLY pattern_versions
    ADD CONSTRAINT fk_pattern_versions_pattern_id_patterns FOREIGN KEY (pattern_id) REFERENCES patterns(id);
ALTER TABLE ONLY patterns
    ADD CONSTRAINT fk_patterns_author_id_agents FOREIGN KEY (author_id) REFERENCES agents(id);
ALTER TABLE ONLY patterns
    ADD CONSTRAINT fk_patterns_namespace_namespaces FOREIGN KEY (namespace) REFERENCES namespaces(name);
ALTER TABLE ONLY patterns
    ADD CONSTRAINT fk_patterns_owner_id_agents FOREIGN KEY (owner_id) REFERENCES agents(id);
ALTER TABLE ONLY quotas
    ADD CONSTRAINT fk_quotas_agent_id_agents FOREIGN KEY (agent_id) REFERENCES agents(id);
ALTER TABLE ONLY receipts
    ADD CONSTRAINT fk_receipts_agent_id_agents FOREIGN KEY (agent_id) REFERENCES agents(id);
ALTER TABLE ONLY reliances
    ADD CONSTRAINT fk_reliances_claim_id_claims FOREIGN KEY (claim_id) REFERENCES claims(id);
ALTER TABLE ONLY trials
    ADD CONSTRAINT fk_trials_agent_id_agents FOREIGN KEY (agent_id) REFERENCES agents(id);
ALTER TABLE ONLY trials
    ADD CONSTRAINT fk_trials_pattern_id_patterns FOREIGN KEY (pattern_id) REFERENCES patterns(id);
ALTER TABLE ONLY trusted
    ADD CONSTRAINT fk_trusted_digest_artifacts FOREIGN KEY (digest) REFERENCES artifacts(digest);
ALTER TABLE ONLY trusted
    ADD CONSTRAINT fk_trusted_workspace_workspaces FOREIGN KEY (workspace) REFERENCES workspaces(name);
ALTER TABLE ONLY use_vectors
    ADD CONSTRAINT fk_use_vectors_namespace_namespaces FOREIGN KEY (namespace) REFERENCES namespaces(name);
ALTER TABLE ONLY use_vectors
    ADD CONSTRAINT fk_use_vectors_use_id_uses FOREIGN KEY (use_id) REFERENCES uses(id);
ALTER TABLE ONLY use_weeks
    ADD CONSTRAINT fk_use_weeks_pattern_id_patterns FOREIGN KEY (pattern_id) REFERENCES patterns(id);
ALTER TABLE ONLY uses
    ADD CONSTRAINT fk_uses_agent_id_agents FOREIGN KEY (agent_id) REFERENCES agents(id);
ALTER TABLE ONLY uses
    ADD CONSTRAINT fk_uses_claim_id_claims FOREIGN KEY (claim_id) REFERENCES claims(id);
ALTER TABLE ONLY uses
    ADD CONSTRAINT fk_uses_pattern_id_patterns FOREIGN KEY (pattern_id) REFERENCES patterns(id);
ALTER TABLE ONLY vectors
    ADD CONSTRAINT fk_vectors_document_id_documents FOREIGN KEY (document_id) REFERENCES documents(id);
ALTER TABLE ONLY workspace_environments
    ADD CONSTRAINT fk_workspace_environments_environment_environments FOREIGN KEY (environment) REFERENCES environments(name);
ALTER TABLE ONLY workspace_environments
    ADD CONSTRAINT fk_workspace_environments_workspace_workspaces FOREIGN KEY (workspace) REFERENCES workspaces(name);
