"""A memory: a note somebody kept, or the evidence that a verification left."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from tmws.domain.agents import AccessLevel, Agent, Role, require_member
from tmws.domain.claims import WITHDRAWN
from tmws.domain.errors import InvalidInput, PermissionDenied
from tmws.domain.patterns import normal_tags
from tmws.domain.wording import require_text

LONGEST_TEXT = 16_000
ID_KIND = "memory"


class MemoryKind(StrEnum):
    """`note`: an agent's own words. `evidence`: written by a verification."""

    NOTE = "note"
    EVIDENCE = "evidence"


@dataclass(frozen=True, slots=True)
class MemoryDraft:
    """What an agent wants to keep; `namespace` None for its first."""

    text: str
    tags: tuple[str, ...] = ()
    level: AccessLevel = AccessLevel.PRIVATE
    namespace: str | None = None


@dataclass(frozen=True, slots=True)
class Memory:
    """A stored memory.

    Attributes:
        claim_id: what evidence is evidence of.
        withdrawn: an administrator took back the verdict that it tells.
    """

    id: str
    namespace: str
    owner_id: str
    owner: str
    kind: MemoryKind
    text: str
    tags: tuple[str, ...]
    level: AccessLevel
    claim_id: str | None
    created_at: datetime
    withdrawn: bool = False

    @property
    def told(self) -> str:
        """The text, which begins with it if the verdict it tells was withdrawn."""
        return f"{WITHDRAWN} {self.text}" if self.withdrawn else self.text


def is_memory(item_id: str) -> bool:
    """Say whether an id is a memory's, whether or not there is one."""
    return item_id.startswith(f"{ID_KIND}_")


def validated(draft: MemoryDraft, author: Agent) -> MemoryDraft:
    """Return the draft in normal form, with its namespace filled in.

    Raises:
        InvalidInput: a field breaks its rule, or the level is `shared`.
        PermissionDenied: only admins write memories of level `system`.
    """
    if draft.level is AccessLevel.SHARED:
        raise InvalidInput("A memory is 'private' or 'public'. Share a pattern with named agents.")
    if draft.level is AccessLevel.SYSTEM and author.role is not Role.ADMIN:
        raise PermissionDenied("Only an admin stores memories of access level 'system'.")
    return MemoryDraft(
        text=require_text(draft.text, what="Memory", longest=LONGEST_TEXT, multiline=True),
        tags=normal_tags(draft.tags),
        level=draft.level,
        namespace=require_member(author, draft.namespace or author.home),
    )
