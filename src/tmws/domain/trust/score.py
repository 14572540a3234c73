"""What is shown of an agent: score, interval, lower bound, evidence, also by type."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

from tmws.domain.trust.evidence import ANY_TASK, Task
from tmws.domain.trust.logistic import Belief, doubt
from tmws.domain.trust.model import EFFORT, LEVEL, Calibration, Part, doublings
from tmws.domain.trust.state import NEWCOMER, NO_TALLY, Model, Tally

_EITHER_END = 1.6448536269514722
"""Normal quantile of 0.95: nine in ten lie between."""

_ONE_END = 1.2815515655446004
"""Normal quantile of 0.90: nine in ten lie on one side, where nothing closes the other end."""

_POINTS = 32


class Point(NamedTuple):
    """Claims of one type and about one difficulty.

    Attributes:
        weight: share of the mix; all points add up to 1.
        sharpness: how many times as fast as usual the odds grow with skill.
    """

    type: str
    difficulty: Belief
    weight: float
    sharpness: float = 1.0


@dataclass(frozen=True, slots=True)
class Mix:
    """The claims that every agent's score is an average over, so that agents compare.

    Attributes:
        level: what is known of the level all claims share.
    """

    points: tuple[Point, ...]
    level: Belief

    def of_type(self, type: str) -> Mix:
        """Return the part of the mix that is of this type, empty if there is none."""
        points = [p for p in self.points if p.type == type]
        total = math.fsum(p.weight for p in points)
        return Mix(tuple(p._replace(weight=p.weight / total) for p in points), self.level)


@dataclass(frozen=True, slots=True)
class Ability:
    """An agent's skill, and its affinity to the types it has met."""

    skill: Belief
    affinities: Mapping[str, Belief]
    unmet: Belief
    """Affinity to every other type."""
    unfamiliar: float = 0.0
    """Variance that its answers leave open because they were easier, or harder, than the mix."""

    def to(self, type: str) -> Belief:
        """Return the affinity to claims of this type; nothing for claims without one."""
        return self.affinities.get(type, self.unmet) if type else _NOTHING


_NOTHING = Belief(0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Standing:
    """What an agent's record says about its next claims.

    Attributes:
        score: probability that a claim drawn from the mix holds.
        low, high: ends of the 90 % interval of the true rate over the mix; agents are
            compared by `low`, what the record supports at least.
        bound: what gates use: nineteen in twenty lie above, also of those that nothing was
            ever refuted of. An agent that does worse whenever it is trusted loses it for good.
    """

    score: float
    low: float
    high: float
    bound: float
    tally: Tally

    @property
    def known(self) -> bool:
        """Is there any evidence at all?"""
        return self.tally.decided > 0


def mix_of(model: Model) -> Mix:
    """Return the mix of all tasks the model has met, in about 32 points.

    A shared claim counts once, however many agents answered it, and all that one agent
    brought up counts as much as what any other did: nobody can bend the mix by answering
    a claim again, or by bringing up many easy ones. Before the first evidence the mix is
    one point.
    """
    kinds: dict[str, list[tuple[float, float, float, float]]] = defaultdict(list)
    counts = {task: 1 if task.claim is not None else n for task, n in model.census.items()}
    authored: dict[str | None, int] = defaultdict(int)
    for task, count in counts.items():
        authored[task.author] += count
    for task, count in counts.items():
        difficulty = _difficulty(model, task)
        share = count / authored[task.author]
        kinds[task.type].append((*difficulty, model.sharpness(task), share))
    if not kinds:
        kinds[""].append((*_difficulty(model, ANY_TASK), 1.0, 1.0))
    total = math.fsum(count for tasks in kinds.values() for *_, count in tasks)
    points = [
        point for type in sorted(kinds) for point in _points(type, sorted(kinds[type]), total)
    ]
    return Mix(tuple(points), model.belief(LEVEL))


def _difficulty(model: Model, task: Task) -> Belief:
    """Return how hard a task is; the level's uncertainty, shared by all, left out."""
    mean, variance = model.belief(LEVEL).mean, 0.0
    if task.claim is None:
        variance += model.scales.claim**2
    else:
        claim = model.belief(Part("claim", "", task.claim))
        mean, variance = mean + claim.mean, variance + claim.variance
    if task.type:
        kind = model.belief(Part("type", "", task.type))
        mean, variance = mean + kind.mean, variance + kind.variance
    if task.author is not None:
        choice = model.belief(Part("choice", task.author))
        mean, variance = mean + choice.mean, variance + choice.variance
    if task.effort_minutes is not None:
        mean += doublings(task.effort_minutes) * model.belief(EFFORT).mean
    return Belief(mean, variance)


def _points(
    type: str, tasks: Sequence[tuple[float, float, float, float]], total: float
) -> list[Point]:
    """Return neighbours in difficulty drawn together, as many points as their share is due."""
    share = math.fsum(count for *_, count in tasks) / total
    size = -(-len(tasks) // math.ceil(share * _POINTS))
    points = []
    for start in range(0, len(tasks), size):
        group = tasks[start : start + size]
        weight = math.fsum(count for *_, count in group)
        mean = math.fsum(m * count for m, _, _, count in group) / weight
        variance = math.fsum((v + (m - mean) ** 2) * count for m, v, _, count in group) / weight
        sharpness = math.fsum(s * count for _, _, s, count in group) / weight
        points.append(Point(type, Belief(mean, variance), weight / total, sharpness))
    return points


def ability(
    model: Model, agent: str, mix: Mix, at: datetime, *, seen: Tally | None = None
) -> Ability:
    """Return what is known of an agent, as far as this mix asks for it.

    Args:
        seen: the verdicts it rests on, all of the agent's by default.
    """
    types = {p.type for p in mix.points if p.type}
    known = {t: model.beliefs.get(Part("affinity", agent, t)) for t in sorted(types)}
    familiar = Ability(
        model.skill(agent, at),
        {t: belief for t, belief in known.items() if belief is not None},
        model.scales.prior("affinity"),
    )
    tally = seen or model.records.get(agent, NEWCOMER).tally
    return replace(familiar, unfamiliar=_unfamiliar(model, familiar, mix, tally))


def _unfamiliar(model: Model, ability: Ability, mix: Mix, seen: Tally) -> float:
    """Return the variance of what was seen on claims of one difficulty about those of the mix.

    Agents differ in how they fare as claims get harder, as they do from type to type: by
    one affinity for each standard deviation by which claims differ. The mix counts where
    its claims tell of the agent, as what was seen does.
    """
    if not seen.decided:
        return 0.0
    total = mean = 0.0
    for type, (difficulty, uncertain), weight, sharp in mix.points:
        above = ability.skill.mean + ability.to(type).mean - difficulty
        margin = Belief(sharp * above, sharp * sharp * uncertain)
        told = weight * doubt(model.calibration.probability(margin))
        total += told
        mean += told * difficulty
    apart = (mean / total - seen.difficulty) / model.scales.claim
    return apart * apart * model.scales.prior("affinity").variance


def expected_rate(ability: Ability, mix: Mix, calibration: Calibration) -> float:
    """Return the probability that a claim drawn from the mix holds."""
    mean, variance = ability.skill.mean, ability.skill.variance + mix.level.variance
    total = 0.0
    for type, (difficulty, uncertain), weight, sharp in mix.points:
        m, v = ability.to(type)
        above, unsure = mean + m - difficulty, variance + v + uncertain
        total += weight * calibration.probability(Belief(sharp * above, sharp * sharp * unsure))
    return total


def rate_at(deviations: float, ability: Ability, mix: Mix, calibration: Calibration) -> float:
    """Return the rate if the agent's skill is this many standard deviations off its mean."""
    off = deviations * spread(ability, mix)
    total = 0.0
    for type, (difficulty, uncertain), weight, sharp in mix.points:
        above = ability.skill.mean + ability.to(type).mean + off - difficulty
        margin = Belief(sharp * above, sharp * sharp * uncertain)
        total += weight * calibration.probability(margin)
    return total


def spread(ability: Ability, mix: Mix) -> float:
    """Return the standard deviation of the agent's margin, averaged over the mix."""
    shares: dict[str, float] = defaultdict(float)
    for point in mix.points:
        shares[point.type] += point.weight
    types = math.fsum(w * w * ability.to(t).variance for t, w in shares.items())
    known = ability.skill.variance + ability.unfamiliar
    return math.sqrt(known + mix.level.variance + types)


def width(ability: Ability, mix: Mix, calibration: Calibration) -> float:
    """Return the width of the 90 % interval that the beliefs alone imply."""
    high = rate_at(_EITHER_END, ability, mix, calibration)
    return high - rate_at(-_EITHER_END, ability, mix, calibration)


def standing(model: Model, agent: str, mix: Mix, at: datetime) -> Standing:
    """Return what is shown of an agent over this mix, at this moment."""
    tally = model.records.get(agent, NEWCOMER).tally
    conduct = model.belief(Part("conduct", agent))
    return _standing(model, ability(model, agent, mix, at), mix, tally, conduct)


def standing_by_type(model: Model, agent: str, mix: Mix, at: datetime) -> dict[str, Standing]:
    """Return the same for every type the agent has evidence of, by name."""
    shown = {}
    for type in sorted({p.type for p in mix.points if p.type}):
        tally = model.tallies.get(Part("affinity", agent, type), NO_TALLY)
        if tally.decided:
            part = mix.of_type(type)
            conduct = model.belief(Part("conduct", agent))
            known = ability(model, agent, part, at, seen=tally)
            shown[type] = _standing(model, known, part, tally, conduct)
    return shown


def _standing(model: Model, ability: Ability, mix: Mix, tally: Tally, conduct: Belief) -> Standing:
    """An interval is open where nothing was seen to close it.

    Without a single yes the record cannot tell a low rate from none at all, and the
    lower end is 0; without a no the upper end is 1 (as Brown, Cai and DasGupta, 2001,
    recommend for the Jeffreys interval). The end that is left leaves out one in ten then,
    else each one in twenty. The bound never leaves out more than one in twenty, because
    gates use it. Worse conduct counts as far as it is beyond one standard deviation of doubt.
    """
    line, skill = model.calibration, ability.skill
    above = _EITHER_END if tally.supported else _ONE_END
    high = rate_at(above, ability, mix, line) if tally.refuted else 1.0
    low = bound = rate_at(-_EITHER_END, ability, mix, line) if tally.supported else 0.0
    if tally.supported and not tally.refuted:
        low = rate_at(-_ONE_END, ability, mix, line)
    worse = conduct.mean + math.sqrt(conduct.variance)
    if worse < 0.0 and tally.supported:
        trusted = replace(ability, skill=Belief(skill.mean + worse, skill.variance))
        bound = rate_at(-_EITHER_END, trusted, mix, line)
    return Standing(expected_rate(ability, mix, line), low, high, bound, tally)
