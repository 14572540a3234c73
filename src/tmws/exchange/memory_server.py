"""The official MCP memory server's file: entities and relations, one JSON object a line.

https://github.com/modelcontextprotocol/servers/tree/main/src/memory
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator

from tmws.domain.batches import Incoming
from tmws.domain.canonical import Json
from tmws.domain.patterns import Origin, PatternDraft, Provenance
from tmws.exchange.found import Found, Unreadable, shortened, slug


def read(lines: Iterable[str], *, source: str) -> Iterator[Found | Unreadable]:
    """Yield a pattern for each entity, with its observations and what it relates to."""
    entities: list[tuple[str, str, str, list[str]]] = []
    relations: dict[str, list[tuple[str, Json]]] = defaultdict(list)
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        where = f"line {number}"
        match _parsed(line):
            case {"type": "entity", "name": str(name), "observations": list(told), **beside}:
                kind = str(beside.get("entityType", ""))
                entities.append((where, name, kind, [str(each) for each in told]))
            case {"type": "relation", "from": str(start), "to": str(end), "relationType": kind}:
                relations[start].append((where, {"to": end, "type": str(kind)}))
            case _:
                yield Unreadable(where, "neither an entity nor a relation of the memory server")
    for start in sorted(relations.keys() - {name for _, name, _, _ in entities}):
        for where, _ in relations[start]:
            yield Unreadable(where, "a relation from an entity that the file does not hold")
    made = Provenance(Origin.IMPORTED, f"memory server: {source}")
    for where, name, kind, observations in entities:
        data: dict[str, Json] = {"observations": observations}
        if name in relations:
            data["relations"] = [relation for _, relation in relations[name]]
        draft = PatternDraft(
            name=name,
            category=slug(kind, otherwise="entity"),
            summary=shortened("\n".join(observations)),
            data=data,
        )
        yield Found(where, Incoming(draft, made))


def _parsed(line: str) -> object:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None
