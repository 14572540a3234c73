"""What patterns said before, when, and by whom."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from tmws.domain.canonical import canonical_bytes
from tmws.domain.patterns import Pattern
from tmws.domain.usage import UseOutcome
from tmws.domain.versions import Content, Version, content_of
from tmws.storage.columns import microseconds
from tmws.storage.patterns import add_tags
from tmws.storage.prepared import Execute, at_once, inserted
from tmws.storage.tables import agents, pattern_tags, pattern_versions, patterns, uses

_KEEP = inserted(pattern_versions)


def keep(run: Execute, pattern_id: str, version: Version) -> None:
    """Store a version that is not the newest."""
    run(
        _KEEP,
        {
            "pattern_id": pattern_id,
            "version": version.number,
            **_columns(version.content),
            "tags": json.dumps(version.content.tags),
            "author_id": version.author_id,
            "author_trust": version.author_trust,
            "written_at": microseconds(version.written_at),
        },
    )


async def add(connection: AsyncConnection, before: Pattern, after: Version) -> None:
    """Put a new version in the place of the newest, which is kept as it was."""
    await at_once(connection, lambda run: keep(run, before.id, newest_of(before)))
    await connection.execute(
        patterns.update()
        .where(patterns.c.id == before.id)
        .values(
            version=after.number,
            **_columns(after.content),
            author_id=after.author_id,
            author_trust=after.author_trust,
            written_at=after.written_at,
        )
    )
    if before.tags != after.content.tags:
        await connection.execute(
            pattern_tags.delete().where(pattern_tags.c.pattern_id == before.id)
        )
        await add_tags(connection, before.id, after.content.tags)


async def every(connection: AsyncConnection, pattern: Pattern) -> list[Version]:
    """Return all versions of a pattern, the newest first, with the uses each had."""
    rows = await connection.execute(
        sa.select(pattern_versions, agents.c.name.label("author"))
        .join(agents, agents.c.id == pattern_versions.c.author_id)
        .where(pattern_versions.c.pattern_id == pattern.id)
        .order_by(pattern_versions.c.version.desc())
    )
    counted = await _uses(connection, pattern.id)
    return [
        replace(
            version,
            successes=counted[version.number, UseOutcome.SUCCESS],
            partials=counted[version.number, UseOutcome.PARTIAL],
            failures=counted[version.number, UseOutcome.FAILURE],
        )
        for version in (newest_of(pattern), *(_version(row) for row in rows))
    ]


def newest_of(pattern: Pattern) -> Version:
    """Return the newest version of a pattern."""
    return Version(
        pattern.version,
        content_of(pattern),
        pattern.author_id,
        pattern.author,
        pattern.author_trust,
        pattern.written_at or pattern.created_at,
    )


async def _uses(connection: AsyncConnection, pattern_id: str) -> Counter[tuple[int, UseOutcome]]:
    rows = await connection.execute(
        sa.select(uses.c.version, uses.c.outcome, sa.func.count())
        .where(uses.c.pattern_id == pattern_id, uses.c.share >= 1)
        .group_by(uses.c.version, uses.c.outcome)
    )
    return Counter({(version, UseOutcome(outcome)): count for version, outcome, count in rows})


def _columns(content: Content) -> Mapping[str, Any]:
    return {
        "name": content.name,
        "category": content.category,
        "subcategory": content.subcategory,
        "summary": content.summary,
        "data": canonical_bytes(content.data).decode(),
        "complexity": content.complexity,
        "learning_weight": content.learning_weight,
    }


def _version(row: sa.Row[*tuple[Any, ...]]) -> Version:
    return Version(
        row.version,
        Content(
            name=row.name,
            category=row.category,
            subcategory=row.subcategory,
            summary=row.summary,
            data=json.loads(row.data),
            tags=tuple(json.loads(row.tags)),
            complexity=row.complexity,
            learning_weight=row.learning_weight,
        ),
        row.author_id,
        row.author,
        row.author_trust,
        row.written_at,
    )
