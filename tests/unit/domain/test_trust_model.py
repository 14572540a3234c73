from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.domain.trust_logs import DAY, logs, refuted, supported, tasks
from tmws.domain.claims import Verdict
from tmws.domain.errors import InvalidInput
from tmws.domain.trust.evidence import Evidence, Task
from tmws.domain.trust.logistic import Belief, averaged, log_sigmoid, logit, posterior, sigmoid
from tmws.domain.trust.model import LEVEL, Part, combined, doublings, observed, roles
from tmws.domain.trust.state import DRIFT_PER_DAY, Model

margins = st.builds(Belief, st.floats(-30, 30), st.floats(1e-4, 50))
weights = st.floats(0.01, 1.0)


def learned(log: list[Evidence]) -> Model:
    model = Model()
    for evidence in log:
        model.record(evidence)
    return model


def exact(margin: Belief, yes: bool, weight: float) -> Belief:
    """Integrate the posterior on a fine grid."""
    spread = math.sqrt(margin.variance)
    grid = [margin.mean + spread * (i - 800) / 80 for i in range(1601)]
    log = [
        -((x - margin.mean) ** 2) / (2 * margin.variance)
        + weight * math.log(max(1e-300, sigmoid(x if yes else -x)))
        for x in grid
    ]
    peak = max(log)
    mass = [math.exp(value - peak) for value in log]
    mean = math.fsum(m * x for m, x in zip(mass, grid, strict=True)) / math.fsum(mass)
    variance = math.fsum(m * (x - mean) ** 2 for m, x in zip(mass, grid, strict=True))
    return Belief(mean, variance / math.fsum(mass))


@pytest.mark.parametrize("mean", [-5.0, -1.0, 0.0, 2.0, 5.0])
@pytest.mark.parametrize("variance", [0.05, 1.0, 6.0])
@pytest.mark.parametrize("yes", [True, False])
@pytest.mark.parametrize("weight", [0.25, 1.0])
def test_the_posterior_is_the_integral(
    mean: float, variance: float, yes: bool, weight: float
) -> None:
    found = posterior(Belief(mean, variance), yes, weight)
    true = exact(Belief(mean, variance), yes, weight)
    assert found.mean == pytest.approx(true.mean, abs=0.01 * math.sqrt(variance))
    assert found.variance == pytest.approx(true.variance, rel=0.02)


@given(margins, st.booleans(), weights)
def test_an_outcome_moves_the_margin_its_own_way_and_never_blurs_it(
    margin: Belief, yes: bool, weight: float
) -> None:
    after = posterior(margin, yes, weight)
    assert after.mean >= margin.mean if yes else after.mean <= margin.mean
    assert 0 < after.variance <= margin.variance


@given(margins, weights)
def test_a_no_is_the_mirror_image_of_a_yes(margin: Belief, weight: float) -> None:
    yes = posterior(margin, True, weight)
    no = posterior(Belief(-margin.mean, margin.variance), False, weight)
    assert no == Belief(-yes.mean, yes.variance)


@pytest.mark.parametrize("yes", [True, False])
@pytest.mark.parametrize("depth", [650.0, 745.0, 746.0, 1e6])
def test_far_below_everything_a_success_moves_the_margin_by_its_variance(
    depth: float, yes: bool
) -> None:
    after = posterior(Belief(-depth if yes else depth, 2.0), yes, 0.5)
    assert abs(after.mean) == pytest.approx(depth - 1.0)
    assert after.variance == pytest.approx(2.0)


@given(st.floats(-1e6, 1e6))
def test_the_logarithm_of_a_probability_is_known_where_the_probability_is_not(x: float) -> None:
    assert -math.inf < log_sigmoid(x) <= 0.0
    assert log_sigmoid(x) - log_sigmoid(-x) == pytest.approx(x, abs=1e-9)
    if abs(x) < 30:
        assert math.exp(log_sigmoid(x)) == pytest.approx(sigmoid(x))


def test_a_surprise_under_a_wide_prior_does_not_run_away() -> None:
    after = posterior(Belief(40.0, 400.0), False)
    assert -20 < after.mean < 20


@given(st.floats(-700, 700))
def test_sigmoid_is_a_probability_and_logit_undoes_it(x: float) -> None:
    p = sigmoid(x)
    assert 0 <= p <= 1
    if abs(x) < 15:
        assert logit(p) == pytest.approx(x, abs=1e-6)


@given(margins)
def test_uncertainty_pulls_a_prediction_towards_one_half(margin: Belief) -> None:
    assert abs(averaged(*margin)) <= abs(margin.mean)


def test_the_parts_share_a_surprise_by_their_uncertainty() -> None:
    beliefs = [Belief(0.0, 2.0), Belief(0.0, 1.0), Belief(0.0, 0.0)]
    signs = [1.0, -1.0, -1.0]
    skill, claim, known = observed(beliefs, signs, combined(beliefs, signs, 0.0), True)
    assert skill.mean == pytest.approx(-2 * claim.mean)
    assert skill.mean > 0
    assert known == Belief(0.0, 0.0)


def test_a_task_names_the_parts_it_speaks_about() -> None:
    task = Task("c", "pytest", 120.0, "bob")
    role = roles("ann", task, relied_on=True)
    assert role.parts == (
        Part("skill", "ann"),
        Part("affinity", "ann", "pytest"),
        Part("conduct", "ann"),
        LEVEL,
        Part("type", "", "pytest"),
        Part("choice", "bob"),
        Part("claim", "", "c"),
        Part("effort"),
    )
    assert role.coefficients == (1.0, 1.0, 1.0, -1.0, -1.0, -1.0, -1.0, -2.0)
    assert role.personal == 3
    assert role.sharpness == Part("sharpness", "", "c")
    assert roles("ann", Task()).parts == (Part("skill", "ann"), LEVEL)
    assert roles("ann", Task()).sharpness is None


@given(st.floats(1e-3, 9e5))
def test_effort_counts_in_doublings_up_to_eight(minutes: float) -> None:
    assert doublings(minutes) == max(-8.0, min(8.0, math.log2(minutes / 30)))


@given(logs(), tasks, st.sampled_from(["ann", "new"]))
def test_every_prediction_is_a_probability(log: list[Evidence], task: Task, agent: str) -> None:
    assert 0 < learned(log).predict(agent, task, DAY + timedelta(days=60)) < 1


@given(logs(), tasks, st.booleans())
def test_more_supporting_evidence_never_lowers_the_skill(
    log: list[Evidence], task: Task, relied_on: bool
) -> None:
    model = learned(log)
    at = DAY + timedelta(days=31)
    before = model.skill("ann", at).mean
    model.record(Evidence("more", "ann", at, Verdict.SUPPORTED, task, relied_on))
    assert model.skill("ann", at).mean >= before


@given(logs(), tasks)
def test_more_refuting_evidence_never_raises_the_skill(log: list[Evidence], task: Task) -> None:
    model = learned(log)
    at = DAY + timedelta(days=31)
    before = model.skill("ann", at).mean
    model.record(Evidence("more", "ann", at, Verdict.REFUTED, task))
    assert model.skill("ann", at).mean <= before


@given(logs(), st.data())
def test_retries_change_nothing_wherever_they_come(
    log: list[Evidence], data: st.DataObject
) -> None:
    again = list(log)
    for evidence in log:
        first = again.index(evidence)
        again.insert(data.draw(st.integers(first + 1, len(again))), evidence)
    assert learned(again).fingerprint() == learned(log).fingerprint()


@given(logs(), tasks)
def test_an_inconclusive_check_moves_its_own_counter_only(log: list[Evidence], task: Task) -> None:
    model, same = learned(log), learned(log)
    at = DAY + timedelta(days=40)
    assert model.record(Evidence("open", "ann", at, Verdict.INCONCLUSIVE, task)) is None
    assert model.beliefs == same.beliefs
    assert model.calibration == same.calibration
    assert (model.tallies, model.census) == (same.tallies, same.census)
    was = same.records.pop("ann", None)
    now = model.records.pop("ann")
    assert now._replace(inconclusive=now.inconclusive - 1) == (was or type(now)())
    assert model.records == same.records


def test_a_verdict_of_weight_zero_is_counted_as_ignored() -> None:
    model = Model()
    assert model.record(replace(supported("e"), weight=0.0)) is None
    assert model.records["ann"].ignored == 1
    assert not model.beliefs


@given(logs())
def test_a_model_loaded_with_only_the_parts_in_question_gives_the_same_numbers(
    log: list[Evidence],
) -> None:
    whole = Model()
    whole.beliefs[Part("sharpness", "", "c1")] = Belief(0.7, 0.2)
    for evidence in log:
        named = roles(evidence.agent, evidence.task, relied_on=evidence.relied_on)
        parts = {*named.parts, named.sharpness} & whole.beliefs.keys()
        small = Model(whole.scales, whole.calibration)
        small.beliefs = {part: whole.beliefs[part] for part in parts if part}
        if evidence.agent in whole.records:
            small.records = {evidence.agent: whole.records[evidence.agent]}
        assert small.record(evidence) == whole.record(evidence)
        assert small.calibration == whole.calibration
        for part in small.beliefs:
            assert small.beliefs[part] == whole.beliefs[part]


def test_a_failure_on_a_claim_that_all_pass_costs_more_than_on_one_that_none_pass() -> None:
    model = Model()
    for n in range(10):
        model.record(supported(f"s{n}", f"peer{n}", Task("easy")))
        model.record(refuted(f"r{n}", f"peer{n}", Task("hard")))
    model.record(refuted("ann-easy", "ann", Task("easy")))
    model.record(refuted("bob-hard", "bob", Task("hard")))
    ann, bob = model.skill("ann", DAY).mean, model.skill("bob", DAY).mean
    assert ann < bob < 0


def test_a_claim_that_everybody_passes_moves_next_to_nothing() -> None:
    model = Model()
    for n in range(30):
        model.record(supported(f"s{n}", f"peer{n}", Task("easy")))
        model.record(refuted(f"r{n}", f"peer{n}", Task("other")))
    first = model.record(supported("a", "ann", Task("easy")))
    second = model.record(supported("b", "bob", Task("other")))
    assert first is not None
    assert second is not None
    assert first.skill.mean < second.skill.mean / 5


def test_time_makes_a_skill_less_certain_but_no_worse() -> None:
    model = learned([supported(f"e{n}", task=Task(f"c{n}")) for n in range(20)])
    now, later = model.skill("ann", DAY), model.skill("ann", DAY + timedelta(days=100))
    assert later.mean == now.mean
    assert later.variance == pytest.approx(now.variance + 100 * DRIFT_PER_DAY)
    ages = model.skill("ann", DAY + timedelta(days=100_000)).variance
    assert ages == model.scales.skill**2


def test_recent_form_is_a_moving_average_that_decides_nothing() -> None:
    model = learned([supported("a"), refuted("b"), supported("c")])
    assert model.records["ann"].tally.form == pytest.approx(0.5840)
    assert model.records["ann"].tally.decided == 3


@given(st.lists(st.booleans(), max_size=200))
@settings(max_examples=30)
def test_calibration_stays_within_its_bounds(held: list[bool]) -> None:
    line = Model().calibration
    for yes in held:
        line = line.after(Belief(8.0, 0.1), yes, 1.0)
        assert 0.5 <= line.slope <= 2.0
        assert -1.0 <= line.offset <= 1.0


@pytest.mark.parametrize("minutes", [0.0, -1.0, 1e6, math.nan])
def test_an_effort_outside_its_range_is_refused(minutes: float) -> None:
    with pytest.raises(InvalidInput):
        Task(effort_minutes=minutes)


@pytest.mark.parametrize(
    ("field", "value"),
    [("weight", 1.5), ("weight", -0.1), ("stated_confidence", 2.0), ("severity", 0.0)],
)
def test_evidence_outside_its_range_is_refused(field: str, value: float) -> None:
    with pytest.raises(InvalidInput, match=field):
        replace(supported("e"), **{field: value})  # type: ignore[arg-type]


@given(logs())
def test_what_is_learned_is_held_against_what_was_foreseen(log: list[Evidence]) -> None:
    """Whoever looked at the task just before hands on what it saw, and nothing differs."""
    model, again = Model(), Model()
    for each in log:
        plain = replace(each, relied_on=False)
        foreseen = again.outlook(plain.agent, plain.task, plain.at)
        assert again.predict(plain.agent, plain.task, plain.at) == foreseen.probability
        step = again.record(plain, foreseen)
        assert step == model.record(plain)
        assert step is None or step.probability == foreseen.probability
    assert again.fingerprint() == model.fingerprint()
