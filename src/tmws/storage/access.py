"""Who may read what, said once, in SQL: every query on patterns and memories carries it."""

from __future__ import annotations

import sqlalchemy as sa

from tmws.domain.agents import AccessLevel, Agent
from tmws.storage import tables


def readable_patterns(caller: Agent) -> sa.ColumnElement[bool]:
    """Return the condition on `patterns` that holds for what the caller may read."""
    return sa.or_(
        _readable(tables.patterns, caller), _granted(tables.patterns, tables.patterns.c.id, caller)
    )


def readable_memories(caller: Agent) -> sa.ColumnElement[bool]:
    """Return the condition on `memories` that holds for what the caller may read."""
    return _readable(tables.memories, caller)


def readable_documents(caller: Agent) -> sa.ColumnElement[bool]:
    """Return the same condition on `documents`, which repeat what it is about.

    Search asks it of every match, so it must not need the thing itself.
    """
    documents = tables.documents
    return sa.or_(_readable(documents, caller), _granted(documents, documents.c.item_id, caller))


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
