"""Drafts of memories."""

from __future__ import annotations

import pytest

from tmws.domain.agents import AccessLevel, Agent, Role
from tmws.domain.errors import InvalidInput, NotFound, PermissionDenied
from tmws.domain.memories import LONGEST_TEXT, MemoryDraft, validated
from tmws.testing.clock import START

ALICE = Agent("agent_1", "alice", Role.AGENT, ("home", "work"), START)
ADMIN = Agent("agent_2", "root-admin", Role.ADMIN, ("home",), START)


def test_a_note_is_private_and_at_home_unless_said_otherwise() -> None:
    kept = validated(MemoryDraft(" two\nlines ", tags=("b", "a")), ALICE)
    assert kept == MemoryDraft("two\nlines", ("a", "b"), AccessLevel.PRIVATE, "home")
    assert validated(MemoryDraft("x", namespace="work"), ALICE).namespace == "work"


@pytest.mark.parametrize(
    ("draft", "what"),
    [
        (MemoryDraft(" "), "Memory is empty"),
        (MemoryDraft("x" * (LONGEST_TEXT + 1)), "limit is 16000"),
        (MemoryDraft("x", tags=("No",)), "Tag 'No'"),
        (MemoryDraft("x", level=AccessLevel.SHARED), "'private' or 'public'"),
    ],
)
def test_a_broken_note_is_refused(draft: MemoryDraft, what: str) -> None:
    with pytest.raises(InvalidInput, match=what):
        validated(draft, ALICE)


def test_a_note_is_kept_where_its_author_belongs() -> None:
    with pytest.raises(NotFound, match="not one of yours"):
        validated(MemoryDraft("x", namespace="foreign"), ALICE)


def test_only_an_admin_speaks_for_the_system() -> None:
    draft = MemoryDraft("x", level=AccessLevel.SYSTEM)
    with pytest.raises(PermissionDenied, match="Only an admin"):
        validated(draft, ALICE)
    assert validated(draft, ADMIN).level is AccessLevel.SYSTEM
