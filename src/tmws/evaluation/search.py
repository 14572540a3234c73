"""How well search finds, measured on anybody's texts and questions.

Questions go the way that requests go in production: the same words in the same index,
vectors by the installed index and embedders, past uses, and `tmws.indexes.finding`, which
fuses them and decides whether anything is shown. `grep` is what an agent without search
would do: count which words of the question occur.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import fmean

import numpy as np

from tmws.domain.errors import InvalidInput
from tmws.domain.ranking import CANDIDATES, WEIGHTS, Arm, fuse, weighing
from tmws.domain.text import STOP_WORDS, folded, terms, words
from tmws.evaluation.meaning import TRIED, Better, better, reciprocal
from tmws.indexes import finding
from tmws.indexes.catalogue import Block, Caller, View, WordRow
from tmws.indexes.finding import Asked, Found
from tmws.indexes.uses import UseRow
from tmws.ports import Embedder, Progress, Vector, VectorIndex, VectorRow

FUSED, GREP = "fused", "grep"
_DEPTH = 64
_GAIN_DEPTH = 10
_TEXTS_A_STEP = 256
_TEXTS, _NOBODY = "texts", ""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_Scores = dict[str, float]


@dataclass(frozen=True, slots=True)
class Question:
    """What somebody asked, and the ids that answer it, the best first; none if nothing does."""

    text: str
    relevant: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Quality:
    """How one way of searching did.

    Attributes:
        recall_at_1, recall_at_5, recall_at_10: mean share of the relevant ids found.
        mrr: mean of 1 / place of the first relevant one, down to the 64th.
        ndcg: normalised discounted cumulative gain of the first ten.
        p50_ms, p95_ms: milliseconds a question took, its embedding included.
    """

    name: str
    recall_at_1: float
    recall_at_5: float
    recall_at_10: float
    mrr: float
    ndcg: float
    p50_ms: float
    p95_ms: float


@dataclass(frozen=True, slots=True)
class Report:
    """What was measured.

    Attributes:
        left_out: questions whose answers are not in the corpus.
        answered: share of questions whose best result search would have shown.
        right_if_answered, right_if_silent: share of these whose best result is relevant.
        unanswerable: questions that nothing answers; they are counted here alone.
        shown_all_the_same: share of these that would have been shown something.
        better: what meaning should weigh here, None where the weight it has will do.
    """

    texts: int
    questions: int
    left_out: int
    uses: int
    embedders: tuple[str, ...]
    rows: tuple[Quality, ...]
    answered: float
    right_if_answered: float
    right_if_silent: float
    unanswerable: int
    shown_all_the_same: float
    better: Better | None


@dataclass(frozen=True, slots=True)
class _Answer:
    """What each way of searching returned for a question, and how long it took.

    Attributes:
        otherwise: what fusion would return if meaning weighed this; empty without meaning.
    """

    places: Mapping[str, Sequence[str]]
    seconds: Mapping[str, float]
    useful: bool
    otherwise: Mapping[float, Sequence[str]]


async def evaluate(
    corpus: Mapping[str, str],
    questions: Sequence[Question],
    *,
    embedders: Mapping[Arm, Embedder],
    index: VectorIndex,
    uses: Sequence[Question] = (),
    progress: Progress,
    among: Mapping[Arm, float] = WEIGHTS,
) -> Report:
    """Ask every question of the corpus in every way.

    Args:
        corpus: text by id; ids are searched as names.
        embedders: who serves the arms `characters` and `meaning`; either may be missing.
        index: an empty one.
        uses: past requests with the ids that served them; the first one counts.
        among: what the arms weigh among each other.

    Raises:
        InvalidInput: no question has an answer in the corpus.
    """
    held = [question for question in questions if set(question.relevant) & corpus.keys()]
    unanswerable = [question for question in questions if not question.relevant]
    if not held:
        raise InvalidInput(
            f"None of the {len(questions)} questions names an id of the corpus as its answer. "
            "Check that both files belong together."
        )
    bench = _Bench(corpus, embedders, index, among)
    await bench.load(uses, progress)
    answers = [await bench.ask(question.text) for question in held]
    shown = [(await bench.ask(question.text)).useful for question in unanswerable]
    pairs = list(zip(held, answers, strict=True))
    names = [name for name in bench.names if any(name in answer.places for answer in answers)]
    hits = [(_right(question, answer), answer.useful) for question, answer in pairs]
    return Report(
        texts=len(corpus),
        questions=len(held),
        left_out=len(questions) - len(held) - len(unanswerable),
        uses=len(uses),
        embedders=tuple(embedder.id for embedder in embedders.values()),
        rows=tuple(_quality(name, pairs) for name in names),
        answered=fmean(useful for _, useful in hits),
        right_if_answered=_mean([right for right, useful in hits if useful]),
        right_if_silent=_mean([right for right, useful in hits if not useful]),
        unanswerable=len(unanswerable),
        shown_all_the_same=_mean(shown),
        better=_better(pairs, among[Arm.MEANING]),
    )


class _Bench:
    """A corpus made searchable in memory."""

    names = (*(arm.value for arm in Arm), FUSED, GREP)

    def __init__(
        self,
        corpus: Mapping[str, str],
        embedders: Mapping[Arm, Embedder],
        index: VectorIndex,
        among: Mapping[Arm, float],
    ) -> None:
        self._among = among
        self._texts = {key: f"{_named(key)}\n{text}" for key, text in corpus.items()}
        self._plain = {key: folded(text) for key, text in self._texts.items()}
        self._index = index
        self._embedders = embedders
        self._block = Block()
        self._views: Sequence[View] = ()
        self._recorded = 0

    async def load(self, uses: Sequence[Question], progress: Progress) -> None:
        self._block.refresh(
            [
                WordRow(key, _NOBODY, "public", number, " ".join(terms(text)))
                for number, (key, text) in enumerate(self._texts.items(), 1)
            ]
        )
        items = list(self._texts.items())
        for start in range(0, len(items), _TEXTS_A_STEP):
            await progress(f"embedding texts, {start} of {len(items)}")
            step = items[start : start + _TEXTS_A_STEP]
            for embedder in self._embedders.values():
                vectors = await embedder.embed([text for _, text in step])
                rows = [
                    VectorRow(key, _NOBODY, "public", 1, vector.tobytes())
                    for (key, _), vector in zip(step, vectors, strict=True)
                ]
                await self._index.refresh(_TEXTS, embedder.id, rows)
        for start in range(0, len(uses), _TEXTS_A_STEP):
            await progress(f"embedding uses, {start} of {len(uses)}")
            self._block.refresh_uses(
                0, await self._uses(start, uses[start : start + _TEXTS_A_STEP])
            )
        self._views = [self._block.view(Caller(_NOBODY, ()), member=True)]
        self._recorded = len(uses)

    async def _uses(self, start: int, uses: Sequence[Question]) -> list[UseRow]:
        """Return past uses as verdicts would have proven them."""
        made = {
            embedder.id: await embedder.embed([use.text for use in uses])
            for embedder in self._embedders.values()
        }
        return [
            UseRow(
                use_id=f"{start + place:09}",
                pattern_id=use.relevant[0],
                agent_id=_NOBODY,
                good=1.0,
                proven=True,
                share=1.0,
                at=_EPOCH,
                revision=start + place + 1,
                vectors={name: vectors[place].tobytes() for name, vectors in made.items()},
            )
            for place, use in enumerate(uses)
        ]

    async def ask(self, text: str) -> _Answer:
        clock = _Stopwatch()
        arms: dict[Arm, _Scores] = {}
        asked = Asked(tuple(dict.fromkeys(terms(text))))
        with clock(Arm.WORDS):
            arms[Arm.WORDS] = finding.by_words(asked, self._views)
        vectors: dict[Arm, Vector] = {}
        for arm, embedder in self._embedders.items():
            if not finding.is_asked(arm, embedder, text):
                continue
            with clock(arm):
                vectors[arm] = (await embedder.embed([text]))[0]
                arms[arm] = await self._near(arm, vectors[arm])
        served = {arm: embedder.id for arm, embedder in self._embedders.items()}
        asked = Asked(asked.terms, vectors, served)
        with clock(Arm.USES):
            uses = finding.by_uses(asked, self._views)
        with clock(FUSED):
            found = finding.settled(
                asked, self._views, arms, uses, caller_id=_NOBODY, among=self._among
            )
        with clock(GREP):
            grepped = self._by_grep(text)
        clock.seconds[FUSED] += sum(clock.seconds[arm] for arm in (*arms, Arm.USES))
        places = self._places(found, grepped)
        return _Answer(places, clock.seconds, found.shown, _otherwise(found))

    async def _near(self, arm: Arm, vector: Vector) -> _Scores:
        matches = await self._index.search(
            vector,
            namespace=_TEXTS,
            embedder_id=self._embedders[arm].id,
            caller_id=_NOBODY,
            granted=(),
            limit=CANDIDATES,
        )
        return {match.pattern_id: match.similarity for match in matches}

    def _places(self, found: Found, grepped: _Scores) -> dict[str, Sequence[str]]:
        places: dict[str, Sequence[str]] = {
            arm.value: _best(scores) for arm, scores in found.arms.items()
        }
        if self._recorded:
            places[Arm.USES.value] = _best(found.uses.shares)
        places[FUSED] = [result.item_id for result in found.ranked[:_DEPTH]]
        places[GREP] = _best(grepped)
        return places

    def _by_grep(self, text: str) -> _Scores:
        wanted = [word for word in dict.fromkeys(words(text)) if word not in STOP_WORDS]
        counts = {key: sum(word in plain for word in wanted) for key, plain in self._plain.items()}
        return {key: float(count) for key, count in counts.items() if count}


class _Stopwatch:
    """Seconds by name: `with clock("words"): ...`."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._running: list[tuple[str, float]] = []

    def __call__(self, name: str) -> _Stopwatch:
        self._running.append((name, time.perf_counter()))
        return self

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        name, started = self._running.pop()
        self.seconds[name] = time.perf_counter() - started


def _named(key: str) -> str:
    """An id as a name: its last part, since folders are shared by many."""
    return key.rstrip("/").rsplit("/", 1)[-1].replace("-", " ").replace("_", " ")


def _best(scores: Mapping[str, float]) -> list[str]:
    return sorted(scores, key=lambda key: (-scores[key], key))[:_DEPTH]


def _otherwise(found: Found) -> dict[float, Sequence[str]]:
    """Return the best if meaning weighed more or less."""
    if not found.arms.get(Arm.MEANING):
        return {}
    arms = finding.telling(found.arms)
    ranked = {weight: fuse(arms, found.uses, weighing(weight)) for weight in TRIED}
    return {
        weight: [result.item_id for result in ranking.above_nothing()[:_DEPTH]]
        for weight, ranking in ranked.items()
    }


def _better(pairs: Sequence[tuple[Question, _Answer]], weight: float) -> Better | None:
    compared = [(question, answer) for question, answer in pairs if answer.otherwise]
    return better(
        [reciprocal(answer.places[FUSED], question.relevant) for question, answer in compared],
        {
            tried: [
                reciprocal(answer.otherwise[tried], question.relevant)
                for question, answer in compared
            ]
            for tried in TRIED
            if tried != weight
        },
    )


def _right(question: Question, answer: _Answer) -> bool:
    found = answer.places[FUSED]
    return bool(found) and found[0] in question.relevant


def _quality(name: str, pairs: Sequence[tuple[Question, _Answer]]) -> Quality:
    hits = [
        [key in question.relevant for key in answer.places.get(name, ())]
        for question, answer in pairs
    ]
    sizes = [len(set(question.relevant)) for question, _ in pairs]
    times = [answer.seconds.get(name, 0.0) * 1000 for _, answer in pairs]
    both = list(zip(hits, sizes, strict=True))
    return Quality(
        name=name,
        recall_at_1=fmean(sum(hit[:1]) / size for hit, size in both),
        recall_at_5=fmean(sum(hit[:5]) / size for hit, size in both),
        recall_at_10=fmean(sum(hit[:10]) / size for hit, size in both),
        mrr=fmean(1 / (hit.index(True) + 1) if any(hit) else 0.0 for hit in hits),
        ndcg=fmean(_gain(hit) / _gain([True] * size) for hit, size in both),
        p50_ms=float(np.percentile(times, 50)),
        p95_ms=float(np.percentile(times, 95)),
    )


def _gain(hits: Sequence[bool]) -> float:
    return sum(1 / math.log2(place + 2) for place, hit in enumerate(hits[:_GAIN_DEPTH]) if hit)


def _mean(values: Sequence[bool]) -> float:
    return fmean(values) if values else 0.0
