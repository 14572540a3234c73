"""Vectors in PostgreSQL with pgvector: HNSW graphs that keep looking until enough is found."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator, Collection, Iterator, Sequence
from pathlib import Path

import asyncpg
import numpy as np

from tmws.domain.errors import BackendUnavailable
from tmws.ports import Match, Vector, VectorRow
from tmws.vectors.order import (
    OPEN_LEVELS,
    SHARED,
    SPARE,
    dimension_of,
    nearest_first,
    require_alike,
    require_held,
)

_LARGEST_GRAPH = 2_000  # numbers a vector may have in an HNSW graph of pgvector
_CONNECTIONS = 4
_COMMAND_SECONDS = 30.0
# Without iterative scan a filter is applied to the first `ef_search` rows only: recall
# was .19 where one row in twenty may be seen, and .98 with these.
_SETTINGS = {
    "hnsw.iterative_scan": "strict_order",
    "hnsw.ef_search": "200",
    "hnsw.max_scan_tuples": "200000",
}
_FOUNDATION = """
CREATE SCHEMA IF NOT EXISTS {schema};
CREATE TABLE IF NOT EXISTS {schema}.revisions (
    space text, embedder text, revision bigint NOT NULL, PRIMARY KEY (space, embedder)
);
"""


class PgvectorIndex:
    """One table and one graph per embedder, in a schema of its own beside the truth.

    Rows and revision are written in one transaction, and an older revision of a row never
    replaces a newer one, so any number of processes may feed it at once.
    """

    def __init__(
        self,
        folder: Path,  # noqa: ARG002  (the port's)
        address: str | None,
        store: str,
    ) -> None:
        """Prepare to connect; nothing is connected yet.

        Args:
            address: `postgresql://…`, usually that of the database itself.
            store: names the installation, so that two in one database stay apart.

        Raises:
            BackendUnavailable: there is no address.
        """
        if not (address or "").startswith("postgresql"):
            raise BackendUnavailable(
                "The vector index 'pgvector' needs PostgreSQL: set TMWS_DATABASE_URL or "
                "TMWS_VECTORS_URL to postgresql://…, or TMWS_VECTORS=exact.",
                retryable=False,
            )
        self._address = str(address).replace("postgresql+asyncpg://", "postgresql://", 1)
        self._schema = f"tmws_vectors_{_digest(store)[:12]}"
        self._pool: asyncpg.Pool | None = None
        self._opening = asyncio.Lock()

    async def revision(self, namespace: str, embedder_id: str) -> int:
        """Return the highest revision that was taken over."""
        async with self._connection() as connection:
            return await self._revision(connection, namespace, embedder_id)

    async def count(self, namespace: str, embedder_id: str) -> int:
        """Return how many vectors can be found."""
        table = self._table(embedder_id)
        async with self._connection() as connection:
            if not await _dimension(connection, table):
                return 0
            live = f"SELECT count(*) FROM {table} WHERE space = $1 AND vector IS NOT NULL"  # noqa: S608
            return int(await connection.fetchval(live, namespace))

    async def refresh(
        self, namespace: str, embedder_id: str, rows: Sequence[VectorRow], *, after: int = 0
    ) -> None:
        """Take over what changed, all of it or nothing.

        Raises:
            InvalidInput: a vector has another length than those held.
        """
        if not rows:
            return
        table = self._table(embedder_id)
        async with self._connection() as connection, connection.transaction():
            if after:
                require_held(await self._revision(connection, namespace, embedder_id), after)
            known = await _dimension(connection, table)
            dimension = known or dimension_of(rows)
            require_alike(rows, dimension)
            if dimension and not known:
                await _create(connection, table, dimension)
            if dimension:
                await connection.executemany(_upsert(table), _records(namespace, rows))
            await connection.execute(
                f"INSERT INTO {self._schema}.revisions VALUES ($1, $2, $3) "  # noqa: S608
                "ON CONFLICT (space, embedder) DO UPDATE SET "
                "revision = greatest(revisions.revision, excluded.revision)",
                namespace,
                embedder_id,
                max(row.revision for row in rows),
            )

    async def search(
        self,
        query: Vector,
        *,
        namespace: str,
        embedder_id: str,
        caller_id: str,
        granted: Collection[str],
        limit: int,
        among: Collection[str] | None = None,
    ) -> list[Match]:
        """Return at most `limit` nearest readable items, nearest first, ties by id."""
        if limit < 1:
            return []
        table = self._table(embedder_id)
        async with self._connection() as connection:
            if not await _dimension(connection, table):
                return []
            chosen = () if among is None else (list(among),)
            found = await connection.fetch(
                _nearest(table, chosen=among is not None),
                query.tolist(),
                namespace,
                caller_id,
                list(granted),
                limit + SPARE,
                *chosen,
            )
        return nearest_first(((row["item_id"], row["cosine"]) for row in found), limit)

    async def clear(self) -> None:
        """Drop the schema; what else the database holds is not touched."""
        async with self._connection() as connection:
            await connection.execute(f"DROP SCHEMA IF EXISTS {self._schema} CASCADE")
            await connection.execute(_FOUNDATION.format(schema=self._schema))

    async def aclose(self) -> None:
        """Close every connection."""
        if self._pool is not None:
            await self._pool.close()

    async def _revision(
        self, connection: asyncpg.pool.PoolConnectionProxy, namespace: str, embedder_id: str
    ) -> int:
        stored = await connection.fetchval(
            f"SELECT revision FROM {self._schema}.revisions "  # noqa: S608
            "WHERE space = $1 AND embedder = $2",
            namespace,
            embedder_id,
        )
        return int(stored or 0)

    def _table(self, embedder_id: str) -> str:
        return f"{self._schema}.v_{_digest(embedder_id)[:24]}"

    @contextlib.asynccontextmanager
    async def _connection(self) -> AsyncIterator[asyncpg.pool.PoolConnectionProxy]:
        with _translated():
            pool = await self._opened()
            async with pool.acquire() as connection:
                yield connection

    async def _opened(self) -> asyncpg.Pool:
        async with self._opening:
            if self._pool is None:
                pool = asyncpg.create_pool(
                    self._address,
                    min_size=0,
                    max_size=_CONNECTIONS,
                    command_timeout=_COMMAND_SECONDS,
                    server_settings=_SETTINGS,
                )
                await pool
                await _found(pool, self._schema)
                self._pool = pool
            return self._pool


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
        raise BackendUnavailable(
            "The vector index in PostgreSQL did not answer; exact vectors serve."
        ) from error


async def _found(pool: asyncpg.Pool, schema: str) -> None:
    """Make the schema, and refuse a pgvector that filters after it has searched."""
    async with pool.acquire() as connection, connection.transaction():
        await _alone(connection, schema)
        try:
            await connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
        except asyncpg.PostgresError as error:
            raise BackendUnavailable(
                "PostgreSQL has no extension 'vector' here. Install pgvector 0.8 or newer and "
                "run CREATE EXTENSION vector; as an administrator of the database.",
                retryable=False,
            ) from error
        version = await connection.fetchval(
            "SELECT extversion FROM pg_extension WHERE extname = 'vector'"
        )
        if tuple(map(int, str(version).split(".")[:2])) < (0, 8):
            raise BackendUnavailable(
                f"pgvector {version} finds too little behind a filter. Install 0.8 or newer and "
                "run ALTER EXTENSION vector UPDATE.",
                retryable=False,
            )
        await connection.execute(_FOUNDATION.format(schema=schema))


async def _alone(connection: asyncpg.pool.PoolConnectionProxy, name: str) -> None:
    """Wait for the turn to make something: two at once would refuse each other."""
    await connection.execute("SELECT pg_advisory_xact_lock(hashtext($1))", name)


def _digest(text: str) -> str:
    """Return what can stand in a name: ids may hold what a name may not."""
    return hashlib.sha256(text.encode()).hexdigest()


async def _dimension(connection: asyncpg.pool.PoolConnectionProxy, table: str) -> int:
    """Return how many numbers the table's vectors have, 0 when there is no table."""
    stored = await connection.fetchval(
        "SELECT atttypmod FROM pg_attribute "
        "WHERE attrelid = to_regclass($1) AND attname = 'vector'",
        table,
    )
    return int(stored or 0)


async def _create(connection: asyncpg.pool.PoolConnectionProxy, table: str, dimension: int) -> None:
    await _alone(connection, table)
    await connection.execute(
        f"CREATE TABLE IF NOT EXISTS {table} (space text, item_id text, owner_id text NOT NULL, "
        f"level text NOT NULL, revision bigint NOT NULL, vector vector({dimension}), "
        "PRIMARY KEY (space, item_id))"
    )
    if dimension <= _LARGEST_GRAPH:
        name = f"{table.partition('.')[2]}_near"
        await connection.execute(
            f"CREATE INDEX IF NOT EXISTS {name} ON {table} USING hnsw (vector vector_cosine_ops)"
        )


def _upsert(table: str) -> str:
    return (
        f"INSERT INTO {table} VALUES ($1, $2, $3, $4, $5, $6::real[]::vector) "  # noqa: S608
        "ON CONFLICT (space, item_id) DO UPDATE SET owner_id = excluded.owner_id, "
        "level = excluded.level, revision = excluded.revision, vector = excluded.vector "
        f"WHERE excluded.revision >= {table}.revision"
    )


def _records(namespace: str, rows: Sequence[VectorRow]) -> list[tuple[object, ...]]:
    """Return the newest of each item: one statement may not touch a row twice."""
    newest = {row.pattern_id: row for row in sorted(rows, key=lambda row: row.revision)}
    return [
        (
            namespace,
            row.pattern_id,
            row.owner_id,
            row.level,
            row.revision,
            None if row.vector is None else np.frombuffer(row.vector, np.float32).tolist(),
        )
        for row in newest.values()
    ]


def _nearest(table: str, *, chosen: bool) -> str:
    levels = ", ".join(f"'{level}'" for level in OPEN_LEVELS)
    return (
        "SELECT item_id, 1 - (vector <=> $1::real[]::vector) AS cosine "  # noqa: S608
        f"FROM {table} WHERE space = $2 AND vector IS NOT NULL AND "
        f"(level IN ({levels}) OR owner_id = $3 OR (level = '{SHARED}' AND item_id = ANY($4)))"
        + (" AND item_id = ANY($6)" if chosen else "")
        + " ORDER BY vector <=> $1::real[]::vector LIMIT $5"
    )
