"""Who may read what, said once, in SQL: every query on patterns and memories carries it."""

from __future__ import annotations

import sqlalchemy as sa

from tmws.domain.agents import AccessLevel, Agent
from tmws.storage import tables


def readable_patterns(caller: Agent) -> sa.ColumnElement[bool]:
    """Return the condition on `patterns` that holds for what the caller may read."""
    grant = tables.pattern_grants
    granted = sa.exists().where(
        grant.c.pattern_id == tables.patterns.c.id, grant.c.agent_id == caller.id
    )
    table = tables.patterns
    return sa.or_(
        _readable(table, caller),
        sa.and_(table.c.level == AccessLevel.SHARED.value, granted),
    )


def readable_memories(caller: Agent) -> sa.ColumnElement[bool]:
    """Return the condition on `memories` that holds for what the caller may read."""
    return _readable(tables.memories, caller)


def _readable(table: sa.Table, caller: Agent) -> sa.ColumnElement[bool]:
    return sa.or_(
        table.c.owner_id == caller.id,
        table.c.level == AccessLevel.SYSTEM.value,
        sa.and_(
            table.c.level == AccessLevel.PUBLIC.value,
            table.c.namespace.in_(caller.namespaces),
        ),
    )
