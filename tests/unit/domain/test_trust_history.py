from __future__ import annotations

from datetime import timedelta

import pytest

from tests.unit.domain.trust_logs import DAY, refuted, supported
from tmws.domain.trust.evidence import Task
from tmws.domain.trust.history import points
from tmws.domain.trust.log import History, replay
from tmws.domain.trust.nightly import FITTED_EVERY, QUIET, is_due
from tmws.domain.trust.score import mix_of, standing

MINUTE = timedelta(minutes=1)


def lived() -> History:
    return replay(
        [
            supported("a", task=Task("c1", "pytest"), day=1),
            refuted("b", task=Task("c2", "ruff"), day=2),
            supported("c", task=Task("c3"), day=3),
            supported("d", "bob", Task("c1", "pytest"), day=3),
        ]
    )


def test_a_history_ends_where_the_score_stands() -> None:
    past = lived()
    mix, at = mix_of(past.model), DAY + timedelta(days=3)
    found = points(past.model, "ann", past.paths["ann"], mix)
    now = standing(past.model, "ann", mix, at)
    assert [(p.claim_id, p.supported, p.alarmed) for p in found] == [
        ("a", True, False),
        ("b", False, False),
        ("c", True, False),
    ]
    assert found[-1].at == at
    assert (found[-1].score, found[-1].low, found[-1].high) == (now.score, now.low, now.high)
    assert found[0].high == 1.0
    assert found[1].score < found[0].score


@pytest.mark.parametrize(("newest", "kept"), [(1, "c"), (2, "bc"), (9, "abc"), (0, "")])
def test_only_the_newest_points_are_told_when_so_many_are_asked_for(newest: int, kept: str) -> None:
    past = lived()
    mix = mix_of(past.model)
    every = points(past.model, "ann", past.paths["ann"], mix)
    some = points(past.model, "ann", past.paths["ann"], mix, newest=newest)
    assert [p.claim_id for p in some] == list(kept)
    assert some == every[len(every) - len(some) :]


@pytest.mark.parametrize(
    ("since_fit", "since_newest", "due"),
    [
        (FITTED_EVERY - MINUTE, QUIET * 2, False),
        (FITTED_EVERY, QUIET, True),
        (FITTED_EVERY, QUIET - MINUTE, False),
        (FITTED_EVERY * 3, QUIET - MINUTE, False),
    ],
)
def test_a_fit_is_due_after_a_day_and_a_quiet_moment(
    since_fit: timedelta, since_newest: timedelta, due: bool
) -> None:
    newest = DAY - since_newest
    assert is_due(fitted=DAY - since_fit, first=newest, newest=newest, at=DAY) is due


def test_a_fit_waits_for_no_quiet_moment_for_more_than_a_day() -> None:
    first = DAY - FITTED_EVERY
    assert is_due(fitted=first - FITTED_EVERY, first=first, newest=DAY, at=DAY)
    assert is_due(fitted=None, first=first, newest=DAY, at=DAY)
    assert not is_due(fitted=None, first=first + MINUTE, newest=DAY - QUIET, at=DAY)


def test_a_fit_of_a_time_to_come_holds_up_no_fit() -> None:
    first = DAY - FITTED_EVERY  # the clock was set back after that fit
    assert is_due(fitted=DAY + MINUTE, first=first, newest=DAY - QUIET, at=DAY)
    assert not is_due(fitted=DAY + MINUTE, first=first + MINUTE, newest=DAY - QUIET, at=DAY)
    assert not is_due(fitted=DAY, first=first, newest=DAY - QUIET, at=DAY)  # that one was just now
