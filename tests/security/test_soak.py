"""Twenty-five claims while servers, containers and the engine are killed at random."""

from __future__ import annotations

from pathlib import Path

from tests.soak.engine import own_engine
from tests.soak.soak import soak

CLAIMS = 25
SEED = 20261121


async def test_killing_loses_counts_twice_and_leaves_nothing(tmp_path: Path) -> None:
    with own_engine() as engine:
        found = await soak(engine, tmp_path, claims=CLAIMS, seed=SEED)
    assert (found.right, found.wrong, found.lost) == (CLAIMS, [], [])
    assert {name: what for name, what in found.left.items() if what} == {}
    assert found.kills.total() > 0
