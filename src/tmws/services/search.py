"""The step behind every find and recall: by words and by meaning, within what may be read."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from tmws.domain.agents import AccessLevel, Agent
from tmws.domain.errors import BackendUnavailable
from tmws.domain.ranking import (
    CANDIDATES,
    SHOWN_FROM,
    Arm,
    Evidence,
    Ranked,
    fuse,
    matched,
    usefulness,
)
from tmws.domain.text import terms
from tmws.ports import Embedder, Vector, VectorIndex, VectorRow
from tmws.storage import documents, patterns
from tmws.storage.database import Transaction
from tmws.storage.documents import Document, Ids, Kind

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Asked:
    """A query as search sees it; vector and embedder None when no embedder answered."""

    terms: tuple[str, ...]
    vector: Vector | None
    embedder: str | None


class Search:
    """Makes things findable and finds them. SQL decides what may be seen, in every arm."""

    def __init__(self, embedder: Callable[[], Embedder], index: Callable[[], VectorIndex]) -> None:
        """Both are made when first needed: many processes never compare meanings."""
        self._make_embedder = embedder
        self._make_index = index

    @functools.cached_property
    def _embedder(self) -> Embedder:
        return self._make_embedder()

    @functools.cached_property
    def _index(self) -> VectorIndex:
        return self._make_index()

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
        vector, embedder = await self._embedded(text)
        return Document(
            item_id=item_id,
            kind=kind,
            namespace=namespace,
            owner_id=owner_id,
            level=level,
            terms=terms(text),
            embedder=embedder,
            vector=None if vector is None else vector.tobytes(),
        )

    async def asked(self, text: str) -> Asked:
        """Prepare a query before any transaction is open."""
        vector, embedder = await self._embedded(text)
        return Asked(tuple(dict.fromkeys(terms(text))), vector, embedder)

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
        found = fuse({Arm.WORDS: by_words, Arm.CHARACTERS: near})
        if not found:
            return []
        best = found[0].item_id
        searched = await documents.count(connection, caller, kind=kind)
        evidence = Evidence(
            asked=len(asked.terms),
            matched=matched(asked.terms, await text_of(best)),
            searched=searched,
            characters=near.get(best, 0.0) if near else None,
        )
        return found if _is_worth_showing(evidence) else []

    async def try_embedder(self) -> str:
        """Return which model answers.

        Raises:
            BackendUnavailable: it does not.
        """
        await self._embedder.embed(["a short text"])
        return f"{self._embedder.id}, {self._embedder.dimension} dimensions"

    async def _embedded(self, text: str) -> tuple[Vector | None, str | None]:
        try:
            vectors = await self._embedder.embed([text])
        except BackendUnavailable as error:
            _log.warning("embedder_unavailable", embedder=self._embedder.id, reason=error.message)
            return None, None
        return vectors[0], self._embedder.id

    async def _near(
        self,
        connection: Transaction,
        caller: Agent,
        asked: Asked,
        kind: Kind,
        readable: Ids,
        *,
        filtered: bool,
    ) -> dict[str, float]:
        if asked.vector is None or asked.embedder is None:
            return {}
        foreign = await documents.namespaces_beside(connection, caller.namespaces, kind=kind)
        selected = await documents.ids(connection, readable) if filtered or foreign else frozenset()
        granted = await patterns.granted_to(connection, caller.id)
        found: dict[str, float] = {}
        for namespace in (*caller.namespaces, *foreign):
            # The index opens what is public to whoever asks; only members may.
            among = selected if filtered or namespace in foreign else None
            block = f"{kind.value}/{namespace}"
            await self._refresh(connection, block, kind, namespace, asked.embedder)
            matches = self._index.search(
                asked.vector,
                namespace=block,
                embedder_id=asked.embedder,
                caller_id=caller.id,
                granted=granted,
                limit=CANDIDATES,
                among=among,
            )
            found.update({match.pattern_id: match.similarity for match in matches})
        return found

    async def _refresh(
        self, connection: Transaction, block: str, kind: Kind, namespace: str, embedder: str
    ) -> None:
        """Take over what this or another process wrote since the last look."""
        rows = await documents.vectors_since(
            connection,
            kind=kind,
            namespace=namespace,
            embedder=embedder,
            revision=self._index.revision(block, embedder),
        )
        self._index.refresh(
            block,
            embedder,
            [
                VectorRow(row.item_id, row.owner_id, row.level, row.revision, row.vector)
                for row in rows
            ],
        )


def _is_worth_showing(best: Evidence) -> bool:
    """Say whether the best result answers the query at all.

    Half of what was asked for, word by word, is an answer whatever else there is: who
    looks for a name gets it.
    """
    return 2 * best.matched >= best.asked > 0 or usefulness(best) >= SHOWN_FROM


def named_parts(result: Ranked) -> dict[str, float]:
    """Return what each arm added to a score, by the arm's name."""
    return {arm.value: part for arm, part in result.parts.items()}
