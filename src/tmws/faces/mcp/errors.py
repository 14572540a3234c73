"""What a caller is told when it did not work.

The text carries everything, because hosts drop structured content on errors:
`CODE: what is wrong. What to do next.` in at most 300 characters, with no value
that was refused and no stack.
"""

from __future__ import annotations

from typing import Any

import mcp_types as wire
from mcp.shared.exceptions import MCPError
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from tmws.domain.errors import InvalidInput, TmwsError, ToolDisabled

LONGEST = 300
_LONGEST_REASON = 120
_PLACES = 3
_LONGEST_PLACE = 60

# Where pydantic's own words repeat the refused value or say less than they could.
_SAID = {
    "extra_forbidden": "there is no such argument",
    "missing": "is required",
    "dict_type": "is an object with fields of its own, no text",
    "json_invalid": "hold text that is not Unicode, or are nested too deeply",
}


def refusal(error: TmwsError) -> wire.CallToolResult:
    """Return a refusal as a tool error that a model can act on."""
    hint = " It may work when tried again." if error.retryable else ""
    text = f"{error.code}: {error.message}"
    if len(text) + len(hint) > LONGEST:
        text = text[: LONGEST - len(hint) - 1] + "…"
    return wire.CallToolResult(
        content=[wire.TextContent(type="text", text=text + hint)], is_error=True
    )


def disabled(name: str, reason: str) -> ToolDisabled:
    """Return the answer to a call of a tool that an administrator switched off."""
    return ToolDisabled(
        f"{name} was switched off by an administrator: {_cut(reason, _LONGEST_REASON)}. "
        "Do not retry; go on without it, or ask for it to be enabled."
    )


def bad_arguments(tool: str, arguments: type[BaseModel], broken: ValidationError) -> InvalidInput:
    """Say which arguments break which rule, and never what was in them."""
    found = broken.errors(include_url=False, include_input=False)
    places = "; ".join(_place(error) for error in found[:_PLACES])
    more = f"; and {len(found) - _PLACES} more" if len(found) > _PLACES else ""
    known = ", ".join(arguments.model_fields)
    return InvalidInput(f"{_cut(places + more, 170)}. {tool} takes: {known}.")


def unknown_tool() -> MCPError:
    """Return the protocol error that the specification asks for."""
    return MCPError(wire.INVALID_PARAMS, "Unknown tool. Ask tools/list for those that exist.")


def bad_cursor() -> MCPError:
    """Return the protocol error that the specification asks for."""
    return MCPError(
        wire.INVALID_PARAMS, "Unknown cursor. Ask tools/list without one to begin again."
    )


def internal() -> MCPError:
    """Return what is told about a fault of ours: that there was one."""
    return MCPError(
        wire.INTERNAL_ERROR,
        "Internal error; the details are in the server's log. It is not known what was done: "
        "look before you repeat it.",
    )


def _place(error: ErrorDetails) -> str:
    where = ".".join(_printable(part) for part in error["loc"]) or "arguments"
    context = error.get("ctx", {})
    match error["type"]:
        case "union_tag_invalid":
            said = f"{context['discriminator']} is none of {context['expected_tags']}"
        case "union_tag_not_found":
            said = f"{context['discriminator']} is required"
        case kind:
            said = _SAID.get(kind, error["msg"])
    return f"{where}: {said}"


def _printable(part: Any) -> str:
    # The name of an unknown argument is the caller's own text.
    return _cut("".join(c if c.isprintable() else "?" for c in str(part)), _LONGEST_PLACE)


def _cut(text: str, longest: int) -> str:
    text = text.strip().removesuffix(".")
    return text if len(text) <= longest else text[: longest - 1] + "…"
