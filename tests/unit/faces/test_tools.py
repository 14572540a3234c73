"""What holds for every tool that is shipped."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.unit.faces import snapshots
from tmws.domain.actions import Action
from tmws.domain.errors import InvalidInput
from tmws.faces.mcp.registry import TOOLS_PER_PAGE
from tmws.faces.mcp.results import compact
from tmws.faces.mcp.tools import REGISTRY

LISTINGS = {name: tool.listing for name in REGISTRY.names if (tool := REGISTRY.find(name))}

every_tool = pytest.mark.parametrize("name", REGISTRY.names)


def test_each_tool_has_a_switch_and_each_switch_a_tool() -> None:
    assert set(REGISTRY.names) == {action.value for action in Action}


def test_the_whole_list_fits_one_page_of_twenty_kilobytes() -> None:
    listed = [
        listing.model_dump(by_alias=True, exclude_none=True, mode="json")
        for listing in LISTINGS.values()
    ]
    assert len(listed) <= TOOLS_PER_PAGE
    assert len(compact(listed).encode()) <= 20_000


@every_tool
def test_what_models_read_changes_only_together_with_its_snapshot(name: str) -> None:
    assert snapshots.taken(name) == snapshots.kept(name)


def test_there_is_no_snapshot_without_a_tool() -> None:
    assert {path.stem for path in snapshots.FOLDER.glob("*.json")} == set(REGISTRY.names)


@every_tool
def test_a_tool_has_title_description_and_all_four_hints(name: str) -> None:
    listing = LISTINGS[name]
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", name)
    assert len(name) <= 64
    assert listing.title
    assert 100 <= len(listing.description or "") <= 1000
    hints = listing.annotations
    assert hints is not None
    assert None not in (
        hints.read_only_hint,
        hints.destructive_hint,
        hints.idempotent_hint,
        hints.open_world_hint,
    )
    assert not (hints.read_only_hint and hints.destructive_hint)


def parts(schema: Any, where: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Walk over every schema inside a schema."""
    if isinstance(schema, dict):
        yield where, schema
        for name, value in schema.get("properties", {}).items():
            yield from parts(value, f"{where}.{name}")
        for key in ("items", "oneOf", "anyOf"):
            inner = schema.get(key, [])
            for value in inner if isinstance(inner, list) else [inner]:
                yield from parts(value, f"{where}[{key}]")


def is_bounded(schema: dict[str, Any]) -> bool:
    """Whether everything a caller sends here has an end."""
    if schema.keys() & {"enum", "const", "oneOf", "anyOf"}:
        return True
    match schema["type"]:
        case "string":
            return "maxLength" in schema
        case "array":
            return "maxItems" in schema
        case "integer" | "number":
            lows, highs = {"minimum", "exclusiveMinimum"}, {"maximum", "exclusiveMaximum"}
            return bool(schema.keys() & lows and schema.keys() & highs)
        case "object":
            return schema.get("additionalProperties") is False or "maxProperties" in schema
        case kind:
            return bool(kind == "boolean")


@every_tool
def test_every_argument_is_bounded(name: str) -> None:
    for where, schema in parts(LISTINGS[name].input_schema, name):
        assert is_bounded(schema), where


@every_tool
def test_no_argument_says_who_calls(name: str) -> None:
    told = {"agent_id", "caller", "as_agent", "token", "secret", "user", "role", "identity"}
    for where, schema in parts(LISTINGS[name].input_schema, name):
        assert not told & schema.get("properties", {}).keys(), where


def test_only_what_programs_read_publishes_its_shape() -> None:
    published = {name for name, listing in LISTINGS.items() if listing.output_schema}
    assert published == {"verify_claim", "get_trust"}


@pytest.mark.parametrize(
    ("check", "said"),
    [
        ({}, "check: 'profile' is required"),
        (
            {"profile": "bash"},
            "check: 'profile' is none of 'pytest', 'ruff', 'mypy', 'python', 'coverage', "
            "'metric', 'timing', 'held'",
        ),
    ],
)
def test_a_check_of_no_known_profile_is_told_which_there_are(
    check: dict[str, str], said: str
) -> None:
    verify = REGISTRY.find("verify_claim")
    assert verify is not None
    with pytest.raises(InvalidInput) as refused:
        verify.parse({"statement": "it works", "workspace": "w", "check": check})
    assert refused.value.message.startswith(f"{said}. verify_claim takes: ")
