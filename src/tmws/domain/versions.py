"""Versions of a pattern: what a revision changes, who may write one, and how two differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from tmws.domain import patterns as rules
from tmws.domain.agents import AccessLevel, Agent, Role
from tmws.domain.canonical import Json
from tmws.domain.errors import InvalidInput
from tmws.domain.patterns import LONGEST_NAME, Pattern, require_slug
from tmws.domain.wording import require_text


@dataclass(frozen=True, slots=True)
class Content:
    """What a version says; access, owner and usage belong to the pattern."""

    name: str
    category: str
    subcategory: str | None
    summary: str
    data: Mapping[str, Json]
    tags: tuple[str, ...]
    complexity: int | None
    learning_weight: float

    def as_json(self) -> dict[str, Json]:
        """Return the document that differences are told of."""
        return {
            "name": self.name,
            "category": self.category,
            "subcategory": self.subcategory,
            "summary": self.summary,
            "data": self.data,
            "tags": list(self.tags),
            "complexity": self.complexity,
            "learning_weight": self.learning_weight,
        }


@dataclass(frozen=True, slots=True)
class Version:
    """One immutable state of a pattern; its parent is the version before.

    Attributes:
        author: who wrote it.
        author_trust: lower bound of the author's trust at that time.
        successes, partials, failures: uses reported while it was the newest.
    """

    number: int
    content: Content
    author_id: str
    author: str
    author_trust: float | None
    written_at: datetime
    successes: int = 0
    partials: int = 0
    failures: int = 0

    @property
    def parent(self) -> int | None:
        return self.number - 1 or None


@dataclass(frozen=True, slots=True)
class Revision:
    """What to change; None leaves a field as it is, empty text and tags clear it."""

    name: str | None = None
    category: str | None = None
    subcategory: str | None = None
    summary: str | None = None
    data: Mapping[str, Json] | None = None
    tags: tuple[str, ...] | None = None
    complexity: int | None = None
    learning_weight: float | None = None


def content_of(pattern: Pattern) -> Content:
    """Return what the newest version of a pattern says."""
    return Content(
        pattern.name,
        pattern.category,
        pattern.subcategory,
        pattern.summary,
        pattern.data,
        pattern.tags,
        pattern.complexity,
        pattern.learning_weight,
    )


def revised(old: Content, change: Revision) -> Content:
    """Return the content after a change, in normal form.

    Raises:
        InvalidInput: a field breaks its rule, or nothing changes.
    """
    name = old.name if change.name is None else change.name
    new = Content(
        name=require_text(name, what="Pattern name", longest=LONGEST_NAME),
        category=old.category
        if change.category is None
        else require_slug(change.category, what="Category"),
        subcategory=_subcategory(old, change),
        summary=old.summary if change.summary is None else rules.normal_summary(change.summary),
        data=old.data if change.data is None else rules.normal_data(change.data),
        tags=old.tags if change.tags is None else rules.normal_tags(change.tags),
        complexity=old.complexity
        if change.complexity is None
        else rules.require_complexity(change.complexity),
        learning_weight=old.learning_weight
        if change.learning_weight is None
        else rules.require_weight(change.learning_weight),
    )
    if not difference(old.as_json(), new.as_json()):
        raise InvalidInput("Nothing would change. Give at least one field another value.")
    return new


def _subcategory(old: Content, change: Revision) -> str | None:
    if change.subcategory is None:
        return old.subcategory
    return require_slug(change.subcategory, what="Subcategory") if change.subcategory else None


def may_write(agent: Agent, *, owner_id: str, level: AccessLevel) -> bool:
    """Say whether an agent may write the next version, or remove the pattern.

    What every agent of the installation reads is written by admins only, by any of them.
    """
    if level is AccessLevel.SYSTEM:
        return agent.role is Role.ADMIN
    return agent.id == owner_id


@dataclass(frozen=True, slots=True)
class Change:
    """One step of a JSON Patch (RFC 6902), with what stood there before.

    Attributes:
        path: JSON Pointer (RFC 6901).
        value: what stands there afterwards; None after `remove`.
        was: what stood there; None before `add`.
    """

    op: Literal["add", "remove", "replace"]
    path: str
    value: Json = None
    was: Json = None

    def as_json(self) -> dict[str, Json]:
        """Return the step as RFC 6902 writes it; readers of patches ignore `was`."""
        told: dict[str, Json] = {"op": self.op, "path": self.path}
        if self.op != "remove":
            told["value"] = self.value
        if self.op != "add":
            told["was"] = self.was
        return told


def difference(old: Json, new: Json, path: str = "") -> list[Change]:
    """Return the steps that, one after another, make the new value of the old."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        return _between_objects(old, new, path)
    if isinstance(old, (list, tuple)) and isinstance(new, (list, tuple)):
        return _between_lists(old, new, path)
    return [] if _same(old, new) else [Change("replace", path, new, old)]


def _between_objects(old: Mapping[str, Json], new: Mapping[str, Json], path: str) -> list[Change]:
    found = []
    for key in sorted(old.keys() | new.keys()):
        place = f"{path}/{key.replace('~', '~0').replace('/', '~1')}"
        if key not in new:
            found.append(Change("remove", place, was=old[key]))
        elif key not in old:
            found.append(Change("add", place, new[key]))
        else:
            found += difference(old[key], new[key], place)
    return found


def _between_lists(old: Sequence[Json], new: Sequence[Json], path: str) -> list[Change]:
    start, end = 0, 0
    while start < min(len(old), len(new)) and _same(old[start], new[start]):
        start += 1
    while end < min(len(old), len(new)) - start and _same(old[-1 - end], new[-1 - end]):
        end += 1
    before, after = old[start : len(old) - end], new[start : len(new) - end]
    both = min(len(before), len(after))
    found = []
    for place in range(both):
        found += difference(before[place], after[place], f"{path}/{start + place}")
    # From the end backwards, so that each index still means what it meant.
    for place in reversed(range(both, len(before))):
        found.append(Change("remove", f"{path}/{start + place}", was=before[place]))
    for place in range(both, len(after)):
        found.append(Change("add", f"{path}/{start + place}", after[place]))
    return found


def _same(old: Json, new: Json) -> bool:
    """Compare as JSON does: true is not 1, and 1.0 is."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        return old.keys() == new.keys() and all(_same(old[key], new[key]) for key in old)
    if isinstance(old, (list, tuple)) and isinstance(new, (list, tuple)):
        return len(old) == len(new) and all(map(_same, old, new))
    return isinstance(old, bool) == isinstance(new, bool) and old == new
