"""What answers on claims of one difficulty leave open about others."""

from __future__ import annotations

from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.domain.trust_logs import DAY, supported
from tests.unit.domain.trust_world import CLAIMS, World
from tmws.domain.trust import score
from tmws.domain.trust.evidence import Task
from tmws.domain.trust.logistic import Belief, doubt, sigmoid
from tmws.domain.trust.model import Part
from tmws.domain.trust.score import (
    Mix,
    Point,
    ability,
    mix_of,
    spread,
    standing,
    standing_by_type,
)
from tmws.domain.trust.state import Model, Record, Tally

EVEN = Mix((Point("", Belief(0.0, 0.5), 1.0),), Belief(0.0, 0.01))


def known(difficulty: float, *, type: str = "") -> Model:
    """Return a model that knows ann's skill, from claims of this difficulty."""
    model = Model()
    model.beliefs[Part("skill", "ann")] = Belief(0.5, 0.1)
    tally = Tally(30, 10, DAY, None, 5.0, difficulty)
    model.records["ann"] = Record(tally)
    if type:
        model.tallies[Part("affinity", "ann", type)] = tally._replace(difficulty=0.0)
    return model


def test_a_tally_knows_how_hard_the_claims_were_that_told_something() -> None:
    tally = Tally().after(True, DAY, told=0.25, difficulty=1.0)
    tally = tally.after(False, DAY, told=0.75, difficulty=-3.0)
    assert (tally.information, tally.difficulty) == (1.0, -2.0)


def test_a_verdict_counts_by_its_weight_and_its_doubt() -> None:
    model = Model()
    step = model.record(supported("e", task=Task("c", "pytest")))
    assert step is not None
    for tally in (model.records["ann"].tally, model.tallies[Part("affinity", "ann", "pytest")]):
        assert tally.information == step.probability * (1.0 - step.probability)
        assert tally.difficulty == step.difficulty


def test_even_a_sure_outcome_leaves_a_trace() -> None:
    assert doubt(0.5) == 0.25
    assert doubt(0.0) == doubt(1.0) == 1e-12


def test_who_only_answered_easy_claims_is_uncertain_about_others() -> None:
    easy, even, hard = (standing(known(d), "ann", EVEN, DAY) for d in (-4.0, 0.0, 4.0))
    assert easy.bound < even.bound
    assert easy.low < even.low
    assert easy.high > even.high
    assert easy.score == even.score == hard.score
    assert easy.low == pytest.approx(hard.low)


def test_one_affinity_is_open_for_each_spread_of_claims() -> None:
    model = known(-2.2)
    scales = model.scales
    found = ability(model, "ann", EVEN, DAY)
    assert scales.claim == 2.2
    assert found.unfamiliar == pytest.approx(scales.affinity**2)
    assert spread(found, EVEN) == pytest.approx((0.1 + scales.affinity**2 + 0.01) ** 0.5)
    assert ability(known(-6.6), "ann", EVEN, DAY).unfamiliar == pytest.approx(
        9 * scales.affinity**2
    )


def test_the_mix_counts_where_it_tells_of_the_agent() -> None:
    far = Mix((*EVEN.points, Point("", Belief(12.0, 0.5), 1.0)), EVEN.level)
    assert ability(known(0.0), "ann", far, DAY).unfamiliar < 1e-4
    blunt = Mix(
        (EVEN.points[0]._replace(weight=0.5), Point("", Belief(3.0, 0.5), 0.5, 0.2)), EVEN.level
    )
    sharp = Mix(
        (EVEN.points[0]._replace(weight=0.5), Point("", Belief(3.0, 0.5), 0.5, 2.0)), EVEN.level
    )
    found = [ability(known(0.0), "ann", mix, DAY).unfamiliar for mix in (blunt, sharp)]
    assert found[0] > 4 * found[1]


def test_nothing_is_unfamiliar_before_the_first_verdict() -> None:
    assert ability(Model(), "ann", EVEN, DAY).unfamiliar == 0.0


def test_a_type_rests_on_its_own_verdicts() -> None:
    mix = Mix((Point("pytest", Belief(0.0, 0.5), 1.0),), Belief(0.0, 0.01))
    model = known(-5.0, type="pytest")
    assert (
        standing_by_type(model, "ann", mix, DAY)["pytest"].low
        > standing(model, "ann", mix, DAY).low
    )


@given(st.floats(-8, 8), st.floats(-8, 8))
def test_the_farther_off_the_less_is_known(one: float, other: float) -> None:
    nearer, farther = sorted((one, other), key=abs)
    found = [standing(known(d), "ann", EVEN, DAY) for d in (nearer, farther)]
    assert found[1].low <= found[0].low + 1e-12
    assert found[1].high >= found[0].high - 1e-12


def farmed_too_high() -> int:
    """Return how many of sixty agents that fare by slopes of their own on harder claims have a
    bound more than .05 above their rate, once they took the sixty easiest claims."""
    world, found = World(seed=4), 0
    easiest = sorted(CLAIMS, key=world.hard.__getitem__)[:60]
    model = world.model
    model.census = {Task(claim): 1 for claim in CLAIMS}
    mix = mix_of(model)
    for n in range(60):
        skill, slope = world.chance.gauss(-1.0, 1.6), world.chance.gauss(0.0, 0.2)
        for claim in easiest:
            world.decide(f"a{n}", claim, skill + slope * world.hard[claim])
        rate = fmean(sigmoid(skill + (slope - 1.0) * hard) for hard in world.hard.values())
        found += standing(model, f"a{n}", mix, DAY).bound > rate + 0.05
    return found


def test_farming_easy_claims_proves_little_about_hard_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """The attack: weak agents that are good at easy claims take nothing else."""
    found = farmed_too_high()
    monkeypatch.setattr(score, "_unfamiliar", lambda *_: 0.0)
    assert found <= 3
    assert farmed_too_high() > found + 2
