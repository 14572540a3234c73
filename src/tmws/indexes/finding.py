"""From a request to an order: the one way that search, and its evaluation, go."""

from __future__ import annotations

from collections.abc import Awaitable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from tmws.domain.ranking import (
    CANDIDATES,
    WEIGHTS,
    Arm,
    Evidence,
    PastUse,
    Precedents,
    Ranking,
    fuse,
    is_worth_showing,
    precedents,
)
from tmws.domain.text import reads_english_only, reads_no_cjk
from tmws.domain.usage import WORD_WEIGHT
from tmws.indexes.catalogue import View, common, covered, matching, nearest_uses, spelt
from tmws.indexes.uses import NearUse
from tmws.ports import Embedder, Vector

MOST_TERMS = 60
"""Of a longer request the first different terms are looked for."""

SPELT_ALIKE = 0.15
"""Texts without a common word or group of characters reach this cosine by chance alone."""

Scores = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as search sees it.

    Attributes:
        terms: its different stems.
        vectors: only of arms whose embedder answered, added to as the search goes on.
        embedders: the ids of those embedders, and of those that are coming.
        shortfalls: what could not serve as configured, added to as the search goes on.
        matters: stems of parts of it, of which one that is answered is enough.
        coming: what ends when an embedder that still reads has answered, or failed.
    """

    terms: tuple[str, ...]
    vectors: Mapping[Arm, Vector] = field(default_factory=dict)
    embedders: Mapping[Arm, str] = field(default_factory=dict)
    shortfalls: set[str] = field(default_factory=set)
    matters: tuple[tuple[str, ...], ...] = ()
    coming: Collection[Awaitable[None]] = ()

    @property
    def embedder(self) -> str | None:
        """Name who served, None when only words were compared."""
        return (
            " + ".join(name for arm, name in self.embedders.items() if arm in self.vectors) or None
        )

    @property
    def degraded(self) -> str | None:
        """Why the answer is less than what was configured could give, None if it is not."""
        return " ".join(sorted(self.shortfalls)) or None

    @property
    def by_embedder(self) -> dict[str, Vector]:
        """The vectors by the id of who made them."""
        return {self.embedders[arm]: vector for arm, vector in self.vectors.items()}


@dataclass(frozen=True, slots=True)
class Found:
    """What each arm put forward, and the order that follows.

    Attributes:
        ranked: best first, shown or not.
        shown: the best is worth showing.
        near: the nearest past uses, picked from so many `recorded`.
        common: share of each of their patterns in all that count.
        described: share of the request's words that the best description holds.
    """

    arms: Mapping[Arm, Scores]
    uses: Precedents
    ranked: Ranking
    shown: bool
    near: Sequence[NearUse] = ()
    recorded: int = 0
    common: Mapping[str, float] = field(default_factory=dict)
    described: float = 0.0


def is_asked(arm: Arm, embedder: Embedder, text: str) -> bool:
    """Return whether a request is one that an embedder can compare; spelling always can."""
    if arm is not Arm.MEANING:
        return True
    return reads_english_only(text) if embedder.english_only else reads_no_cjk(text)


def by_words(asked: Asked, views: Sequence[View]) -> dict[str, float]:
    """Return the candidates of the words."""
    return matching(spelt(asked.terms[:MOST_TERMS], views), views, limit=CANDIDATES)


def by_uses(asked: Asked, views: Sequence[View]) -> list[NearUse]:
    """Return the past uses that are heard."""
    return nearest_uses(asked.by_embedder, views, limit=CANDIDATES)


def settled(
    asked: Asked,
    views: Sequence[View],
    arms: Mapping[Arm, Scores],
    uses: Sequence[NearUse],
    *,
    caller_id: str,
    among: Mapping[Arm, float] = WEIGHTS,
) -> Found:
    """Fuse what the arms put forward, and decide whether anything is shown.

    Args:
        arms: candidates of words, characters and meaning.
        uses: the nearest past uses, nearest first.
        caller_id: whose own word is as good as proof, to itself.
        among: what the arms weigh among each other.
    """
    whole, *matters = (spelt(words[:MOST_TERMS], views) for words in (asked.terms, *asked.matters))
    recorded = sum(view.uses for view in views)
    used = common({near.use.pattern_id for near in uses}, views, caller_id=caller_id)
    ranked = fuse(telling(arms), among=among)
    described = _described(ranked, whole, views) if uses else 0.0
    heard = (past_use(near, caller_id) for near in uses)
    said = precedents(heard, recorded=recorded, common=used, described=described)
    if said.weight:
        ranked = ranked.after(said)
    ranked = ranked.above_nothing()
    if not ranked:
        return Found(arms, said, ranked, shown=False)
    best = ranked[0].item_id
    nearest = max((near.similarity for near in uses if near.use.pattern_id == best), default=-1.0)
    similar = {
        arm: max(arms[arm].get(best, 0.0), nearest) if arm in arms else None
        for arm in (Arm.MEANING, Arm.CHARACTERS)
    }
    searched = sum(view.count for view in views)
    answered = [covered(best, words, views) for words in (whole, *matters)]
    shown = any(
        is_worth_showing(
            Evidence(
                asked=asked_for,
                held=held,
                searched=searched,
                meaning=similar[Arm.MEANING],
                characters=similar[Arm.CHARACTERS],
                nearest=max(arms.get(Arm.MEANING, {}).values(), default=None),
            )
        )
        for held, asked_for in answered
    )
    return Found(arms, said, ranked, shown, uses, recorded, used, described)


def _described(ranked: Ranking, words: Sequence[str], views: Sequence[View]) -> float:
    """Return which share of the request's words the best of these holds."""
    if not ranked:
        return 0.0
    held, asked_for = covered(ranked[0].item_id, words, views)
    return held / asked_for if asked_for else 0.0


def telling(arms: Mapping[Arm, Scores]) -> dict[Arm, Scores]:
    """Leave out the characters where even the most alike is so by chance."""
    return {
        arm: scores
        for arm, scores in arms.items()
        if arm is not Arm.CHARACTERS or max(scores.values(), default=0.0) >= SPELT_ALIKE
    }


def past_use(near: NearUse, caller_id: str) -> PastUse:
    """Return what a use says to this caller: its own word in full, another's little."""
    use = near.use
    hearsay = not use.proven and use.agent_id != caller_id
    return PastUse(
        use.pattern_id,
        near.similarity,
        use.good,
        weight=use.share * (WORD_WEIGHT if hearsay else 1.0),
        voice=use.agent_id if hearsay else None,
    )
