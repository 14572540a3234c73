"""The mix that scores refer to: when it is drawn, and that nobody bends it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.domain.trust_logs import logs
from tmws.domain.claims import Verdict
from tmws.domain.trust.evidence import Correction, Entry, Evidence, Task
from tmws.domain.trust.reference import FIRST, Reference, Replay, drawn
from tmws.domain.trust.score import mix_of
from tmws.domain.trust.state import Model
from tmws.testing.clock import START


def replayed(log: list[Entry]) -> Replay:
    replay = Replay()
    for entry in log:
        replay.add(entry)
    return replay


@given(st.integers(0, 10_000))
def test_a_draw_is_due_with_every_verdict_at_first_and_ever_more_rarely(decided: int) -> None:
    reference = Reference(FIRST.mix, decided)
    assert not reference.is_due(decided)
    assert reference.is_due(decided + max(1, -(-decided // 5)) + 1)
    assert reference.is_due(decided + 1) is (decided <= 5)


@given(logs())
def test_a_replay_counts_what_moved_and_draws_from_no_later_than_a_fifth_ago(
    log: list[Evidence],
) -> None:
    replay = replayed([*log, *log])  # retries
    assert replay.decided == sum(replay.history.model.census.values())
    assert replay.reference.decided <= replay.decided
    assert not replay.reference.is_due(replay.decided)


@given(logs())
def test_a_correction_draws_anew(log: list[Evidence]) -> None:
    replay = replayed([*log, Correction("absent", "a reason", "ann", START)])
    assert replay.reference == drawn(replay.history.model)


@given(st.integers(1, 300))
def test_however_many_claims_one_brings_up_its_share_of_the_mix_is_that_of_the_others(
    easy: int,
) -> None:
    model = Model()
    for number in range(80):
        agent = f"agent{number % 4}"
        verdict = Verdict.SUPPORTED if number % 3 else Verdict.REFUTED
        task = Task(f"claim{number}", "pytest", None, agent)
        model.record(Evidence(str(number), agent, START, verdict, task))
    for number in range(easy):
        task = Task(f"easy{number}", "ruff", None, "farmer")
        model.record(Evidence(f"easy{number}", "farmer", START, Verdict.SUPPORTED, task))
    shares = [point.weight for point in mix_of(model).points if point.type == "ruff"]
    assert sum(shares) == pytest.approx(1 / 5)
