"""Where a rule of trust turns, to the last bit."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta
from typing import get_args

import pytest

from tests.unit.domain.trust_logs import DAY, refuted, supported
from tmws.domain.claims import Level
from tmws.domain.errors import Conflict, InvalidInput
from tmws.domain.trust import alarm, audits, rules
from tmws.domain.trust.alarm import UNSUSPECTED, Seen, Watch
from tmws.domain.trust.audits import Candidate
from tmws.domain.trust.confirmation import held_back
from tmws.domain.trust.evidence import Evidence, Link, Task
from tmws.domain.trust.integrity import NEAR_CERTAINTY, NOTHING_STATED
from tmws.domain.trust.log import replay
from tmws.domain.trust.logistic import Belief, posterior
from tmws.domain.trust.model import (
    EARLIER,
    NARROWEST_SKILL,
    UNCALIBRATED,
    Calibration,
    Kind,
    Part,
    Scales,
    observed,
    roles,
)
from tmws.domain.trust.nightly import FITTED_EVERY, QUIET
from tmws.domain.trust.reference import FIRST, Reference, Replay
from tmws.domain.trust.refit import _prior, refit
from tmws.domain.trust.rules import GATE_NOISE, opens
from tmws.domain.trust.score import ability, mix_of, standing, width
from tmws.domain.trust.state import DRIFT_PER_DAY, Model, aged

SKILL, MARGIN = Belief(1.0, 0.1), Belief(1.5, 0.4)
FAILURE = Seen(MARGIN, 1.0, False, 1.0, settled=True)
CANDIDATES = [Candidate(f"c{n:02}", 1.0 / (n + 1), 0.5) for n in range(40)]


def test_what_is_built_on_comes_by_what_would_be_lost_and_ties_as_they_were_ranked() -> None:
    even, sure, unlikely = (
        Candidate("e", 3.0, 0.5),
        Candidate("s", 2.0, 0.9),
        Candidate("u", 1.0, 0),
    )
    told = audits.most_at_stake(
        [*CANDIDATES, even, sure, unlikely], {"u": 0.2, "s": 1.0, "e": 0.2, "elsewhere": 9.0}
    )
    assert told == [unlikely, even, sure]
    assert audits.most_at_stake([even, sure], {"e": 0.2, "s": 1.0}) == [even, sure]
    assert audits.most_at_stake(CANDIDATES, dict.fromkeys("c00 c01".split(), 0.1)) == CANDIDATES[:2]
    assert audits.most_at_stake(CANDIDATES, {}) == []


def test_an_alarm_rings_beyond_its_threshold_and_not_on_it(monkeypatch: pytest.MonkeyPatch) -> None:
    loss = UNSUSPECTED.after(SKILL, FAILURE, UNCALIBRATED).loss
    monkeypatch.setattr(alarm, "THRESHOLD", loss)
    assert UNSUSPECTED.after(SKILL, FAILURE, UNCALIBRATED) == Watch(loss, 1.0, 0)
    monkeypatch.setattr(alarm, "THRESHOLD", math.nextafter(loss, 0.0))
    assert UNSUSPECTED.after(SKILL, FAILURE, UNCALIBRATED) == Watch(0.0, 1.0, 1)


def test_nobody_is_suspected_at_first_and_a_success_leaves_it_at_that() -> None:
    assert Watch(0.0, 0.0, 0) == UNSUSPECTED
    success = FAILURE._replace(supported=True)
    assert UNSUSPECTED.after(SKILL, success, UNCALIBRATED) == Watch(0.0, 1.0, 0)


def test_a_suspicion_holds_outcomes_against_the_skill_it_began_with() -> None:
    for sharpness in (1.0, 2.0):
        seen = Seen(MARGIN, sharpness, False, 1.0, settled=True)
        suspected = Watch(1.0, 2.0, 0).after(SKILL, seen, UNCALIBRATED)
        assert suspected.anchor == 2.0
        held = Belief(MARGIN.mean + sharpness * (2.0 - SKILL.mean), MARGIN.variance)
        found = alarm.evidence_of_loss(held, False, UNCALIBRATED, sharpness=sharpness)
        assert suspected.loss == 1.0 + found


def test_a_loss_shows_more_on_a_sharp_claim_and_costs_no_digits_far_away() -> None:
    blunt, usual, sharp = (
        alarm.evidence_of_loss(MARGIN, False, UNCALIBRATED, sharpness=s) for s in (0.5, 1.0, 2.0)
    )
    assert 0.0 < blunt < usual < sharp
    for mean in (-2000.0, 2000.0):
        found = alarm.evidence_of_loss(Belief(mean, 0.0), mean < 0.0, UNCALIBRATED)
        assert found == pytest.approx(math.copysign(alarm.LOSS_LOGITS, mean))


@pytest.mark.parametrize(("share", "picked"), [(0.0, 39), (0.0999, 39), (0.1, 14), (0.99, 14)])
def test_one_audit_in_ten_is_any_and_the_others_are_among_the_best(
    share: float, picked: int
) -> None:
    assert audits.pick(CANDIDATES, iter((share, 0.999)).__next__) == CANDIDATES[picked]
    assert audits.pick(CANDIDATES, iter((share, 0.0)).__next__) == CANDIDATES[0]


def test_few_open_claims_are_all_among_the_best() -> None:
    assert audits.pick(CANDIDATES[:3], iter((0.5, 0.999)).__next__) == CANDIDATES[2]
    assert audits.pick([], iter(()).__next__) is None


def test_a_margin_that_seems_surer_than_the_skill_has_a_known_task() -> None:
    sure = audits.information(Belief(0.0, 1.0), Belief(0.0, 0.5))
    assert sure == audits.information(Belief(0.0, 1.0), Belief(0.0, 1.0)) == 0.2


def test_audits_are_counted_until_the_interval_is_narrower(monkeypatch: pytest.MonkeyPatch) -> None:
    model = replay([supported("a", task=Task("c")), refuted("b", task=Task("d"))]).model
    mix, line = mix_of(model), model.calibration
    known = ability(model, "ann", mix, DAY)
    settled = replace(mix, level=Belief(mix.level.mean, 0.0))
    now = replace(known, skill=Belief(known.skill.mean, known.skill.variance + mix.level.variance))
    wide = width(now, settled, line)
    assert audits.audits_until_settled(known, mix, line, enough=wide) == 1
    assert audits.audits_until_settled(known, mix, line, enough=math.nextafter(wide, 1.0)) == 0
    needed = audits.audits_until_settled(known, mix, line, enough=0.2)
    assert needed is not None
    monkeypatch.setattr(audits, "_MOST_AUDITS", needed)
    assert audits.audits_until_settled(known, mix, line, enough=0.2) == needed
    monkeypatch.setattr(audits, "_MOST_AUDITS", needed - 1)
    assert audits.audits_until_settled(known, mix, line, enough=0.2) is None


def test_skill_of_the_average_is_not_held_back() -> None:
    model = Model()
    model.records["ann"] = replay([supported("a")]).model.records["ann"]
    mix = mix_of(model)
    shown = standing(model, "ann", mix, DAY)
    assert held_back(shown, model, "ann", mix, DAY, confirmed=0.0) is shown


@pytest.mark.parametrize(
    ("field", "least", "most"),
    [("weight", 0.0, 1.0), ("stated_confidence", 0.0, 1.0), ("severity", 5e-324, 100.0)],
)
def test_evidence_is_taken_up_to_the_ends_of_its_ranges(
    field: str, least: float, most: float
) -> None:
    for value in (least, most):
        assert getattr(replace(supported("e"), **{field: value}), field) == value  # type: ignore[arg-type]
    for value in (math.nextafter(least, -1.0), math.nextafter(most, 200.0), math.nan):
        with pytest.raises(InvalidInput, match=field):
            replace(supported("e"), **{field: value})  # type: ignore[arg-type]


@pytest.mark.parametrize("minutes", [5e-324, math.nextafter(1e6, 0.0)])
def test_an_effort_is_taken_up_to_the_ends_of_its_range(minutes: float) -> None:
    assert Task(effort_minutes=minutes).effort_minutes == minutes


def test_a_false_claim_is_an_event_from_near_certainty_on() -> None:
    stated = replace(refuted("e"), stated_confidence=NEAR_CERTAINTY)
    doubted = replace(stated, stated_confidence=math.nextafter(NEAR_CERTAINTY, 0.0))
    assert NOTHING_STATED.after(stated, 0.5).events == 1
    assert NOTHING_STATED.after(doubted, 0.5).events == 0
    assert NOTHING_STATED.after(replace(stated, verdict=supported("s").verdict), 0.5).events == 0


def test_a_penalty_never_grows_by_looking_back_and_halves_in_ninety_days() -> None:
    record = NOTHING_STATED.after(replace(refuted("e"), stated_confidence=1.0), 0.5)
    assert record.penalty_at(DAY - timedelta(days=90)) == record.penalty_at(DAY) == record.penalty
    assert record.penalty_at(DAY + timedelta(days=90)) == pytest.approx(record.penalty / 2)


@pytest.mark.parametrize(
    ("bound", "draw", "open"),
    [(0.5, 0.5, False), (0.5000001, 0.5, True), (0.0, 0.0, False), (1e-9, 0.0, True)],
)
def test_a_gate_opens_above_its_threshold_only(bound: float, draw: float, open: bool) -> None:
    threshold = 0.5 if draw else GATE_NOISE
    assert opens(bound, threshold, lambda: draw) is open


def test_time_does_not_run_backwards_for_a_skill() -> None:
    model = Model()
    assert aged(SKILL, DAY, DAY, model.scales) is SKILL
    assert aged(SKILL, DAY, DAY - timedelta(days=9), model.scales) is SKILL
    assert aged(SKILL, None, DAY, model.scales) is SKILL
    later = aged(SKILL, DAY, DAY + timedelta(days=1), model.scales)
    assert later == Belief(1.0, 0.1 + DRIFT_PER_DAY)
    wider = Belief(1.0, 9.0)
    assert aged(wider, DAY, DAY + timedelta(days=1), model.scales) == wider


def test_late_news_of_old_verdicts_does_not_turn_back_the_age_of_the_newest() -> None:
    tally = replay([supported("a", day=5), supported("b", day=2)]).model.records["ann"].tally
    assert tally.last_at == DAY + timedelta(days=5)


def test_calibration_stays_at_its_bounds_exactly() -> None:
    steep = Calibration(2.0, 1.0, 2000.0).after(Belief(8.0, 0.1), False, 1.0)
    assert steep.slope < 2.0
    assert steep.offset < 1.0
    assert steep.information == 2000.0
    assert Calibration(2.0, 1.0, 0.1).after(Belief(0.1, 0.1), True, 1.0)[:2] == (2.0, 1.0)
    assert Calibration(0.5, -1.0, 0.1).after(Belief(0.1, 0.1), False, 1.0)[:2] == (0.5, -1.0)


@pytest.mark.parametrize(("drawn", "due_at"), [(0, 1), (1, 2), (5, 6), (10, 12), (11, 14)])
def test_a_draw_is_due_from_a_fifth_more_on(drawn: int, due_at: int) -> None:
    reference = Reference(mix_of(Model()), drawn)
    assert not reference.is_due(due_at - 1)
    assert reference.is_due(due_at)


def test_a_chain_of_links_ends_at_one_owner() -> None:
    links = [Link("c", "b", "key", "root", DAY), Link("b", "a", "key", "root", DAY)]
    past = replay([*links, Link("d", "c", "key", "root", DAY)])
    assert past.owners == {"c": "a", "b": "a", "d": "a"}
    with pytest.raises(Conflict, match="owns"):
        replay([*links, Link("a", "c", "key", "root", DAY)])


def test_something_that_is_no_entry_changes_nothing() -> None:
    past = replay([supported("a")])
    before = past.model.fingerprint()
    past.add(None)  # type: ignore[arg-type]
    assert past.model.fingerprint() == before


def test_an_agent_whose_verdicts_all_moved_nothing_is_unknown() -> None:
    past = replay([Evidence("e", "ann", DAY, supported("x").verdict, weight=0.0)])
    shown = standing(past.model, "ann", mix_of(past.model), DAY)
    assert not shown.known
    assert (shown.low, shown.high, shown.bound) == (0.0, 1.0, 0.0)


def test_what_is_promised_of_audits_and_gates_is_what_the_constants_say() -> None:
    promised = (audits.AMONG, audits.UNIFORM_SHARE, audits.PRECISE_ENOUGH, audits._MOST_AUDITS)
    assert promised == (15, 0.10, 0.10, 500)
    assert (0.03, 1.0, frozenset({"logit-1", "logit-2", "logit-3", "logit-4"})) == (
        GATE_NOISE,
        NARROWEST_SKILL,
        EARLIER,
    )
    assert (timedelta(days=1), timedelta(minutes=5)) == (FITTED_EVERY, QUIET)


def test_every_kind_of_part_has_a_scale() -> None:
    kinds = set(get_args(Kind))
    assert kinds | {"newcomer"} == set(Scales._fields)
    everything = roles("ann", Task("c", "pytest", 5.0, "bob"), relied_on=True)
    assert everything.sharpness is not None
    assert {part.kind for part in (*everything.parts, everything.sharpness)} == kinds


def test_an_observation_counts_whole_and_is_no_own_pick_unless_told() -> None:
    assert posterior(MARGIN, True) == posterior(MARGIN, True, 1.0)
    assert observed([MARGIN], [1.0], MARGIN, True) == observed([MARGIN], [1.0], MARGIN, True, 1.0)
    evidence = Evidence("e", "ann", DAY, supported("s").verdict)
    assert (evidence.weight, evidence.severity, evidence.relied_on) == (1.0, 1.0, False)

    def weight(**own: float) -> float:
        return rules.weight(
            Level.INDEPENDENT,
            repeated=False,
            counted_today=0.0,
            **own,  # type: ignore[arg-type]  # a bool is a number, too
        )

    assert weight(probability=0.9) == 1.0
    assert weight() == weight(own_pick=False) == weight(own_pick=True) == 1.0


def test_parts_that_are_all_alike_have_the_narrowest_prior() -> None:
    alike = [(1e9, 0.0)] * 1000
    assert _prior("affinity", alike, Belief(0.0, 0.16)) == Belief(0.0, 0.05**2)
    assert _prior("skill", alike, Belief(0.0, 2.56)).variance == 1.0


def test_before_the_first_verdict_nothing_was_drawn_and_the_mix_has_no_type() -> None:
    assert (FIRST.decided, Replay().decided) == (0, 0)
    assert [(point.type, point.weight) for point in FIRST.mix.points] == [("", 1.0)]


def test_one_verdict_is_a_record() -> None:
    past = replay([supported("a")])
    assert standing(past.model, "ann", mix_of(past.model), DAY).known


def test_a_small_surprise_is_a_small_penalty() -> None:
    stated = replace(refuted("e"), stated_confidence=0.96)
    record = NOTHING_STATED.after(stated, 0.95)
    assert record.penalty == pytest.approx(math.log(0.05 / 0.04))
    assert NOTHING_STATED.after(stated, 0.97).penalty == 0.0


def test_a_held_back_bound_still_knows_how_an_agent_behaves_when_it_is_relied_on() -> None:
    model = replay([supported("a", task=Task("c")), refuted("b", "bob", Task("d"))]).model
    model.beliefs[Part("skill", "ann")] = Belief(2.0, 0.1)
    model.beliefs[Part("conduct", "ann")] = Belief(-2.0, 0.01)
    mix = mix_of(model)
    shown = standing(model, "ann", mix, DAY)
    held = held_back(shown, model, "ann", mix, DAY, confirmed=0.5)
    assert held.bound < shown.bound - 0.05
    assert (held.score, held.low, held.high) == (shown.score, shown.low, shown.high)


def test_of_two_verdicts_by_one_name_a_fit_takes_the_earlier() -> None:
    first, again = supported("e", day=1), refuted("e", day=2)
    for log in ([first, again], [again, first]):
        model, steps = refit(log)
        assert [step.evidence for step in steps] == [first]
        assert model.records["ann"].tally.refuted == 0


def test_a_verdict_without_a_type_says_nothing_of_affinities() -> None:
    plain, typed = supported("a", task=Task("c")), supported("b", task=Task("c", "pytest"))
    model = Model()
    first, second = model.record(plain), model.record(typed)
    assert first is not None
    assert second is not None
    assert first.affinity is None
    assert second.affinity == model.belief(Part("affinity", "ann", "pytest"))


def test_a_fingerprint_is_another_once_any_number_is() -> None:
    log = [supported("a", task=Task("c", "pytest")), refuted("b", "bob", Task("d"))]
    same = replay(log).model.fingerprint()
    assert len(same) == 64
    for table in ("beliefs", "records", "tallies", "census"):
        model = replay(log).model
        assert model.fingerprint() == same
        getattr(model, table).popitem()
        assert model.fingerprint() != same
    model = replay(log).model
    model.calibration = Calibration(offset=1e-9)
    assert model.fingerprint() != same


def test_a_retry_is_kept_once() -> None:
    past = replay([supported("a"), supported("b"), supported("a")])
    assert [evidence.id for evidence in past.evidence] == ["a", "b"]
