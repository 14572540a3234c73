"""The log on disk: entries, their payloads, and the edge of the Merkle tree."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from tmws.domain.errors import LedgerCorrupt
from tmws.domain.ledger import Tree, leaf_hash
from tmws.storage.numerals import read
from tmws.storage.prepared import Execute, Prepared, inserted
from tmws.storage.tables import ledger_entries, ledger_head, ledger_payloads

_UNREADABLE = (
    "The head of the ledger was changed or removed. Stop writing and run 'tmws ledger verify'."
)

_LOCK = Prepared(
    sa.select(ledger_head.c.size, ledger_head.c.peaks, ledger_head.c.origin).with_for_update()
)
_GROW = Prepared(
    ledger_head.update().values(
        size=sa.bindparam("grown", type_=sa.BigInteger), peaks=sa.bindparam("edge", type_=sa.Text)
    )
)
_ENTRY, _PAYLOAD = inserted(ledger_entries), inserted(ledger_payloads)


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


async def head(connection: AsyncConnection) -> Tree:
    """Return the edge of the tree.

    Raises:
        LedgerCorrupt: there is not exactly one head, or it cannot be read.
    """
    return _tree(*await _one(connection, sa.select(ledger_head.c.size, ledger_head.c.peaks)))


async def origin(connection: AsyncConnection) -> str:
    """Return the name of this log, chosen by chance when the store was made.

    Raises:
        LedgerCorrupt: there is not exactly one head.
    """
    [name] = await _one(connection, sa.select(ledger_head.c.origin))
    return str(name)


def lock(run: Execute) -> tuple[Tree, str]:
    """Return the edge of the tree and the log's name; keep others from appending meanwhile.

    Raises:
        LedgerCorrupt: there is not exactly one head, or it cannot be read.
    """
    rows = run(_LOCK, {})
    if len(rows) != 1:
        raise LedgerCorrupt(_UNREADABLE)
    [(size, peaks, name)] = rows
    return _tree(size, peaks), str(name)


def _tree(size: Any, peaks: Any) -> Tree:
    try:
        tree = Tree(size, tuple(map(bytes.fromhex, read(peaks))))
        sound = len(tree.peaks) == tree.size.bit_count()
    except (ValueError, TypeError, AttributeError) as error:
        raise LedgerCorrupt(_UNREADABLE) from error
    if not sound:
        raise LedgerCorrupt(_UNREADABLE)
    return tree


async def _one(
    connection: AsyncConnection, query: sa.Select[*tuple[Any, ...]]
) -> sa.Row[*tuple[Any, ...]]:
    rows = (await connection.execute(query)).all()
    if len(rows) != 1:
        raise LedgerCorrupt(_UNREADABLE)
    return rows[0]


def append(run: Execute, tree: Tree, *, leaf: bytes, salt: bytes, payload: bytes) -> Tree:
    """Store one entry after those of `tree`, which must be the locked head; return the new one."""
    index, hashed = tree.size, leaf_hash(leaf)
    run(_ENTRY, {"index": index, "leaf": leaf.decode(), "leaf_hash": hashed})
    run(_PAYLOAD, {"index": index, "salt": salt, "payload": payload.decode()})
    grown = tree.appended(hashed)
    edge = ", ".join([f'"{peak.hex()}"' for peak in grown.peaks])
    run(_GROW, {"grown": grown.size, "edge": f"[{edge}]"})
    return grown


async def entries(connection: AsyncConnection) -> AsyncIterator[StoredEntry]:
    """Yield every row in the order of its index, whatever it is worth."""
    rows = await connection.stream(
        sa.select(
            ledger_entries.c.index,
            _as_it_stands(ledger_entries.c.leaf),
            _as_it_stands(ledger_entries.c.leaf_hash),
            _as_it_stands(ledger_payloads.c.salt),
            _as_it_stands(ledger_payloads.c.payload),
        )
        .join(ledger_payloads, ledger_payloads.c.index == ledger_entries.c.index, isouter=True)
        .order_by(ledger_entries.c.index)
    )
    async for index, leaf, hashed, salt, payload in rows:
        erased = salt is None or payload is None
        yield StoredEntry(
            index,
            _bytes(leaf),
            _bytes(hashed),
            None if erased else _bytes(salt),
            None if erased else _bytes(payload),
        )


async def newest_of(connection: AsyncConnection, kinds: Collection[str]) -> tuple[int, str] | None:
    """Return index and leaf of the newest entry of one of these kinds, None without any."""
    leaf = ledger_entries.c.leaf
    found = await connection.execute(
        sa.select(ledger_entries.c.index, leaf)
        .where(sa.or_(*(leaf.contains(f'"type":"{kind}"', autoescape=True) for kind in kinds)))
        .order_by(ledger_entries.c.index.desc())
        .limit(1)
    )
    for index, told in found:
        return index, told
    return None


def _as_it_stands(column: sa.Column[Any]) -> sa.ColumnElement[Any]:
    # SQLite keeps whatever type a changed value has; none of them may stop the walk.
    return sa.type_coerce(column, sa.types.NULLTYPE)


def _bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()
