"""One at a time, whichever process or host: for work that two must not do at once."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from zlib import crc32

import sqlalchemy as sa

from tmws.storage.database import Transaction


@contextlib.asynccontextmanager
async def turn(connection: Transaction, name: str) -> AsyncIterator[bool]:
    """Try for the turn and yield whether it is ours; nobody waits.

    Whoever dies loses it. On PostgreSQL it is kept until the transaction ends; beside a
    SQLite file it is a lock on a file, because those who share the one can see the other.
    """
    if connection.dialect.name == "postgresql":
        lock = sa.func.pg_try_advisory_xact_lock(crc32(f"tmws {name}".encode()))
        yield bool(await connection.scalar(sa.select(lock)))
        return
    file = Path(str(connection.engine.url.database))
    with _locked(file.with_suffix(f".{name}-lock")) as ours:
        yield ours


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[bool]:
    with path.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
