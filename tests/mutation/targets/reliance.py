"""Letting an unchecked claim count: what its author carries, and what is asked of whom."""

from __future__ import annotations

from tests.mutation.target import Target

TARGET = Target(
    sources={
        "src/tmws/services/exposure.py": (),
        "src/tmws/services/reliance.py": (),
        "src/tmws/storage/reliances.py": (),
    },
    tests=("tests/integration/test_reliance.py", "-k", "not postgres"),
)
"""How it is decided is in `trust`, with the rest of the rules."""
