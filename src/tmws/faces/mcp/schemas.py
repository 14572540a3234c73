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
_EMPTY: tuple[Any, ...] = (None, [], "", False, 0)


def compact(model: type[BaseModel]) -> Schema:
    """Return the schema of a model without anything that could be left out.

    What may be null and need not be there is shown as what need not be there: fewer
    bytes, and no dialect of clients stumbles over it. Null sent is still accepted; null
    that must be told from absent is a required field.
    """
    schema = model.model_json_schema()
    plain: Schema = _tightened(_inlined(schema, schema.get("$defs", {})))
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


def _tightened(node: Any) -> Any:
    if isinstance(node, list):
        return [_tightened(item) for item in node]
    if not isinstance(node, dict):
        return node
    node = {key: _tightened(value) for key, value in node.items()}
    if "anyOf" in node and node.get("default", ...) is None:
        (option,) = (option for option in node.pop("anyOf") if option != _NULL)
        node = option | node
    if node.get("default", ...) in _EMPTY:
        del node["default"]
    if node.get("minLength") == 1:
        del node["minLength"]  # nobody sends nothing, and who does is told
    if isinstance(node.get("const", node.get("enum")), str | list):
        node.pop("type", None)  # the values say it
    return node
