"""Arguments that several tools take, each with its bounds."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, JsonValue, WithJsonSchema

from tmws.domain.patterns import MOST_GRANTS, MOST_TAGS

MOST_VERSIONS = 1_000_000

Slug = Annotated[str, Field(min_length=1, max_length=50, pattern="^[a-z0-9_-]+$")]
Tags = Annotated[tuple[Slug, ...], Field(max_length=MOST_TAGS)]
AgentName = Annotated[str, Field(min_length=1, max_length=64)]
Grants = Annotated[tuple[AgentName, ...], Field(max_length=MOST_GRANTS)]
Namespace = Annotated[
    str | None,
    Field(min_length=1, max_length=64, description="One of yours; your first if left out."),
]
Identifier = Annotated[str, Field(min_length=1, max_length=40)]
Limit = Annotated[int, Field(ge=1, le=50)]
Cursor = Annotated[
    str | None,
    Field(
        min_length=1,
        max_length=500,
        description="next_cursor of the same query, to go on behind it.",
    ),
]
Query = Annotated[str | None, Field(min_length=1, max_length=1000)]
Structured = Annotated[
    dict[str, JsonValue],
    Field(max_length=500),
    # Any JSON inside: said by saying nothing, where pydantic would say an empty schema.
    WithJsonSchema({"type": "object", "maxProperties": 500}),
]
