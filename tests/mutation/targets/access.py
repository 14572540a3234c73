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
        "src/tmws/domain/agents.py": ("require_member",),
        "src/tmws/services/shelf.py": ("visible", "writable"),
        "src/tmws/services/sharing.py": ("Sharing.shared_with", "_owned"),
        "src/tmws/services/removal.py": ("_held", "_removed"),
    },
    tests=("tests/security/test_removed.py", "tests/security/test_access.py", "-k", "sqlite"),
)
