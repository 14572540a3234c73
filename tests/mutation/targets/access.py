"""Who may read and write what: the SQL, its copies in memory and in the vector index, the rules."""

from __future__ import annotations

from tests.mutation.target import Target

_WIDER = "looks into more namespaces; what is seen there is decided by the view of each"
_BESIDE = "src/tmws/storage/catalogue.py namespaces_of: "
_BESIDE_HOLDS = "src/tmws/storage/catalogue.py namespaces_of.holds: "
_HOLDS = "sa.exists().where({})".format
_THERE = "table.namespace == namespaces.c.name"
_GRANTED = "sa.select(pattern_grants.c.pattern_id).where({})".format
_SHARED = "sa.select(table.namespace).where({})".format
_REVISIONS = "sa.select(namespaces.c.name, namespaces.c.revision).where({})".format
_ANY_OF = (
    "sa.or_(namespaces.c.name.in_(caller.namespaces), "
    "holds(table.level == AccessLevel.SYSTEM.value), holds(table.owner_id == caller.id), "
    "namespaces.c.name.in_(sa.select(table.namespace).where(table.item_id.in_(granted))))"
)

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
    excused={
        f"{_BESIDE_HOLDS}{_HOLDS(f'{_THERE}, condition')} → {_HOLDS('condition')}": _WIDER,
        f"{_BESIDE_HOLDS}{_HOLDS(f'{_THERE}, condition')} → {_HOLDS(_THERE)}": _WIDER,
        f"{_BESIDE}{_SHARED('table.item_id.in_(granted)')} → {_SHARED('')}": _WIDER,
        f"{_BESIDE}{_GRANTED('pattern_grants.c.agent_id == caller.id')} → {_GRANTED('')}": _WIDER,
        f"{_BESIDE}{_REVISIONS(_ANY_OF)} → {_REVISIONS('')}": _WIDER,
        "src/tmws/services/shelf.py writable: await patterns.lock(tx, pattern_id) → pass": (
            "keeps two writers apart; who may write is decided after it"
        ),
        "src/tmws/services/removal.py _held: await patterns.lock(tx, pattern_id) → pass": (
            "keeps two writers apart; who may write is decided elsewhere"
        ),
        "src/tmws/services/sharing.py Sharing.shared_with: "
        "await self._gate.require(Action.GET_PATTERN) → pass": (
            "whether the tool is switched off, which tests/integration/test_switches.py holds"
        ),
        "src/tmws/services/sharing.py Sharing.shared_with: "
        "Action.GET_PATTERN → Action.SHARE_PATTERN": "the same",
    },
    tests=(
        "tests/security/test_namespaces_beside.py",
        "tests/security/test_removed.py",
        "tests/security/test_access.py",
        "-k",
        "sqlite",
    ),
)
