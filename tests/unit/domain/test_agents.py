"""Names of agents and namespaces, and who belongs where."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tmws.domain.agents import Agent, Role, require_member, require_name
from tmws.domain.errors import InvalidInput, NotFound
from tmws.testing.clock import START

ALICE = Agent("agent_1", "alice", Role.AGENT, ("home", "work"), START)


@given(st.from_regex(r"[a-z0-9]([a-z0-9._-]{0,62}[a-z0-9])?", fullmatch=True))
def test_a_plain_name_is_returned_unless_it_is_reserved(name: str) -> None:
    assume(name not in {"system", "admin", "tmws", "all", "everyone", "me", "self", "unknown"})
    assert require_name(name, what="Agent name") == name


@pytest.mark.parametrize(
    "name", ["", "A", "-a", "a-", "a b", "a\n", "ü", "x" * 65, "../etc", "a/b", "a\u202eb"]
)
def test_other_names_are_refused_with_the_form_that_is_allowed(name: str) -> None:
    with pytest.raises(InvalidInput, match="use 1 to 64 of a-z") as refused:
        require_name(name, what="Workspace name")
    assert len(refused.value.message) < 300


@pytest.mark.parametrize("name", ["system", "admin", "all", "me"])
def test_words_that_could_be_taken_for_somebody_else_are_reserved(name: str) -> None:
    with pytest.raises(InvalidInput, match="reserved word"):
        require_name(name, what="Agent name")


def test_the_first_namespace_is_home() -> None:
    assert ALICE.home == "home"
    assert require_member(ALICE, "work") == "work"


def test_a_foreign_namespace_is_refused_in_the_words_of_an_absent_one() -> None:
    texts = []
    for name in ("foreign", "missing"):
        with pytest.raises(NotFound) as refused:
            require_member(ALICE, name)
        texts.append(refused.value.message.replace(name, "…"))
    assert texts[0] == texts[1]
    assert "home, work" in texts[0]
