"""One order out of several searches, and whether anything in it is worth showing.

Each arm of a search (words, characters, meaning) gives raw scores on a scale of
its own. They are brought to shares in [0, 1] and added with fixed weights, so a
score is the sum of its parts and every part has a name. Ranks are not used:
reciprocal rank fusion forgets how far ahead the first one was.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby, islice
from operator import attrgetter
from statistics import median
from types import MappingProxyType
from typing import overload


class Arm(StrEnum):
    """A way of finding, in the order in which explanations name them."""

    WORDS = "words"
    CHARACTERS = "characters"
    MEANING = "meaning"
    USES = "uses"


WEIGHTS: Mapping[Arm, float] = {Arm.WORDS: 0.57, Arm.CHARACTERS: 0.13, Arm.MEANING: 0.3}
"""What the arms weigh among each other; arms that are absent leave theirs to the words."""

CANDIDATES = 200
"""How many each arm puts forward; its shares are measured against these."""

NEIGHBOURS = 20
"""How many of the nearest past uses are heard."""

VOICES_OF_A_PATTERN, VOICES_OF_AN_AGENT = 2, 5
"""How many of them may be another agent's mere word: for one pattern, and in all."""

SHOWN_FROM = 0.35
"""Results that are less probably useful than this are not shown."""

# Past uses outweigh every description, once there are enough of them and near ones.
_USES_WEIGHT = 0.9
_USES_DOUBT = 12.0
# What descriptions answer already is left to them, but for a fifth.
_USES_GIVE_WAY = 0.8
_USES_FROM, _USES_FULL = 0.2, 0.4
_USES_SHARPNESS = 12.0

# An arm speaks louder when its best stands out, up to ten standard deviations above
# its median (words reach six as a rule); below about five candidates that says nothing
# and a common loudness is taken.
_STANDS_OUT = 10.0
_COMMON_LOUDNESS = 0.6
_FEW = 5


@dataclass(frozen=True, slots=True)
class PastUse:
    """A request in which a pattern was used.

    Attributes:
        similarity: cosine between that request and the present one.
        outcome: how well it went, 0 to 1.
        weight: what it counts beside a proven use of this pattern alone.
        voice: the other agent whose mere word it is; None when a verdict proves it, or
            when it is the asker's own.
    """

    pattern_id: str
    similarity: float
    outcome: float = 1.0
    weight: float = 1.0
    voice: str | None = None


@dataclass(frozen=True, slots=True)
class Precedents:
    """What past uses say.

    Attributes:
        shares: pattern id to its share of the nearest successes beyond chance, in sum at
            most 1.
        weight: how much of the score they decide, in [0, 1].
    """

    shares: Mapping[str, float]
    weight: float


NO_PRECEDENTS = Precedents({}, 0.0)
NEVER_USED: Mapping[str, float] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Ranked:
    """A result. The parts sum to the score, exactly; both lie in [0, 1]."""

    item_id: str
    score: float
    parts: Mapping[Arm, float]


class Ranking(Sequence[Ranked]):
    """Results, best first, each made when it is looked at: of hundreds few ever are."""

    def __init__(
        self,
        order: Sequence[tuple[float, str]],
        shares: Mapping[Arm, Mapping[str, float]],
        weights: Mapping[Arm, float],
        among: Mapping[Arm, float] = WEIGHTS,
    ) -> None:
        """Args: order: the negative score and the id of each, ascending."""
        self._order = order
        self._shares = shares
        self._weights = weights
        self._among = among

    def __len__(self) -> int:
        return len(self._order)

    @overload
    def __getitem__(self, place: int) -> Ranked: ...
    @overload
    def __getitem__(self, place: slice) -> list[Ranked]: ...
    def __getitem__(self, place: int | slice) -> Ranked | list[Ranked]:
        """Return one result, or some."""
        if isinstance(place, slice):
            return [self._ranked(*each) for each in self._order[place]]
        return self._ranked(*self._order[place])

    def above_nothing(self) -> Ranking:
        """Leave out what has a score of 0."""
        above = self._order[: bisect_left(self._order, (0.0, ""))]
        return Ranking(above, self._shares, self._weights, self._among)

    def after(self, precedents: Precedents) -> Ranking:
        """Return what the same searches say beside other past uses."""
        described = dict(self._shares)
        described.pop(Arm.USES, None)
        return _summed(described, precedents, self._among)

    def _ranked(self, below: float, item_id: str) -> Ranked:
        parts = {}
        for arm, found in self._shares.items():
            if part := self._weights[arm] * found.get(item_id, 0.0):
                parts[arm] = part
        return Ranked(item_id, -below, parts)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What speaks for one result, on scales that mean the same for every query.

    Attributes:
        asked: what the query's words weigh; rare ones weigh more, unknown ones most.
        held: what those weigh that the result holds.
        searched: how many items the caller could have been shown.
        meaning, characters: cosine to the query, or to a past use of the result if
            that is nearer; None when no such vectors were compared.
        nearest: cosine of meaning to the nearest of all results, which a single common
            word of another one can keep from the first place.
    """

    asked: float
    held: float
    searched: int
    meaning: float | None = None
    characters: float | None = None
    nearest: float | None = None


def weighing(meaning: float) -> Mapping[Arm, float]:
    """Return the weights where meaning has this one, above 0; the others share the rest as ever."""
    rest = (1.0 - meaning) / (1.0 - WEIGHTS[Arm.MEANING])
    return {arm: weight * rest for arm, weight in WEIGHTS.items()} | {Arm.MEANING: meaning}


def fuse(
    arms: Mapping[Arm, Mapping[str, float]],
    precedents: Precedents = NO_PRECEDENTS,
    among: Mapping[Arm, float] = WEIGHTS,
) -> Ranking:
    """Return everything that an arm found, best first, equal scores by id.

    Args:
        arms: raw scores by item id, higher is better, of at most CANDIDATES items
            each. An arm that could not search is left out or empty.
        among: what they weigh among each other, in sum 1.
    """
    return _summed({arm: _shares(arms[arm]) for arm in Arm if arms.get(arm)}, precedents, among)


def _summed(
    shares: Mapping[Arm, Mapping[str, float]], precedents: Precedents, among: Mapping[Arm, float]
) -> Ranking:
    weights = _weights(shares, precedents.weight, among)
    if precedents.weight:
        shares = {**shares, Arm.USES: precedents.shares}
    parts: dict[str, list[float]] = {}
    for arm, found in shares.items():
        weight = weights[arm]
        for item_id, share in found.items():
            parts.setdefault(item_id, []).append(weight * share)
    order = sorted([(-math.fsum(added), item_id) for item_id, added in parts.items()])
    return Ranking(order, shares, weights, among)


def _weights(present: Collection[Arm], uses: float, among: Mapping[Arm, float]) -> dict[Arm, float]:
    # What was chosen for meaning says nothing of the others where it is absent.
    chosen = among if Arm.MEANING in present else WEIGHTS
    described = {arm: chosen[arm] for arm in present}
    if Arm.WORDS in described:
        described[Arm.WORDS] += 1.0 - math.fsum(described.values())
    total = math.fsum(described.values())
    shared = {arm: weight / total * (1.0 - uses) for arm, weight in described.items()}
    return {**shared, Arm.USES: uses}


def _shares(raw: Mapping[str, float]) -> dict[str, float]:
    """Bring raw scores to [0, 1]: nothing at the median, the more the further above it.

    Distribution-based like a z-score, since an arm with one clear winner knows more
    than an arm with two hundred equals; min-max would let both shout alike.
    """
    scores = list(raw.values())
    best = max(scores)
    trust = len(scores) / (len(scores) + _FEW)
    base = median(scores) * trust
    if best <= base:
        return dict.fromkeys(raw, 0.0)
    mean = math.fsum(scores) / len(scores)
    variance = math.fsum([(score - mean) ** 2 for score in scores]) / len(scores)
    spread = math.sqrt(variance) * _STANDS_OUT
    lead = min(1.0, (best - base) / spread) if spread else 1.0
    loudness = trust * lead + (1.0 - trust) * _COMMON_LOUDNESS
    span = best - base
    return {
        item_id: (score - base) / span * loudness if score > base else 0.0
        for item_id, score in raw.items()
    }


def precedents(
    uses: Iterable[PastUse],
    *,
    recorded: int,
    common: Mapping[str, float] = NEVER_USED,
    described: float = 0.0,
) -> Precedents:
    """Weigh the nearest past uses: near ones count far more, failed ones only dilute.

    What is used for most requests is met beside any of them. Only by how much it is met
    more often here does it count, as a share of the most that this could be (Cohen, 1960).
    The weight is small while few uses are known and none is the same request, and
    falls to nothing where even the nearest was a different matter. Shares among n uses
    are known to about 1 / sqrt(n), so with n doubt falls as this does. The more of the
    request a description answers, the less is left to uses, unless of the same request.

    Args:
        uses: nearest first, of equally near ones in any order; no more are taken than are heard.
        recorded: how many uses the nearest were picked from.
        common: share of each pattern in all of them, below 1; of what is left out it is 0.
        described: share of the request's words that the best description holds.
    """
    nearest = list(islice(_heard(uses), NEIGHBOURS))
    if not nearest:
        return NO_PRECEDENTS
    best = min(1.0, nearest[0].similarity)
    closeness = min(1.0, max(0.0, (best - _USES_FROM) / (_USES_FULL - _USES_FROM)))
    known = math.sqrt(recorded)
    experience = known / (known + _USES_DOUBT * (1.0 - best)) if recorded else 0.0
    # Relative to the nearest, so that nothing underflows; shares do not change by it.
    near = [math.exp(_USES_SHARPNESS * (use.similarity - best)) for use in nearest]
    loudness = [each * use.weight for each, use in zip(near, nearest, strict=True)]
    total = math.fsum(loudness)
    # Where the request itself was made before, nothing beside it is met by chance.
    chance = min(1.0, 2.0 * (1.0 - best))
    left = 1.0 - _USES_GIVE_WAY * chance * described
    # Where all is hearsay, descriptions keep the greater part.
    weight = _USES_WEIGHT * closeness * experience * left * math.sqrt(total / math.fsum(near))
    if weight <= 0.0:
        return NO_PRECEDENTS
    spoken: dict[str, list[float]] = {}
    for use, loud in zip(nearest, loudness, strict=True):
        spoken.setdefault(use.pattern_id, []).append(loud * use.outcome / total)
    shares = {
        pattern_id: _beyond_chance(math.fsum(said), chance * common.get(pattern_id, 0.0))
        for pattern_id, said in spoken.items()
    }
    return Precedents(shares, weight)


def _beyond_chance(share: float, by_chance: float) -> float:
    return max(0.0, (share - by_chance) / (1.0 - by_chance))


def _heard(uses: Iterable[PastUse]) -> Iterator[PastUse]:
    """Yield the uses, but of nobody's mere word more than a few."""
    of_pattern: Counter[tuple[str, str]] = Counter()
    of_agent: Counter[str] = Counter()
    for use in _in_order(uses):
        if use.voice is not None:
            key = (use.voice, use.pattern_id)
            if of_pattern[key] >= VOICES_OF_A_PATTERN or of_agent[use.voice] >= VOICES_OF_AN_AGENT:
                continue
            of_pattern[key] += 1
            of_agent[use.voice] += 1
        yield use


def _in_order(uses: Iterable[PastUse]) -> Iterator[PastUse]:
    for _, equals in groupby(uses, _similarity):
        yield from sorted(equals, key=_among_equals)


_similarity = attrgetter("similarity")


def _among_equals(use: PastUse) -> tuple[str, str, float, float]:
    return use.pattern_id, use.voice or "", use.outcome, use.weight


@dataclass(frozen=True, slots=True)
class _Model:
    """Logistic regression of "this query has an answer here" on the evidence."""

    constant: float
    coverage: float
    held: float
    searched: float
    meaning: float = 0.0
    characters: float = 0.0


# By what was compared: (meaning, characters). Fitted to the best result of 480 requests of
# agents and shell users that had an answer, and of 360 of everyday life or about another
# matter that had none, each against stores of 10 to 7,000 texts. Among more texts more look
# alike by chance, hence the size of the store. Words are weighed by rarity, so that the
# common words of a long text are no answer.
_MODELS: Mapping[tuple[bool, bool], _Model] = {
    (True, True): _Model(-5.1, 2.3, 1.6, -1.6, meaning=7.4, characters=8.4),
    (True, False): _Model(-5.1, 3.4, 1.9, -1.4, meaning=10.0),
    (False, True): _Model(-5.2, 2.4, 2.1, -1.6, characters=12.1),
    (False, False): _Model(-5.0, 4.4, 2.8, -1.2),
}

# Of what the words weigh, this share is an answer whatever else there is.
_NAMED = 0.6

# So near in meaning is an answer without a common word; more among ten times as many.
_SAME_MATTER, _SAME_MATTER_AMONG_TEN = 0.25, 0.07


def is_worth_showing(best: Evidence) -> bool:
    """Say whether the best result answers the query at all.

    Whoever looks for a name gets it, by the words alone. And whoever says the same in
    other words does, by meaning alone; among more texts more are near by chance.
    """
    if best.held >= _NAMED * best.asked > 0.0:
        return True
    if best.nearest is not None:
        bar = _SAME_MATTER + _SAME_MATTER_AMONG_TEN * math.log10(max(1, best.searched))
        if best.nearest >= bar:
            return True
    return usefulness(best) >= SHOWN_FROM


def usefulness(evidence: Evidence) -> float:
    """Return how probable it is that a result answers the query.

    For an order among results use the score; this only says when to stay silent.
    """
    model = _MODELS[evidence.meaning is not None, evidence.characters is not None]
    logit = (
        model.constant
        + model.coverage * (evidence.held / evidence.asked if evidence.asked else 0.0)
        + model.held * math.log1p(evidence.held)
        + model.searched * math.log10(max(1, evidence.searched))
        + model.meaning * (evidence.meaning or 0.0)
        + model.characters * (evidence.characters or 0.0)
    )
    return 1.0 / (1.0 + math.exp(-logit))
