"""A result on the wire: compact JSON, twice the same, never too large."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import mcp_types as wire
from pydantic_core import to_jsonable_python

LARGEST_BYTES = 20_000
"""About 5,000 tokens: half of where hosts begin to warn."""

NOTE = "truncated"
"""Key under which a result that was cut says so."""

_SHORTEST_CUT = 40


def render(result: Mapping[str, Any], *, narrow: str) -> wire.CallToolResult:
    """Return the result as structured content and as the same JSON in text.

    Args:
        narrow: what the note says about asking for less, should this be cut.
    """
    data = fitted(to_jsonable_python(result), narrow=narrow)
    return wire.CallToolResult(
        content=[wire.TextContent(type="text", text=compact(data))], structured_content=data
    )


def compact(data: Any) -> str:
    """Return the data as JSON without a byte too many."""
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))


def fitted(data: dict[str, Any], *, narrow: str, largest: int = LARGEST_BYTES) -> dict[str, Any]:
    """Return the data in at most `largest` bytes: fewer items first, then shorter texts."""
    if _fits(data, largest):
        return data
    if "next_cursor" in data:  # a listing, of which a part is worth something
        data = _fewer_items(data, narrow, largest)
    return data if _fits(data, largest) else _shorter_texts(data, narrow, largest)


def _fits(data: dict[str, Any], largest: int) -> bool:
    return len(compact(data).encode()) <= largest


def _fewer_items(data: dict[str, Any], narrow: str, largest: int) -> dict[str, Any]:
    items = data["items"]

    def first(count: int) -> dict[str, Any]:
        note = f"Only {count} of {len(items)} items fit. {narrow}"
        # The cursor stands behind the items that were left out, so it would skip them.
        return data | {"items": items[:count], "next_cursor": None, NOTE: note}

    return first(max(1, _most(len(items), lambda count: _fits(first(count), largest))))


def _shorter_texts(data: dict[str, Any], narrow: str, largest: int) -> dict[str, Any]:
    before = data.get(NOTE, "").removesuffix(narrow)
    note = f"{before}Long texts were cut and end in '…'. {narrow}"

    def cut(longest: int) -> dict[str, Any]:
        return {key: _cut(value, longest) for key, value in data.items()} | {NOTE: note}

    longest = _most(largest, lambda length: _fits(cut(length), largest))
    if longest >= _SHORTEST_CUT:
        return cut(longest)
    # No text is long: there are too many values. Keep the shape, drop what is nested.
    flat = {key: _emptied(value) for key, value in data.items()}
    return flat | {NOTE: f"Nested values were left out, they do not fit. {narrow}"}


def _emptied(value: Any) -> Any:
    return type(value)() if isinstance(value, (dict, list)) else _cut(value, _SHORTEST_CUT)


def _cut(value: Any, longest: int) -> Any:
    if isinstance(value, str):
        return value if len(value) <= longest else value[:longest] + "…"
    if isinstance(value, list):
        return [_cut(item, longest) for item in value]
    if isinstance(value, dict):
        return {key: _cut(item, longest) for key, item in value.items()}
    return value


def _most(highest: int, holds: Callable[[int], bool]) -> int:
    """Return the largest number up to `highest` for which `holds`, 0 if none does."""
    low, high = 0, highest
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if holds(middle) else (low, middle - 1)
    return low
