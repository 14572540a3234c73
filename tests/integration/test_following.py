"""How search follows the store: it hears of every change, and walks through no table."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from tests.integration.services import Installation, agent, learned
from tmws.domain.analytics import TREND_SPAN
from tmws.domain.versions import Revision
from tmws.embeddings.hashing import HashingEmbedder
from tmws.storage import catalogue, changes, patterns, recommendation, serving, switches, trends
from tmws.storage.changes import StoredVector
from tmws.storage.database import Transaction
from tmws.storage.documents import Kind
from tmws.storage.prepared import at_once

SMALL, LARGE, ALL = "small", "large", 10_000
MODEL = HashingEmbedder().id


async def vectors(
    connection: Transaction, namespace: str, *, since: int, limit: int = ALL
) -> list[StoredVector]:
    return await changes.vectors_since(
        connection,
        kind=Kind.PATTERN,
        namespace=namespace,
        embedder=MODEL,
        revision=since,
        limit=limit,
    )


async def filled(place: Installation) -> None:
    """A namespace with one pattern, and one with many that were changed and taken away."""
    async with place.open() as app:
        alice = await agent(app, "alice", SMALL, LARGE)
        await learned(app, alice, "alone", namespace=SMALL)
        for number in range(12):
            kept = await learned(app, alice, f"pattern {number}", namespace=LARGE)
            if number % 3 == 0:
                await app.revisions.revise(alice, kept.id, Revision(summary="anew"), version=1)
            if number % 4 == 0:
                await app.removal.remove(alice, kept.id)


async def test_whatever_others_wrote_each_namespace_is_told_of_its_own_changes(
    installation: Installation,
) -> None:
    """In whole revisions, oldest first, at most as many as asked for."""
    await filled(installation)
    async with installation.database() as database, database.read() as connection:
        for namespace in (SMALL, LARGE):
            every = await vectors(connection, namespace, since=0)
            written = await changes.revision_of(connection, namespace)
            assert len(every) == (1 if namespace == SMALL else 12)
            assert sum(row.vector is None for row in every) == (0 if namespace == SMALL else 3)
            for since in range(written + 2):
                later = [row for row in every if row.revision > since]
                count = await changes.count_since(connection, Kind.PATTERN, namespace, MODEL, since)
                assert count == len(later)
                for limit in (1, 5, ALL):
                    told = await vectors(connection, namespace, since=since, limit=limit)
                    assert told == later[:limit]


async def plans(connection: Transaction, steps: list[Any]) -> list[str]:
    """Return how SQLite would answer each query of these steps."""
    driver: Any = (await connection.get_raw_connection()).dbapi_connection
    asked: list[str] = []
    await driver.on_thread(lambda raw: raw.set_trace_callback(asked.append))
    for step in steps:
        await step
    await driver.on_thread(lambda raw: raw.set_trace_callback(None))
    explained = []
    for statement in asked:
        if statement.lstrip().startswith("SELECT"):
            rows = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}")
            explained.append("\n".join(str(row.detail) for row in rows))
    return explained


async def test_a_small_namespace_is_read_past_what_large_ones_wrote(
    sqlite_url: str, tmp_path: Path
) -> None:
    """And a large one by what changed in it, however much it holds."""
    place = Installation(sqlite_url, tmp_path)
    await filled(place)
    async with place.database() as database, database.read() as connection:
        small = await plans(connection, [vectors(connection, SMALL, since=0)])
        large = await plans(connection, [vectors(connection, LARGE, since=12)])
    for plan in small[1:]:
        assert "ix_documents_namespace_kind_revision (namespace=? AND kind=?)" in plan
        assert "autoindex_vectors_1 (document_id=?)" in plan
    for plan in large[1:]:
        assert "ix_vectors_embedder_revision (embedder=? AND revision>?" in plan
    assert len(small) == len(large) == 3


async def test_search_and_recommendation_find_by_keys_all_that_they_read(
    sqlite_url: str, tmp_path: Path
) -> None:
    place = Installation(sqlite_url, tmp_path)
    await filled(place)
    async with place.open() as app, place.database() as database, database.read() as connection:
        [alice] = await app.agents.every()
        ids = ["a pattern", "another"]
        now = place.clock.now()
        words = partial(recommendation.words, use_ids=ids, reporter_id=alice.id)
        told = await plans(
            connection,
            [
                at_once(connection, switches.disabled),
                at_once(connection, serving.places),
                at_once(connection, partial(catalogue.open_to, caller=alice)),
                catalogue.words_since(
                    connection, kind=Kind.PATTERN, namespace=LARGE, revision=3, limit=2
                ),
                catalogue.uses_undone(connection, LARGE),
                catalogue.uses_since(connection, namespace=LARGE, revision=3),
                patterns.readable(connection, alice, ids),
                at_once(connection, partial(recommendation.owners, ids=ids)),
                at_once(connection, partial(recommendation.kept, caller=alice, ids=ids)),
                at_once(connection, partial(recommendation.proofs, ids=ids)),
                at_once(connection, words),
                at_once(connection, partial(trends.windows_of, ids=ids, at=now, span=TREND_SPAN)),
            ],
        )
    assert len(told) == 14
    # One row for each tool that is off, each model that serves, and each namespace.
    few = ("SCAN switches", "SCAN serving", "SCAN namespaces", "SCAN (", "SCAN anon", "SCAN CONST")
    walked = [line for plan in told for line in plan.splitlines() if "SCAN" in line]
    assert not [line for line in walked if not line.startswith(few)]
