"""Letting an unchecked claim count: what its author carries, and what is asked of whom."""

from __future__ import annotations

from tests.mutation.target import Target

_SERVICE = "src/tmws/services/reliance.py"
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
        "src/tmws/storage/reliances.py": (),
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
        f"{_SERVICE} Reliance._draw: 256 → 257": "moves each draw by less than three per cent",
    },
)
"""How it is decided is in `trust`, with the rest of the rules."""
