"""What the registry makes of a function, and how it tells its tools page by page."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from tests.unit.faces.toys import Trace, toys
from tmws.domain.errors import InvalidInput
from tmws.faces.mcp.registry import Arguments, Call, Registry, Result, tool


class Part(Arguments):
    """A docstring for readers of the code."""

    title: Annotated[str, Field(max_length=10)]


class Draft(Arguments):
    """Another one."""

    part: Part
    parts: Annotated[tuple[Part, ...], Field(max_length=2)] = ()
    note: Annotated[str | None, Field(max_length=5, description="Said aloud.")] = None
    ratio: Annotated[float, Field(ge=0, le=1)] = 0.5


class Outcome(Result):
    accurate: bool | None
    reason: str | None = None


@tool(title="Judge", read_only=False, destructive=False, idempotent=True, narrow="Ask less.")
async def judge(_call: Call, _draft: Draft) -> Outcome:
    """Judge a thing.

    Use it when in doubt; it
    takes a second.
    """
    return Outcome(accurate=None)


def test_name_description_and_hints_come_from_the_function() -> None:
    listing = judge.listing
    assert listing.name == "judge"
    assert listing.title == "Judge"
    assert listing.description == "Judge a thing. Use it when in doubt; it takes a second."
    assert listing.annotations is not None
    assert listing.annotations.model_dump(by_alias=True) == {
        "title": None,
        "readOnlyHint": False,
        "destructiveHint": False,
        "idempotentHint": True,
        "openWorldHint": False,
    }


def test_the_input_schema_is_closed_inlined_and_says_nothing_twice() -> None:
    part = {
        "additionalProperties": False,
        "properties": {"title": {"maxLength": 10, "type": "string"}},
        "required": ["title"],
        "type": "object",
    }
    assert judge.listing.input_schema == {
        "additionalProperties": False,
        "properties": {
            "part": part,
            "parts": {"items": part, "maxItems": 2, "type": "array"},
            "note": {"description": "Said aloud.", "maxLength": 5, "type": "string"},
            "ratio": {"default": 0.5, "maximum": 1, "minimum": 0, "type": "number"},
        },
        "required": ["part"],
        "type": "object",
    }


def test_the_output_schema_keeps_null_apart_from_absent() -> None:
    schema = judge.listing.output_schema
    assert schema is not None
    assert schema["properties"]["accurate"] == {"anyOf": [{"type": "boolean"}, {"type": "null"}]}
    assert schema["properties"]["reason"] == {"type": "string"}
    assert schema["required"] == ["accurate"]
    assert Outcome(accurate=None).told() == {"accurate": None}


@pytest.mark.parametrize("note", ["hello", None])
def test_an_optional_argument_may_be_left_out_or_null(note: str | None) -> None:
    parsed = judge.parse({"part": {"title": "a"}, "parts": [{"title": "b"}], "note": note})
    assert parsed == Draft(part=Part(title="a"), parts=(Part(title="b"),), note=note)


@pytest.mark.parametrize(
    "arguments",
    [
        {"part": {"title": "a", "agent_id": "bob"}},
        {"part": {"title": "a"}, "ratio": float("nan")},
        {"part": {"title": "a"}, "ratio": "0.5"},
        {"part": {"title": "a" * 11}},
        {"part": {"title": "a"}, "parts": [{"title": "b"}] * 3},
    ],
)
def test_nothing_is_dropped_coerced_or_unbounded(arguments: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        judge.parse(arguments)


def names_by_page(registry: Registry, hidden: set[str], size: int) -> list[str]:
    names: list[str] = []
    cursor: str | None = None
    while True:
        page, cursor = registry.page(hidden, cursor, size=size)
        assert len(page) <= size
        names += [listing.name for listing in page]
        if cursor is None:
            return names


@given(size=st.integers(1, 5), hidden=st.sets(st.sampled_from(toys(Trace()).names)))
def test_pages_of_any_size_tell_each_visible_tool_once_in_order(
    size: int, hidden: set[str]
) -> None:
    registry = toys(Trace())
    assert names_by_page(registry, hidden, size) == [
        name for name in registry.names if name not in hidden
    ]


@given(cursor=st.text(min_size=1))
def test_a_cursor_that_was_never_given_is_refused(cursor: str) -> None:
    registry = toys(Trace())
    with pytest.raises(KeyError):
        registry.page((), cursor + "!")
