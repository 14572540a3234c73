from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.domain.trust_logs import DAY, refuted, supported
from tmws.domain.trust.confirmation import KNOWN_ANSWER, Answered, confirmed_share, held_back
from tmws.domain.trust.evidence import Task
from tmws.domain.trust.model import Part
from tmws.domain.trust.score import Mix, Standing, mix_of, standing
from tmws.domain.trust.state import Model

weights = st.floats(0.01, 30.0)


def record(held: int, failed: int) -> tuple[Model, Mix]:
    """Return a model that knows `ann` beside a peer who is right half of the time."""
    model = Model()
    for n in range(held):
        model.record(supported(f"s{n}", "ann", Task(f"c{n}", "pytest", author="ann")))
    for n in range(failed):
        model.record(refuted(f"f{n}", "ann", Task(f"d{n}", "pytest", author="ann")))
    for n in range(8):
        verdict = supported if n % 2 else refuted
        model.record(verdict(f"p{n}", "bob", Task(f"p{n}", "pytest", author="bob")))
    return model, mix_of(model)


def seen(model: Model, mix: Mix, confirmed: float, agent: str = "ann") -> tuple[Standing, Standing]:
    shown = standing(model, agent, mix, DAY)
    return shown, held_back(shown, model, agent, mix, DAY, confirmed=confirmed)


def test_what_others_answered_confirms_as_much_as_it_weighs() -> None:
    assert confirmed_share([]) == 0.0
    assert confirmed_share([Answered(2.0, 0.0)]) == 0.0
    assert confirmed_share([Answered(2.0, 5.0)]) == 1.0
    assert confirmed_share([Answered(0.75, 0.75), Answered(0.75, 0.0)]) == 0.5
    assert confirmed_share([Answered(0.75, 0.75 * KNOWN_ANSWER)]) == pytest.approx(KNOWN_ANSWER)
    assert confirmed_share([Answered(0.0, 1.0)]) == 0.0
    assert 0.0 < KNOWN_ANSWER < 0.1


@given(st.lists(st.builds(Answered, weights, st.floats(0.0, 30.0)), min_size=1))
def test_more_answers_of_others_never_confirm_less(tasks: list[Answered]) -> None:
    before = confirmed_share(tasks)
    more = [task._replace(others=task.others + 1.0) for task in tasks]
    assert 0.0 <= before <= confirmed_share(more) <= 1.0 + 1e-12


def test_unconfirmed_an_agent_is_relied_on_like_one_of_average_skill() -> None:
    model, mix = record(12, 1)
    shown, held = seen(model, mix, 0.0)
    average = replace(model, beliefs=dict(model.beliefs))
    skill = model.belief(Part("skill", "ann"))
    average.beliefs[Part("skill", "ann")] = skill._replace(mean=model.scales.newcomer)
    assert held.bound == standing(average, "ann", mix, DAY).bound < shown.bound
    assert replace(held, bound=shown.bound) == shown


@given(st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_the_bound_grows_with_what_was_confirmed_and_never_beyond(one: float, other: float) -> None:
    model, mix = record(12, 1)
    low, high = sorted((one, other))
    shown, less = seen(model, mix, low)
    _, more = seen(model, mix, high)
    assert less.bound <= more.bound <= shown.bound
    assert seen(model, mix, 1.0)[1] == shown


def test_an_agent_below_the_average_and_one_that_is_unknown_stay_as_they_are() -> None:
    model, mix = record(2, 12)
    for agent in ("ann", "nobody"):
        shown, held = seen(model, mix, 0.0, agent)
        assert held == shown


def test_worse_conduct_counts_for_the_held_back_too() -> None:
    model, mix = record(12, 1)
    _, before = seen(model, mix, 0.0)
    conduct = Part("conduct", "ann")
    model.beliefs[conduct] = model.belief(conduct)._replace(mean=-2.0)
    _, after = seen(model, mix, 0.0)
    assert after.bound < before.bound
