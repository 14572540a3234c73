"""Who may read and write what: the SQL, its copies in memory and in the vector index, the rules."""

from __future__ import annotations

from tests.mutation.target import Target

TARGET = Target(
    sources={
        "src/tmws/storage/access.py": (),
        "src/tmws/storage/catalogue.py": ("namespaces_of",),
        "src/tmws/indexes/catalogue.py": ("Block.view",),
        "src/tmws/vectors/exact.py": ("_Block.readable",),
        "src/tmws/domain/versions.py": ("may_write",),
        "src/tmws/domain/agents.py": ("require_member", "require_open"),
        "src/tmws/services/shelf.py": ("visible", "kept", "require_open_to", "writable"),
        "src/tmws/services/sharing.py": ("Sharing.shared_with", "_owned"),
        "src/tmws/services/removal.py": ("_held", "_removed"),
        "src/tmws/services/outcomes.py": ("_require_proof",),
        "src/tmws/storage/agents.py": ("names_of",),
        "src/tmws/storage/claims.py": ("readable", "readable_ids", "_visible_to", "_readable_by"),
        "src/tmws/services/analytics.py": ("_agent",),
        "src/tmws/services/trust.py": ("_visible",),
        "src/tmws/services/verification.py": ("Verification._read",),
    },
    guarded=(
        "src/tmws/domain/memories.py",
        "src/tmws/domain/patterns.py",
        "src/tmws/domain/verifications.py",
        "src/tmws/services/analytics.py",
        "src/tmws/services/learning.py",
        "src/tmws/services/search.py",
        "src/tmws/services/shelf.py",
        "src/tmws/storage/analytics.py",
        "src/tmws/storage/claims.py",
        "src/tmws/storage/memories.py",
        "src/tmws/storage/patterns.py",
        "src/tmws/storage/recommendation.py",
    ),
    excused={
        "src/tmws/services/shelf.py require_open_to: "
        "namespace is None or namespace in caller.namespaces → namespace is None": (
            "spares a look: an agent's own namespaces are open to it anyway"
        ),
        **{
            f"src/tmws/storage/access.py : '{name}' → '{name}x'": "a parameter's name, used twice"
            for name in ("caller", "member")
        },
        "src/tmws/services/shelf.py writable: await patterns.lock(tx, pattern_id) → pass": (
            "keeps two writers apart; who may write is decided after it"
        ),
        "src/tmws/services/removal.py _held: await patterns.lock(tx, pattern_id) → pass": (
            "keeps two writers apart; who may write is decided elsewhere"
        ),
        "src/tmws/services/outcomes.py _require_proof: await claims.lock(tx, claim_id) → pass": (
            "keeps a report and a withdrawal apart; what a claim proves is decided after it"
        ),
        "src/tmws/storage/agents.py names_of: "
        "sa.and_(known, agents.c.id.in_(beside)) → sa.and_(agents.c.id.in_(beside))": (
            "tells names that nobody asked for, of agents that the reader may know of"
        ),
    },
    tests=(
        "tests/unit/domain/test_agents.py",
        "tests/unit/domain/test_versions.py",
        "tests/unit/indexes/test_catalogue.py",
        "tests/unit/vectors/test_exact.py",
        "tests/integration/test_analytics.py",
        "tests/integration/test_learning.py",
        "tests/integration/test_switches.py",
        "tests/integration/test_trust_service.py",
        "tests/integration/test_trust_shown.py",
        "tests/integration/test_trust_audits.py",
        "tests/integration/test_verification_service.py",
        "tests/security/test_hidden_and_absent.py",
        "tests/security/test_canaries.py",
        "tests/security/test_namespaces_beside.py",
        "tests/security/test_removed.py",
        "tests/security/test_access_of_claims.py",
        "tests/security/test_access.py",
        "-k",
        "not postgres",
    ),
)
