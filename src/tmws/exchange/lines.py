"""Our own form: JSON Lines, a header and then one pattern a line, in a versioned schema."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from tmws.domain.agents import AccessLevel, Agent
from tmws.domain.batches import Incoming
from tmws.domain.errors import InvalidInput
from tmws.domain.patterns import Origin, Pattern, PatternDraft, Provenance
from tmws.domain.versions import Content, Version
from tmws.exchange.found import Found, Unreadable

FORMAT, VERSION = "tmws-patterns", 1
MOST_VERSIONS = 1000


class _Part(BaseModel):
    """One object of a line; nothing unnamed, nothing coerced."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class _Content(_Part):
    name: str
    category: str
    subcategory: str | None = None
    summary: str = ""
    data: dict[str, JsonValue] = {}
    tags: tuple[str, ...] = ()
    complexity: int | None = None
    learning_weight: float = 1.0

    def content(self) -> Content:
        fields = {name: getattr(self, name) for name in _Content.model_fields}
        return Content(**fields)


class _Earlier(_Content):
    author: str
    written_at: str


class _Usage(_Part):
    """For readers only: what is said of uses elsewhere counts nothing here."""

    count: int
    success_rate: float | None


class _Record(_Earlier):
    id: str
    namespace: str
    owner: str
    level: AccessLevel
    shared_with: tuple[str, ...] = ()
    origin: Origin = Origin.OWN
    source: str = ""
    version: int
    created_at: str
    usage: _Usage
    earlier: Annotated[tuple[_Earlier, ...], Field(max_length=MOST_VERSIONS)] = ()


def header(by: str) -> str:
    """Return the first line: what follows, and for whom it was written."""
    return _line({"format": FORMAT, "version": VERSION, "by": by})


def line_of(pattern: Pattern, versions: Sequence[Version], shared_with: Sequence[str]) -> str:
    """Return a pattern with its earlier versions.

    Args:
        versions: the newest first, which is the pattern's own.
        shared_with: whom it is shared with, as far as the reader may know.
    """
    newest, *earlier = versions
    return _line(
        {
            "id": pattern.id,
            "namespace": pattern.namespace,
            "owner": pattern.owner,
            "level": pattern.level.value,
            "shared_with": list(shared_with),
            "origin": pattern.provenance.origin.value,
            "source": pattern.provenance.source,
            "version": pattern.version,
            "created_at": pattern.created_at.isoformat(),
            "usage": {"count": pattern.usage.count, "success_rate": pattern.usage.success_rate},
            **_written(newest),
            "earlier": [_written(version) for version in reversed(earlier)],
        }
    )


def _written(version: Version) -> dict[str, Any]:
    return {
        **version.content.as_json(),
        "author": version.author,
        "written_at": version.written_at.isoformat(),
    }


def _line(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def is_ours(first: str) -> bool:
    """Say whether a file that begins with this line is in our form, of any version."""
    try:
        told = json.loads(first)
    except (ValueError, RecursionError):
        return False
    return isinstance(told, dict) and told.get("format") == FORMAT


def read(lines: Iterable[str], *, importer: Agent) -> Iterator[Found | Unreadable]:
    """Yield what each line after the header holds.

    What the importer wrote itself keeps its provenance and level; the rest was imported. Of
    that, what was not open to a whole namespace comes in as private, because its readers are
    not the importer's to choose; and what stood in a namespace of others comes home.

    Raises:
        InvalidInput: the header names a version that this TMWS cannot read.
    """
    rows = enumerate(lines, start=1)
    told = json.loads(next(rows)[1])
    if told.get("version") != VERSION:
        raise InvalidInput(
            f"The file has version {str(told.get('version'))[:20]!r} of {FORMAT}; this TMWS reads "
            f"{VERSION}. Export it again with a matching TMWS."
        )
    for number, line in rows:
        if line.strip():
            yield _found(f"line {number}", line, importer)


def _found(where: str, line: str, importer: Agent) -> Found | Unreadable:
    try:
        record = _Record.model_validate_json(line)
    except ValidationError as broken:
        first = broken.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"])) or "line"
        return Unreadable(where, f"{place}: {first['msg']}")
    provenance = Provenance(record.origin, record.source)
    draft = PatternDraft(
        level=record.level,
        shared_with=record.shared_with,
        namespace=record.namespace,
        **{name: getattr(record, name) for name in _Content.model_fields},
    )
    if record.owner != importer.name:
        source = f"{record.owner}: {record.id} version {record.version}"
        provenance = Provenance(Origin.IMPORTED, source)
        draft = _taken_over(draft, importer)
    earlier = tuple(version.content() for version in record.earlier)
    return Found(where, Incoming(draft, provenance, earlier))


def _taken_over(draft: PatternDraft, importer: Agent) -> PatternDraft:
    public = draft.level is AccessLevel.PUBLIC
    at_home = draft.namespace in importer.namespaces
    return replace(
        draft,
        level=AccessLevel.PUBLIC if public and at_home else AccessLevel.PRIVATE,
        shared_with=(),
        namespace=draft.namespace if at_home else None,
    )
