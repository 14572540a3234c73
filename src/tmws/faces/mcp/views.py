"""How a stored thing looks to a model: few fields, few digits, nothing twice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tmws.domain.memories import Memory
from tmws.domain.patterns import Origin, Pattern
from tmws.domain.usage import Usage
from tmws.domain.versions import Change, Version

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
        **_from_elsewhere(stored),
    }


def _from_elsewhere(stored: Pattern) -> dict[str, Any]:
    made = stored.provenance
    if made.origin is Origin.OWN:
        return {}
    return {"origin": made.origin, "source": made.source}


def version(seen: Version) -> dict[str, Any]:
    """Return what one version says otherwise than the pattern's newest, and who wrote it."""
    told = seen.content.as_json() | {
        "version": seen.number,
        "author": seen.author,
        "author_trust": rounded(seen.author_trust),
        "written_at": seen.written_at,
        "data": None,
    }
    return {name: value for name, value in told.items() if value is not None}


def difference(old: Version, new: Version, changes: Sequence[Change]) -> dict[str, Any]:
    """Return what changed as a JSON Patch, and who wrote it."""
    return {
        "from": old.number,
        "to": new.number,
        "author": new.author,
        "written_at": new.written_at,
        "changes": [change.as_json() for change in changes],
    }


def memory(stored: Memory) -> dict[str, Any]:
    """Return a memory, with the claim it is evidence of if there is one."""
    seen = {
        "id": stored.id,
        "kind": stored.kind,
        "text": stored.told,
        "tags": stored.tags,
        "owner": stored.owner,
        "namespace": stored.namespace,
        "level": stored.level,
        "created_at": stored.created_at,
    }
    if stored.withdrawn:
        seen["withdrawn"] = True
    return seen | ({"claim_id": stored.claim_id} if stored.claim_id else {})


def shortfall(reason: str | None) -> dict[str, str]:
    """Return why a search was less than it should be; nothing when it was not."""
    return {"degraded": reason} if reason else {}


def excerpt(text: str) -> str:
    """Return the beginning of a text, for lists."""
    return text if len(text) <= _LONGEST_EXCERPT else text[:_LONGEST_EXCERPT] + "…"


def rounded(value: float | None) -> float | None:
    """Return four digits: more would cost tokens and say nothing."""
    return None if value is None else round(value, 4)
