"""Replaying outcomes through the product's own trust model, beside the usual methods."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import fmean

from tmws.domain.trust.evidence import Task
from tmws.evaluation.chance import Chance, seeded
from tmws.evaluation.metrics import Accuracy, accuracy, rank_correlation
from tmws.evaluation.outcomes import Outcome
from tmws.evaluation.predictors import Beta, Ewma, Predictor, Rest, Shown, Skill

FEWEST_ORDERS, MOST_ORDERS = 5, 20
LIVES = 300
"""Random orders are repeated until so many agents have been followed: one order of a
small population says little.

The first hundred claims are followed in as many orders as `MOST_ORDERS`: one in ten of 67
agents is outside its interval, give or take two agents in an order, and agents that meet the
same claims are outside together.
"""

MOST_REPLAYED = 1_000_000
"""Large files are replayed in fewer orders, so that about so many outcomes are."""

_NEVER = datetime.max.replace(tzinfo=UTC)

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
        agents: so many of them have that many claims.
        error: mean distance between score and true rate.
        within: share of agents whose score was within .10 of it.
        rank: Spearman's rho between the order of agents and their true order; None where
            all are equally good.
        coverage: share of agents whose 90 % interval held the true rate, None where
            the method has no interval; `width` is the interval's mean width.
    """

    claims: int
    agents: int
    error: float
    within: float
    rank: float | None
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
    """What a replay of one file found.

    Attributes:
        seeds: so many orders were replayed to their end.
        lives: so many orders the moments are from.
    """

    agents: int
    claims: int
    outcomes: int
    rate: float
    seeds: int
    lives: int
    results: tuple[Result, ...]

    def of(self, method: str) -> Result:
        """Return the figures of one method."""
        return next(r for r in self.results if r.method == method)


def evaluate(outcomes: Sequence[Outcome], *, seeds: int | None = None) -> Report:
    """Return how well each method foresaw every outcome before learning it.

    Nothing is known beforehand. All agents go side by side, each through its own claims
    in random order, and this is repeated for each seed. Where the file has times,
    outcomes come in their order: once, or with those of the same moment in random order
    for each seed. An agent's true rate is its share of yes over the whole file.
    """
    truth = true_rates(outcomes)
    plan = _plan(outcomes, len(truth), seeds)
    return Report(
        agents=len(truth),
        claims=len({o.task.claim for o in outcomes}),
        outcomes=len(outcomes),
        rate=fmean(o.supported for o in outcomes),
        seeds=len(plan.orders),
        lives=len(plan.orders) + len(plan.begun),
        results=tuple(_measured(name, make, plan, truth) for name, make in METHODS.items()),
    )


@dataclass(frozen=True, slots=True)
class _Plan:
    """The orders in which outcomes are replayed; in rounds all agents go side by side.

    Attributes:
        begun: further orders, of which only the moments are looked at.
    """

    orders: Sequence[Sequence[Outcome]]
    in_rounds: bool
    begun: Sequence[Sequence[Outcome]] = ()


def _plan(outcomes: Sequence[Outcome], agents: int, seeds: int | None) -> _Plan:
    usual = max(FEWEST_ORDERS, min(MOST_ORDERS, LIVES // agents))
    affordable = max(1, MOST_REPLAYED // len(outcomes))
    orders = min(usual, affordable) if seeds is None else seeds
    times = {o.at for o in outcomes}
    if None in times:
        last = min(MOST_ORDERS, affordable) if seeds is None else orders
        mixed = [shuffled(outcomes, seeded(seed)) for seed in range(max(orders, last))]
        return _Plan(mixed[:orders], True, mixed[orders:])
    if len(times) == len(outcomes):
        orders = 1
    drawn = (shuffled(outcomes, seeded(seed)) for seed in range(orders))
    return _Plan([sorted(order, key=lambda o: o.at or _NEVER) for order in drawn], False)


def true_rates(outcomes: Iterable[Outcome]) -> dict[str, float]:
    """Return each agent's share of yes, by name, in order of the names."""
    answers: dict[str, list[bool]] = defaultdict(list)
    for o in outcomes:
        answers[o.agent].append(o.supported)
    return {agent: fmean(answers[agent]) for agent in sorted(answers)}


def shuffled(outcomes: Sequence[Outcome], chance: Chance) -> list[Outcome]:
    """Return the outcomes in rounds: every agent's first, then every agent's second.

    Each round goes through the agents in another order: names often tell an agent's age,
    and with it how good it is.
    """
    own: dict[str, list[Outcome]] = defaultdict(list)
    for o in outcomes:
        own[o.agent].append(o)
    for agent in sorted(own):
        chance.shuffle(own[agent])
    agents, mixed = sorted(own), []
    for i in range(max(map(len, own.values()))):
        chance.shuffle(agents)
        mixed += [own[a][i] for a in agents if i < len(own[a])]
    return mixed


class _Rests:
    """What each agent has still to answer."""

    def __init__(self, order: Sequence[Outcome]) -> None:
        self._left: dict[str, dict[Task, int]] = defaultdict(lambda: defaultdict(int))
        self._yes: dict[str, int] = defaultdict(int)
        self._answered: dict[str, int] = defaultdict(int)
        for outcome in order:
            self._left[outcome.agent][outcome.task] += 1

    def take(self, outcome: Outcome) -> None:
        """Count one outcome as answered."""
        self._left[outcome.agent][outcome.task] -= 1
        self._yes[outcome.agent] += outcome.supported
        self._answered[outcome.agent] += 1

    def of(self, agents: Sequence[str]) -> dict[str, Rest]:
        """Return the rest of each of these agents."""
        return {
            a: Rest(
                self._yes[a],
                self._answered[a],
                {task: n for task, n in self._left[a].items() if n},
            )
            for a in agents
        }


class _Watch:
    """Collects figures while one method goes through one order after another."""

    def __init__(self, truth: Mapping[str, float], plan: _Plan) -> None:
        answers = Counter(o.agent for o in plan.orders[0])
        self._truth = truth
        # In time some agents are through before others begin: each is looked at in its turn.
        self._in_rounds = plan.in_rounds
        # At each moment those count that get there; some may have fewer claims.
        self._able = {n: [a for a in truth if answers[a] >= n] for n in MOMENTS}
        self.probabilities: list[float] = []
        self.outcomes: list[bool] = []
        self.early: list[tuple[float, bool]] = []
        self._shown: dict[int, list[dict[str, Shown]]] = defaultdict(list)

    def follow(self, predictor: Predictor, order: Sequence[Outcome]) -> None:
        answered: dict[str, int] = defaultdict(int)
        shown: dict[int, dict[str, Shown]] = defaultdict(dict)
        reached: dict[int, int] = defaultdict(int)
        rest = _Rests(order)
        for outcome in order:
            probability = predictor.predict(outcome)
            predictor.learn(outcome)
            rest.take(outcome)
            self.probabilities.append(probability)
            self.outcomes.append(outcome.supported)
            answered[outcome.agent] += 1
            n = answered[outcome.agent]
            if n <= _FIRST:
                self.early.append((probability, outcome.supported))
            reached[n] += 1
            if n not in self._able:
                continue
            if self._in_rounds and reached[n] == len(self._able[n]):
                self._shown[n].append(predictor.shown(rest.of(self._able[n])))
            elif not self._in_rounds:
                shown[n] |= predictor.shown(rest.of([outcome.agent]))
        for n, said in shown.items():
            self._shown[n].append(said)

    def begin(self, predictor: Predictor, order: Sequence[Outcome]) -> None:
        """Follow agents that go side by side up to the last moment, and look at the moments."""
        answered: dict[str, int] = defaultdict(int)
        reached: dict[int, int] = defaultdict(int)
        rest = _Rests(order)
        for outcome in order:
            n = answered[outcome.agent] + 1
            if n > MOMENTS[-1]:
                break
            predictor.learn(outcome)
            rest.take(outcome)
            answered[outcome.agent] = n
            reached[n] += 1
            if n in self._able and reached[n] == len(self._able[n]):
                self._shown[n].append(predictor.shown(rest.of(self._able[n])))

    def moments(self) -> tuple[Moment, ...]:
        return tuple(self._moment(n, self._shown[n]) for n in MOMENTS if self._shown[n])

    def _moment(self, claims: int, runs: Sequence[dict[str, Shown]]) -> Moment:
        truth = {a: self._truth[a] for a in self._able[claims]}
        alike = len(set(truth.values())) == 1
        pairs = [(shown, truth[a]) for run in runs for a, shown in run.items()]
        errors = [abs(s.score - rate) for s, rate in pairs]
        ends = [(s.low, s.high, rate) for s, rate in pairs]
        known = [(lo, hi, rate) for lo, hi, rate in ends if lo is not None and hi is not None]
        return Moment(
            claims=claims,
            agents=len(truth),
            error=fmean(errors),
            within=fmean(e <= WITHIN for e in errors),
            rank=None
            if alike
            else fmean(
                rank_correlation([run[a].order for a in truth], list(truth.values()))
                for run in runs
            ),
            coverage=fmean(lo <= rate <= hi for lo, hi, rate in known) if known else None,
            width=fmean(hi - lo for lo, hi, _ in known) if known else None,
        )


def _measured(
    name: str,
    make: Callable[[], Predictor],
    plan: _Plan,
    truth: Mapping[str, float],
) -> Result:
    watch = _Watch(truth, plan)
    for order in plan.orders:
        watch.follow(make(), order)
    for order in plan.begun:
        watch.begin(make(), order)
    return Result(
        method=name,
        accuracy=accuracy(watch.probabilities, watch.outcomes),
        first_ten=fmean((p - y) ** 2 for p, y in watch.early),
        moments=watch.moments(),
    )
