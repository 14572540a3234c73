"""Going on where a listing by time stopped."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa


def older_than(table: sa.Table, at: datetime, item_id: str) -> sa.ColumnElement[bool]:
    """Return the condition for what follows an item, newest first, ties by id downwards."""
    return sa.or_(
        table.c.created_at < at,
        sa.and_(table.c.created_at == at, table.c.id < item_id),
    )
