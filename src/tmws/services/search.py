"""The step behind every find and recall: by words and by meaning, within what may be read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from tmws.domain.agents import AccessLevel, Agent
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
from tmws.ports import Vector
from tmws.services.models import Models
from tmws.services.nearest import Block, Nearest
from tmws.storage import documents, patterns
from tmws.storage.database import Transaction
from tmws.storage.documents import Document, Ids, Kind


@dataclass(frozen=True, slots=True)
class Asked:
    """A query as search sees it; `vectors` holds only arms whose embedder answered.

    Attributes:
        embedders: id of the model by arm.
        shortfalls: what could not serve as configured, added to as the search goes on.
    """

    terms: tuple[str, ...]
    vectors: Mapping[Arm, Vector]
    embedders: Mapping[Arm, str]
    shortfalls: set[str] = field(default_factory=set)

    @property
    def embedder(self) -> str | None:
        """Which models compared meanings or spelling, None if none did."""
        return " + ".join(self.embedders[arm] for arm in self.vectors) or None

    @property
    def degraded(self) -> str | None:
        """Why the answer is less than what was configured could give, None if it is not."""
        return " ".join(sorted(self.shortfalls)) or None


class Search:
    """Makes things findable and finds them. SQL decides what may be seen, in every arm."""

    def __init__(self, models: Models, nearest: Nearest) -> None:
        """Stand on who turns text into vectors and who compares them."""
        self._models = models
        self._nearest = nearest

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
        return await self._models.made_of(text)

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
        spoken = await self._models.asked(text)
        if not reads_english_only(text):
            spoken.vectors.pop(Arm.MEANING, None)
        words = tuple(dict.fromkeys(terms(text)))
        return Asked(words, spoken.vectors, spoken.embedders, spoken.shortfalls)

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
                    Block(kind, namespace, asked.embedders[arm]),
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
