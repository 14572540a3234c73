"""The tool that recommends patterns for a task, with reasons and counter-evidence."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from tmws.domain.recommendation import NearUse
from tmws.domain.situations import (
    LONGEST_ERROR,
    LONGEST_FILE,
    LONGEST_TASK,
    MOST_FILES,
    MOST_RECOMMENDED,
    Severity,
    Situation,
)
from tmws.faces.mcp import views
from tmws.faces.mcp.registry import Arguments, Call, tool
from tmws.services.recommendation import Recommended


class RecommendPatterns(Arguments):
    """What is to be done, and what is known of it."""

    task: Annotated[str, Field(min_length=1, max_length=LONGEST_TASK)]
    error: Annotated[str, Field(max_length=LONGEST_ERROR)] = ""
    files: Annotated[
        tuple[Annotated[str, Field(max_length=LONGEST_FILE)], ...],
        Field(max_length=MOST_FILES),
    ] = ()
    severity: Severity = Severity.NORMAL
    limit: Annotated[int, Field(ge=1, le=MOST_RECOMMENDED)] = 3
    namespace: Annotated[str | None, Field(min_length=1, max_length=64)] = None


@tool(
    title="Recommend patterns",
    read_only=True,
    destructive=False,
    idempotent=True,
    narrow="Lower `limit`.",
)
async def recommend_patterns(call: Call, wanted: RecommendPatterns) -> dict[str, Any]:
    """Recommend patterns for what you are about to do: `why` sums to score, `against` warns.

    With severity high nothing is tried out. Next: get_pattern, report_outcome with receipt_id.
    """
    found = await call.app.recommendation.recommend(
        call.caller,
        Situation(
            task=wanted.task,
            error=wanted.error,
            files=wanted.files,
            severity=wanted.severity,
            limit=wanted.limit,
            namespace=wanted.namespace,
        ),
    )
    return {
        "items": [_item(each) for each in found.items],
        "embedder": found.embedder,
        "receipt_id": found.receipt_id,
    } | views.shortfall(found.degraded)


def _item(each: Recommended) -> dict[str, Any]:
    stored = each.pattern
    return {
        "id": stored.id,
        "name": stored.name,
        "summary": views.excerpt(stored.summary),
        "owner": stored.owner,
        "score": each.score,
        "why": each.parts,
        "success_bound": views.rounded(each.bound),
        "usage": views.usage(stored.usage),
        "nearest_uses": [_use(use) for use in each.nearest],
        "against": each.against,
    }


def _use(use: NearUse) -> dict[str, Any]:
    seen = {
        "similarity": use.similarity,
        "success": use.good,
        "proven": use.proven,
        "at": use.at,
    }
    return seen | ({"words": views.excerpt(use.words)} if use.words else {})
