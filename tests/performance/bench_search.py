"""The parts of a search: vectors, ranking and its silence, without a database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial

import numpy as np

from tests.performance.bench import Bench, Row
from tests.performance.measure import measure
from tmws.domain.ranking import (
    CANDIDATES,
    Arm,
    Evidence,
    PastUse,
    fuse,
    precedents,
    usefulness,
)
from tmws.embeddings.hashing import HashingEmbedder
from tmws.ports import Vector, VectorRow
from tmws.vectors.exact import ExactIndex

WIDTH = 384
SPACE, SMALL, MODEL = "all", "a twentieth", "random"
REQUEST = "Find all files in the current directory tree whose size is greater than 1 MB"
TEXT = f"{REQUEST} and move them to another folder with confirmation. " * 4


async def rows(_: Bench) -> AsyncIterator[Row]:
    """Embedding by hashing, exact search of 10,000 and 200,000, and the fused order."""
    embedder = HashingEmbedder()
    yield Row(
        await measure("embed a request by hashing", lambda: embedder.embed([REQUEST]), repeats=200),
        promised_p95=1e-3,
    )
    yield Row(
        await measure(
            "embed 500 characters by hashing", lambda: embedder.embed([TEXT]), repeats=200
        )
    )
    for count in (10_000, 200_000):
        async for row in _searches(count):
            yield row
    async for row in _rankings():
        yield row


async def _searches(count: int) -> AsyncIterator[Row]:
    vectors = _unit_vectors(count)
    query = vectors[0]
    index = await _loaded(vectors)
    floor = await measure(f"bare product with {count:,}", lambda: vectors @ query, repeats=60)
    for space, name in ((SPACE, f"nearest of {count:,}"), (SMALL, f"nearest of 5 % of {count:,}")):
        search = partial(
            index.search,
            query,
            namespace=space,
            embedder_id=MODEL,
            caller_id="owner-3",
            granted=(),
            limit=CANDIDATES,
        )
        yield Row(await measure(name, search, repeats=60), floor=floor)


async def _rankings() -> AsyncIterator[Row]:
    chance = np.random.default_rng(1)
    arms = {
        arm: {f"p{item}": float(score) for item, score in zip(items, scores, strict=True)}
        for arm, items, scores in (
            (arm, chance.choice(2_000, CANDIDATES, replace=False), chance.random(CANDIDATES))
            for arm in (Arm.WORDS, Arm.CHARACTERS, Arm.MEANING)
        )
    }
    past = [PastUse(f"p{item}", 1.0 - item / CANDIDATES) for item in range(CANDIDATES)]
    yield Row(
        await measure(
            "fuse three arms and 200 past uses",
            lambda: fuse(arms, precedents(past, recorded=5_000)),
            repeats=200,
        ),
        promised_p95=5e-3,
    )
    evidence = Evidence(30.0, 12.0, 10_000, meaning=0.4, characters=0.3)
    yield Row(
        await measure(
            "decide whether to show", lambda: usefulness(evidence), repeats=200, batch=50
        ),
        promised_p95=1e-4,
    )


async def _loaded(vectors: Vector) -> ExactIndex:
    index = ExactIndex()
    for space, step in ((SPACE, 1), (SMALL, 20)):
        levels = ("private", "public", "system")
        some = [
            VectorRow(
                f"p{number}",
                f"owner-{number % 7}",
                levels[number % 3],
                number + 1,
                vectors[number].tobytes(),
            )
            for number in range(0, len(vectors), step)
        ]
        await index.refresh(space, MODEL, some)
    return index


def _unit_vectors(count: int) -> Vector:
    raw = np.random.default_rng(5).standard_normal((count, WIDTH), np.float32)
    rows: Vector = raw / np.linalg.norm(raw, axis=1, keepdims=True)
    return rows
