"""Folders of Markdown: definitions of agents, skills (`NAME/SKILL.md`), rules."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from tmws.domain.batches import Incoming
from tmws.domain.canonical import Json
from tmws.domain.patterns import LONGEST_NAME, Origin, PatternDraft, Provenance
from tmws.exchange import front_matter
from tmws.exchange.found import Found, Unreadable, shortened, slug

SUFFIXES = (".md", ".mdc")
_KINDS = {"agents": "agent", "skills": "skill", "rules": "rule", "commands": "command"}
_ALWAYS_ABOUT = frozenset({"readme", "license", "changelog", "contributing"})


def read(files: Iterator[tuple[str, str]], *, source: str) -> Iterator[Found | Unreadable]:
    """Yield a pattern for each file.

    Args:
        files: path below the folder and text of each.
        source: the folder's name.
    """
    for path, text in files:
        place = PurePosixPath(path)
        if place.stem.lower() in _ALWAYS_ABOUT:
            yield Unreadable(path, "about the folder, not a pattern")
            continue
        fields, body = front_matter.split(text)
        if not body:
            yield Unreadable(path, "there is nothing below its front matter")
            continue
        yield Found(path, _incoming(place, fields, body, source))


def _incoming(place: PurePosixPath, fields: dict[str, Json], body: str, source: str) -> Incoming:
    kind = _kind(place)
    unnamed = place.parent.name if place.name == "SKILL.md" else place.stem
    described = fields.get("description")
    tags = fields.get("tags")
    draft = PatternDraft(
        name=(str(fields.get("name") or unnamed or source))[:LONGEST_NAME],
        category=kind,
        summary=shortened(str(described) if described else _first_paragraph(body)),
        data={"body": body, **({"front_matter": fields} if fields else {})},
        tags=tuple(
            {slug(str(tag), otherwise="tag") for tag in tags} if isinstance(tags, list) else ()
        ),
    )
    return Incoming(draft, Provenance(Origin.IMPORTED, f"{source}: {place}"))


def _kind(place: PurePosixPath) -> str:
    if place.name == "SKILL.md":
        return "skill"
    if place.suffix == ".mdc":
        return "rule"
    return next((_KINDS[part] for part in reversed(place.parts[:-1]) if part in _KINDS), "note")


def _first_paragraph(body: str) -> str:
    paragraphs = (part.strip() for part in body.split("\n\n"))
    return next((part for part in paragraphs if part and not part.startswith("#")), "")
