"""A whole store written into another database, of either kind, as it is at one moment."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

import sqlalchemy as sa

from tmws.domain.errors import Conflict
from tmws.storage.database import Transaction
from tmws.storage.prepared import plain
from tmws.storage.tables import documents, ledger_head, metadata, namespaces, trust_state

_ROWS_AT_ONCE = 100  # evidence may have 256 KiB a row
_FIRST_ROWS = (ledger_head, namespaces, trust_state)
"""What a new store begins with; the rows that are copied take their place."""
_NUMBERED = (documents, ledger_head)
"""Tables whose keys PostgreSQL counts out itself."""


async def copy(source: Transaction, target: Transaction) -> int:
    """Copy every row of every table, and return how many.

    Triggers are put aside meanwhile: what they would add up is copied, too.

    Args:
        target: in a write transaction on a store that was just made.

    Raises:
        Conflict: the target holds something.
    """
    await _require_empty(target)
    count = 0
    async with _without_triggers(target):
        for table in _FIRST_ROWS:
            await target.execute(sa.delete(table))
        for table in metadata.sorted_tables:
            count += await _copy_table(source, target, table)
    if target.dialect.name == "postgresql":
        await _count_on(target)
    return count


async def _require_empty(target: Transaction) -> None:
    for table in metadata.sorted_tables:
        if table in _FIRST_ROWS:
            continue
        if await target.scalar(sa.select(sa.literal(1)).select_from(table).limit(1)):
            raise Conflict(
                f"The database to copy into is not empty: its table '{table.name}' has rows. "
                "Nothing was copied. Name an empty database."
            )


async def _copy_table(source: Transaction, target: Transaction, table: sa.Table) -> int:
    columns, count = plain(table), 0
    rows = await source.stream(
        sa.select(columns).order_by(*(columns.c[key.name] for key in table.primary_key))
    )
    async for part in rows.mappings().partitions(_ROWS_AT_ONCE):
        await target.execute(sa.insert(columns), [dict(row) for row in part])
        count += len(part)
    return count


@contextlib.asynccontextmanager
async def _without_triggers(target: Transaction) -> AsyncIterator[None]:
    if target.dialect.name == "postgresql":
        await _switch_triggers(target, "DISABLE")
        yield
        await _switch_triggers(target, "ENABLE")
        return
    found = await target.execute(
        sa.text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
    )
    triggers = found.all()
    for name, _ in triggers:
        await target.exec_driver_sql(f'DROP TRIGGER "{name}"')
    yield
    for _, made in triggers:
        await target.exec_driver_sql(made)


async def _switch_triggers(target: Transaction, how: str) -> None:
    for table in metadata.sorted_tables:
        await target.exec_driver_sql(f'ALTER TABLE "{table.name}" {how} TRIGGER USER')


async def _count_on(target: Transaction) -> None:
    """Let the next key be one more than the last that was copied."""
    for table in _NUMBERED:
        last = await target.scalar(sa.select(sa.func.max(table.c.id))) or 0
        await target.execute(sa.select(sa.func.setval(f"{table.name}_id_seq", last + 1, False)))
