"""Patterns, their tags and their grants."""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from tmws.domain.agents import AccessLevel, Agent, Reader
from tmws.domain.canonical import canonical_bytes
from tmws.domain.patterns import Origin, Pattern, Provenance
from tmws.storage.access import (
    looked_up,
    named,
    readable_patterns,
    removed_patterns,
    room_of,
    whoever,
)
from tmws.storage.columns import Moment, microseconds, moment
from tmws.storage.ordering import older_than
from tmws.storage.prepared import (
    Execute,
    Prepared,
    Value,
    at_once,
    filling,
    inserted,
    room_for,
    several,
)
from tmws.storage.tables import agents, namespaces, pattern_grants, pattern_tags, patterns
from tmws.storage.usage import PRIOR, usage_of

_ADD, _ADD_TAG, _ADD_GRANT = inserted(patterns), inserted(pattern_tags), inserted(pattern_grants)
_NAMED = Prepared(
    sa.select(patterns.c.id).where(
        patterns.c.namespace == sa.bindparam("namespace", type_=sa.String),
        patterns.c.owner_id == sa.bindparam("owner", type_=sa.String),
        patterns.c.name == sa.bindparam("name", type_=sa.String),
        patterns.c.removed_at.is_(None),
    )
)
_NEW: dict[str, Value] = {
    column.name: column.default.arg if isinstance(column.default, sa.ColumnDefault) else None
    for column in patterns.c
}
_AUTHOR = agents.alias("author")
_TAGS = (
    sa.select(sa.func.aggregate_strings(pattern_tags.c.tag, " "))
    .where(pattern_tags.c.pattern_id == patterns.c.id)
    .scalar_subquery()
)
_MOMENTS = [column.name for column in patterns.c if isinstance(column.type, Moment)]
_WHOLE = (
    sa.select(
        *(
            sa.type_coerce(column, sa.BigInteger).label(column.name)
            if column.name in _MOMENTS
            else column
            for column in patterns.c
        ),
        agents.c.name.label("owner"),
        _AUTHOR.c.name.label("author"),
        _TAGS.label("tags"),
        *PRIOR,
    )
    .join(agents, agents.c.id == patterns.c.owner_id)
    .join(_AUTHOR, _AUTHOR.c.id == patterns.c.author_id)
    .join(namespaces, namespaces.c.name == patterns.c.namespace)
)
_COLUMNS = tuple(_WHOLE.selected_columns.keys())
_ID = "id"
_NEWEST = (patterns.c.created_at.desc(), patterns.c.id.desc())


@dataclass(frozen=True, slots=True)
class PatternFilter:
    """What a pattern must be; None and empty ask for nothing, both ends are included."""

    category: str | None = None
    tags: tuple[str, ...] = ()
    any_tags: tuple[str, ...] = ()
    namespace: str | None = None
    level: AccessLevel | None = None
    author: str | None = None
    least_success_rate: float | None = None
    least_uses: int = 0
    learned_from: datetime | None = None
    learned_until: datetime | None = None


def add(run: Execute, pattern: Pattern, granted: Sequence[str]) -> None:
    """Store a new pattern and the ids of the agents it is shared with."""
    run(
        _ADD,
        _NEW
        | {
            "id": pattern.id,
            "namespace": pattern.namespace,
            "owner_id": pattern.owner_id,
            "name": pattern.name,
            "category": pattern.category,
            "summary": pattern.summary,
            "data": canonical_bytes(pattern.data).decode(),
            "level": pattern.level.value,
            "version": pattern.version,
            "created_at": microseconds(pattern.created_at),
            "subcategory": pattern.subcategory,
            "complexity": pattern.complexity,
            "learning_weight": pattern.learning_weight,
            "origin": pattern.provenance.origin.value,
            "source": pattern.provenance.source,
            "author_id": pattern.author_id,
            "author_trust": pattern.author_trust,
            "written_at": microseconds(pattern.written_at or pattern.created_at),
        },
    )
    for tag in pattern.tags:
        run(_ADD_TAG, {"pattern_id": pattern.id, "tag": tag})
    for agent_id in granted:
        run(_ADD_GRANT, {"pattern_id": pattern.id, "agent_id": agent_id})


async def add_tags(connection: AsyncConnection, pattern_id: str, tags: Sequence[str]) -> None:
    """Store the tags of a pattern that has none."""
    if tags:
        await connection.execute(
            pattern_tags.insert(), [{"pattern_id": pattern_id, "tag": tag} for tag in tags]
        )


def id_of(run: Execute, *, namespace: str, owner_id: str, name: str) -> str | None:
    """Return the id of the owner's living pattern of this name."""
    rows = run(_NAMED, {"namespace": namespace, "owner": owner_id, "name": name})
    return str(rows[0][0]) if rows else None


def readable_version(run: Execute, caller: Reader, pattern_id: str) -> int | None:
    """Return the version of a pattern that the caller may read, None where there is none."""
    seen = sa.select(patterns.c.version).where(
        patterns.c.id == pattern_id, readable_patterns(caller)
    )
    rows = run(Prepared(seen), {})
    return int(rows[0][0]) if rows else None


async def readable(
    connection: AsyncConnection, caller: Reader, ids: Sequence[str]
) -> dict[str, Pattern]:
    """Return those of the patterns that the caller may read, by id."""
    if isinstance(caller, Agent):
        return await at_once(connection, partial(readable_now, caller=caller, ids=ids))
    found = await _load(connection, patterns.c.id.in_(ids), readable_patterns(caller))
    return {pattern.id: pattern for pattern in found}


def readable_now(run: Execute, caller: Agent, ids: Sequence[str]) -> dict[str, Pattern]:
    """Return the same as a part of a step."""
    if not ids:
        return {}  # SQLite would walk all that the caller may read, to find none among them
    rows = run(_readable(room_for(ids), room_of(caller)), filling(_ID, ids) | named(caller))
    return {row[0]: _pattern(row) for row in rows}


@functools.cache
def _readable(ids: int, namespaces_of_caller: int) -> Prepared:
    known = patterns.c.id.in_(several(_ID, ids))
    readable_ones = readable_patterns(whoever(namespaces_of_caller))
    return Prepared(_WHOLE.where(known, looked_up(readable_ones)))


async def any_state(connection: AsyncConnection, ids: Sequence[str]) -> dict[str, Pattern]:
    """Return patterns by id, living and removed: for the administrator, and never forgotten."""
    known = sa.and_(patterns.c.id.in_(ids), patterns.c.forgotten_at.is_(None))
    return {pattern.id: pattern for pattern in await _load(connection, known)}


async def removed(
    connection: AsyncConnection, caller: Reader, ids: Sequence[str] | None = None
) -> list[Pattern]:
    """Return the removed patterns that the caller may restore, all or those of these ids."""
    named = sa.true() if ids is None else patterns.c.id.in_(ids)
    return await _load(connection, named, removed_patterns(caller))


async def lock(connection: AsyncConnection, pattern_id: str) -> str | None:
    """Make others who change the same pattern wait until the transaction ends.

    Returns:
        Its namespace, which never changes; None where there is no such pattern.
    """
    return await connection.scalar(
        sa.select(patterns.c.namespace).where(patterns.c.id == pattern_id).with_for_update()
    )


async def newest(
    connection: AsyncConnection,
    caller: Agent,
    wanted: PatternFilter,
    *,
    before: tuple[datetime, str] | None,
    limit: int,
) -> list[Pattern]:
    """Return matching patterns, newest first, after the place that `before` names."""
    conditions = _matching(caller, wanted)
    if before:
        conditions.append(older_than(patterns, *before))
    return await _load(connection, *conditions, limit=limit)


async def searchable_texts(
    connection: AsyncConnection, ids: Sequence[str]
) -> list[tuple[str, str]]:
    """Return id and searchable text of these patterns, whoever may read them."""
    found = await _load(connection, patterns.c.id.in_(ids))
    return [(pattern.id, pattern.searchable()) for pattern in found]


async def newest_of_all(
    connection: AsyncConnection, *, category: str | None, limit: int
) -> list[Pattern]:
    """Return the newest patterns whoever may read them: for the owner of the store."""
    condition = sa.true() if category is None else patterns.c.category == category
    return await _load(connection, condition, patterns.c.removed_at.is_(None), limit=limit)


def matching_ids(caller: Agent, wanted: PatternFilter) -> sa.Select[str]:
    """Select the ids of what the caller may read and the filter lets through."""
    return sa.select(patterns.c.id).where(*_matching(caller, wanted))


def _matching(caller: Agent, wanted: PatternFilter) -> list[sa.ColumnElement[bool]]:
    table = patterns.c
    count = table.successes + table.partials + table.failures
    conditions: list[sa.ColumnElement[bool]] = [readable_patterns(caller)]
    if wanted.category is not None:
        conditions.append(table.category == wanted.category)
    if wanted.namespace is not None:
        conditions.append(table.namespace == wanted.namespace)
    if wanted.level is not None:
        conditions.append(table.level == wanted.level.value)
    if wanted.author is not None:
        author = sa.select(agents.c.id).where(agents.c.name == wanted.author)
        conditions.append(table.owner_id.in_(author))
    if wanted.least_uses:
        conditions.append(count >= wanted.least_uses)
    if wanted.least_success_rate is not None:
        total = count + table.credit
        good = table.successes + table.partials * 0.5 + table.credit_good
        conditions += [total > 0, good >= wanted.least_success_rate * total]
    if wanted.learned_from is not None:
        conditions.append(table.created_at >= wanted.learned_from)
    if wanted.learned_until is not None:
        conditions.append(table.created_at <= wanted.learned_until)
    conditions += [_tagged(pattern_tags.c.tag == tag) for tag in wanted.tags]
    if wanted.any_tags:
        conditions.append(_tagged(pattern_tags.c.tag.in_(wanted.any_tags)))
    return conditions


def _tagged(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    return sa.exists().where(pattern_tags.c.pattern_id == patterns.c.id, condition)


async def _load(
    connection: AsyncConnection, *conditions: sa.ColumnElement[bool], limit: int | None = None
) -> list[Pattern]:
    if limit is not None:
        # Only what is on the page is joined and read.
        page = sa.select(patterns.c.id).where(*conditions).order_by(*_NEWEST).limit(limit)
        conditions = (patterns.c.id.in_(page),)
    rows = await connection.execute(_WHOLE.where(*conditions).order_by(*_NEWEST))
    return [_pattern(row) for row in rows]


def _pattern(row: Sequence[Any]) -> Pattern:
    known = dict(zip(_COLUMNS, row, strict=True))
    for name in _MOMENTS:
        if known[name] is not None:
            known[name] = moment(known[name])
    tags = known["tags"]
    return Pattern(
        id=known["id"],
        namespace=known["namespace"],
        owner_id=known["owner_id"],
        owner=known["owner"],
        name=known["name"],
        category=known["category"],
        summary=known["summary"],
        data=json.loads(known["data"]),
        tags=tuple(sorted(tags.split())) if tags else (),
        level=AccessLevel(known["level"]),
        version=known["version"],
        created_at=known["created_at"],
        usage=usage_of(known),
        subcategory=known["subcategory"],
        complexity=known["complexity"],
        learning_weight=known["learning_weight"],
        provenance=Provenance(Origin(known["origin"]), known["source"]),
        author_id=known["author_id"],
        author=known["author"],
        author_trust=known["author_trust"],
        written_at=known["written_at"],
        removed_at=known["removed_at"],
    )
