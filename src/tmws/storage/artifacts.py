"""Evidence by content: put once, read by digest, never changed."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from tmws.domain.canonical import sha256_hex
from tmws.storage.tables import artifacts


async def put(connection: AsyncConnection, content: bytes, *, media_type: str, at: datetime) -> str:
    """Keep these bytes and return their SHA-256 (hex); the same bytes are kept once."""
    digest = sha256_hex(content)
    # Two writers may put the same bytes at once: the second keeps what the first put.
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    await connection.execute(
        insert(artifacts)
        .values(digest=digest, media_type=media_type, content=content, created_at=at)
        .on_conflict_do_nothing()
    )
    return digest


async def get(connection: AsyncConnection, digest: str) -> bytes | None:
    """Return the bytes of this digest."""
    return await connection.scalar(
        sa.select(artifacts.c.content).where(artifacts.c.digest == digest)
    )
