"""Many patterns at once: what one of them is, and why none was stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tmws.domain.canonical import Json, digest
from tmws.domain.errors import InvalidInput
from tmws.domain.patterns import PatternDraft, Provenance
from tmws.domain.versions import Content
from tmws.domain.wording import require_text

MOST_ITEMS = 500
LONGEST_KEY = 100
_SHOWN = 3
_LONGEST_SHOWN = 80


@dataclass(frozen=True, slots=True)
class Incoming:
    """A pattern on its way in.

    Attributes:
        provenance: where it was imported from; None for one's own.
        earlier: what it said before, oldest first.
    """

    draft: PatternDraft
    provenance: Provenance | None = None
    earlier: tuple[Content, ...] = ()


@dataclass(frozen=True, slots=True)
class Problem:
    """Why one item cannot be stored; `index` counts from 0."""

    index: int
    message: str


class BatchRefused(InvalidInput):
    """Nothing of a batch was stored.

    Attributes:
        problems: every item that stood in the way, in order.
    """

    def __init__(self, problems: Sequence[Problem], *, of: int) -> None:
        self.problems = tuple(sorted(problems, key=lambda problem: problem.index))
        shown = " ".join(
            f"[{problem.index}] {problem.message[:_LONGEST_SHOWN]}"
            for problem in self.problems[:_SHOWN]
        )
        super().__init__(
            f"{len(self.problems)} of {of} items are refused and nothing was stored: {shown}"
        )


def require_count(count: int, *, most: int = MOST_ITEMS) -> None:
    """Return if a batch has a size that fits one transaction.

    Raises:
        InvalidInput: it is empty or too large.
    """
    if not 1 <= count <= most:
        raise InvalidInput(f"A batch of {count} items is refused: give 1 to {most}.")


def require_key(key: str) -> str:
    """Return the idempotency key if it is one.

    Raises:
        InvalidInput: it is empty, too long, or not printable.
    """
    return require_text(key, what="Idempotency key", longest=LONGEST_KEY)


def fingerprint(items: Sequence[Incoming]) -> str:
    """Return what tells this content from any other, for a retry."""
    return digest([_as_json(item) for item in items])


def _as_json(item: Incoming) -> Json:
    draft, made = item.draft, item.provenance
    return {
        "name": draft.name,
        "category": draft.category,
        "subcategory": draft.subcategory,
        "summary": draft.summary,
        "data": draft.data or {},
        "tags": list(draft.tags),
        "level": draft.level.value,
        "shared_with": sorted(draft.shared_with),
        "namespace": draft.namespace,
        "complexity": draft.complexity,
        "learning_weight": draft.learning_weight,
        "derived_from": draft.derived_from,
        "provenance": [made.origin.value, made.source] if made else None,
        "earlier": [content.as_json() for content in item.earlier],
    }
