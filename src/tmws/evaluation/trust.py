"""Replaying outcomes through the product's own trust model, beside the usual methods."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

from tmws.evaluation.chance import Chance, seeded
from tmws.evaluation.metrics import Accuracy, accuracy, rank_correlation
from tmws.evaluation.outcomes import Outcome
from tmws.evaluation.predictors import Beta, Ewma, Predictor, Shown, Skill

FEWEST_ORDERS, MOST_ORDERS = 5, 20
LIVES = 300
"""Random orders are repeated until so many agents have been followed: one order of a
small population says little."""

MOMENTS = (3, 5, 10, 20, 30, 50, 75, 100)
WITHIN = 0.10
_FIRST = 10

METHODS: dict[str, Callable[[], Predictor]] = {
    "EWMA .1": lambda: Ewma(0.1),
    "EWMA .2": lambda: Ewma(0.2),
    "Beta(1,1)": Beta,
    "skill": Skill,
}


@dataclass(frozen=True, slots=True)
class Moment:
    """How well agents were known after each had `claims` claims decided.

    Attributes:
        error: mean distance between score and true rate.
        within: share of agents whose score was within .10 of it.
        rank: Spearman's rho between the order of agents and their true order.
        coverage: share of agents whose 90 % interval held the true rate, None where
            the method has no interval; `width` is the interval's mean width.
    """

    claims: int
    error: float
    within: float
    rank: float
    coverage: float | None
    width: float | None


@dataclass(frozen=True, slots=True)
class Result:
    """One method's figures over all orders."""

    method: str
    accuracy: Accuracy
    first_ten: float
    moments: tuple[Moment, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """What a replay of one file found."""

    agents: int
    claims: int
    outcomes: int
    rate: float
    seeds: int
    results: tuple[Result, ...]

    def of(self, method: str) -> Result:
        """Return the figures of one method."""
        return next(r for r in self.results if r.method == method)


def evaluate(outcomes: Sequence[Outcome], *, seeds: int | None = None) -> Report:
    """Return how well each method foresaw every outcome before learning it.

    Nothing is known beforehand. Where the file has times, outcomes come in their order,
    once; otherwise all agents go side by side, each through its own claims in random
    order, and this is repeated for each seed. An agent's true rate is its share of
    yes over the whole file.
    """
    truth = true_rates(outcomes)
    in_time = sorted((o.at, n) for n, o in enumerate(outcomes) if o.at is not None)
    if len(in_time) == len(outcomes):
        runs = [[outcomes[n] for _, n in in_time]]
    else:
        usual = max(FEWEST_ORDERS, min(MOST_ORDERS, LIVES // len(truth)))
        orders = range(usual if seeds is None else seeds)
        runs = [shuffled(outcomes, seeded(seed)) for seed in orders]
    return Report(
        agents=len(truth),
        claims=len({o.task.claim for o in outcomes}),
        outcomes=len(outcomes),
        rate=fmean(o.supported for o in outcomes),
        seeds=len(runs),
        results=tuple(_measured(name, make, runs, truth) for name, make in METHODS.items()),
    )


def true_rates(outcomes: Iterable[Outcome]) -> dict[str, float]:
    """Return each agent's share of yes, by name, in order of the names."""
    answers: dict[str, list[bool]] = defaultdict(list)
    for o in outcomes:
        answers[o.agent].append(o.supported)
    return {agent: fmean(answers[agent]) for agent in sorted(answers)}


def shuffled(outcomes: Sequence[Outcome], chance: Chance) -> list[Outcome]:
    """Return the outcomes in rounds: every agent's first, then every agent's second."""
    own: dict[str, list[Outcome]] = defaultdict(list)
    for o in outcomes:
        own[o.agent].append(o)
    for agent in sorted(own):
        chance.shuffle(own[agent])
    rounds = max(map(len, own.values()))
    return [own[a][i] for i in range(rounds) for a in sorted(own) if i < len(own[a])]


class _Watch:
    """Collects figures while one method goes through one order after another."""

    def __init__(self, truth: dict[str, float]) -> None:
        self._truth = truth
        self.probabilities: list[float] = []
        self.outcomes: list[bool] = []
        self.early: list[tuple[float, bool]] = []
        self._shown: dict[int, list[dict[str, Shown]]] = defaultdict(list)

    def follow(self, predictor: Predictor, order: Sequence[Outcome]) -> None:
        answered: dict[str, int] = defaultdict(int)
        reached: dict[int, int] = defaultdict(int)
        for outcome in order:
            probability = predictor.predict(outcome)
            predictor.learn(outcome)
            self.probabilities.append(probability)
            self.outcomes.append(outcome.supported)
            answered[outcome.agent] += 1
            n = answered[outcome.agent]
            if n <= _FIRST:
                self.early.append((probability, outcome.supported))
            reached[n] += 1
            if n in MOMENTS and reached[n] == len(self._truth):
                self._shown[n].append(predictor.shown(list(self._truth)))

    def moments(self) -> tuple[Moment, ...]:
        return tuple(self._moment(n, self._shown[n]) for n in MOMENTS if self._shown[n])

    def _moment(self, claims: int, runs: Sequence[dict[str, Shown]]) -> Moment:
        truth = self._truth
        pairs = [(shown, truth[a]) for run in runs for a, shown in run.items()]
        errors = [abs(s.score - rate) for s, rate in pairs]
        ends = [(s.low, s.high, rate) for s, rate in pairs]
        known = [(lo, hi, rate) for lo, hi, rate in ends if lo is not None and hi is not None]
        return Moment(
            claims=claims,
            error=fmean(errors),
            within=fmean(e <= WITHIN for e in errors),
            rank=fmean(
                rank_correlation([run[a].order for a in truth], list(truth.values()))
                for run in runs
            ),
            coverage=fmean(lo <= rate <= hi for lo, hi, rate in known) if known else None,
            width=fmean(hi - lo for lo, hi, _ in known) if known else None,
        )


def _measured(
    name: str,
    make: Callable[[], Predictor],
    runs: Sequence[Sequence[Outcome]],
    truth: dict[str, float],
) -> Result:
    watch = _Watch(truth)
    for order in runs:
        watch.follow(make(), order)
    return Result(
        method=name,
        accuracy=accuracy(watch.probabilities, watch.outcomes),
        first_ten=fmean((p - y) ** 2 for p, y in watch.early),
        moments=watch.moments(),
    )
