"""Patterns: stored by who learned them, found by who needs them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

from tmws.domain.actions import Action
from tmws.domain.agents import AccessLevel, Agent
from tmws.domain.canonical import Json
from tmws.domain.cursors import after_time_place, cursor_at, place_of, time_place
from tmws.domain.errors import InvalidInput
from tmws.domain.patterns import Pattern, PatternDraft
from tmws.domain.wording import require_text
from tmws.ports import Clock
from tmws.services import pages, shelf
from tmws.services.gate import Gate
from tmws.services.receipts import Receipts
from tmws.services.search import Search, named_parts
from tmws.services.storing import Storing
from tmws.storage import patterns
from tmws.storage.database import Database
from tmws.storage.documents import Kind
from tmws.storage.patterns import PatternFilter

LONGEST_QUERY = 1000
MOST_RESULTS = 50


@dataclass(frozen=True, slots=True)
class PatternQuery:
    """What to look for; without text the newest come first.

    Attributes:
        text: a task, an error, a question: in any words.
        similar_to: id of a pattern, in place of the text: what is like it, without itself.
        tags, any_tags: it must have all of these, and at least one of those.
        least_age_days, most_age_days: since it was learned, at most 36500.
        limit: 1 to 50.
        cursor: `next_cursor` of an earlier answer to the same query.
    """

    text: str | None = None
    similar_to: str | None = None
    category: str | None = None
    tags: tuple[str, ...] = ()
    any_tags: tuple[str, ...] = ()
    namespace: str | None = None
    level: AccessLevel | None = None
    author: str | None = None
    least_success_rate: float | None = None
    least_uses: int = 0
    least_age_days: float | None = None
    most_age_days: float | None = None
    limit: int = 10
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class FoundPattern:
    """A pattern with why it was found.

    Attributes:
        score: 0 to 1; None in a listing without text.
        parts: what each way of searching added; they sum to the score.
    """

    pattern: Pattern
    score: float | None = None
    parts: Mapping[str, float] | None = None


@dataclass(frozen=True, slots=True)
class FoundPatterns:
    """One page of results.

    Attributes:
        next_cursor: where to go on, None at the end.
        embedder: which model compared meanings; None when only words were compared.
        receipt_id: to be given with the outcome of what was found; None for an empty page.
        degraded: why less than what is configured served; None when all did.
    """

    items: tuple[FoundPattern, ...]
    next_cursor: str | None
    embedder: str | None
    receipt_id: str | None = None
    degraded: str | None = None


class Learning:
    """Stores, finds and reads patterns."""

    def __init__(
        self,
        database: Database,
        *,
        gate: Gate,
        search: Search,
        storing: Storing,
        receipts: Receipts,
        clock: Clock,
    ) -> None:
        self._database = database
        self._gate = gate
        self._search = search
        self._storing = storing
        self._receipts = receipts
        self._clock = clock

    async def learn(self, caller: Agent, draft: PatternDraft) -> Pattern:
        """Store a new pattern.

        Raises:
            InvalidInput: a field breaks its rule.
            NotFound: it is shared with an agent that does not exist.
            Conflict: the caller already has a pattern of this name in this namespace.
        """
        await self._gate.require(Action.LEARN_PATTERN)
        return await self._storing.one(caller, draft)

    async def find(self, caller: Agent, query: PatternQuery) -> FoundPatterns:
        """Return what the caller may read and asked for, best or newest first.

        Raises:
            InvalidInput: the query breaks a rule, or the cursor is another query's.
            NotFound: there is no pattern to compare with, or nothing of the namespace to read;
                what is hidden looks the same.
        """
        await self._gate.require(Action.FIND_PATTERNS)
        _require_answerable(query)
        wanted = PatternFilter(
            category=query.category,
            tags=query.tags,
            any_tags=query.any_tags,
            namespace=query.namespace,
            level=query.level,
            author=query.author,
            least_success_rate=query.least_success_rate,
            least_uses=query.least_uses,
            learned_from=self._ago(query.most_age_days),
            learned_until=self._ago(query.least_age_days),
        )
        if query.similar_to is not None:
            return await self._alike(caller, query, wanted, query.similar_to)
        if query.text is not None:
            text = require_text(query.text, what="Query", longest=LONGEST_QUERY, multiline=True)
            found = await self._best(caller, query, wanted, text)
            return self._with_receipt(caller, found, request=text)
        return await self._newest(caller, query, wanted)

    async def get(self, caller: Agent, pattern_id: str) -> Pattern:
        """Return a pattern that the caller may read.

        Raises:
            NotFound: there is none; one that is hidden looks the same.
        """
        await self._gate.require(Action.GET_PATTERN)
        async with self._database.glance() as connection:
            return await shelf.visible(connection, caller, pattern_id)

    async def newest(self, *, category: str | None, limit: int) -> list[Pattern]:
        """Return the newest patterns of all agents, for the installation's administrator."""
        async with self._database.read() as connection:
            return await patterns.newest_of_all(connection, category=category, limit=limit)

    def _ago(self, days: float | None) -> datetime | None:
        return None if days is None else self._clock.now() - timedelta(days=days)

    async def _newest(
        self, caller: Agent, query: PatternQuery, wanted: PatternFilter
    ) -> FoundPatterns:
        await shelf.require_open_to(caller, query.namespace, self._database)
        mark = _mark(query)
        before = after_time_place(place_of(query.cursor, query=mark)) if query.cursor else None
        async with self._database.glance() as connection:
            found = await patterns.newest(
                connection, caller, wanted, before=before, limit=query.limit + 1
            )
        page = found[: query.limit]
        following = None
        if len(found) > query.limit:
            last = page[-1]
            following = cursor_at(time_place(last.created_at, last.id), query=mark)
        items = tuple(FoundPattern(pattern) for pattern in page)
        return self._with_receipt(caller, FoundPatterns(items, following, None), request="")

    async def _alike(
        self, caller: Agent, query: PatternQuery, wanted: PatternFilter, pattern_id: str
    ) -> FoundPatterns:
        if query.text is not None:
            raise InvalidInput("Both a query and similar_to are given. Give one of them.")
        async with self._database.glance() as connection:
            known = await shelf.visible(connection, caller, pattern_id)
        found = await self._best(caller, query, wanted, known.searchable())
        # The request stays empty: it was not in the caller's words, and may be forgotten.
        return self._with_receipt(caller, found, request="")

    async def _best(
        self, caller: Agent, query: PatternQuery, wanted: PatternFilter, text: str
    ) -> FoundPatterns:
        mark = _mark(query)
        start = pages.offset(place_of(query.cursor, query=mark)) if query.cursor else 0
        asked = await self._search.asked(await self._search.speakers(), text)
        async with self._database.read() as connection:
            wanted, namespace = replace(wanted, namespace=None), wanted.namespace
            found = await self._search.ranked(
                connection,
                caller,
                asked,
                kind=Kind.PATTERN,
                namespace=namespace,
                wanted=None if wanted == PatternFilter() else patterns.matching_ids(caller, wanted),
                but=query.similar_to,
            )
            ranked = found.ranked if found.shown else ()
            page = await pages.filled(
                ranked, start, query.limit, partial(patterns.readable, connection, caller)
            )
        items = tuple(FoundPattern(kept, hit.score, named_parts(hit)) for hit, kept in page.hits)
        following = cursor_at(page.end, query=mark) if page.end else None
        return FoundPatterns(items, following, asked.embedder, degraded=asked.degraded)

    def _with_receipt(self, caller: Agent, found: FoundPatterns, *, request: str) -> FoundPatterns:
        if not found.items:
            return found
        weights = {item.pattern.id: item.score or 0.0 for item in found.items}
        return replace(found, receipt_id=self._receipts.issue(caller, request, weights))


def _require_answerable(query: PatternQuery) -> None:
    if not 1 <= query.limit <= MOST_RESULTS:
        raise InvalidInput(f"limit {query.limit} is refused: give 1 to {MOST_RESULTS}.")
    least, most = query.least_age_days, query.most_age_days
    if least is not None and most is not None and least > most:
        raise InvalidInput(
            f"min_age_days {least} is more than max_age_days {most}, so nothing could be found. "
            "Swap them, or leave one out."
        )


def _mark(query: PatternQuery) -> Json:
    """Name the query, so that a cursor is good for it alone."""
    return {
        "text": query.text,
        "similar_to": query.similar_to,
        "category": query.category,
        "tags": list(query.tags),
        "any_tags": list(query.any_tags),
        "namespace": query.namespace,
        "level": query.level,
        "author": query.author,
        "least_success_rate": query.least_success_rate,
        "least_uses": query.least_uses,
        "least_age_days": query.least_age_days,
        "most_age_days": query.most_age_days,
    }
