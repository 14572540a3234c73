from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.domain.trust_logs import DAY, logs, refuted, supported
from tmws.domain.trust import sharpness
from tmws.domain.trust.evidence import Evidence, Task
from tmws.domain.trust.logistic import Belief, sigmoid
from tmws.domain.trust.model import Part, Scales, sharpened
from tmws.domain.trust.refit import refit
from tmws.domain.trust.score import mix_of, standing
from tmws.domain.trust.sharpness import Answer, learned
from tmws.domain.trust.state import Model

HARD, PRIOR = Belief(0.0, 4.0), Belief(0.0, 0.25)
EVEN = [Belief(m / 4, 0.05) for m in range(-12, 13)]

answers = st.lists(
    st.builds(
        Answer,
        st.builds(Belief, st.floats(-20.0, 20.0), st.floats(0.0, 9.0)),
        st.booleans(),
        st.floats(0.01, 1.0),
    ),
    max_size=12,
)


def divided(at: float) -> list[Answer]:
    """Return answers of agents of all strengths: those above `at` succeed."""
    return [Answer(b, b.mean > at, 1.0) for b in EVEN]


def test_a_claim_that_divides_strong_from_weak_is_sharp_and_one_that_does_not_is_blunt() -> None:
    chance = random.Random(1)  # noqa: S311  # repeatable, no secret
    sharp = learned(divided(0.3), difficulty=HARD, sharpness=PRIOR, start=0.0)
    anybody = [Answer(b, chance.random() < 0.5, 1.0) for b in EVEN]
    blunt = learned(anybody, difficulty=HARD, sharpness=PRIOR, start=0.0)
    assert blunt.mean < -0.2 < 0.4 < sharp.mean
    assert max(blunt.variance, sharp.variance) < PRIOR.variance


def test_only_who_stands_on_which_side_matters_and_not_where_the_middle_is() -> None:
    anywhere = Belief(0.0, 1e6)
    near = learned(divided(0.1), difficulty=anywhere, sharpness=PRIOR, start=0.0)
    moved = [a._replace(standing=Belief(a.standing.mean + 5.0, 0.05)) for a in divided(0.1)]
    far = learned(moved, difficulty=anywhere, sharpness=PRIOR, start=3.0)
    assert far.mean == pytest.approx(near.mean, abs=0.01)


def test_the_likeliest_sharpness_is_found() -> None:
    """Beside a search over a fine grid of both numbers."""
    told = [Answer(b, b.mean > 0.3 or n % 5 == 0, 0.5 + n / 50) for n, b in enumerate(EVEN)]

    def likelihood(slope: float, hard: float) -> float:
        factor = math.exp(slope)
        total = -slope * slope / (2 * PRIOR.variance) - hard * hard / (2 * HARD.variance)
        for (mean, variance), held, weight in told:
            spread = math.sqrt(1.0 + math.pi / 8 * factor * factor * variance)
            margin = factor * (mean - hard) / spread
            total += weight * math.log(sigmoid(margin if held else -margin))
        return total

    grid = [(s / 100, h / 25) for s in range(-60, 100) for h in range(-40, 41)]
    slope, _ = max(grid, key=lambda pair: likelihood(*pair))
    assert learned(told, difficulty=HARD, sharpness=PRIOR, start=0.0).mean == pytest.approx(
        slope, abs=0.02
    )


@given(answers)
def test_sharpness_stays_within_its_bounds_and_never_gets_less_certain(told: list[Answer]) -> None:
    found = learned(told, difficulty=HARD, sharpness=PRIOR, start=0.0)
    assert abs(found.mean) <= sharpness._FARTHEST
    assert 0.0 < found.variance <= PRIOR.variance * (1 + 1e-9)


def test_without_answers_the_prior_stands() -> None:
    assert learned([], difficulty=HARD, sharpness=PRIOR, start=0.0) == pytest.approx(PRIOR)


def test_an_ordinary_claim_counts_the_parts_as_they_are() -> None:
    assert sharpened((1.0, -1.0, 0.5), 1.0) == (1.0, -1.0, 0.5)
    assert sharpened((1.0, -1.0, 0.5), 2.0) == (2.0, -2.0, 1.0)


def population(*, blunt: bool) -> list[Evidence]:
    """Return what forty agents answered to thirty claims; on the middle one, chance may decide."""
    chance = random.Random(2)  # noqa: S311  # repeatable, no secret
    told = []
    for agent in range(40):
        for claim in range(30):
            skill = 0.0 if blunt and claim == 15 else (agent - 20) / 5
            held = chance.random() < sigmoid(skill - (claim - 15) / 6)
            make = supported if held else refuted
            told.append(make(f"{agent:02}/{claim:02}", f"a{agent:02}", Task(f"c{claim:02}")))
    return told


def test_a_fit_finds_the_claim_on_which_chance_decides() -> None:
    model, _ = refit(population(blunt=True))
    found = {c: model.sharpness(Task(f"c{c:02}")) for c in range(30)}
    assert min(found, key=lambda c: found[c]) == 15
    assert found[15] < 0.7 * sorted(found.values())[15]
    assert Scales().sharpness * 0.5 < model.scales.sharpness < 1.0


def test_a_success_proves_more_on_a_sharp_claim_than_on_a_blunt_one() -> None:
    model = Model()
    task, other = Task("sharp"), Task("blunt")
    model.beliefs[Part("claim", "", "sharp")] = model.beliefs[Part("claim", "", "blunt")] = Belief(
        0.0, 0.1
    )
    model.beliefs[Part("sharpness", "", "sharp")] = Belief(math.log(2.0), 0.1)
    model.beliefs[Part("sharpness", "", "blunt")] = Belief(math.log(0.5), 0.1)
    model.record(supported("s1", "ann", task))
    model.record(supported("s2", "bob", other))
    assert model.skill("ann", DAY).mean > model.skill("bob", DAY).mean > 0.0
    assert model.skill("ann", DAY).variance < model.skill("bob", DAY).variance
    assert model.predict("ann", task, DAY) > model.predict("ann", other, DAY) > 0.5


def test_a_step_tells_the_skill_at_which_its_claim_is_a_coin_toss() -> None:
    model = Model()
    model.beliefs[Part("claim", "", "c")] = Belief(1.25, 0.1)
    model.beliefs[Part("sharpness", "", "c")] = Belief(math.log(2.0), 0.1)
    step = model.record(supported("s", "ann", Task("c")))
    assert step is not None
    assert step.difficulty == pytest.approx(1.25)


def test_one_answer_tells_nothing_of_sharpness_and_two_may() -> None:
    once, _ = refit([supported("s", "ann", Task("c"))])
    assert Part("sharpness", "", "c") not in once.beliefs
    twice, _ = refit([supported("s", "ann", Task("c")), refuted("r", "bob", Task("c"))])
    assert Part("sharpness", "", "c") in twice.beliefs
    assert once.sharpness(Task("c")) == once.sharpness(Task()) == 1.0


def test_a_mix_is_as_sharp_as_its_claims() -> None:
    model, _ = refit(population(blunt=False))
    mix = mix_of(model)
    average = math.fsum(p.weight * p.sharpness for p in mix.points)
    claims = [model.sharpness(Task(f"c{c:02}")) for c in range(30)]
    assert average == pytest.approx(math.fsum(claims) / 30)
    rates = [standing(model, f"a{a:02}", mix, DAY).score for a in (0, 20, 39)]
    assert rates == sorted(rates)


@given(logs())
def test_a_fit_gives_the_same_sharpness_in_whatever_order_it_is_told(log: list[Evidence]) -> None:
    assert refit(log)[0].fingerprint() == refit(log[::-1])[0].fingerprint()


def test_no_claim_counts_as_more_than_four_and_a_half_times_as_sharp_as_usual() -> None:
    anything = Belief(0.0, 100.0)
    sharp = learned(divided(0.3) * 8, difficulty=HARD, sharpness=anything, start=0.3)
    assert sharp.mean == 1.5
    against = [a._replace(supported=not a.supported) for a in divided(0.3) * 8]
    assert learned(against, difficulty=HARD, sharpness=anything, start=0.3).mean == -1.5


def test_the_search_takes_eight_steps_of_at_most_half_a_logit() -> None:
    promised = (sharpness._NEWTON_STEPS, sharpness._LONGEST_STEP, sharpness._PRECISION)
    assert promised == (8, 0.5, 1e-3)
