"""What a model reads about the server as a whole."""

from __future__ import annotations

from tmws.faces.mcp import instructions
from tmws.faces.mcp.tools import REGISTRY


def test_they_fit_what_hosts_read() -> None:
    text = instructions.for_tools(REGISTRY.names)
    assert len(text.encode()) <= instructions.LARGEST_BYTES


def test_they_speak_only_of_tools_that_can_be_called() -> None:
    enabled = [name for name in REGISTRY.names if name != "verify_claim"]
    text = instructions.for_tools(enabled)
    assert "verify_claim" not in text
    assert "find_patterns" in text


def test_a_sentence_about_two_tools_needs_both() -> None:
    text = instructions.for_tools(["remember"])
    assert "remember" not in text


def test_every_tool_they_mention_exists() -> None:
    mentioned = {word.strip(".,:;") for word in instructions.for_tools(REGISTRY.names).split()}
    assert {word for word in mentioned if "_" in word} <= set(REGISTRY.names)


def test_added_profiles_are_named_briefly_where_claims_can_be_made() -> None:
    text = instructions.for_tools(REGISTRY.names, [f"tool-number-{each}" for each in range(32)])

    assert "one of: tool-number-0, tool-number-1" in text
    assert len(text.encode()) <= instructions.LARGEST_BYTES
    assert "tool-number" not in instructions.for_tools(["find_patterns"], ["tool-number-0"])
