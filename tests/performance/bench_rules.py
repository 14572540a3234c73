"""The pure rules: what deciding costs, before anything is stored."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator

from tests.performance.bench import Bench, Row
from tests.performance.measure import measure
from tmws.domain.canonical import Json, canonical_bytes
from tmws.domain.claims import Verdict
from tmws.domain.ledger import inclusion_proof, leaf_hash
from tmws.domain.trust import NO_RECORD

LEAVES = 10_000


async def rows(bench: Bench) -> AsyncIterator[Row]:
    """Trust after a verdict, an event's leaf, and a proof in a log of 10,000."""

    def update() -> object:
        return NO_RECORD.after(Verdict.SUPPORTED).low

    yield Row(
        await measure("trust after a verdict", update, repeats=300, batch=20), promised_p95=1e-3
    )

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
