"""Transfer: patterns written out for elsewhere, and taken in from there."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from tmws.domain import alike
from tmws.domain import patterns as rules
from tmws.domain.agents import AccessLevel, Agent, may_name
from tmws.domain.batches import BatchRefused, Incoming, Problem, require_count
from tmws.domain.errors import TmwsError
from tmws.domain.patterns import Pattern, PatternDraft, searchable
from tmws.domain.text import terms
from tmws.domain.versions import Version
from tmws.ports import Progress
from tmws.services.search import Search
from tmws.services.storing import Storing
from tmws.storage import agents, lifecycle, patterns, versions
from tmws.storage.database import Database, Transaction
from tmws.storage.patterns import PatternFilter
from tmws.storage.prepared import at_once

MOST_IMPORTED = 10_000
_PAGE = 200
_CANDIDATES = 5


@dataclass(frozen=True, slots=True)
class Exported:
    """A pattern as it leaves.

    Attributes:
        versions: all of them, the newest first.
        shared_with: empty for all but the owner.
    """

    pattern: Pattern
    versions: tuple[Version, ...]
    shared_with: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Duplicate:
    """An item that is there already, or nearly.

    Attributes:
        like: id of the pattern it resembles, or `item N` of the same import.
        similarity: share of terms that both have, 0 to 1.
        same_name: the acting agent has a pattern of this name: the item cannot be stored.
    """

    index: int
    like: str
    similarity: float
    same_name: bool


@dataclass(frozen=True, slots=True)
class Arrival:
    """What an import did, or would do.

    Attributes:
        ids: of what was stored, by the item's index.
        duplicates: shown, never merged: those of the same name are left out, the others
            stored.
        unknown: names of agents that are not known here, by the item that was shared with
            them. It is shared with the others; with nobody, where none is known.
    """

    ids: dict[int, str]
    duplicates: tuple[Duplicate, ...]
    problems: tuple[Problem, ...]
    unknown: Mapping[int, tuple[str, ...]] = field(default_factory=dict)


class Transfer:
    """Exports what an agent may read, imports in an agent's name. For the command line."""

    def __init__(self, database: Database, storing: Storing, search: Search) -> None:
        self._database = database
        self._search = search
        self._storing = storing

    async def export(self, agent: Agent) -> AsyncIterator[Exported]:
        """Yield every pattern that the agent may read, the newest first, as of one moment."""
        async with self._database.read() as connection:
            before = None
            while page := await patterns.newest(
                connection, agent, PatternFilter(), before=before, limit=_PAGE
            ):
                for pattern in page:
                    yield await _exported(connection, agent, pattern)
                before = page[-1].created_at, page[-1].id

    async def examine(self, agent: Agent, items: Sequence[Incoming]) -> Arrival:
        """Return what an import would find in its way, and store nothing.

        Raises:
            InvalidInput: there are too many items.
        """
        if items:  # an export of nothing is one, too
            require_count(len(items), most=MOST_IMPORTED)
        duplicates = await self._duplicates(agent, items)
        left, unknown = await self._with_known_readers(_without_taken(items, duplicates))
        problems = await self._storing.check(agent, [item for _, item in left])
        return Arrival({}, duplicates, _at(left, problems), unknown)

    async def take(self, agent: Agent, items: Sequence[Incoming], *, progress: Progress) -> Arrival:
        """Store the items whose names are free, in one transaction: all of them or none.

        Raises:
            BatchRefused: items break rules; it names them by their places among all.
            InvalidInput: there are too many items.
        """
        if items:  # an export of nothing is one, too
            require_count(len(items), most=MOST_IMPORTED)
        duplicates = await self._duplicates(agent, items)
        left, unknown = await self._with_known_readers(_without_taken(items, duplicates))
        try:
            stored = await self._storing.all(agent, [item for _, item in left], progress=progress)
        except BatchRefused as refused:
            raise BatchRefused(_at(left, refused.problems), of=len(items)) from refused
        places = [index for index, _ in left]
        return Arrival(dict(zip(places, stored.ids, strict=True)), duplicates, (), unknown)

    async def _with_known_readers(
        self, items: Sequence[tuple[int, Incoming]]
    ) -> tuple[list[tuple[int, Incoming]], dict[int, tuple[str, ...]]]:
        """Return the items shared with agents of this store alone, and who is none, by index."""
        names = frozenset[str]().union(*(_readers(item) for _, item in items))
        possible = sorted(name for name in names if may_name(name))
        async with self._database.read() as connection:
            known = await at_once(connection, lambda run: agents.ids_of(run, possible))
        unknown = {
            index: tuple(sorted(strangers))
            for index, item in items
            if (strangers := _readers(item) - known.keys())
        }
        return [
            (index, _shared_without(item, unknown.get(index, ()))) for index, item in items
        ], unknown

    async def _duplicates(self, agent: Agent, items: Sequence[Incoming]) -> tuple[Duplicate, ...]:
        found: list[Duplicate] = []
        seen = alike.Seen()
        names: dict[tuple[str | None, str], int] = {}
        async with self._database.read() as connection:
            for index, item in enumerate(items):
                try:
                    draft = rules.arrived(item.draft, agent)
                except TmwsError:
                    continue  # refused for that, whatever it resembles
                words = terms(_text(draft))
                first = names.setdefault((draft.namespace, draft.name), index)
                if twin := await _of_same_name(connection, agent, draft, words):
                    found.append(Duplicate(index, *twin, same_name=True))
                elif first != index:
                    alikeness = seen.similarity(first, words)
                    found.append(Duplicate(index, f"item {first}", alikeness, same_name=True))
                elif near := await self._nearest(connection, agent, words) or seen.like(words):
                    like, similarity = near
                    name = f"item {like}" if isinstance(like, int) else like
                    found.append(Duplicate(index, name, similarity, same_name=False))
                seen.add(index, words)
        return tuple(found)

    async def _nearest(
        self, connection: Transaction, agent: Agent, words: Sequence[str]
    ) -> tuple[str, float] | None:
        near = await self._search.alike(connection, agent, words, limit=_CANDIDATES)
        stored = await patterns.readable(connection, agent, near)
        alike_ones = (
            (key, alike.similarity(words, terms(each.searchable()))) for key, each in stored.items()
        )
        key, similarity = max(alike_ones, key=lambda pair: pair[1], default=("", 0.0))
        return (key, similarity) if similarity >= alike.NEARLY_THE_SAME else None


async def _exported(connection: Transaction, agent: Agent, pattern: Pattern) -> Exported:
    every = tuple(await versions.every(connection, pattern))
    shared = await lifecycle.granted(connection, pattern.id) if pattern.owner_id == agent.id else {}
    return Exported(pattern, every, tuple(shared))


def _without_taken(
    items: Sequence[Incoming], duplicates: Sequence[Duplicate]
) -> list[tuple[int, Incoming]]:
    taken = {duplicate.index for duplicate in duplicates if duplicate.same_name}
    return [(index, item) for index, item in enumerate(items) if index not in taken]


def _at(items: Sequence[tuple[int, Incoming]], problems: Sequence[Problem]) -> tuple[Problem, ...]:
    """Return the problems of these items by the places that the items have in the file."""
    return tuple(replace(each, index=items[each.index][0]) for each in problems)


def _readers(item: Incoming) -> frozenset[str]:
    """Return whom an item is shared with; nobody where it is refused for naming them."""
    names = frozenset(item.draft.shared_with)
    fits = item.draft.level is AccessLevel.SHARED and len(names) <= rules.MOST_GRANTS
    return names if fits else frozenset()


def _shared_without(item: Incoming, strangers: Collection[str]) -> Incoming:
    left = tuple(name for name in item.draft.shared_with if name not in strangers)
    return replace(item, draft=replace(item.draft, shared_with=left))


def _text(draft: PatternDraft) -> str:
    return searchable(draft.name, draft.category, draft.tags, draft.summary, draft.data or {})


async def _of_same_name(
    connection: Transaction, agent: Agent, draft: PatternDraft, words: Sequence[str]
) -> tuple[str, float] | None:
    namespace = draft.namespace or agent.home
    key = await at_once(
        connection,
        lambda run: patterns.id_of(run, namespace=namespace, owner_id=agent.id, name=draft.name),
    )
    if key is None:
        return None
    known = (await patterns.readable(connection, agent, [key]))[key]
    return key, alike.similarity(words, terms(known.searchable()))
