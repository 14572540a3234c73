"""The pure rules: what deciding costs, before anything is stored."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import AsyncIterator

from tests.performance.bench import Bench, Row
from tests.performance.measure import measure
from tmws.domain.canonical import Json, canonical_bytes
from tmws.domain.claims import Verdict
from tmws.domain.ledger import inclusion_proof, leaf_hash
from tmws.domain.trust.evidence import Evidence, Task
from tmws.domain.trust.state import Model
from tmws.testing.clock import START

LEAVES = 10_000


async def rows(bench: Bench) -> AsyncIterator[Row]:
    """Trust after a verdict, an event's leaf, and a proof in a log of 10,000."""

    model, numbers = Model(), itertools.count()

    def update() -> object:
        number = next(numbers)
        verdict = Verdict.SUPPORTED if number % 3 else Verdict.REFUTED
        task = Task(f"claim{number % 500}", "pytest", 30.0, f"agent{number % 7}")
        return model.record(Evidence(str(number), f"agent{number % 50}", START, verdict, task))

    yield Row(await measure("trust after a verdict", update, repeats=300, batch=100))

    event: Json = {
        "type": "verdict",
        "claim": "c" * 26,
        "supported": 1,
        "note": "sorting is stable",
    }
    yield Row(
        await measure(
            "canonical event to leaf",
            lambda: leaf_hash(canonical_bytes(event)),
            repeats=300,
            batch=100,
        ),
        promised_p95=1e-3,
    )

    leaves = [secrets.token_bytes(32) for _ in range(LEAVES)]
    yield Row(
        await measure("inclusion proof of 10,000", lambda: inclusion_proof(leaves, 77), repeats=20)
    )

    yield Row(await bench.floors.sqlite_commit())
