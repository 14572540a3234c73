"""A tool is one typed async function; this module makes the rest of it.

The function's name is the tool's name, its docstring the description that models
read, its second parameter the arguments, its return type the shape of the result.
"""

from __future__ import annotations

import base64
import inspect
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, get_type_hints

import mcp_types as wire
from pydantic import BaseModel, ConfigDict, ValidationError

from tmws.app import App
from tmws.domain.agents import Agent
from tmws.faces.mcp import errors, schemas

TOOLS_PER_PAGE = 20
"""The finished product has at most this many, so that one page tells all."""

Json = dict[str, Any]


class Arguments(BaseModel):
    """What a caller may send: nothing unnamed, nothing coerced, no NaN."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class Result(BaseModel):
    """What a program may rely on to come back.

    A field that is None by default is left out of the answer while it is None.

    Attributes:
        decisive: the fields that programs decide by, all if None; only their shapes are
            published with the tool: every model reads the whole list before it begins.
    """

    model_config = ConfigDict(frozen=True)

    decisive: ClassVar[frozenset[str] | None] = None

    def told(self) -> Json:
        """Return what goes on the wire."""
        fields = type(self).model_fields
        return {
            name: value
            for name, value in self.model_dump(mode="json").items()
            if value is not None or fields[name].is_required()
        }


@dataclass(frozen=True, slots=True)
class Call:
    """One call in progress.

    Attributes:
        caller: who acts, as the transport knows it.
        progress: tells the client in a few words what is going on.
    """

    app: App
    caller: Agent
    progress: Callable[[str], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool as it is listed and as it is run.

    Attributes:
        narrow: how to ask for less when a result does not fit.
    """

    name: str
    narrow: str
    listing: wire.Tool
    arguments: type[Arguments]
    run: Callable[[Call, Any], Awaitable[Json | Result]]

    def parse(self, raw: Mapping[str, Any]) -> Arguments:
        """Return the arguments as this tool declares them.

        Raises:
            InvalidInput: they break the schema; the message names the first places.
        """
        try:
            # From JSON text, because strict mode then takes JSON's own types for
            # tuples and enumerations and still coerces nothing.
            return self.arguments.model_validate_json(json.dumps(raw))
        except ValidationError as broken:
            raise errors.bad_arguments(self.name, self.arguments, broken) from None


def tool(
    *, title: str, read_only: bool, destructive: bool, idempotent: bool, narrow: str
) -> Callable[[Callable[[Call, Any], Awaitable[Json | Result]]], Tool]:
    """Make a tool of a function. All hints are said, none is left to a client's default."""

    def make(run: Callable[[Call, Any], Awaitable[Json | Result]]) -> Tool:
        hints = get_type_hints(run)
        (arguments,) = (hint for hint in hints.values() if _is_a(hint, Arguments))
        returned = hints["return"]
        listing = wire.Tool(
            name=run.__name__,
            title=title,
            description=" ".join(inspect.cleandoc(run.__doc__ or "").split()),
            input_schema=schemas.compact(arguments),
            output_schema=_published(returned) if _is_a(returned, Result) else None,
            annotations=wire.ToolAnnotations(
                read_only_hint=read_only,
                destructive_hint=destructive,
                idempotent_hint=idempotent,
                open_world_hint=False,  # nothing here reaches beyond this installation
            ),
        )
        return Tool(run.__name__, narrow, listing, arguments, run)

    return make


class Registry:
    """All tools, in one order that never depends on chance."""

    def __init__(self, tools: Iterable[Tool]) -> None:
        self._tools = {tool.name: tool for tool in tools}

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all tools, enabled or not, in order."""
        return tuple(self._tools)

    def find(self, name: str) -> Tool | None:
        """Return the tool of this name, enabled or not."""
        return self._tools.get(name)

    def page(
        self, hidden: Iterable[str], cursor: str | None, *, size: int = TOOLS_PER_PAGE
    ) -> tuple[list[wire.Tool], str | None]:
        """Return the next tools that are not hidden, and the cursor behind them.

        A cursor names the last tool told, so a page stays right while tools come and go.

        Raises:
            KeyError: this registry never gave that cursor.
        """
        names = list(self._tools)
        rest = names[names.index(_opened(cursor, self._tools)) + 1 :] if cursor else names
        concealed = set(hidden)
        shown = [name for name in rest if name not in concealed]
        page = shown[:size]
        following = _closed(page[-1]) if len(shown) > size else None
        return [self._tools[name].listing for name in page], following


def _closed(name: str) -> str:
    return base64.urlsafe_b64encode(name.encode()).decode()


def _opened(cursor: str, known: Mapping[str, Tool]) -> str:
    by_cursor = {_closed(name): name for name in known}
    return by_cursor[cursor]


def _published(result: type[Result]) -> Json:
    schema = schemas.compact(result)
    if result.decisive is None:
        return schema
    told = {name: said for name, said in schema["properties"].items() if name in result.decisive}
    required = [name for name in schema["required"] if name in told]
    return schema | {"properties": told, "required": required}


def _is_a(hint: Any, kind: type) -> bool:
    return isinstance(hint, type) and issubclass(hint, kind)
