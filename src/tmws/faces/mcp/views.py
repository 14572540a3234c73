"""How a stored thing looks to a model: few fields, few digits, nothing twice."""

from __future__ import annotations

from typing import Any

from tmws.domain.memories import Memory
from tmws.domain.patterns import Pattern
from tmws.domain.usage import Usage

_LONGEST_EXCERPT = 300


def usage(seen: Usage) -> dict[str, Any]:
    """Return how often a pattern was applied and how that went."""
    told = {
        "count": seen.count,
        "success_rate": rounded(seen.success_rate),
        "confidence": rounded(seen.confidence),
        "proven": seen.proven,
        "duration_seconds": rounded(seen.duration_seconds),
    }
    return told | ({"credit": rounded(seen.credit)} if seen.credit else {})


def pattern(stored: Pattern) -> dict[str, Any]:
    """Return a pattern without its data."""
    return {
        "id": stored.id,
        "name": stored.name,
        "category": stored.category,
        "summary": stored.summary,
        "tags": stored.tags,
        "owner": stored.owner,
        "namespace": stored.namespace,
        "level": stored.level,
        "version": stored.version,
        "created_at": stored.created_at,
        "usage": usage(stored.usage),
    }


def memory(stored: Memory) -> dict[str, Any]:
    """Return a memory, with the claim it is evidence of if there is one."""
    seen = {
        "id": stored.id,
        "kind": stored.kind,
        "text": stored.text,
        "tags": stored.tags,
        "owner": stored.owner,
        "namespace": stored.namespace,
        "level": stored.level,
        "created_at": stored.created_at,
    }
    return seen | ({"claim_id": stored.claim_id} if stored.claim_id else {})


def excerpt(text: str) -> str:
    """Return the beginning of a text, for lists."""
    return text if len(text) <= _LONGEST_EXCERPT else text[:_LONGEST_EXCERPT] + "…"


def rounded(value: float | None) -> float | None:
    """Return four digits: more would cost tokens and say nothing."""
    return None if value is None else round(value, 4)
