"""The log on disk: entries, their payloads, and the edge of the Merkle tree."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from tmws.domain.ledger import Tree, leaf_hash
from tmws.storage.tables import ledger_entries, ledger_head, ledger_payloads


@dataclass(frozen=True, slots=True)
class StoredEntry:
    """One row as it stands, to be believed only after it was checked.

    Attributes:
        salt, payload: None once the content was erased.
    """

    index: int
    leaf: bytes
    leaf_hash: bytes
    salt: bytes | None
    payload: bytes | None


async def lock_head(connection: AsyncConnection) -> Tree:
    """Return the edge of the tree and keep others from appending meanwhile."""
    return await _head(connection, sa.select(ledger_head).with_for_update())


async def head(connection: AsyncConnection) -> Tree:
    """Return the edge of the tree."""
    return await _head(connection, sa.select(ledger_head))


async def origin(connection: AsyncConnection) -> str:
    """Return the name of this log, chosen by chance when the store was made."""
    name: str = (await connection.execute(sa.select(ledger_head.c.origin))).scalar_one()
    return name


async def _head(connection: AsyncConnection, query: sa.Select[int, str, int, str]) -> Tree:
    row = (await connection.execute(query)).one()
    return Tree(row.size, tuple(bytes.fromhex(peak) for peak in json.loads(row.peaks)))


async def append(
    connection: AsyncConnection, tree: Tree, *, leaf: bytes, salt: bytes, payload: bytes
) -> Tree:
    """Store one entry after those of `tree`, which must be the locked head; return the new one."""
    hashed = leaf_hash(leaf)
    await connection.execute(
        ledger_entries.insert().values(index=tree.size, leaf=leaf.decode(), leaf_hash=hashed)
    )
    await connection.execute(
        ledger_payloads.insert().values(index=tree.size, salt=salt, payload=payload.decode())
    )
    grown = tree.appended(hashed)
    peaks = json.dumps([peak.hex() for peak in grown.peaks])
    await connection.execute(ledger_head.update().values(size=grown.size, peaks=peaks))
    return grown


async def entries(connection: AsyncConnection) -> AsyncIterator[StoredEntry]:
    """Yield every row in the order of its index, whatever it is worth."""
    rows = await connection.stream(
        sa.select(
            ledger_entries.c.index,
            ledger_entries.c.leaf,
            ledger_entries.c.leaf_hash,
            ledger_payloads.c.salt,
            ledger_payloads.c.payload,
        )
        .join(ledger_payloads, ledger_payloads.c.index == ledger_entries.c.index, isouter=True)
        .order_by(ledger_entries.c.index)
    )
    async for index, leaf, hashed, salt, payload in rows:
        yield StoredEntry(
            index, leaf.encode(), hashed, salt, None if payload is None else payload.encode()
        )
