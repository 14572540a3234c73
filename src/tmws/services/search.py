"""The step behind every find and recall: by words and by meaning, within what may be read."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

import structlog

from tmws.domain.agents import AccessLevel, Agent
from tmws.domain.errors import BackendUnavailable
from tmws.domain.patterns import Pattern
from tmws.domain.ranking import (
    CANDIDATES,
    SHOWN_FROM,
    Arm,
    Evidence,
    Ranked,
    fuse,
    matched,
    reads_english_only,
    usefulness,
)
from tmws.domain.text import terms
from tmws.ports import Embedder, Vector
from tmws.services.nearest import Block, Nearest
from tmws.storage import documents, patterns
from tmws.storage.database import Transaction
from tmws.storage.documents import Document, Ids, Kind

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Asked:
    """A query as search sees it; `vectors` holds only arms whose embedder answered.

    Attributes:
        shortfalls: what could not serve as configured, added to as the search goes on.
    """

    terms: tuple[str, ...]
    vectors: Mapping[Arm, Vector]
    embedder: str | None
    shortfalls: set[str] = field(default_factory=set)

    @property
    def degraded(self) -> str | None:
        """Why the answer is less than what was configured could give, None if it is not."""
        return " ".join(sorted(self.shortfalls)) or None


class Search:
    """Makes things findable and finds them. SQL decides what may be seen, in every arm."""

    def __init__(self, embedders: Mapping[Arm, Callable[[], Embedder]], nearest: Nearest) -> None:
        """Embedders are made when first needed: many processes never are.

        Args:
            embedders: who serves `characters` and, if a language model is installed,
                `meaning`.
        """
        self._make_embedders = embedders
        self._nearest = nearest

    @functools.cached_property
    def _embedders(self) -> Mapping[Arm, Embedder]:
        made: dict[Arm, Embedder] = {}
        for arm, make in self._make_embedders.items():
            try:
                made[arm] = make()
            except BackendUnavailable as error:
                _log.warning("embedder_unavailable", arm=arm.value, reason=error.message)
        return made

    async def document(
        self,
        text: str,
        *,
        item_id: str,
        kind: Kind,
        namespace: str,
        owner_id: str,
        level: AccessLevel,
    ) -> Document:
        """Return the searchable side of a text, to be stored with the thing itself.

        An embedder that does not answer never costs a write: the words find it.
        """
        return Document(
            item_id=item_id,
            kind=kind,
            namespace=namespace,
            owner_id=owner_id,
            level=level,
            terms=terms(text),
            vectors=await self.vectors(text),
        )

    async def vectors(self, text: str) -> dict[str, bytes]:
        """Return what each embedder that answers makes of a text, by the embedder's id."""
        made = await self._embedded(text)
        return {self._embedders[arm].id: vector.tobytes() for arm, vector in made.items()}

    async def of_pattern(self, pattern: Pattern) -> Document:
        """Return the searchable side of a pattern."""
        return await self.document(
            pattern.searchable(),
            item_id=pattern.id,
            kind=Kind.PATTERN,
            namespace=pattern.namespace,
            owner_id=pattern.owner_id,
            level=pattern.level,
        )

    async def asked(self, text: str) -> Asked:
        """Prepare a query before any transaction is open."""
        made = await self._embedded(text)
        if not reads_english_only(text):
            made.pop(Arm.MEANING, None)
        served = " + ".join(self._embedders[arm].id for arm in made)
        return Asked(tuple(dict.fromkeys(terms(text))), made, served or None)

    async def ranked(
        self,
        connection: Transaction,
        caller: Agent,
        asked: Asked,
        *,
        kind: Kind,
        readable: Ids,
        filtered: bool,
        text_of: Callable[[str], Awaitable[str]],
    ) -> list[Ranked]:
        """Return what matches, best first; nothing when even the best is beside the point.

        Args:
            readable: selects the ids the caller may see and asked for.
            filtered: it leaves out some of what the caller may see.
            text_of: returns the searchable text of an item.
        """
        among = readable if filtered else None
        by_words = await documents.matching(
            connection, caller, asked.terms, kind=kind, among=among, limit=CANDIDATES
        )
        near = await self._near(connection, caller, asked, kind, readable, filtered=filtered)
        found = fuse({Arm.WORDS: by_words, **near})
        if not found:
            return []
        best = found[0].item_id
        evidence = Evidence(
            asked=len(asked.terms),
            matched=matched(asked.terms, await text_of(best)),
            searched=await documents.count(connection, caller, kind=kind),
            meaning=near[Arm.MEANING].get(best, 0.0) if Arm.MEANING in near else None,
            characters=near[Arm.CHARACTERS].get(best, 0.0) if Arm.CHARACTERS in near else None,
        )
        return found if _is_worth_showing(evidence) else []

    async def try_embedders(self) -> str:
        """Return which models answer.

        Raises:
            BackendUnavailable: one does not.
        """
        for arm, make in self._make_embedders.items():
            embedder = self._embedders.get(arm) or make()
            await embedder.embed(["a short text"])
        return ", ".join(
            f"{arm.value} by {embedder.id}" for arm, embedder in self._embedders.items()
        )

    async def fill(self, items: Sequence[tuple[str, str]], tx: Transaction, arm: Arm) -> None:
        """Add what the embedder of an arm makes of items that were stored without it.

        Args:
            items: id and searchable text of each.

        Raises:
            BackendUnavailable: the embedder does not answer; nothing was added.
        """
        embedder = self._embedders[arm]
        made = await embedder.embed([text for _, text in items])
        for (item_id, _), vector in zip(items, made, strict=True):
            await documents.add_vector(tx, item_id, embedder=embedder.id, vector=vector.tobytes())

    def embedder_of(self, arm: Arm) -> str | None:
        """Return the id of the model that serves an arm, None if none does."""
        return self._embedders[arm].id if arm in self._embedders else None

    async def _embedded(self, text: str) -> dict[Arm, Vector]:
        made: dict[Arm, Vector] = {}
        for arm, embedder in self._embedders.items():
            try:
                made[arm] = (await embedder.embed([text]))[0]
            except BackendUnavailable as error:
                _log.warning("embedder_unavailable", embedder=embedder.id, reason=error.message)
        return made

    async def _near(
        self,
        connection: Transaction,
        caller: Agent,
        asked: Asked,
        kind: Kind,
        readable: Ids,
        *,
        filtered: bool,
    ) -> dict[Arm, dict[str, float]]:
        if not asked.vectors:
            return {}
        foreign = await documents.namespaces_beside(connection, caller.namespaces, kind=kind)
        selected = await documents.ids(connection, readable) if filtered or foreign else frozenset()
        granted = await patterns.granted_to(connection, caller.id)
        found: dict[Arm, dict[str, float]] = {arm: {} for arm in asked.vectors}
        for namespace in (*caller.namespaces, *foreign):
            # The index opens what is public to whoever asks; only members may.
            among = selected if filtered or namespace in foreign else None
            for arm, vector in asked.vectors.items():
                near = await self._nearest.search(
                    connection,
                    vector,
                    Block(kind, namespace, self._embedders[arm].id),
                    caller_id=caller.id,
                    granted=granted,
                    limit=CANDIDATES,
                    among=among,
                )
                found[arm].update({match.pattern_id: match.similarity for match in near.matches})
                if near.degraded:
                    asked.shortfalls.add(near.degraded)
        return found


def _is_worth_showing(best: Evidence) -> bool:
    """Say whether the best result answers the query at all.

    Half of what was asked for, word by word, is an answer whatever else there is: who
    looks for a name gets it.
    """
    return 2 * best.matched >= best.asked > 0 or usefulness(best) >= SHOWN_FROM


def named_parts(result: Ranked) -> dict[str, float]:
    """Return what each arm added to a score, by the arm's name."""
    return {arm.value: part for arm, part in result.parts.items()}
