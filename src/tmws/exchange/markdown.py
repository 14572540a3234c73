"""Folders of Markdown: definitions of agents, skills (`NAME/SKILL.md`), rules."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePath, PurePosixPath

from tmws.domain.batches import Incoming
from tmws.domain.canonical import Json
from tmws.domain.patterns import LONGEST_NAME, Origin, PatternDraft, Provenance
from tmws.exchange import front_matter
from tmws.exchange.found import Found, Unreadable, shortened, slug

_SUFFIXES = (".md", ".mdc")
_KINDS = {"agents": "agent", "skills": "skill", "rules": "rule", "commands": "command"}
_ALWAYS_ABOUT = frozenset({"readme", "license", "changelog", "contributing"})


def is_one(path: PurePath) -> bool:
    """Say whether a file of this name is Markdown."""
    return path.suffix.lower() in _SUFFIXES


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
    named, described = fields.get("name"), ", ".join(_listed(fields.get("description")))
    tags = [tag for told in _listed(fields.get("tags")) for tag in told.split(",") if tag.strip()]
    draft = PatternDraft(
        name=(", ".join(_listed(named)) or unnamed or source)[:LONGEST_NAME],
        category=kind,
        summary=shortened(described or _first_paragraph(body)),
        data={"body": body, **({"front_matter": fields} if fields else {})},
        tags=tuple({slug(tag, otherwise="tag") for tag in tags}),
    )
    return Incoming(draft, Provenance(Origin.IMPORTED, f"{source}: {place}"))


def _listed(field: Json) -> list[str]:
    """Return what a field says, whether it was written as one or as a list."""
    every = field if isinstance(field, list) else [field]
    return [each for each in every if isinstance(each, str) and each]


def _kind(place: PurePosixPath) -> str:
    if place.name == "SKILL.md":
        return "skill"
    if place.suffix.lower() == ".mdc":
        return "rule"
    return next((_KINDS[part] for part in reversed(place.parts[:-1]) if part in _KINDS), "note")


def _first_paragraph(body: str) -> str:
    told = "\n".join(line for line in body.split("\n") if not line.startswith("#"))
    return next((part.strip() for part in told.split("\n\n") if part.strip()), "")
