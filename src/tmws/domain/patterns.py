"""A pattern: what worked, where, and how well, in a form another agent can apply."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from tmws.domain.agents import AccessLevel, Agent, Role, require_member
from tmws.domain.canonical import Json, canonical_bytes
from tmws.domain.errors import InvalidInput, PermissionDenied
from tmws.domain.usage import Usage
from tmws.domain.wording import require_printable, require_text

LONGEST_NAME = 120
LONGEST_SUMMARY = 4000
LARGEST_DATA_BYTES = 64 * 1024
DEEPEST_DATA = 32
MOST_TAGS = 20
MOST_GRANTS = 50
MOST_COMPLEX = 10

_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,48}[a-z0-9])?")


class Origin(StrEnum):
    """Where a pattern comes from: its author, another pattern, or somewhere else."""

    OWN = "own"
    DERIVED = "derived"
    IMPORTED = "imported"


@dataclass(frozen=True, slots=True)
class Provenance:
    """What a pattern was made from.

    Attributes:
        source: `PATTERN version N` of what it is derived from, or where it was imported
            from; empty for one's own.
    """

    origin: Origin = Origin.OWN
    source: str = ""


OWN = Provenance()


@dataclass(frozen=True, slots=True)
class PatternDraft:
    """What an agent wants to store.

    Attributes:
        summary: in words, for search and for readers; may be empty.
        data: the structured part, at most 64 KiB of canonical JSON.
        shared_with: names of agents, only with access level `shared`.
        namespace: None for the author's first.
        complexity: how hard it is to apply, 1 to 10; None where nobody said.
        learning_weight: how much its author wants it to count, 0 to 1.
        derived_from: id of a readable pattern that it was made from.
    """

    name: str
    category: str
    summary: str = ""
    data: Mapping[str, Json] | None = None
    tags: tuple[str, ...] = ()
    level: AccessLevel = AccessLevel.PRIVATE
    shared_with: tuple[str, ...] = ()
    namespace: str | None = None
    subcategory: str | None = None
    complexity: int | None = None
    learning_weight: float = 1.0
    derived_from: str | None = None


@dataclass(frozen=True, slots=True)
class Pattern:
    """A stored pattern as a reader sees it: its newest version.

    Attributes:
        author: who wrote this version; of level `system` it may be another admin.
        author_trust: the lower bound of the author's trust when it was written, None
            while nothing of the author's had been decided.
        written_at: when this version was written.
        removed_at: since when nobody finds it.
    """

    id: str
    namespace: str
    owner_id: str
    owner: str
    name: str
    category: str
    summary: str
    data: Mapping[str, Json]
    tags: tuple[str, ...]
    level: AccessLevel
    version: int
    created_at: datetime
    usage: Usage
    subcategory: str | None = None
    complexity: int | None = None
    learning_weight: float = 1.0
    provenance: Provenance = OWN
    author_id: str = ""
    author: str = ""
    author_trust: float | None = None
    written_at: datetime | None = None
    removed_at: datetime | None = None

    def searchable(self) -> str:
        """The words by which this pattern can be found."""
        category = " ".join(filter(None, (self.category, self.subcategory)))
        return searchable(self.name, category, self.tags, self.summary, self.data)


def validated(draft: PatternDraft, author: Agent) -> PatternDraft:
    """Return the draft in normal form, with its namespace filled in.

    Raises:
        InvalidInput: a field breaks its rule.
        PermissionDenied: only admins write patterns of level `system`.
    """
    return _normal(draft, author, grants(draft.level, draft.shared_with, author.name))


def arrived(draft: PatternDraft, author: Agent) -> PatternDraft:
    """Return the same for what comes from elsewhere, where it may have been shared with nobody.

    Its owner alone reads that, and may name others later.

    Raises:
        InvalidInput, PermissionDenied: as for what is written here.
    """
    if draft.level is AccessLevel.SHARED and not {*draft.shared_with} - {author.name}:
        return _normal(draft, author, ())
    return validated(draft, author)


def _normal(draft: PatternDraft, author: Agent, shared_with: tuple[str, ...]) -> PatternDraft:
    if draft.level is AccessLevel.SYSTEM and author.role is not Role.ADMIN:
        raise PermissionDenied(
            "Only an admin stores patterns of access level 'system'. Use 'public' instead."
        )
    return PatternDraft(
        name=require_text(draft.name, what="Pattern name", longest=LONGEST_NAME),
        category=require_slug(draft.category, what="Category"),
        summary=normal_summary(draft.summary),
        data=normal_data(draft.data),
        tags=normal_tags(draft.tags),
        level=draft.level,
        shared_with=shared_with,
        namespace=require_member(author, draft.namespace or author.home),
        subcategory=require_slug(draft.subcategory, what="Subcategory")
        if draft.subcategory
        else None,
        complexity=require_complexity(draft.complexity),
        learning_weight=require_weight(draft.learning_weight),
        derived_from=draft.derived_from,
    )


def normal_data(data: Mapping[str, Json] | None) -> dict[str, Json]:
    """Return the structured part as it is kept.

    Raises:
        InvalidInput: it is too large, too deep, or holds what no text may hold.
    """
    kept = dict(data or {})
    _require_clean(kept, depth=0)
    size = len(canonical_bytes(kept))
    if size > LARGEST_DATA_BYTES:
        raise InvalidInput(
            f"Pattern data has {size} bytes; the limit is {LARGEST_DATA_BYTES}. "
            "Keep the essence and refer to the rest."
        )
    return kept


def require_complexity(value: int | None) -> int | None:
    """Return the complexity if it is one.

    Raises:
        InvalidInput: it is not 1 to 10.
    """
    if value is not None and not 1 <= value <= MOST_COMPLEX:
        raise InvalidInput(f"complexity {value} is refused: give 1 to {MOST_COMPLEX}.")
    return value


def require_weight(value: float) -> float:
    """Return the learning weight if it is one.

    Raises:
        InvalidInput: it is not 0 to 1.
    """
    if not 0 <= value <= 1:
        raise InvalidInput(f"learning_weight {value} is refused: give 0 to 1.")
    return value


def require_slug(value: str, *, what: str) -> str:
    """Return `value` if it is a category or tag.

    Raises:
        InvalidInput: it is not 1 to 50 of a-z, 0-9, `_` and `-`.
    """
    if not _SLUG.fullmatch(value):
        raise InvalidInput(
            f"{what} {value[:50]!r} is refused: use 1 to 50 of a-z, 0-9, '_', '-', "
            "beginning and ending with a letter or digit."
        )
    return value


def normal_tags(tags: tuple[str, ...]) -> tuple[str, ...]:
    """Return the tags without repetition, sorted.

    Raises:
        InvalidInput: there are more than 20, or one is not a slug.
    """
    unique = sorted({require_slug(tag, what="Tag") for tag in tags})
    if len(unique) > MOST_TAGS:
        raise InvalidInput(f"{len(unique)} tags given; the limit is {MOST_TAGS}.")
    return tuple(unique)


def searchable(
    name: str, category: str, tags: tuple[str, ...], summary: str, data: Mapping[str, Json]
) -> str:
    """Join all words by which a pattern can be found, keys of the data left out."""
    return "\n".join([name, category, " ".join(tags), summary, *_strings(data)])


def _strings(value: Json) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        return [text for key in sorted(value) for text in _strings(value[key])]
    if isinstance(value, (list, tuple)):
        return [text for item in value for text in _strings(item)]
    return []


def _require_clean(value: Json, *, depth: int) -> None:
    """Refuse in names and strings of the data what no text may hold."""
    if depth > DEEPEST_DATA:
        raise InvalidInput(f"Pattern data is nested deeper than {DEEPEST_DATA}. Flatten it.")
    if isinstance(value, str):
        require_printable(value, what="Pattern data", multiline=True)
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            require_printable(key, what="A key of the pattern data")
            _require_clean(inner, depth=depth + 1)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            _require_clean(inner, depth=depth + 1)


def normal_summary(summary: str) -> str:
    """Return the summary as it is kept; it may be empty.

    Raises:
        InvalidInput: it is too long, or holds what no text may hold.
    """
    if not summary.strip():
        return ""
    return require_text(summary, what="Summary", longest=LONGEST_SUMMARY, multiline=True)


def grants(level: AccessLevel, shared_with: Iterable[str], owner: str) -> tuple[str, ...]:
    """Return whom a pattern is shared with: others than its owner, each once.

    Raises:
        InvalidInput: the level does not go with it, or there are too many.
    """
    names = tuple(sorted(set(shared_with) - {owner}))
    if (level is AccessLevel.SHARED) != bool(names):
        raise InvalidInput(
            "Access level 'shared' goes together with those it is shared with: the names of 1 to "
            f"{MOST_GRANTS} other agents. Other levels take none."
        )
    if len(names) > MOST_GRANTS:
        raise InvalidInput(f"shared_with names {len(names)} agents; the limit is {MOST_GRANTS}.")
    return names
