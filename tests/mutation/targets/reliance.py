"""Letting an unchecked claim count: what its author carries, and what is asked of whom."""

from __future__ import annotations

from tests.mutation.target import Target

_SERVICE = "src/tmws/services/reliance.py"
_STATED = "src/tmws/storage/stated.py"
_KNOWN = "since is not None and known is not None and (since < known)"
_BEFORE = "src/tmws/services/scoring.py _relied_on_before"
_READ = (
    "sa.select(claims.c.snapshot_digest).join_from(claims, evidence, evidence.c.id == claims.c.id)"
)
_ONE = "await self._notary.turn(tx) → pass"

TARGET = Target(
    sources={
        "src/tmws/services/exposure.py": ("exposure", "walked", "_integrity"),
        _SERVICE: (
            "Reliance",
            "_names_of",
            "_require_enabled",
            "_require_in_term",
            "_require_unchecked",
        ),
        "src/tmws/services/scoring.py": ("_relied_on_before", "_staked"),
        "src/tmws/storage/reliances.py": (),
        _STATED: (),
        "src/tmws/storage/withdrawals.py": (),
    },
    tests=(
        "tests/integration/test_reliance.py",
        "tests/integration/test_disabled_agents.py",
        "tests/integration/test_switches.py",
        "tests/integration/test_trust_clock.py",
        "tests/integration/test_withdrawn_verdicts.py",
        "tests/security/test_stakes.py",
        "tests/security/test_trust_gaming.py",
        *("-k", "not postgres and not over_http and not on_stdio and not command_line"),
    ),
    excused={
        f"{_SERVICE} Reliance._answered: {_ONE}": (
            "keeps two that ask at once apart, which SQLite does by itself"
        ),
        f"{_BEFORE}: {_KNOWN} → since is not None and since < known": (
            "only asked where the same is known"
        ),
        f"{_BEFORE}: since < known → since <= known": "two acts of one microsecond",
        f"{_STATED} by_peers: theirs.ledger_index < mine.ledger_index → "
        "theirs.ledger_index <= mine.ledger_index": "no two verdicts are one entry of the ledger",
        f"{_STATED} _snapshots_of: {_READ}.where(evidence.c.owner_id == owner) → {_READ}.where()": (
            "reads more than is asked for, and drops it"
        ),
        f"{_STATED} _snapshots_of: evidence.c.id == claims.c.id → evidence.c.id != claims.c.id": (
            "reads more than is asked for, and drops it"
        ),
        f"{_STATED} _snapshots_of: evidence.c.owner_id == owner → evidence.c.owner_id != owner": (
            "what both made claims of is among either's"
        ),
        f"{_SERVICE} Reliance._draw: 256 → 257": "moves each draw by less than three per cent",
    },
)
"""How it is decided is in `trust`, with the rest of the rules."""
