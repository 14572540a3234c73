"""Memories: kept in an agent's own words, or left by a verification as evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from tmws.domain import events
from tmws.domain import memories as rules
from tmws.domain.actions import Action
from tmws.domain.agents import Agent, Reader
from tmws.domain.canonical import Json
from tmws.domain.cursors import after_time_place, cursor_at, place_of, time_place
from tmws.domain.errors import InvalidInput, NotFound, PermissionDenied
from tmws.domain.ids import CHANCE_BYTES, new_id
from tmws.domain.memories import Memory as Kept
from tmws.domain.memories import MemoryDraft, MemoryKind
from tmws.domain.quotas import WRITE, need_of_note
from tmws.domain.ranking import Ranked
from tmws.domain.wording import require_text
from tmws.indexes.finding import Found
from tmws.ports import Chance, Clock
from tmws.services import pages
from tmws.services.acts import Acts, Recording
from tmws.services.gate import Gate
from tmws.services.quotas import Quotas
from tmws.services.search import Search, named_parts
from tmws.storage import documents, memories, quotas
from tmws.storage.database import Database
from tmws.storage.documents import Kind
from tmws.storage.prepared import Execute, at_once

LONGEST_QUERY = 1000
MOST_RESULTS = 50

_FAINTEST = 0.1
"""Share of the best score below which a memory has a word in common and no more."""


@dataclass(frozen=True, slots=True)
class MemoryQuery:
    """What to recall; without text the newest come first. `limit` is 1 to 50."""

    text: str | None = None
    kind: MemoryKind | None = None
    limit: int = 10
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class RecalledMemory:
    """A memory with why it was found; `score` is None in a listing without text."""

    memory: Kept
    score: float | None = None
    parts: Mapping[str, float] | None = None


@dataclass(frozen=True, slots=True)
class RecalledMemories:
    """One page; `embedder` is None when only words were compared.

    `degraded` says why less than what is configured served; None when all did.
    """

    items: tuple[RecalledMemory, ...]
    next_cursor: str | None
    embedder: str | None
    degraded: str | None = None


class Memory:
    """Keeps and recalls what was remembered."""

    def __init__(
        self,
        database: Database,
        gate: Gate,
        acts: Acts,
        search: Search,
        *,
        quotas: Quotas,
        clock: Clock,
        chance: Chance,
    ) -> None:
        self._database = database
        self._gate = gate
        self._acts = acts
        self._search = search
        self._quotas = quotas
        self._clock = clock
        self._chance = chance

    async def remember(self, caller: Agent, draft: MemoryDraft) -> Kept:
        """Keep a note.

        Raises:
            InvalidInput: a field breaks its rule.
            LimitExceeded: it does not fit into the caller's quota.
        """
        await self._gate.require(Action.REMEMBER)
        draft = rules.validated(draft, caller)
        now = self._clock.now()
        kept = Kept(
            id=new_id(rules.ID_KIND, at=now, chance=self._chance(CHANCE_BYTES)),
            namespace=draft.namespace or caller.home,
            owner_id=caller.id,
            owner=caller.name,
            kind=MemoryKind.NOTE,
            text=draft.text,
            tags=draft.tags,
            level=draft.level,
            claim_id=None,
            created_at=now,
        )
        document = await self._search.document(
            "\n".join([kept.text, *kept.tags]),
            item_id=kept.id,
            kind=Kind.MEMORY,
            namespace=kept.namespace,
            owner_id=caller.id,
            level=kept.level,
        )

        def put(run: Execute) -> None:
            self._quotas.take(run, caller.id, need_of_note(kept.text), at=now)
            memories.add(run, kept)
            documents.add(run, document)

        await self._database.at_once(put)
        return kept

    async def recall(self, caller: Agent, query: MemoryQuery) -> RecalledMemories:
        """Return what the caller may read and asked for, best or newest first.

        Raises:
            InvalidInput: the query breaks a rule, or the cursor is another query's.
        """
        await self._gate.require(Action.RECALL)
        if not 1 <= query.limit <= MOST_RESULTS:
            raise InvalidInput(f"limit {query.limit} is refused: give 1 to {MOST_RESULTS}.")
        if query.text is None:
            return await self._newest(caller, query)
        return await self._best(caller, query, query.text)

    async def notes(self, *, owner_id: str | None, limit: int) -> list[Kept]:
        """Return the newest notes of all agents or of one, for the administrator."""
        async with self._database.read() as connection:
            return await memories.notes(connection, owner_id=owner_id, limit=limit)

    async def forget(self, by: Reader, memory_id: str) -> None:
        """Erase a note for good; that it was done stays in the ledger.

        Raises:
            NotFound: there is no such memory for whoever asks.
            PermissionDenied: it is somebody else's, or the agent that asks was disabled.
            InvalidInput: it is evidence of a verdict, which is nobody's to erase.
            LimitExceeded: whoever asks wrote too much.
        """
        if isinstance(by, Agent):
            await self._gate.require(Action.REMOVE_PATTERN)
        async with self._acts.transaction() as acts:
            if isinstance(by, Agent):
                await self._require_own(acts, by, memory_id)
            kind = await memories.kind_of(acts.tx, memory_id)
            if kind is None:
                raise NotFound(f"No note {memory_id[:40]!r}. See: tmws memories list.")
            if kind is MemoryKind.EVIDENCE:
                raise InvalidInput(
                    f"Memory {memory_id} is evidence of a verdict and stays. An administrator can "
                    "take the verdict out of scores: tmws trust withdraw."
                )
            await self._erase(acts, memory_id)
            who = by.id if isinstance(by, Agent) else by.name
            await acts.append(events.memory_forgotten(memory_id, by=who, at=acts.at))
        await self._database.drop_old_pages()

    async def _require_own(self, acts: Recording, caller: Agent, memory_id: str) -> None:
        await at_once(acts.tx, lambda run: self._quotas.take(run, caller.id, WRITE, at=acts.at))
        found = await memories.readable(acts.tx, caller, [memory_id])
        if memory_id not in found:
            raise NotFound(f"No memory {memory_id[:40]!r} is visible to you. Find one with recall.")
        if found[memory_id].owner_id != caller.id:
            raise PermissionDenied(
                f"Memory {memory_id} is {found[memory_id].owner}'s. Only its author, or an "
                "administrator, can erase it."
            )

    async def _erase(self, acts: Recording, memory_id: str) -> None:
        gone = await memories.forget(acts.tx, memory_id)
        if gone is not None:
            owner_id, text = gone
            await quotas.add(acts.tx, owner_id, -need_of_note(text).stored_bytes)
            await documents.remove(acts.tx, memory_id)

    async def _newest(self, caller: Agent, query: MemoryQuery) -> RecalledMemories:
        mark = _mark(query)
        before = after_time_place(place_of(query.cursor, query=mark)) if query.cursor else None
        async with self._database.read() as connection:
            found = await memories.newest(
                connection, caller, kind=query.kind, before=before, limit=query.limit + 1
            )
        page = found[: query.limit]
        following = None
        if len(found) > query.limit:
            last = page[-1]
            following = cursor_at(time_place(last.created_at, last.id), query=mark)
        return RecalledMemories(tuple(RecalledMemory(kept) for kept in page), following, None)

    async def _best(self, caller: Agent, query: MemoryQuery, text: str) -> RecalledMemories:
        text = require_text(text, what="Query", longest=LONGEST_QUERY, multiline=True)
        mark = _mark(query)
        start = pages.offset(place_of(query.cursor, query=mark)) if query.cursor else 0
        asked = await self._search.asked(await self._search.speakers(), text)
        async with self._database.read() as connection:
            found = await self._search.ranked(
                connection,
                caller,
                asked,
                kind=Kind.MEMORY,
                wanted=memories.matching_ids(caller, kind=query.kind) if query.kind else None,
            )
            page = await pages.filled(
                _telling(found), start, query.limit, partial(memories.readable, connection, caller)
            )
        return RecalledMemories(
            tuple(RecalledMemory(kept, hit.score, named_parts(hit)) for hit, kept in page.hits),
            cursor_at(page.end, query=mark) if page.end else None,
            asked.embedder,
            asked.degraded,
        )


def _telling(found: Found) -> Sequence[Ranked]:
    """Return what is about the request: once something fits, notes that hardly do are noise."""
    if not found.shown:
        return ()
    ranked = found.ranked
    return [hit for hit in ranked if hit.score >= _FAINTEST * ranked[0].score]


def _mark(query: MemoryQuery) -> Json:
    """Name the query, so that a cursor is good for it alone."""
    return {"text": query.text, "kind": query.kind}
