"""Tools for the life of one's own patterns: revised, shared, removed."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, WithJsonSchema

from tmws.domain.agents import AccessLevel
from tmws.domain.batches import LONGEST_KEY, MOST_ITEMS
from tmws.domain.errors import InvalidInput
from tmws.domain.memories import is_memory
from tmws.domain.patterns import LONGEST_NAME, LONGEST_SUMMARY, MOST_COMPLEX
from tmws.domain.versions import Revision
from tmws.faces.mcp.drafts import LearnPattern
from tmws.faces.mcp.fields import MOST_VERSIONS, Grants, Identifier, Slug, Structured, Tags
from tmws.faces.mcp.registry import Arguments, Call, tool


class Changes(Arguments):
    """What a pattern says from now on; what is left out stays."""

    name: Annotated[str | None, Field(min_length=1, max_length=LONGEST_NAME)] = None
    category: Slug | None = None
    subcategory: Slug | None = None
    summary: Annotated[str | None, Field(max_length=LONGEST_SUMMARY)] = None
    data: Structured | None = None
    tags: Tags | None = None
    complexity: Annotated[int | None, Field(ge=1, le=MOST_COMPLEX)] = None
    learning_weight: Annotated[float | None, Field(ge=0, le=1)] = None


class RevisePattern(Arguments):
    """Which pattern is changed, and what."""

    pattern_id: Identifier
    version: Annotated[int, Field(ge=1, le=MOST_VERSIONS)]
    # Told by name, like the items below.
    changes: Annotated[Changes, WithJsonSchema({"type": "object", "maxProperties": 8})]


class SharePattern(Arguments):
    """Who may read a pattern from now on."""

    pattern_id: Identifier
    grant: Grants = ()
    revoke: Grants = ()
    level: AccessLevel | None = None


class RemovePattern(Arguments):
    """What becomes of a pattern."""

    pattern_id: Identifier
    act: Literal["remove", "restore", "forget"] = "remove"


@tool(title="Revise a pattern", read_only=False, destructive=False, idempotent=False, narrow="")
async def revise_pattern(call: Call, change: RevisePattern) -> dict[str, Any]:
    """Write the next version of a pattern of yours; old ones stay readable, uses stay counted.

    `version` is the one you read; `changes` holds fields of learn_pattern with new values.
    """
    written = await call.app.revisions.revise(
        call.caller,
        change.pattern_id,
        Revision(**dict(change.changes)),
        version=change.version,
    )
    return {"id": written.id, "version": written.version}


@tool(title="Share a pattern", read_only=False, destructive=False, idempotent=True, narrow="")
async def share_pattern(call: Call, wanted: SharePattern) -> dict[str, Any]:
    """Change who reads a pattern of yours: its level, or the agents of one that is shared.

    Level shared needs names in `grant`.
    """
    sharing, caller, key = call.app.sharing, call.caller, wanted.pattern_id
    if wanted.level is not None and wanted.revoke:
        raise InvalidInput("A new level begins with the readers in `grant`. Leave `revoke` out.")
    if wanted.level is not None:
        names = await sharing.relevel(caller, key, wanted.level, wanted.grant)
    else:
        names = await sharing.change(caller, key, grant=wanted.grant, revoke=wanted.revoke)
    return {"id": key, "shared_with": names}


@tool(title="Remove a pattern", read_only=False, destructive=True, idempotent=True, narrow="")
async def remove_pattern(call: Call, wanted: RemovePattern) -> dict[str, Any]:
    """Hide a pattern of yours from everyone, bring it back, or erase all its versions for good.

    A removed name is free again. Given the id of a note of yours, `forget` erases that.
    """
    removal, caller, key = call.app.removal, call.caller, wanted.pattern_id
    if is_memory(key):
        if wanted.act != "forget":
            raise InvalidInput("A note cannot be hidden, only erased for good: act 'forget'.")
        await call.app.memory.forget(caller, key)
        return {"id": key, "done": wanted.act}
    acts = {"remove": removal.remove, "restore": removal.restore, "forget": removal.forget}
    await acts[wanted.act](caller, key)
    return {"id": key, "done": wanted.act}


class LearnPatterns(Arguments):
    """Several patterns, and how they are sent."""

    # Told by name: models have just read these fields in learn_pattern.
    items: Annotated[
        tuple[
            Annotated[LearnPattern, WithJsonSchema({"type": "object", "maxProperties": 12})], ...
        ],
        Field(min_length=1, max_length=MOST_ITEMS),
    ]
    key: Annotated[str | None, Field(min_length=1, max_length=LONGEST_KEY)] = None
    dry_run: bool = False


@tool(title="Learn patterns", read_only=False, destructive=False, idempotent=False, narrow="")
async def learn_patterns(call: Call, batch: LearnPatterns) -> dict[str, Any]:
    """Store many patterns at once, all or none; `items` take the fields of learn_pattern.

    Sent again with the same `key`, nothing is stored twice. `dry_run` lists all problems.
    """
    drafts = [item.as_draft() for item in batch.items]
    if batch.dry_run:
        problems = await call.app.batches.check(call.caller, drafts)
        told = [{"index": problem.index, "message": problem.message} for problem in problems]
        return {"stored": 0, "problems": told}
    stored = await call.app.batches.learn(
        call.caller, drafts, key=batch.key, progress=call.progress
    )
    return {"ids": stored.ids, "stored": 0 if stored.repeated else len(stored.ids)}
