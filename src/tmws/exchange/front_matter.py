"""The few forms of YAML that stand at the head of Markdown files, and nothing more of YAML.

Keys with a scalar, a list, or a block of text. Anchors, tags, nested mappings and types are
left alone: everything is text, so that no file can make more of itself than it holds.
"""

from __future__ import annotations

import json
import re

from tmws.domain.canonical import Json

_FENCE = "---"
_NAME = re.compile(r"[A-Za-z_][\w .-]*")
_QUOTED = r'"(?:\\.|[^"\\])*"' + r"|'(?:''|[^'])*'"
_ITEM = re.compile(rf"\s*({_QUOTED}|[^,]*?)\s*(?:,|$)")
_BEFORE_A_COMMENT = re.compile(rf"({_QUOTED})\s+#.*")


def split(text: str) -> tuple[dict[str, Json], str]:
    """Return the fields at the head of a text, and the body below them."""
    lines = text.removeprefix("\ufeff").split("\n")
    if not lines or lines[0].rstrip() != _FENCE:
        return {}, text
    for end in range(1, len(lines)):
        if lines[end].rstrip() in {_FENCE, "..."}:
            return _fields(lines[1:end]), "\n".join(lines[end + 1 :]).strip()
    return {}, text


def _fields(lines: list[str]) -> dict[str, Json]:
    found: dict[str, Json] = {}
    place = 0
    while place < len(lines):
        key, colon, first = lines[place].partition(":")
        place += 1
        if not colon or not _NAME.fullmatch(key) or first[:1] not in {"", " ", "\t"}:
            continue
        block = place
        while block < len(lines) and (not lines[block].strip() or lines[block][0] in " \t-]"):
            block += 1
        found[key.strip()] = _value(first.strip(), lines[place:block])
        place = block
    return found


def _value(first: str, block: list[str]) -> Json:
    if first[:1] in {"|", ">"} and len(first) <= 2:
        return _text(block, folded=first[0] == ">")
    items = [line.strip() for line in block if line.strip()]
    if not first and items and all(item.startswith("-") for item in items):
        return [_scalar(item[1:].strip()) for item in items]
    whole = " ".join([first, *items]).strip()
    if whole.startswith("[") and whole.endswith("]"):
        return [_scalar(part) for part in _ITEM.findall(whole[1:-1]) if part]
    return _scalar(whole)


def _text(block: list[str], *, folded: bool) -> str:
    margin = min((len(line) - len(line.lstrip()) for line in block if line.strip()), default=0)
    lines = [line[margin:].rstrip() for line in block]
    return (" " if folded else "\n").join(lines).strip()


def _scalar(text: str) -> str:
    if alone := _BEFORE_A_COMMENT.fullmatch(text):
        text = alone[1]
    if len(text) > 1 and text[0] == text[-1] == '"':
        try:
            return str(json.loads(text))
        except ValueError:
            return text[1:-1]
    if len(text) > 1 and text[0] == text[-1] == "'":
        return text[1:-1].replace("''", "'")
    return text.partition(" #")[0].rstrip()
