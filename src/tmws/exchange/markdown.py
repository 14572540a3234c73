"""Folders of Markdown: definitions of agents, skills (`NAME/SKILL.md`), rules."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class _File:
    """A file, taken apart."""

    place: PurePosixPath
    fields: dict[str, Json]
    body: str

    @property
    def fault(self) -> str:
        """Why it holds no pattern, empty where it does."""
        if self.place.stem.lower() in _ALWAYS_ABOUT:
            return "about the folder, not a pattern"
        return "" if self.body else "there is nothing below its front matter"

    @property
    def name(self) -> str:
        """What it calls itself, empty where it does not."""
        return ", ".join(_listed(self.fields.get("name")))

    @property
    def path(self) -> tuple[str, ...]:
        """Its folders and what it is called there; a skill is called as its folder is."""
        *folders, _ = self.place.parts
        whole = self.place.name == "SKILL.md"
        return tuple(folders if whole and folders else (*folders, self.place.stem))


def read(files: Iterable[tuple[str, str]], *, source: str) -> Iterator[Found | Unreadable]:
    """Yield a pattern for each file.

    Files that say no name of their own are called as the file is; where others of this name
    are in the folder, with as many of the folders above it as it takes to tell them apart.

    Args:
        files: path below the folder and text of each.
        source: the folder's name.
    """
    held = [_File(PurePosixPath(path), *front_matter.split(text)) for path, text in files]
    names = _names([file for file in held if not file.fault])
    for file in held:
        where = str(file.place)
        if fault := file.fault:
            yield Unreadable(where, fault)
        else:
            yield Found(where, _incoming(file, next(names), source))


def _names(files: Sequence[_File]) -> Iterator[str]:
    taken = Counter(file.name for file in files if file.name)
    for file in files:
        if not file.name:
            taken.update(_ends(file))
    for file in files:
        if file.name:
            yield file.name[:LONGEST_NAME]
            continue
        *_, longest = ends = _ends(file)
        yield next((end for end in ends if taken[end] == 1), longest)[-LONGEST_NAME:]


def _ends(file: _File) -> list[str]:
    """Return what a file may be called: its name, then with one folder more each."""
    return ["/".join(file.path[-count:]) for count in range(1, len(file.path) + 1)]


def _incoming(file: _File, name: str, source: str) -> Incoming:
    fields, body = file.fields, file.body
    described = ", ".join(_listed(fields.get("description")))
    tags = [tag for told in _listed(fields.get("tags")) for tag in told.split(",") if tag.strip()]
    draft = PatternDraft(
        name=name,
        category=_kind(file.place),
        summary=shortened(described or _first_paragraph(body)),
        data={"body": body, **({"front_matter": fields} if fields else {})},
        tags=tuple({slug(tag, otherwise="tag") for tag in tags}),
    )
    return Incoming(draft, Provenance(Origin.IMPORTED, f"{source}: {file.place}"))


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
