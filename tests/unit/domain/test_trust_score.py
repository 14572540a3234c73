from __future__ import annotations

import math
import random
from dataclasses import replace
from datetime import timedelta
from statistics import NormalDist

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.domain.trust_logs import DAY, logs, refuted, supported
from tmws.domain.claims import Verdict
from tmws.domain.trust import audits
from tmws.domain.trust.evidence import Correction, Evidence, Task
from tmws.domain.trust.explanation import explain
from tmws.domain.trust.log import History, replay
from tmws.domain.trust.logistic import Belief, sigmoid
from tmws.domain.trust.model import DEFAULT_SCALES, Part
from tmws.domain.trust.score import (
    Ability,
    Mix,
    Point,
    ability,
    mix_of,
    rate_at,
    standing,
    standing_by_type,
)
from tmws.domain.trust.state import Model

LATER = DAY + timedelta(days=60)


def history(*log: Evidence) -> History:
    return replay(log)


@given(logs(), st.sampled_from(["ann", "bob", "nobody"]))
@settings(max_examples=50)
def test_score_and_interval_are_probabilities_in_order(log: list[Evidence], agent: str) -> None:
    model = replay(log).model
    shown = standing(model, agent, mix_of(model), LATER)
    assert 0 < shown.score < 1
    assert 0 <= shown.bound <= shown.low < shown.score < shown.high <= 1


@given(logs())
@settings(max_examples=50)
def test_the_mix_weighs_one_in_all(log: list[Evidence]) -> None:
    points = mix_of(replay(log).model).points
    assert math.fsum(p.weight for p in points) == pytest.approx(1.0)


def test_a_newcomer_is_unknown_and_stands_below_anybody_proven() -> None:
    model = history(*[supported(f"e{n}", task=Task(f"c{n}")) for n in range(10)]).model
    mix = mix_of(model)
    new, proven = standing(model, "new", mix, DAY), standing(model, "ann", mix, DAY)
    assert not new.known
    assert (new.low, new.high, new.bound) == (0.0, 1.0, 0.0)
    assert proven.known
    assert proven.bound > 0.5


def test_where_nothing_closes_the_lower_end_one_in_ten_is_left_out_above() -> None:
    model = history(refuted("e1"), refuted("e2")).model
    mix = mix_of(model)
    known = ability(model, "ann", mix, DAY)
    shown = standing(model, "ann", mix, DAY)
    assert shown.low == 0.0
    assert shown.high == pytest.approx(
        rate_at(NormalDist().inv_cdf(0.9), known, mix, model.calibration), rel=1e-12
    )
    once = history(refuted("e1"), refuted("e2"), supported("e3")).model
    known, shown = ability(once, "ann", mix, DAY), standing(once, "ann", mix, DAY)
    assert shown.high == pytest.approx(
        rate_at(NormalDist().inv_cdf(0.95), known, mix, once.calibration), rel=1e-12
    )
    assert shown.low == pytest.approx(
        rate_at(-NormalDist().inv_cdf(0.95), known, mix, once.calibration), rel=1e-12
    )


def test_where_nothing_closes_the_upper_end_one_in_ten_is_left_out_below() -> None:
    model = history(supported("e1"), supported("e2")).model
    mix = mix_of(model)
    shown, known = standing(model, "ann", mix, DAY), ability(model, "ann", mix, DAY)
    assert shown.high == 1.0
    assert shown.low == pytest.approx(
        rate_at(-NormalDist().inv_cdf(0.9), known, mix, model.calibration), rel=1e-12
    )


def test_a_spotless_record_is_relied_on_no_further_than_another() -> None:
    model = history(supported("e1"), supported("e2")).model
    mix = mix_of(model)
    shown, known = standing(model, "ann", mix, DAY), ability(model, "ann", mix, DAY)
    assert shown.bound < shown.low
    assert shown.bound == pytest.approx(
        rate_at(-NormalDist().inv_cdf(0.95), known, mix, model.calibration), rel=1e-12
    )


def test_before_any_evidence_every_score_is_one_half() -> None:
    model = Model()
    assert standing(model, "new", mix_of(model), DAY).score == pytest.approx(0.5)


def test_half_of_the_hard_claims_proves_more_than_all_of_the_easy_ones() -> None:
    log = []
    for n in range(60):
        log.append(supported(f"p{n}", f"peer{n % 6}", Task(f"easy{n % 20}")))
        log.append(refuted(f"q{n}", f"peer{n % 6}", Task(f"hard{n % 20}")))
    log += [supported(f"a{n}", "farmer", Task(f"easy{n}")) for n in range(20)]
    log += [supported(f"b{n}", "expert", Task(f"hard{n}")) for n in range(10)]
    log += [refuted(f"c{n}", "expert", Task(f"hard{n}")) for n in range(10, 20)]
    model = replay(log).model
    mix = mix_of(model)
    farmer, expert = (standing(model, a, mix, DAY) for a in ("farmer", "expert"))
    assert farmer.tally.refuted == 0
    assert expert.low > farmer.low


def test_worse_conduct_when_relied_on_costs_the_bound_and_not_the_score() -> None:
    known = [
        (supported if n % 2 else refuted)(f"p{n}", f"p{n % 40}", Task(f"c{n % 5}"))
        for n in range(400)
    ]
    honest = [supported(f"h{n}", "ann", Task(f"c{n % 5}"), n / 4) for n in range(60)]
    lies = [
        replace(refuted(f"l{n}", "ann", Task(f"c{n % 5}"), 15), relied_on=True) for n in range(8)
    ]
    model = history(*known, *honest, *lies).model
    shown = standing(model, "ann", mix_of(model), LATER)
    assert model.beliefs[Part("conduct", "ann")].mean < -0.4
    assert shown.bound < shown.low - 0.01


def test_a_type_shows_its_own_record() -> None:
    log = [supported(f"s{n}", "ann", Task(f"p{n}", "pytest")) for n in range(20)]
    log += [refuted(f"r{n}", "ann", Task(f"m{n}", "mypy")) for n in range(20)]
    log += [supported(f"o{n}", "bob", Task(f"m{n}", "mypy")) for n in range(20)]
    log += [supported(f"u{n}", "bob", Task(f"f{n}", "ruff")) for n in range(3)]
    model = history(*log).model
    shown = standing_by_type(model, "ann", mix_of(model), DAY)
    assert list(shown) == ["mypy", "pytest"]
    assert shown["pytest"].tally.supported == 20
    assert shown["mypy"].score < shown["pytest"].score
    assert shown["mypy"].bound == 0.0


@pytest.mark.parametrize("fit", [False, True])
@given(log=logs())
@settings(max_examples=25)
def test_an_explanation_adds_up(fit: bool, log: list[Evidence]) -> None:
    past = replay([*log, Correction("none", "a slip", "root", LATER)] if fit else log)
    mix = mix_of(past.model)
    for agent in ("ann", "new"):
        told = explain(past.model, agent, past.paths[agent], mix, LATER)
        gains = math.fsum(g.logits for g in told.gains)
        assert abs(told.prior + gains + told.aging - told.score) < 1e-9
        largest = math.fsum(g.logits for g in told.largest)
        assert abs(largest + told.remainder - gains) < 1e-9
        shown = standing(past.model, agent, mix, LATER)
        assert sigmoid(told.score) == pytest.approx(shown.score, abs=1e-12)


def test_an_explanation_names_the_five_largest_and_what_was_withdrawn() -> None:
    log = [supported(f"e{n}", "ann", Task(f"c{n}", "pytest"), n) for n in range(8)]
    taken_back = Correction("e3", "the sandbox was broken", "root", LATER)
    past = replay([*log, taken_back])
    told = explain(
        past.model,
        "ann",
        past.paths["ann"],
        mix_of(past.model),
        LATER,
        corrections=past.corrections("ann"),
    )
    assert len(told.gains) == 7
    assert len(told.largest) == 5
    sizes = [abs(g.logits) for g in told.largest]
    assert sizes == sorted(sizes, reverse=True)
    assert told.withdrawn == (taken_back,)
    assert all(0 < g.probability < 1 for g in told.gains)
    assert told.audits is not None
    assert told.audits > 0


def test_who_never_succeeded_has_no_bound_however_it_behaved_when_relied_on() -> None:
    model = history(*[refuted(f"e{n}", task=Task(f"c{n}")) for n in range(5)]).model
    model.beliefs[Part("conduct", "ann")] = Belief(-2.0, 0.01)
    assert standing(model, "ann", mix_of(model), DAY).bound == 0.0


def test_before_any_evidence_the_mix_is_one_ordinary_claim() -> None:
    assert mix_of(Model()).points == (Point("", Belief(0.0, DEFAULT_SCALES.claim**2), 1.0, 1.0),)


def test_a_point_that_was_stored_before_claims_differed_in_sharpness_is_of_ordinary_ones() -> None:
    told = ("pytest", Belief(0.3, 0.5), 1.0)
    assert Point(*told) == Point(*told, 1.0)


def test_what_is_settled_needs_no_audit_and_what_never_will_be_says_so() -> None:
    line = Model().calibration
    sure = Ability(Belief(0.0, 1e-4), {}, Belief(0.0, 0.1))
    mix = Mix((Point("", Belief(0.0, 0.5), 1.0),), Belief(0.0, 1e-4))
    assert audits.audits_until_settled(sure, mix, line) == 0
    unsure = Ability(Belief(0.0, 2.5), {}, Belief(0.0, 0.1))
    needed = audits.audits_until_settled(unsure, mix, line)
    assert needed is not None
    assert 20 < needed < 300
    blurred = Mix((Point("", Belief(0.0, 40.0), 1.0),), mix.level)
    assert audits.audits_until_settled(unsure, blurred, line, enough=0.01) is None


def test_the_most_informative_claim_is_the_one_that_could_go_either_way() -> None:
    log = [supported(f"s{n}", f"p{n}", Task("easy")) for n in range(20)]
    log += [refuted(f"r{n}", f"p{n}", Task("hard")) for n in range(20)]
    log += [Evidence(f"m{n}", f"p{n}", DAY, list(Verdict)[n % 2], Task("even")) for n in range(20)]
    model = history(*log).model
    tasks = {name: Task(name) for name in ("hard", "easy", "even")}
    ranking = audits.ranked(model, "ann", tasks, DAY)
    assert ranking[0].name == "even"
    assert all(c.information > 0 for c in ranking)


def test_the_service_picks_among_the_best_and_now_and_then_among_all() -> None:
    ranking = [audits.Candidate(f"c{n}", 1.0 / (n + 1), 0.5) for n in range(100)]
    chance = random.Random(7)  # noqa: S311  # repeatable, no secret
    picked = [audits.pick(ranking, chance.random) for _ in range(2000)]
    places = [ranking.index(p) for p in picked if p is not None]
    outside = sum(place >= audits.AMONG for place in places) / len(places)
    assert 0.06 < outside < 0.11
    assert set(range(audits.AMONG)) <= set(places)
    assert audits.pick([], chance.random) is None


def test_a_mix_of_one_type_is_that_type_only() -> None:
    model = history(
        supported("a", task=Task("c1", "pytest")), supported("b", task=Task(None, "ruff"))
    ).model
    mix = mix_of(model)
    assert {p.type for p in mix.of_type("ruff").points} == {"ruff"}
    assert mix.of_type("absent").points == ()
    assert ability(model, "ann", mix, DAY).to("") == Belief(0.0, 0.0)
