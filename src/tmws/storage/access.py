"""Who may read what, said once, in SQL: every query on patterns and memories carries it."""

from __future__ import annotations

import sqlalchemy as sa

from tmws.domain.agents import AccessLevel, Administrator, Agent, Reader, Role
from tmws.storage import tables


def readable_patterns(caller: Reader) -> sa.ColumnElement[bool]:
    """Return the condition on `patterns` that holds for what the caller may read."""
    patterns = tables.patterns
    living = patterns.c.removed_at.is_(None)
    if isinstance(caller, Administrator):
        return living
    return sa.and_(
        living, sa.or_(_readable(patterns, caller), _granted(patterns, patterns.c.id, caller))
    )


def removed_patterns(caller: Reader) -> sa.ColumnElement[bool]:
    """Return the condition on `patterns` that holds for what the caller may restore."""
    patterns = tables.patterns
    removed = sa.and_(patterns.c.removed_at.is_not(None), patterns.c.forgotten_at.is_(None))
    return removed if isinstance(caller, Administrator) else sa.and_(removed, _own(caller))


def _own(caller: Agent) -> sa.ColumnElement[bool]:
    """Return the same as `tmws.domain.versions.may_write`, as a condition on `patterns`."""
    patterns = tables.patterns
    system = patterns.c.level == AccessLevel.SYSTEM.value
    mine = sa.and_(patterns.c.owner_id == caller.id, ~system)
    return sa.or_(mine, system) if caller.role is Role.ADMIN else mine


def readable_memories(caller: Agent) -> sa.ColumnElement[bool]:
    """Return the condition on `memories` that holds for what the caller may read."""
    return _readable(tables.memories, caller)


def _granted(
    table: sa.Table, item_id: sa.ColumnElement[str], caller: Agent
) -> sa.ColumnElement[bool]:
    grant = tables.pattern_grants
    granted = sa.exists().where(grant.c.pattern_id == item_id, grant.c.agent_id == caller.id)
    return sa.and_(table.c.level == AccessLevel.SHARED.value, granted)


def _readable(table: sa.Table, caller: Agent) -> sa.ColumnElement[bool]:
    return sa.or_(
        table.c.owner_id == caller.id,
        table.c.level == AccessLevel.SYSTEM.value,
        sa.and_(
            table.c.level == AccessLevel.PUBLIC.value,
            table.c.namespace.in_(caller.namespaces),
        ),
    )
