"""The one place evaluations take chance from: always the same, from a seed."""

from __future__ import annotations

import random

Chance = random.Random


def seeded(seed: int) -> Chance:
    """Return chance that repeats: for orders and simulations, never for secrets."""
    return Chance(seed)
