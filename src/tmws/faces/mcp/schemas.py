"""JSON Schemas as small as they can say it: no titles, no references, no noise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

Schema = dict[str, Any]

# `title` repeats the name, `discriminator` is OpenAPI's and no JSON Schema keyword.
_NOISE = frozenset({"title", "discriminator", "$defs"})

_NULL = {"type": "null"}

# What an argument means when it is left out goes without saying if it is nothing.
_EMPTY: tuple[Any, ...] = (None, [], "")


def of_arguments(model: type[BaseModel]) -> Schema:
    """Return what a caller may send.

    An optional argument is advertised as one that can be left out; null, which some
    clients send instead, is accepted without being advertised.
    """
    return _plain(model.model_json_schema(), null_shown=False)


def of_result(model: type[BaseModel]) -> Schema:
    """Return what comes back; null stays, because programs tell it from absent."""
    return _plain(model.model_json_schema(mode="serialization"), null_shown=True)


def _plain(schema: Schema, *, null_shown: bool) -> Schema:
    plain: Schema = _tightened(_inlined(schema, schema.get("$defs", {})), null_shown=null_shown)
    plain.pop("description", None)  # the tool's own description says it
    return plain


def _inlined(node: Any, definitions: Mapping[str, Schema]) -> Any:
    if isinstance(node, list):
        return [_inlined(item, definitions) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        target = definitions[node["$ref"].rpartition("/")[2]]
        beside = {key: value for key, value in node.items() if key != "$ref"}
        return _inlined(_described(target, beside), definitions)
    plain = {key: _inlined(value, definitions) for key, value in node.items() if key not in _NOISE}
    if "properties" in node:  # here the keys are names of arguments: one may be called `title`
        plain["properties"] = {
            name: _inlined(value, definitions) for name, value in node["properties"].items()
        }
    return plain


def _described(target: Schema, beside: Schema) -> Schema:
    """A docstring on a shared type is for readers of the code, not for callers."""
    return {key: value for key, value in target.items() if key != "description"} | beside


def _tightened(node: Any, *, null_shown: bool) -> Any:
    if isinstance(node, list):
        return [_tightened(item, null_shown=null_shown) for item in node]
    if not isinstance(node, dict):
        return node
    node = {key: _tightened(value, null_shown=null_shown) for key, value in node.items()}
    options = [option for option in node.get("anyOf", ()) if option != _NULL]
    if len(options) == 1:
        node = options[0] | {key: value for key, value in node.items() if key != "anyOf"}
        if null_shown:
            node = _or_null(node)
    if node.get("default", ...) in _EMPTY:
        del node["default"]
    return node


def _or_null(node: Schema) -> Schema:
    nullable = node | {"type": [node["type"], "null"]}
    return nullable | {"enum": [*node["enum"], None]} if "enum" in node else nullable
