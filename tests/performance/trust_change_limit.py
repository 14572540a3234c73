"""How soon a change could be noticed at all: the alarm, other rules, and what no rule can beat.

usage: python -m tests.performance.trust_change_limit POPULATION [LIVES [everybody]]

POPULATION: a file of outcomes, 400 and more of each agent, or MEAN,SKILLS,CLAIMS,SHARPNESS of
agents to draw: how far their skills lie above the claims on average, and how widely skills,
claims and the logarithm of the sharpness are spread, in logits. Good agents live through claims
with the alarm silent and turn bad after a hundred, or never, in five ways of splitting all into
folds, whose difficulties come from the agents of the other folds; with `everybody`, from all, also
those who are measured. All rules are held against the same lives, each at the bound at which 5 % of
the unchanged ring within 300 claims.

No rule rings within 15 claims of a change more often than `in hindsight`: who sees whole frames
of 22 claims, and says only whether a loss began at one of their first eight and lasted for 15,
by the sum of likelihood ratios (Neyman, Pearson, 1933). That is a bound as far as the model is
right, and for rules that ring as readily at any time.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tmws.domain.trust import alarm
from tmws.domain.trust.evidence import Task
from tmws.domain.trust.logistic import averaged
from tmws.evaluation.attacks import BAD, BEFORE_CHANGE, GOOD, STATIONARY
from tmws.evaluation.chance import Chance, seeded
from tmws.evaluation.metrics import quantile
from tmws.evaluation.outcomes import Outcome, read
from tmws.evaluation.population import (
    Fold,
    Life,
    Population,
    everybody,
    everywhere,
    folds,
    population,
)

SOON, LATER, PLACES, WATCHED = 8, 15, 8, 60
LOSSES = (1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0)
FALSE_ALARMS = 0.05
MOST_GOOD, MOST_BAD, STILL, SPLITS = 10, 23, 10, 5
DRAWN_AGENTS, DRAWN_CLAIMS, DRAWN_PARTS = 67, 500, 4

Numbers = NDArray[np.float64]


class Lives(NamedTuple):
    """What the model saw of many lives, claim by claim; each of shape (lives, claims).

    Attributes:
        loss: the alarm's own CUSUM after the claim.
        skill, margin: their means before it.
        shrinks: what the margin's uncertainty leaves of it; `shrinks_known` if the skill
            had been known.
        sign: 1 where the claim held, else -1.
    """

    loss: Numbers
    skill: Numbers
    margin: Numbers
    shrinks: Numbers
    shrinks_known: Numbers
    sharpness: Numbers
    sign: Numbers
    slope: Numbers
    offset: Numbers

    def between(self, start: int, stop: int) -> Lives:
        return Lives(*(part[:, start:stop] for part in self))

    def told(self, skills: Numbers) -> Lives:
        """Return the same lives had each skill been known; shape (lives,)."""
        moved = skills[:, None] - self.skill
        return self._replace(
            skill=self.skill + moved,
            margin=self.margin + self.sharpness * moved,
            shrinks=self.shrinks_known,
        )


def lived(fold: Fold, agent: str, people: Population, answers: Sequence[tuple[str, bool]]) -> Any:
    """Return a row for each claim, in the order of `Lives`."""
    life, rows = Life(fold.copy(), agent), []
    for claim, held in answers:
        seen = life.model.outlook(agent, people.tasks[claim], life.now)
        line, (skill, unsure) = life.model.calibration, seen.beliefs[0]
        life.decide(people.tasks[claim], held)
        loss, (margin, variance) = life.model.records[agent].watch.loss, seen.margin
        shrinks = averaged(1.0, variance), averaged(1.0, variance - seen.sharpness**2 * unsure)
        told = (seen.sharpness, 1.0 if held else -1.0, line.slope, line.offset)
        rows.append((loss, skill, margin, *shrinks, *told))
    return rows


def collected(rows: Sequence[Any]) -> Lives:
    return Lives(*np.moveaxis(np.array(rows, dtype=float), 2, 0))


def some(names: Sequence[tuple[Fold, str]], most: int, chance: Chance) -> list[tuple[Fold, str]]:
    return list(names) if len(names) <= most else chance.sample(list(names), most)


class Found(NamedTuple):
    """Rows of lives of agents that stay good, turn bad for good, and are bad for 15 claims.

    Attributes:
        stays, turns: whose lives they are; `lapsed` has as many as `turned`.
    """

    still: list[Any]
    turned: list[Any]
    lapsed: list[Any]
    stays: list[str]
    turns: list[str]


def live(
    people: Population, worlds: Sequence[Fold], chance: Chance, each: int, found: Found, split: str
) -> None:
    """Let good agents live `each` lives with every bad one, and ten times as many as they are."""
    everyone = list(everybody(worlds))
    good = some([e for e in everyone if people.rates[e[1]] >= GOOD], MOST_GOOD, chance)
    bad = some([e for e in everyone if people.rates[e[1]] <= BAD], MOST_BAD, chance)
    change, back = BEFORE_CHANGE, BEFORE_CHANGE + LATER
    for fold, agent in good:
        own = people.answers[agent]
        claims = people.claims(agent)
        for _ in range(STILL * each):
            chance.shuffle(claims)
            answers = [(c, own[c]) for c in claims[: change + STATIONARY]]
            found.still.append(lived(fold, agent, people, answers))
            found.stays.append(split + agent)
        for other in [people.answers[name] for _, name in bad for _ in range(each)]:
            chance.shuffle(claims)
            before = [(c, own[c]) for c in claims[:change]]
            worse = [(c, other[c]) for c in claims[change : change + WATCHED]]
            again = [(c, own[c]) for c in claims[back : back + PLACES]]
            found.turned.append(lived(fold, agent, people, before + worse))
            found.lapsed.append(lived(fold, agent, people, before + worse[:LATER] + again))
            found.turns.append(split + agent)


def evidence(seen: Lives, loss: float) -> Numbers:
    """Return the log likelihood ratio of each claim, against the skill before the first."""
    held = seen.margin + seen.sharpness * (seen.skill[:, :1] - seen.skill)
    believed = likelihood(seen, held)
    return likelihood(seen, held - seen.sharpness * loss) - believed


def likelihood(seen: Lives, margin: Numbers) -> Numbers:
    logit = seen.slope * margin * seen.shrinks + seen.offset
    found: Numbers = -np.logaddexp(0.0, -seen.sign * logit)
    return found


def windows(seen: Lives, length: int) -> Numbers:
    """Return the log likelihood ratio of the last `length` claims, any loss as likely as another.

    Shape (lives, claims - length + 1), from the first whole window on.
    """
    claims = seen.sign.shape[1]
    found = []
    for start in range(claims - length + 1):
        window = seen.between(start, start + length)
        sums = [evidence(window, loss).sum(axis=1) for loss in LOSSES]
        found.append(np.logaddexp.reduce(sums, axis=0) - np.log(len(LOSSES)))
    return np.stack(found, axis=1)


def cusum(seen: Lives) -> Numbers:
    """Return the alarm's statistic for skills that are told, after each claim."""
    each, total = evidence(seen, alarm.LOSS_LOGITS), np.zeros(len(seen.sign))
    found = []
    for n in range(each.shape[1]):
        total = np.maximum(0.0, total + each[:, n])
        found.append(total)
    return np.stack(found, axis=1)


Rule = Callable[[Lives], Numbers]


def moving(seen: Lives) -> Numbers:
    return windows(seen, LATER)


def two_windows(seen: Lives) -> Numbers:
    """Return the long window's ratio, and a tenth as much of the short one's."""
    short = windows(seen, SOON)[:, LATER - SOON :] + np.log(0.1)
    found: Numbers = np.logaddexp(windows(seen, LATER), short)
    return found


def judged(name: str, rule: Rule, still: Lives, turned: Lives, bound: float | None = None) -> None:
    """Print how soon the rule rings, at this bound or where 5 % ring falsely."""
    peaks = rule(still)[:, -STATIONARY:].max(axis=1)
    bound = quantile(sorted(peaks), 1.0 - FALSE_ALARMS) if bound is None else bound
    rings = rule(turned)[:, -WATCHED:] > bound
    after = np.where(rings.any(axis=1), rings.argmax(axis=1) + 1.0, np.inf)
    print(
        f"  {name:34} bound {bound:5.2f}, false alarms {np.mean(peaks > bound):.1%}: "
        f"median {quantile(sorted(after), 0.5):.0f}, p90 {quantile(sorted(after), 0.9):.0f}, "
        f"within {LATER} {np.mean(after <= LATER):.3f}",
        flush=True,
    )


def in_hindsight(still: Lives, lapsed: Lives) -> float:
    """Return how often frames that hold a loss stand out from those that hold none."""
    size = PLACES + LATER - 1
    share = 1.0 - (1.0 - FALSE_ALARMS) ** (size / STATIONARY)
    starts = range(BEFORE_CHANGE, BEFORE_CHANGE + STATIONARY - size + 1, size)
    calm = [of_frame(still.between(start, start + size)) for start in starts]
    bound = np.quantile(np.concatenate(calm), 1.0 - share)
    places = range(BEFORE_CHANGE - PLACES + 1, BEFORE_CHANGE + 1)
    held = [of_frame(lapsed.between(start, start + size)) > bound for start in places]
    return float(np.mean(held))


def of_frame(frame: Lives) -> Numbers:
    found: Numbers = np.logaddexp.reduce(windows(frame, LATER), axis=1)
    return found


def drawn(mean: float, skills: float, claims: float, sharpness: float, *, seed: int) -> Population:
    """Return agents as the model sees them, of these spreads."""
    chance = np.random.default_rng(seed)
    skill = mean + skills * chance.standard_normal(DRAWN_AGENTS)
    hard = claims * chance.standard_normal(DRAWN_CLAIMS)
    sharp = np.exp(sharpness * chance.standard_normal(DRAWN_CLAIMS))
    held = chance.random((DRAWN_AGENTS, DRAWN_CLAIMS)) < 1.0 / (
        1.0 + np.exp(-sharp * (skill[:, None] - hard))
    )
    return population(
        [
            Outcome(f"agent {a}", Task(claim=f"claim {c}"), bool(held[a, c]))
            for a in range(DRAWN_AGENTS)
            for c in range(DRAWN_CLAIMS)
        ]
    )


def source(name: str) -> Callable[[int], Population]:
    """Return who lives in each split: the same agents of a file, or others drawn alike."""
    parts = name.split(",")
    if len(parts) == DRAWN_PARTS:
        mean, skills, claims, sharpness = map(float, parts)
        return lambda split: drawn(mean, skills, claims, sharpness, seed=split)
    people = population(read(Path(name)).decided)
    return lambda _: people


def main(arguments: list[str]) -> None:
    """Print the table."""
    name, each = arguments[1], int(arguments[2]) if arguments[2:] else 2
    met = arguments[3:] == ["everybody"]
    rung_at, alarm.THRESHOLD = alarm.THRESHOLD, float("inf")
    found, people = Found([], [], [], [], []), source(name)
    for split in range(SPLITS):
        lot, chance = people(split), seeded(split)
        worlds = [everywhere(lot)] if met else folds(lot, chance)
        live(lot, worlds, chance, each, found, f"{split} ")
    stays, turns = np.array(found.stays), np.array(found.turns)
    still, turned, lapsed = map(collected, found[:3])
    print(f"{name}: {len(stays)} lives unchanged, {len(turns)} changed")
    judged("the alarm", lambda seen: seen.loss, still, turned, rung_at)
    judged("the alarm at 5 %", lambda seen: seen.loss, still, turned)
    judged(f"{LATER} claims", moving, still, turned)
    judged(f"{LATER} claims or {SOON}", two_windows, still, turned)
    print(f"  in hindsight: within {LATER} {in_hindsight(still, lapsed):.3f}")
    ends = {who: still.skill[stays == who, -1].mean() for who in set(found.stays)}
    still = still.told(np.array([ends[who] for who in found.stays]))
    turned, lapsed = (p.told(np.array([ends[w] for w in found.turns])) for p in (turned, lapsed))
    judged("the alarm, skill told", cusum, still, turned)
    judged(f"{LATER} claims, skill told", moving, still, turned)
    judged(f"{LATER} claims or {SOON}, skill told", two_windows, still, turned)
    print(f"  in hindsight, skill told: within {LATER} {in_hindsight(still, lapsed):.3f}")


if __name__ == "__main__":
    main(sys.argv)
