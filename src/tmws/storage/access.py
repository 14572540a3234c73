"""Who may read what, said once, in SQL: every query on patterns and memories carries it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from tmws.domain.agents import AccessLevel, Administrator, Agent, Reader, Role
from tmws.storage import tables
from tmws.storage.prepared import Value, filling, room_for, several

_ID, _NAMESPACES = "caller", "member"


@dataclass(frozen=True, slots=True)
class Whoever:
    """An agent in a statement that is compiled before it is known which one asks."""

    id: sa.BindParameter[str]
    namespaces: Sequence[sa.BindParameter[str]]


def whoever(namespaces: int) -> Whoever:
    """Return an agent that belongs to as many namespaces, or to less than there is room for."""
    return Whoever(
        sa.bindparam(_ID, type_=sa.String, required=False), several(_NAMESPACES, namespaces)
    )


def room_of(caller: Agent) -> int:
    """Return what `whoever` needs for this caller."""
    return room_for(caller.namespaces)


def named(caller: Agent) -> dict[str, Value]:
    """Return who asks, as the values of a statement about whoever asks."""
    return {_ID: caller.id, **filling(_NAMESPACES, caller.namespaces)}


def readable_patterns(caller: Reader | Whoever) -> sa.ColumnElement[bool]:
    """Return the condition on `patterns` that holds for what the caller may read."""
    patterns = tables.patterns
    living = patterns.c.removed_at.is_(None)
    if isinstance(caller, Administrator):
        return living
    return sa.and_(
        living, sa.or_(_readable(patterns, caller), _granted(patterns, patterns.c.id, caller))
    )


def readable_classes(caller: Reader) -> sa.ColumnElement[bool]:
    """Return the condition on `class_weeks` for all whose patterns the caller may read.

    What was shared with it by name beyond these is `shared_patterns`.
    """
    if isinstance(caller, Administrator):
        return sa.true()
    return _readable(tables.class_weeks, caller)


def shared_patterns(caller: Agent) -> sa.ColumnElement[bool]:
    """Return the condition on `patterns` for what the caller may read by a grant.

    That is by a grant alone: nobody holds one on what is its own.
    """
    patterns = tables.patterns
    return sa.and_(patterns.c.removed_at.is_(None), _granted(patterns, patterns.c.id, caller))


def looked_up(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    """Return the same for rows that are named by their ids.

    In a case, so that SQLite looks these few up: by the condition alone it would walk all
    that the caller may read, to find these among them.
    """
    return sa.case((condition, 1), else_=0) == 1


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
    table: sa.Table, item_id: sa.ColumnElement[str], caller: Agent | Whoever
) -> sa.ColumnElement[bool]:
    grant = tables.pattern_grants
    granted = sa.exists().where(grant.c.pattern_id == item_id, grant.c.agent_id == caller.id)
    return sa.and_(table.c.level == AccessLevel.SHARED.value, granted)


def _readable(table: sa.Table, caller: Agent | Whoever) -> sa.ColumnElement[bool]:
    return sa.or_(
        table.c.owner_id == caller.id,
        table.c.level == AccessLevel.SYSTEM.value,
        sa.and_(
            table.c.level == AccessLevel.PUBLIC.value,
            table.c.namespace.in_(caller.namespaces),
        ),
    )
