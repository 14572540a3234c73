"""Evidence by content: put once, read by digest, never changed."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from tmws.domain.canonical import sha256_hex
from tmws.storage.columns import microseconds
from tmws.storage.prepared import Execute, FirstKept
from tmws.storage.tables import artifacts

_PUT = FirstKept(artifacts)


def put(run: Execute, content: bytes, *, media_type: str, at: datetime) -> str:
    """Keep these bytes and return their SHA-256 (hex); the same bytes are kept once."""
    digest = sha256_hex(content)
    run(
        _PUT,
        {
            "digest": digest,
            "media_type": media_type,
            "content": content,
            "created_at": microseconds(at),
        },
    )
    return digest


async def get(connection: AsyncConnection, digest: str) -> bytes | None:
    """Return the bytes of this digest."""
    return await connection.scalar(
        sa.select(artifacts.c.content).where(artifacts.c.digest == digest)
    )
