"""The step behind every find and recall: by words and by meaning, within what may be read."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from tmws.domain.agents import AccessLevel, Agent, require_open
from tmws.domain.patterns import Pattern
from tmws.domain.ranking import CANDIDATES, WEIGHTS, Arm, Ranked
from tmws.domain.text import terms
from tmws.indexes import finding
from tmws.indexes.catalogue import Block, Caller, Catalogue, View, WordRow
from tmws.indexes.finding import Asked, Found
from tmws.indexes.uses import UseRow
from tmws.services import nearest
from tmws.services.models import Models, Speakers
from tmws.services.nearest import Nearest
from tmws.storage import catalogue, documents
from tmws.storage.database import Transaction
from tmws.storage.documents import Document, Ids, Kind
from tmws.storage.prepared import at_once

_ROWS_A_STEP = 2000


@dataclass(frozen=True, slots=True)
class _Part:
    """A namespace to look into; what is public there is open to its members."""

    namespace: str
    revision: int
    block: Block
    member: bool


@dataclass(frozen=True, slots=True)
class _Look:
    """Where somebody looks: at these ids only, None for all, and never at that one."""

    kind: Kind
    caller: Caller
    among: frozenset[str] | None
    but: str | None
    parts: Sequence[_Part]

    @property
    def views(self) -> list[View]:
        """What the caller may see, good until the next document is taken over."""
        return [self.view(part) for part in self.parts]

    @property
    def state(self) -> list[tuple[int, ...]]:
        """What is another one once anything was taken over."""
        return [part.block.state for part in self.parts]

    def view(self, part: _Part) -> View:
        """The same of one namespace."""
        return part.block.view(self.caller, member=part.member, among=self.among, but=self.but)


class Search:
    """Makes things findable and finds them. SQL decides what may be seen, in every arm."""

    def __init__(
        self, models: Models, nearest: Nearest, *, among: Mapping[Arm, float] = WEIGHTS
    ) -> None:
        """Stand on who turns text into vectors and who compares them.

        Args:
            among: what the arms weigh among each other.
        """
        self._models = models
        self._nearest = nearest
        self._among = among
        self._catalogue = Catalogue()

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

    async def speakers(self) -> Speakers:
        """Return whose vectors are compared now."""
        return await self._models.speakers()

    async def asked(self, speakers: Speakers, text: str, *matters: str) -> Asked:
        """Prepare a query before any transaction is open; a model that runs here goes on beside.

        Args:
            matters: parts of the text, of which one that is answered is enough.
        """
        spoken = await self._models.asked(text, speakers)
        words, *parts = (tuple(dict.fromkeys(terms(part))) for part in (text, *matters))
        return Asked(
            words,
            spoken.vectors,
            spoken.embedders,
            spoken.shortfalls,
            tuple(parts),
            tuple(spoken.coming.values()),
        )

    async def ranked(
        self,
        connection: Transaction,
        caller: Agent,
        asked: Asked,
        *,
        kind: Kind,
        namespace: str | None = None,
        wanted: Ids | None = None,
        but: str | None = None,
    ) -> Found:
        """Return what matches, best first, and whether the best is worth showing.

        Args:
            namespace: look into this one only.
            wanted: selects the only ids to look at; None for all that may be read.
            but: the id of what is looked past, as if it were not there.

        Raises:
            NotFound: the namespace holds nothing for the caller.
        """
        look = await self._look(
            connection, caller, kind, namespace=namespace, wanted=wanted, but=but
        )
        near = await self._near(connection, asked, look)
        state, views = look.state, look.views
        words = finding.by_words(asked, views)
        # All of this went on beside a model that still reads the request.
        for reading in asked.coming:
            await reading
        near |= await self._near(connection, asked, look, but=near)
        # From here on nothing is awaited: what is looked at must not change meanwhile.
        if look.state != state:
            views = look.views
            words = finding.by_words(asked, views)
        arms = {Arm.WORDS: words, **near}
        uses = finding.by_uses(asked, views)
        return finding.settled(asked, views, arms, uses, caller_id=caller.id, among=self._among)

    async def alike(
        self, connection: Transaction, caller: Agent, words: Sequence[str], *, limit: int
    ) -> list[str]:
        """Return the ids of the readable patterns that share most with these stems."""
        look = await self._look(connection, caller, Kind.PATTERN)
        return list(finding.by_words(Asked(tuple(dict.fromkeys(words))), look.views))[:limit]

    async def _look(
        self,
        connection: Transaction,
        caller: Agent,
        kind: Kind,
        *,
        namespace: str | None = None,
        wanted: Ids | None = None,
        but: str | None = None,
    ) -> _Look:
        """Bring the namespaces that hold something for the caller up to date."""
        held = await at_once(connection, partial(catalogue.open_to, caller=caller))
        if namespace is not None:
            require_open(caller, namespace, held.revisions)
        among = None if wanted is None else await documents.ids(connection, wanted)
        parts = []
        for name, revision in sorted(held.revisions.items()):
            if namespace is not None and name != namespace:
                continue
            block = self._catalogue.block(f"{kind.value}/{name}")
            if block.seen_at < revision:
                await self._catch_up(connection, block, kind, name)
                block.seen_at = max(block.seen_at, revision)
            parts.append(_Part(name, revision, block, member=name in caller.namespaces))
        granted = held.granted if kind is Kind.PATTERN else ()
        return _Look(kind, Caller(caller.id, granted), among, but, parts)

    async def _catch_up(
        self, connection: Transaction, block: Block, kind: Kind, namespace: str
    ) -> None:
        """Take over what this or another process wrote since the last look."""
        while rows := await catalogue.words_since(
            connection,
            kind=kind,
            namespace=namespace,
            revision=block.revision,
            limit=_ROWS_A_STEP,
        ):
            block.refresh(
                [
                    WordRow(row.item_id, row.owner_id, row.level, row.revision, row.terms)
                    for row in rows
                ]
            )
        if kind is not Kind.PATTERN:
            return
        undone = await catalogue.uses_undone(connection, namespace)
        uses = await catalogue.uses_since(
            connection,
            namespace=namespace,
            revision=block.uses_revision if undone == block.uses_undone else 0,
        )
        block.refresh_uses(
            undone,
            [
                UseRow(
                    use_id=use.use_id,
                    pattern_id=use.pattern_id,
                    agent_id=use.agent_id,
                    good=use.outcome.good,
                    proven=use.proven,
                    share=use.share,
                    at=use.at,
                    revision=use.revision,
                    vectors=use.vectors,
                )
                for use in uses
            ],
        )

    async def _near(
        self, connection: Transaction, asked: Asked, look: _Look, but: Container[Arm] = ()
    ) -> dict[Arm, dict[str, float]]:
        """Return what is near by every arm whose embedder has answered, but these."""
        # The index opens what is public to whoever asks; only members may.
        seen = [(part, look.among if part.member else look.view(part).ids) for part in look.parts]
        found: dict[Arm, dict[str, float]] = {}
        for arm, vector in list(asked.vectors.items()):
            if arm in but:
                continue
            near = await self._nearest.search(
                connection,
                vector,
                [
                    nearest.Space(
                        nearest.Block(look.kind, part.namespace, asked.embedders[arm]),
                        part.revision,
                        among,
                    )
                    for part, among in seen
                    if among is None or among
                ],
                caller_id=look.caller.id,
                granted=look.caller.granted,
                limit=CANDIDATES,
            )
            found[arm] = {
                match.pattern_id: match.similarity
                for match in near.matches
                if match.pattern_id != look.but
            }
            asked.shortfalls.update(near.degraded)
        return found


def named_parts(result: Ranked) -> dict[str, float]:
    """Return what each arm added to a score, by the arm's name."""
    return {arm.value: part for arm, part in result.parts.items()}
