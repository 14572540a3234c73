"""How many agents that stay as they are ring the alarm, drawn from the model itself.

usage: python -m tests.performance.trust_false_alarms FILE.csv.gz [LIVES]

A world is fitted to the file, agents of any skill are drawn from it, and each answers up to
400 claims in random order, nothing known of it beforehand.
"""

from __future__ import annotations

import math
import sys
from pathlib import Path
from statistics import fmean

from tmws.domain.trust.logistic import sigmoid
from tmws.domain.trust.model import Part
from tmws.evaluation.chance import Chance, seeded
from tmws.evaluation.outcomes import read
from tmws.evaluation.population import Fold, Life, Population, everywhere, population

FIRST, ALL = 100, 400


def alarms(people: Population, fold: Fold, chance: Chance) -> list[int]:
    """Return after how many claims the alarm rang, of one agent that never changed."""
    world = fold.world
    skill = chance.gauss(world.scales.newcomer, world.scales.skill)
    life = Life(fold.copy(), "somebody")
    level = world.belief(Part("level"))
    names = sorted(people.tasks)
    chance.shuffle(names)
    rang = []
    for n, name in enumerate(names[:ALL], 1):
        claim, task = world.belief(Part("claim", "", name)), people.tasks[name]
        hard = level.mean + chance.gauss(claim.mean, math.sqrt(claim.variance))
        held = chance.random() < sigmoid(world.sharpness(task) * (skill - hard))
        if life.decide(task, held):
            rang.append(n)
    return rang


def main(arguments: list[str]) -> None:
    """Print the shares."""
    path, lives = arguments[1], int(arguments[2]) if arguments[2:] else 2000
    people, chance = population(read(Path(path)).decided), seeded(0)
    fold = everywhere(people)
    rang = [alarms(people, fold, chance) for _ in range(lives)]
    print(f"{lives} agents drawn from the model of {path}")
    print(
        f"  rang in the first {FIRST} claims: {fmean(any(n <= FIRST for n in r) for r in rang):.1%}"
    )
    print(
        f"  rang in the {ALL - FIRST} after: {fmean(any(n > FIRST for n in r) for r in rang):.1%}"
    )


if __name__ == "__main__":
    main(sys.argv)
