"""Which patterns to apply to a task, with the reasons for each and against it."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial

from tmws.domain import analytics as figures
from tmws.domain import recommendation as rules
from tmws.domain.actions import Action
from tmws.domain.agents import Agent
from tmws.domain.analytics import Direction, Trend
from tmws.domain.patterns import Pattern
from tmws.domain.ranking import Arm, precedents
from tmws.domain.recommendation import Candidate, Fit, NearUse, Part, Record, Weighed
from tmws.domain.situations import Request, Severity, Situation
from tmws.domain.uplift import is_withheld, uniform
from tmws.indexes import finding
from tmws.indexes import uses as past
from tmws.indexes.finding import Asked, Found
from tmws.ports import Chance, Clock
from tmws.services.gate import Gate
from tmws.services.receipts import Receipts, Tried
from tmws.services.search import Search
from tmws.storage import patterns, recommendation, trends
from tmws.storage.database import Database
from tmws.storage.documents import Kind
from tmws.storage.prepared import Execute, at_last

NEAREST_TOLD = 3

_FIRST_DAY, _DAY = datetime(1970, 1, 1, tzinfo=UTC), timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Recommended:
    """A pattern with why.

    Attributes:
        score, parts: the parts sum to the score.
        bound: lower 10 % bound of its success rate, its owner's mere word left out.
        nearest: the past uses of it that were most like this request.
        against: what speaks against it here, in words.
    """

    pattern: Pattern
    score: float
    parts: Mapping[Part, float]
    bound: float
    nearest: tuple[NearUse, ...]
    against: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Recommendations:
    """What is recommended; nothing where nothing fits.

    Attributes:
        embedder: which model compared meanings; None when only words were compared.
        degraded: why less than what is configured served; None when all did.
        receipt_id: with it the outcome of the task is traced to this answer; None where
            it was only looked at.
    """

    items: tuple[Recommended, ...]
    embedder: str | None
    degraded: str | None
    receipt_id: str | None = None


@dataclass(frozen=True, slots=True)
class _Luck:
    """What chance may do: try the unproven by this seed, withhold this share of days."""

    seed: bytes | None = None
    holdout: float = 0.0

    def draws(self, candidates: Sequence[Candidate]) -> dict[str, float]:
        """Return a number in (0, 1) for each; the same chance gives a pattern the same one."""
        if self.seed is None:
            return {}
        return {
            each.pattern_id: uniform(hashlib.sha256(self.seed + each.pattern_id.encode()).digest())
            for each in candidates
        }


_NO_LUCK = _Luck()


@dataclass(frozen=True, slots=True)
class _Answer:
    """What is shown, by which search, and what chance decided about the best.

    Attributes:
        fits: something does, even if all of it is withheld.
    """

    items: tuple[Recommended, ...]
    asked: Asked
    fits: bool = True
    tried: Tried | None = None

    def told(self, receipt_id: str | None) -> Recommendations:
        """Return it for whoever asked."""
        asked = self.asked
        return Recommendations(self.items, asked.embedder, asked.degraded, receipt_id)


class Recommendation:
    """Weighs what fits a request by its record; chance may try the unproven a little."""

    def __init__(
        self,
        database: Database,
        *,
        gate: Gate,
        search: Search,
        receipts: Receipts,
        clock: Clock,
        chance: Chance,
        holdout: float,
    ) -> None:
        """Args: holdout: share of agents' days on which the best is withheld, for comparison."""
        self._database = database
        self._gate = gate
        self._search = search
        self._receipts = receipts
        self._clock = clock
        self._chance = chance
        self._holdout = holdout
        self._salt = chance(32)

    async def recommend(self, caller: Agent, situation: Situation) -> Recommendations:
        """Return at most `limit` patterns for a task, best first.

        Raises:
            InvalidInput: the situation breaks a rule.
            NotFound: nothing of its namespace may be read; a hidden and an absent one look alike.
        """
        await self._gate.require(Action.RECOMMEND_PATTERNS)
        request = situation.request()
        luck = _NO_LUCK
        if situation.severity is not Severity.HIGH:
            luck = _Luck(self._chance(32), self._holdout)
        answer = await self._answered(caller, situation, request, luck)
        shares = {each.pattern.id: max(0.0, each.score) for each in answer.items}
        receipt_id = self._receipts.issue(caller, request.text, shares, answer.tried)
        return answer.told(receipt_id)

    async def look(self, caller: Agent, situation: Situation) -> Recommendations:
        """Return the same without chance, and leave no trace: for the administrator's eyes.

        Raises:
            InvalidInput: the situation breaks a rule.
            NotFound: nothing of its namespace may be read.
        """
        answer = await self._answered(caller, situation, situation.request(), _NO_LUCK)
        return answer.told(None)

    async def _answered(
        self, caller: Agent, situation: Situation, request: Request, luck: _Luck
    ) -> _Answer:
        """Return what is shown for the whole request, else for a part of it."""
        speakers = await self._search.speakers()
        whole, *parts = request.wordings
        asked = await self._search.asked(speakers, whole, *request.matters)
        answer = await self._answer(caller, situation, asked, luck)
        for part in parts:
            if answer.fits:
                break
            asked = await self._search.asked(speakers, part)
            answer = await self._answer(caller, situation, asked, luck)
        return answer

    async def _answer(
        self, caller: Agent, situation: Situation, asked: Asked, luck: _Luck
    ) -> _Answer:
        async with self._database.read() as connection:
            found = await self._search.ranked(
                connection, caller, asked, kind=Kind.PATTERN, namespace=situation.namespace
            )
            if not found.shown:
                return _Answer((), asked, fits=False)
            step = partial(self._weighed, caller=caller, found=found, luck=luck)
            return await at_last(connection, partial(step, asked=asked, limit=situation.limit))

    def _weighed(
        self, run: Execute, *, caller: Agent, asked: Asked, found: Found, luck: _Luck, limit: int
    ) -> _Answer:
        """Weigh what was found by its record, and explain the best."""
        now = self._clock.now()
        heard = _heard(run, caller, found.near)
        fitting = _recorded(run, caller, rules.fitting(_fused(found, heard, caller)))
        ranked = rules.weighed(fitting, at=now, draws=luck.draws(fitting))
        held = self._withheld(caller, ranked, luck.holdout)
        shown = [each for each in ranked if each.candidate.pattern_id not in held]
        items = _told(run, caller, shown[:limit], heard, now)
        return _Answer(items, asked, tried=_tried(caller, ranked, held) if luck.holdout else None)

    def _withheld(self, caller: Agent, ranked: Sequence[Weighed], holdout: float) -> set[str]:
        """Return what is withheld from the caller today, wherever it would stand.

        What somebody does with its own pattern would say nothing about recommending it.
        """
        day = (self._clock.now() - _FIRST_DAY) // _DAY
        return {
            each.candidate.pattern_id
            for each in ranked
            if each.candidate.owner_id != caller.id
            and is_withheld(
                self._salt,
                agent_id=caller.id,
                pattern_id=each.candidate.pattern_id,
                day=day,
                share=holdout,
            )
        }


def _heard(run: Execute, caller: Agent, near: Sequence[past.NearUse]) -> list[past.NearUse]:
    """Leave out owners' mere word on their own patterns: it says nothing to anybody else."""
    hearsay = {
        each.use.pattern_id
        for each in near
        if not each.use.proven and each.use.agent_id != caller.id
    }
    owners = recommendation.owners(run, hearsay) if hearsay else {}
    return [
        each
        for each in near
        if each.use.proven
        or each.use.agent_id == caller.id
        or each.use.agent_id != owners[each.use.pattern_id]
    ]


def _recorded(run: Execute, caller: Agent, fits: Sequence[Fit]) -> list[Candidate]:
    """Return what fits with the record of each, as far as the caller may read it."""
    ids = [fit.pattern_id for fit in fits]
    kept = {each.pattern_id: each for each in recommendation.kept(run, caller, ids)}
    proofs = recommendation.proofs(run, ids)
    return [
        Candidate(
            fit,
            owner_id=known.owner_id,
            record=Record(
                prior=known.prior,
                word_good=known.word_good,
                word_bad=known.word_bad,
                proofs=proofs.get(fit.pattern_id, ()),
                voices=known.voices,
                seconds=known.seconds,
                fresh_at=known.fresh_at,
                author_bound=known.author_trust or 0.0,
            ),
        )
        for fit in fits
        if (known := kept.get(fit.pattern_id))
    ]


def _told(
    run: Execute,
    caller: Agent,
    best: Sequence[Weighed],
    uses: Sequence[past.NearUse],
    now: datetime,
) -> tuple[Recommended, ...]:
    """Explain what is shown."""
    ids = [each.candidate.pattern_id for each in best]
    if not ids:
        return ()
    read = patterns.readable_now(run, caller, ids)
    near = {key: [use for use in uses if use.use.pattern_id == key] for key in ids}
    own = {
        each.use.use_id
        for every in near.values()
        for each in every[:NEAREST_TOLD]
        if each.use.agent_id == caller.id
    }
    words = recommendation.words(run, own, reporter_id=caller.id) if own else {}
    seen = trends.windows_of(run, ids, at=now, span=figures.TREND_SPAN)
    moved = figures.trends(seen, tested=len(ids))
    return tuple(
        _recommended(read[key], each, [_near(use, words) for use in near[key]], moved)
        for key, each in zip(ids, best, strict=True)
        if key in read
    )


def _tried(caller: Agent, ranked: Sequence[Weighed], held: Collection[str]) -> Tried | None:
    """Return the best and whether it was shown; None where that would say nothing."""
    if not ranked or ranked[0].candidate.owner_id == caller.id:
        return None
    best = ranked[0].candidate.pattern_id
    return Tried(best, shown=best not in held)


def _recommended(
    pattern: Pattern, weighed: Weighed, nearest: Sequence[NearUse], moved: Sequence[Trend]
) -> Recommended:
    falling = [
        each
        for each in moved
        if each.pattern_id == pattern.id and each.direction is Direction.DECAYING
    ]
    return Recommended(
        pattern=pattern,
        score=weighed.score,
        parts=weighed.parts,
        bound=weighed.bound,
        nearest=tuple(nearest[:NEAREST_TOLD]),
        against=rules.objections(weighed, nearest, falling),
    )


def _near(each: past.NearUse, words: Mapping[str, str]) -> NearUse:
    use, said = each.use, words.get(each.use.use_id)
    similarity = round(each.similarity, 1 if said is None else 4)
    return NearUse(similarity, use.good, use.proven, use.at, said)


def _fused(found: Found, heard: Sequence[past.NearUse], caller: Agent) -> list[Fit]:
    """Return what fits best, by its description and by the uses that are heard."""
    uses = [finding.past_use(each, caller.id) for each in heard]
    weigh = partial(precedents, recorded=found.recorded, described=found.described)
    badly = weigh(replace(use, outcome=1.0 - use.outcome) for use in uses)
    well = found.uses
    if len(heard) < len(found.near):
        well = weigh(uses, common=found.common)
    ranked = found.ranked if well == found.uses else found.ranked.after(well)
    fits = []
    for each in ranked[: rules.CONSIDERED]:
        by_uses = each.parts.get(Arm.USES, 0.0)
        failures = badly.weight * badly.shares.get(each.item_id, 0.0)
        fits.append(Fit(each.item_id, each.score - by_uses, by_uses, failures))
    return fits
