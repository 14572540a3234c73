"""Hybrid search among 200,000 patterns of twenty namespaces, and inside one of them."""

from __future__ import annotations

import json
import random
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import datetime, timedelta
from functools import partial
from itertools import product
from typing import Any

import numpy as np

from tests.performance.bench import Bench, Row
from tests.performance.measure import Figure, measure
from tmws.app import SystemClock, open_app
from tmws.config import Settings
from tmws.domain.agents import Agent
from tmws.domain.text import terms
from tmws.embeddings.hashing import HashingEmbedder
from tmws.ports import Vector
from tmws.services.learning import PatternQuery
from tmws.storage.database import Database
from tmws.storage.documents import stored_terms
from tmws.storage.tables import documents, namespaces, patterns, vectors

PATTERNS, NAMESPACES, TEXTS = 200_000, 20, 2_000
ROWS_AT_ONCE = 2_000
SYLLABLES = "ba cor den fi gul ham jo kes lim nor pet ras".split()


async def rows(bench: Bench) -> AsyncIterator[Row]:
    """The whole way from a request to the patterns, its embedding included."""
    embedder = HashingEmbedder()
    made = {embedder.id: np.tile(await embedder.embed(list(texts())), (PATTERNS // TEXTS, 1))}
    async for row in searches(Settings(data_dir=bench.folder / "large"), made):
        yield row


async def searches(settings: Settings, made: Mapping[str, Vector]) -> AsyncIterator[Row]:
    """Fill a store, by embedder with one vector for each pattern, and search it."""
    names = [f"part{number:02}" for number in range(NAMESPACES)]
    async with open_app(settings) as app:
        asker = (await app.agents.create("asker", namespaces=names, by="benchmark")).agent
        inside = (await app.agents.create("inside", namespaces=names[:1], by="benchmark")).agent
        await _filled(settings, asker, names, made, SystemClock().now())
        request = " ".join(next(texts()).split()[:9])
        matrix = next(iter(made.values()))
        query = matrix[0].copy()
        floor = await measure(f"bare product with {PATTERNS:,}", lambda: matrix @ query, repeats=30)
        began = time.perf_counter()
        await app.learning.find(asker, PatternQuery(request))
        yield Row(Figure("the first find after a start", (time.perf_counter() - began,) * 2))
        for name, who, wanted, bound in (
            ("find among 200,000", asker, PatternQuery(request), 30e-3),
            ("find in one of twenty parts", asker, PatternQuery(request, namespace=names[0]), 1e-2),
            ("find as a member of one part", inside, PatternQuery(request), 1e-2),
        ):
            yield Row(
                await measure(name, partial(app.learning.find, who, wanted), repeats=100),
                floor=floor,
                promised_p95=bound,
            )


def texts() -> Iterator[str]:
    """As many texts of forty words, of a vocabulary in which few words are common."""
    chance = random.Random(2)  # noqa: S311  # repeatable, no secret
    # Made up: in a text that somebody edits, requests change with it, and so do figures.
    words = ["".join(each) for each in product(SYLLABLES, repeat=3)]
    chance.shuffle(words)
    for _ in range(TEXTS):
        yield " ".join(words[int(len(words) * chance.random() ** 2)] for _ in range(40))


async def _filled(
    settings: Settings,
    owner: Agent,
    names: list[str],
    made: Mapping[str, Vector],
    now: datetime,
) -> None:
    database = Database(settings.url)
    summaries = list(texts())
    async with database.write() as tx:
        for start in range(0, PATTERNS, ROWS_AT_ONCE):
            numbers = range(start, start + ROWS_AT_ONCE)
            kept = [_pattern(number, owner, names, summaries, now) for number in numbers]
            await tx.execute(patterns.insert(), kept)
            await tx.execute(documents.insert(), [_document(each) for each in kept])
            await tx.execute(
                vectors.insert(),
                [
                    {
                        "document_id": number + 1,
                        "embedder": embedder,
                        "revision": number // NAMESPACES + 1,
                        "vector": matrix[number].tobytes(),
                    }
                    for embedder, matrix in made.items()
                    for number in numbers
                ],
            )
        await tx.execute(namespaces.update().values(revision=PATTERNS // NAMESPACES))
    await database.aclose()


def _pattern(
    number: int, owner: Agent, names: list[str], summaries: list[str], now: datetime
) -> dict[str, Any]:
    at = now - timedelta(minutes=number)
    return {
        "id": f"pattern_01large{number:016}",
        "namespace": names[number % NAMESPACES],
        "owner_id": owner.id,
        "name": f"pattern {number}",
        "category": f"category{number % 30}",
        "summary": summaries[number % TEXTS],
        "data": json.dumps({"steps": ["look", "measure"]}),
        "level": "public",
        "version": 1,
        "learning_weight": 1.0,
        "origin": "own",
        "source": "",
        "author_id": owner.id,
        "written_at": at,
        "created_at": at,
    }


def _document(pattern: dict[str, Any]) -> dict[str, Any]:
    number = int(pattern["id"][-16:])
    return {
        "id": number + 1,
        "item_id": pattern["id"],
        "kind": "pattern",
        "namespace": pattern["namespace"],
        "owner_id": pattern["owner_id"],
        "level": "public",
        "revision": number // NAMESPACES + 1,
        "terms": stored_terms(terms(pattern["summary"])),
    }
