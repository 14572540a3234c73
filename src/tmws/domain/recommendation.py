"""Which patterns to recommend for a request, and why: a linear score with stated weights.

Every reason is one product of a feature and its weight, and the score is their sum, so
the explanation is the decision and not a story about it. The weights are set by hand:
fit decides, and among patterns that fit about equally, the record does.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache, partial
from statistics import median
from typing import NamedTuple

from tmws.domain import beta
from tmws.domain.analytics import Trend
from tmws.domain.usage import WORD_WEIGHT, Prior


class Part(StrEnum):
    """What a recommendation is made of, in the order in which it is explained."""

    RELEVANCE = "relevance"
    USES = "uses"
    FAILURES = "failures"
    SUCCESS = "success"
    EXPLORATION = "exploration"
    POPULARITY = "popularity"
    FRESHNESS = "freshness"
    COST = "cost"
    AUTHOR = "author"


WEIGHTS: Mapping[Part, float] = {
    Part.RELEVANCE: 1.0,
    Part.USES: 1.0,
    Part.FAILURES: -0.4,
    Part.SUCCESS: 0.25,
    Part.EXPLORATION: 0.25,
    Part.POPULARITY: 0.05,
    Part.FRESHNESS: 0.03,
    Part.COST: -0.05,
    Part.AUTHOR: 0.07,
}
"""What each feature weighs; all features but exploration lie in [0, 1]."""

EXPLORATION_WIDTH = 0.4
"""How far from its lower bound towards a draw of its own distribution a pattern is believed:
at full width too many of a few hundred choices went to the unproven."""

CONSIDERED = 20
"""How many of what fits best are weighed."""

LEAST_FIT = 0.5
"""What fits less than this share of the best fit is left out, however good its record."""

MOST_OF_ONE, MOST_ON_ONES_WORD = 2.0, 1.0
"""What all uses that one agent proved, or merely reported, count for one pattern, at most."""

LEAST_OF_A_PROOF = 0.5
"""What a proven use counts, at least, beside one that might as well have failed."""

VOICES = 5
"""How many uses of one agent count for a pattern's popularity, at most."""

_DIGITS = 6
_SOME = 10.0**-_DIGITS
_POPULAR = 200
_HALF_LIFE = timedelta(days=180)
_SLOW = 10.0
_BOUND = 0.10
_LOW_BOUND, _ENOUGH = 0.35, 2.0
_ALIKE = 0.4


class Proof(NamedTuple):
    """One use that a verdict proves.

    Attributes:
        owner: for whom the verdict counts.
        good: how well it went, 0 to 1.
        expected: how probable success was for that agent on that claim, before; None
            where the trust model learned nothing from it, as of a claim made twice.
    """

    owner: str
    good: float
    expected: float | None = None

    @property
    def weight(self) -> float:
        """What it counts beside a use that might as well have failed."""
        if self.expected is None:
            return WORD_WEIGHT
        surprise = 1.0 - self.expected if self.good >= 0.5 else self.expected
        return min(1.0, max(LEAST_OF_A_PROOF, 2.0 * surprise))


@dataclass(frozen=True, slots=True)
class Record:
    """What is known of a pattern's use, without its owner's mere word.

    Attributes:
        prior: what is expected of patterns here before their own record says more.
        word_good, word_bad: what agents' word is worth, as evidence.
        proofs: uses that verdicts prove.
        voices: uses by others than the owner, of each agent a few at most.
        seconds: how long others' uses took on average, None where nobody said.
        fresh_at: when it was written, or last used by another than its owner.
        author_bound: lower end of its author's trust when it was written, 0.0 for a newcomer.
    """

    prior: Prior
    word_good: float
    word_bad: float
    proofs: Sequence[Proof]
    voices: int
    seconds: float | None
    fresh_at: datetime
    author_bound: float

    @property
    def parameters(self) -> tuple[float, float]:
        """The Beta distribution of the pattern's success rate.

        A proven use counts as much as it tells: where success was expected anyway, of a
        strong agent or on an easy claim, another success says little and a failure much.
        """
        a, b = self.prior.parameters
        good, bad = _proven(self.proofs)
        return a + self.word_good + good, b + self.word_bad + bad

    @property
    def evidence(self) -> float:
        """How many uses are known."""
        return self.word_good + self.word_bad + len(self.proofs)


@dataclass(frozen=True, slots=True)
class NearUse:
    """A past use of a pattern, and how like this request it was.

    Attributes:
        similarity: cosine between what it was for and what is asked now; of what others
            reported in tenths only, so that nobody can feel a way to their words.
        good: how well it went, 0 to 1.
        words: what it was for; None unless the asker reported it.
    """

    similarity: float
    good: float
    proven: bool
    at: datetime
    words: str | None = None


@dataclass(frozen=True, slots=True)
class Fit:
    """How well a pattern fits a request.

    Attributes:
        relevance: what its description adds, `uses` what past uses add; in sum at most 1.
        failures: share of the nearest past uses that are failures of this pattern.
    """

    pattern_id: str
    relevance: float
    uses: float
    failures: float

    @property
    def total(self) -> float:
        """How well it fits in all, 0 to 1."""
        return self.relevance + self.uses


@dataclass(frozen=True, slots=True)
class Candidate:
    """A pattern that may be recommended."""

    fit: Fit
    owner_id: str
    record: Record

    @property
    def pattern_id(self) -> str:
        """Which pattern it is."""
        return self.fit.pattern_id


@dataclass(frozen=True, slots=True)
class Weighed:
    """A candidate with its score. The parts sum to the score; both have six decimals.

    Attributes:
        bound: lower 10 % bound of its success rate.
    """

    candidate: Candidate
    bound: float
    score: float
    parts: Mapping[Part, float]


def fitting(found: Sequence[Fit]) -> list[Fit]:
    """Return what fits at least half as well as the best, with past uses or without.

    Without them too, so that what is new stays in play beside what was always used.
    """
    best = max((each.total for each in found), default=0.0)
    described = max((each.relevance for each in found), default=0.0)
    return [
        each
        for each in found
        if each.total >= max(LEAST_FIT * best, _SOME)
        or each.relevance >= max(LEAST_FIT * described, _SOME)
    ]


def weighed(
    candidates: Sequence[Candidate], *, at: datetime, draws: Mapping[str, float]
) -> list[Weighed]:
    """Return the candidates with their scores, best first, equal ones by id.

    Args:
        draws: by pattern id, a number in (0, 1) that chance gave: it decides how well
            the pattern is believed to do this time (Thompson sampling). Without it the
            pattern counts with its lower bound alone.
    """
    known = [each.record.seconds for each in candidates if each.record.seconds]
    usual = median(known) if known else None
    scored = [_weigh(each, at, usual, draws.get(each.pattern_id)) for each in candidates]
    return sorted(scored, key=lambda each: (-each.score, each.candidate.pattern_id))


def objections(
    weighed: Weighed, nearest: Sequence[NearUse], falling: Iterable[Trend]
) -> tuple[str, ...]:
    """Return in words what speaks against a pattern here.

    Args:
        nearest: the past uses of it that are heard, nearest first.
        falling: how it decays.
    """
    failed = [use for use in nearest if use.good < 0.5 and use.similarity >= _ALIKE]
    said = []
    if failed:
        proven = sum(use.proven for use in failed)
        said.append(f"failed in {len(failed)} similar past uses, {proven} of them proven")
    if weighed.candidate.record.evidence < _ENOUGH:
        said.append("unproven: hardly a verdict or report by others than its owner")
    elif weighed.bound < _LOW_BOUND:
        said.append(f"its record supports a success rate of {weighed.bound:.2f} at least")
    said += [
        f"decaying: {each.cause.value} fell within eight weeks, by chance in {each.chance:.2g}"
        for each in falling
    ]
    return tuple(said)


def _weigh(candidate: Candidate, at: datetime, usual: float | None, draw: float | None) -> Weighed:
    record, (a, b) = candidate.record, candidate.record.parameters
    bound = _bound(a, b)
    drawn = bound if draw is None else beta.quantile(draw, a, b)
    features = {
        Part.RELEVANCE: candidate.fit.relevance,
        Part.USES: candidate.fit.uses,
        Part.FAILURES: candidate.fit.failures,
        Part.SUCCESS: bound,
        Part.EXPLORATION: EXPLORATION_WIDTH * (drawn - bound),
        Part.POPULARITY: min(1.0, math.log1p(record.voices) / math.log1p(_POPULAR)),
        Part.FRESHNESS: 2.0 ** -max(0.0, (at - record.fresh_at) / _HALF_LIFE),
        Part.COST: _cost(record.seconds, usual),
        Part.AUTHOR: record.author_bound,
    }
    # Rounded before they are added: what is shown is what decided.
    parts = {part: round(WEIGHTS[part] * value, _DIGITS) for part, value in features.items()}
    told = {part: value for part, value in parts.items() if value}
    return Weighed(candidate, bound, round(math.fsum(told.values()), _DIGITS), told)


# What a pattern's record supports changes with its record only.
_bound = lru_cache(maxsize=4096)(partial(beta.quantile, _BOUND))


def _proven(proofs: Sequence[Proof]) -> tuple[float, float]:
    """Return what proven uses are worth, for and against, of nobody more than a few."""
    told: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for proof in proofs:
        of_one, weight = told[proof.owner], proof.weight
        of_one[0] += weight * proof.good
        of_one[1] += weight * (1.0 - proof.good)
    shares = [(good, bad, min(1.0, MOST_OF_ONE / (good + bad))) for good, bad in told.values()]
    return (
        math.fsum(good * share for good, _, share in shares),
        math.fsum(bad * share for _, bad, share in shares),
    )


def _cost(seconds: float | None, usual: float | None) -> float:
    """Return 0 up to the usual time and 1 from ten times as long."""
    if not seconds or not usual or seconds <= usual:
        return 0.0
    return min(1.0, math.log(seconds / usual) / math.log(_SLOW))
