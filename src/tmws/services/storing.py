"""The step that stores new patterns: checked, made findable, and written in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from tmws.domain import patterns as rules
from tmws.domain.agents import Agent
from tmws.domain.batches import BatchRefused, Incoming, Problem, fingerprint
from tmws.domain.errors import Conflict, TmwsError
from tmws.domain.ids import CHANCE_BYTES, new_id
from tmws.domain.patterns import Pattern, PatternDraft, Provenance
from tmws.domain.quotas import Need, need_of_pattern
from tmws.domain.usage import Usage
from tmws.domain.versions import Version
from tmws.ports import Chance, Clock, Progress
from tmws.services import shelf
from tmws.services.quotas import Room
from tmws.services.scoring import reliance
from tmws.services.search import Search
from tmws.storage import agents, batches, documents, patterns, versions
from tmws.storage.database import Database, Transaction
from tmws.storage.documents import Document
from tmws.storage.prepared import Execute, at_once

_AT_ONCE = 50
"""Items between two reports of progress."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of a batch.

    Attributes:
        ids: of the patterns, in the order of the items.
        repeated: it had been stored before, and nothing was stored again.
    """

    ids: tuple[str, ...]
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class _Made:
    """An item ready to be written, as far as that is known outside the transaction."""

    index: int
    draft: PatternDraft
    pattern: Pattern
    imported: Provenance | None
    earlier: tuple[Version, ...]
    document: Document | None = None

    @property
    def need(self) -> Need:
        """What it takes of the author's quota."""
        return need_of_pattern(self.pattern, (version.content for version in self.earlier))


class Storing:
    """Writes new patterns, one or many."""

    def __init__(
        self, database: Database, search: Search, room: Room, clock: Clock, chance: Chance
    ) -> None:
        self._database = database
        self._search = search
        self._room = room
        self._clock = clock
        self._chance = chance

    async def one(self, author: Agent, draft: PatternDraft) -> Pattern:
        """Store a pattern.

        Raises:
            InvalidInput: a field breaks its rule.
            NotFound: an agent or pattern that it names does not exist for the author.
            Conflict: the author already has a pattern of this name in this namespace.
            LimitExceeded: it does not fit into the author's quota.
        """
        made = self._made(author, Incoming(draft), 0)
        made = replace(made, document=await self._search.of_pattern(made.pattern))
        need, at = made.need, made.pattern.created_at

        def kept(run: Execute) -> Pattern:
            self._room.take(run, author.id, need, at=at)
            return _write(run, author, made, reliance(run, author.id, at=at))

        return await self._database.at_once(kept)

    async def all(
        self,
        author: Agent,
        items: Sequence[Incoming],
        *,
        key: str | None = None,
        progress: Progress,
    ) -> Stored:
        """Store all items or none.

        Raises:
            BatchRefused: items break rules, or name what does not exist, or have taken names.
            Conflict: the key was used for another batch.
            LimitExceeded: together they do not fit into the author's quota.
        """
        told = fingerprint(items) if key else ""
        if key:
            async with self._database.read() as connection:
                if known := await _known(connection, author, key, told):
                    return known
        made, problems = self._all_made(author, items)
        if problems:
            # The store may object to others too: one answer says it all.
            raise BatchRefused([*problems, *await self._objections(author, made)], of=len(items))
        made = await self._findable(made, progress)
        await progress(f"storing {len(made)}")
        async with self._database.write() as tx:
            # One after another: of two equal batches the second has to see the first.
            await agents.lock(tx, author.id)
            if key and (known := await _known(tx, author, key, told)):
                return known
            now = self._clock.now()
            await at_once(tx, lambda run: self._all_kept(run, author, made, at=now))
            ids = tuple(item.pattern.id for item in made)
            if key:
                await batches.add(tx, author.id, key, fingerprint=told, pattern_ids=ids, at=now)
        return Stored(ids)

    async def check(self, author: Agent, items: Sequence[Incoming]) -> tuple[Problem, ...]:
        """Return what stands in the way of storing the items now, in order.

        Raises:
            LimitExceeded: nothing else does, and they do not fit into the author's quota.
        """
        made, problems = self._all_made(author, items)
        found = [*problems, *await self._objections(author, made)]
        if not found and made:
            need, at = _need(made), self._clock.now()
            async with self._database.read() as connection:
                await at_once(
                    connection,
                    lambda run: self._room.require_room(run, author.id, need, at=at),
                )
        return tuple(sorted(found, key=lambda problem: problem.index))

    async def _objections(self, author: Agent, made: Sequence[_Made]) -> list[Problem]:
        async with self._database.read() as connection:
            return await at_once(connection, lambda run: _problems(run, author, made))

    def _all_made(
        self, author: Agent, items: Sequence[Incoming]
    ) -> tuple[list[_Made], list[Problem]]:
        made: list[_Made] = []
        problems: list[Problem] = []
        taken: dict[tuple[str, str], int] = {}
        for index, item in enumerate(items):
            try:
                fresh = self._made(author, item, index)
            except TmwsError as refused:
                problems.append(Problem(index, refused.message))
                continue
            name = fresh.pattern.namespace, fresh.pattern.name
            if name in taken:
                problems.append(Problem(index, f"Item {taken[name]} has the same name."))
                continue
            taken[name] = index
            made.append(fresh)
        return made, problems

    async def _findable(self, made: Sequence[_Made], progress: Progress) -> list[_Made]:
        found = []
        for count, item in enumerate(made):
            if count and not count % _AT_ONCE:
                await progress(f"prepared {count} of {len(made)}")
            document = await self._search.of_pattern(item.pattern)
            found.append(replace(item, document=document))
        return found

    def _all_kept(
        self, run: Execute, author: Agent, made: Sequence[_Made], *, at: datetime
    ) -> None:
        if problems := _problems(run, author, made):
            raise BatchRefused(problems, of=len(made))
        self._room.take(run, author.id, _need(made), at=at)
        trust = reliance(run, author.id, at=at)
        for item in sorted(made, key=lambda item: item.pattern.namespace):
            _write(run, author, item, trust)

    def _made(self, author: Agent, item: Incoming, index: int) -> _Made:
        accept = rules.arrived if item.provenance else rules.validated
        draft = accept(item.draft, author)
        now = self._clock.now()
        earlier = tuple(
            Version(number, content, author.id, author.name, None, now)
            for number, content in enumerate(item.earlier, start=1)
        )
        pattern = Pattern(
            id=new_id("pattern", at=now, chance=self._chance(CHANCE_BYTES)),
            namespace=draft.namespace or author.home,
            owner_id=author.id,
            owner=author.name,
            name=draft.name,
            category=draft.category,
            summary=draft.summary,
            data=draft.data or {},
            tags=draft.tags,
            level=draft.level,
            version=len(earlier) + 1,
            created_at=now,
            usage=Usage(),
            subcategory=draft.subcategory,
            complexity=draft.complexity,
            learning_weight=draft.learning_weight,
            author_id=author.id,
            author=author.name,
            written_at=now,
        )
        return _Made(index, draft, pattern, item.provenance, earlier)


async def _known(connection: Transaction, author: Agent, key: str, told: str) -> Stored | None:
    known = await batches.known(connection, author.id, key)
    if known is None:
        return None
    before, ids = known
    if before != told:
        raise Conflict(
            f"The key {key!r} was used for another batch. Choose a new one, or send what was "
            "sent then."
        )
    return Stored(ids, repeated=True)


def _problems(run: Execute, author: Agent, made: Sequence[_Made]) -> list[Problem]:
    found = []
    for item in made:
        try:
            shelf.require_free_name(run, item.pattern)
            shelf.agent_ids(run, item.draft.shared_with)
            shelf.provenance(run, author, item.draft)
        except TmwsError as refused:
            found.append(Problem(item.index, refused.message))
    return found


def _need(made: Sequence[_Made]) -> Need:
    return Need.together(item.need for item in made)


def _write(run: Execute, author: Agent, item: _Made, trust: float | None) -> Pattern:
    shelf.require_free_name(run, item.pattern)
    granted = shelf.agent_ids(run, item.draft.shared_with)
    pattern = replace(
        item.pattern,
        provenance=item.imported or shelf.provenance(run, author, item.draft),
        author_trust=trust,
    )
    assert item.document is not None
    patterns.add(run, pattern, list(granted.values()))
    documents.add(run, item.document)
    for version in item.earlier:
        versions.keep(run, pattern.id, replace(version, author_trust=trust))
    return pattern
