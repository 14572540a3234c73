"""Who rings the alarm, who does not, and where audits look for a loss."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.domain.trust_logs import DAY
from tests.unit.domain.trust_world import World
from tmws.domain.trust import alarm, audits
from tmws.domain.trust.alarm import Seen, Watch
from tmws.domain.trust.evidence import Task
from tmws.domain.trust.logistic import Belief, sigmoid
from tmws.domain.trust.model import UNCALIBRATED, Part
from tmws.domain.trust.state import Model, Record

KNOWN, VAGUE = Belief(1.0, 0.1), Belief(1.0, 0.25)


def ringing_newcomers() -> int:
    """Return how many of a hundred agents that stay as they are ring in their first claims."""
    world = World(seed=1)
    rang = set()
    for n in range(100):
        agent, skill = f"a{n}", world.chance.gauss(0.0, 1.6)
        rang |= {agent for claim in world.shuffled()[:80] if world.decide(agent, claim, skill)}
    return len(rang)


def test_a_newcomer_unlike_the_others_rings_no_alarm(monkeypatch: pytest.MonkeyPatch) -> None:
    rang = ringing_newcomers()
    monkeypatch.setattr(alarm, "SETTLED_VERDICTS", 0)
    assert rang <= 8
    assert ringing_newcomers() > 2 * rang


def test_only_a_known_skill_is_held_against_what_it_was() -> None:
    began, margin = Watch(loss=2.0, anchor=3.0), Belief(0.5, 0.4)
    known, vague = (
        began.after(KNOWN, Seen(margin, 2.0, False, 1.0, settled), UNCALIBRATED)
        for settled in (True, False)
    )
    assert (known.anchor, vague.anchor) == (3.0, KNOWN.mean)
    assert known.loss > vague.loss
    assert vague.loss == 2.0 + alarm.evidence_of_loss(margin, False, UNCALIBRATED, sharpness=2.0)


@pytest.mark.parametrize(
    ("variance", "decided", "settled"),
    [(0.2499, 0, True), (0.25, 29, False), (0.25, 30, True)],
)
def test_a_skill_is_known_to_half_a_logit_or_by_thirty_verdicts(
    variance: float, decided: int, settled: bool
) -> None:
    assert alarm.is_settled(Belief(0.0, variance), decided) is settled


@pytest.mark.parametrize(
    ("loss", "skill", "suspected"),
    [(1.0, KNOWN, True), (0.99, KNOWN, False), (5.0, VAGUE, False)],
)
def test_a_loss_is_suspected_where_a_known_skill_failed(
    loss: float, skill: Belief, suspected: bool
) -> None:
    model = Model()
    model.beliefs[Part("skill", "ann")] = skill
    model.records["ann"] = Record(watch=Watch(loss=loss))
    assert model.suspects("ann", DAY) is suspected
    assert not model.suspects("nobody", DAY)


@given(st.builds(Belief, st.floats(-30, 30), st.floats(0.01, 9)), st.floats(0.2, 4.0))
def test_a_loss_that_is_there_is_expected_to_show(margin: Belief, sharpness: float) -> None:
    found = alarm.expected_evidence(margin, UNCALIBRATED, sharpness=sharpness)
    assert -1e-12 <= found <= alarm.LOSS_LOGITS * sharpness


def test_what_is_expected_is_the_mean_over_both_outcomes() -> None:
    margin = Belief(1.5, 0.0)
    p = sigmoid(1.5 - alarm.LOSS_LOGITS)
    held, failed = (alarm.evidence_of_loss(margin, yes, UNCALIBRATED) for yes in (True, False))
    found = alarm.expected_evidence(margin, UNCALIBRATED, sharpness=1.0)
    assert found == pytest.approx(p * held + (1 - p) * failed)
    assert alarm.expected_evidence(margin, UNCALIBRATED, sharpness=2.0) > found


def test_a_suspected_agent_is_audited_where_a_loss_would_show() -> None:
    world = World(seed=2)
    world.add("below", -1.5)
    world.add("even", 0.0)
    world.model.beliefs[Part("skill", "ann")] = Belief(0.0, 0.1)
    tasks = {claim: Task(claim) for claim in ("below", "even")}
    calm = audits.ranked(world.model, "ann", tasks, DAY)
    world.model.records["ann"] = Record(watch=Watch(loss=2.0, anchor=0.0))
    alert = audits.ranked(world.model, "ann", tasks, DAY)
    assert [c.name for c in calm] == ["even", "below"]
    assert [c.name for c in alert] == ["below", "even"]
    held = world.model.margin("ann", tasks["below"], DAY)
    shows = alarm.expected_evidence(held, UNCALIBRATED, sharpness=1.0)
    assert alert[0].information == pytest.approx(shows)
    assert alert[0].probability == calm[1].probability


def claims_until_it_rings(seed: int, *, chosen: bool) -> int:
    world, later = World(seed), DAY + timedelta(days=1)
    order = world.shuffled()
    for claim in order[:100]:
        world.decide("ann", claim, 1.5)
    left = order[100:]
    for n in range(1, len(left)):
        claim = left[0]
        if chosen and world.model.suspects("ann", later):
            claim = audits.ranked(world.model, "ann", {c: Task(c) for c in left}, later)[0].name
        left.remove(claim)
        if world.decide("ann", claim, -1.5):
            return n
    return len(order)


def test_an_agent_that_turned_bad_is_found_out_sooner_where_the_service_chooses() -> None:
    chosen, in_turn = (
        sorted(claims_until_it_rings(seed, chosen=choose) for seed in range(30))
        for choose in (True, False)
    )
    assert chosen[15] <= in_turn[15]
    assert chosen[27] < in_turn[27]
