"""What a verdict has to reach before it counts."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.domain.claims_made import INCONCLUSIVE, REFUTED, SUPPORTED
from tmws.domain.claims import (
    AddedCheck,
    Check,
    CoverageCheck,
    Level,
    MetricCheck,
    MypyCheck,
    NodeTestCheck,
    PytestCheck,
    PythonCheck,
    Reason,
    RuffCheck,
    TimingCheck,
    Verdict,
)
from tmws.domain.levels import CANNOT_EXCLUDE, cannot_exclude, held_to, strongest, way_out

LEVELS = st.sampled_from(Level)


@given(st.lists(st.none() | LEVELS))
def test_the_most_that_anybody_asks_for_is_needed_and_never_less_than_reproduced(
    asked: list[Level | None],
) -> None:
    needed = strongest(*asked)
    assert needed.reaches(Level.REPRODUCED)
    assert all(level is None or needed.reaches(level) for level in asked)
    assert needed in {Level.REPRODUCED, *asked}


@given(LEVELS, LEVELS)
def test_what_held_counts_only_at_the_level_that_is_needed(reached: Level, needed: Level) -> None:
    held = dataclasses.replace(SUPPORTED, level=reached)
    judgement = held_to(needed, held, "Do this.", check=PytestCheck())
    assert (judgement.verdict is Verdict.SUPPORTED) == reached.reaches(needed)
    assert judgement.level is reached
    if judgement.verdict is Verdict.INCONCLUSIVE:
        assert judgement.reason is Reason.LEVEL_NOT_REACHED
        assert f"has to reach {needed.value}. Do this." in judgement.detail
    else:
        assert judgement.detail.endswith(CANNOT_EXCLUDE[reached])


@pytest.mark.parametrize("level", [Level.REPRODUCED, Level.PINNED])
@pytest.mark.parametrize("check", [RuffCheck(), MypyCheck()])
def test_of_a_linter_nothing_is_said_about_tests(check: Check, level: Level) -> None:
    told = cannot_exclude(level, check)
    assert told.startswith(f"Level {level.value} cannot exclude")
    assert "settings" in told
    assert "test" not in told


@pytest.mark.parametrize(
    ("check", "told"),
    [
        (PythonCheck("a.py"), "how the script ended"),
        (MetricCheck("m.json", "<=", 1.0), "where the number comes from"),
        (TimingCheck("a.py", 1.0), "on this machine"),
        (AddedCheck("flake8"), "exit status"),
        (CoverageCheck("src", 90.0), "tests that check nothing"),
        (NodeTestCheck(), "tests that check nothing"),
    ],
)
def test_what_cannot_be_excluded_fits_what_was_checked(check: Check, told: str) -> None:
    assert told in cannot_exclude(Level.REPRODUCED, check)


@given(LEVELS)
def test_what_failed_has_failed_at_any_level(needed: Level) -> None:
    for judgement in (REFUTED, INCONCLUSIVE):
        assert held_to(needed, judgement, "", check=PytestCheck()) == judgement


@pytest.mark.parametrize(
    ("check", "needed", "told"),
    [
        (PytestCheck(), Level.PINNED, "register trusted tests and settings"),
        (MypyCheck(), Level.PINNED, "register trusted settings"),
        (PythonCheck("a.py"), Level.PINNED, "claim by tests"),
        (PytestCheck(), Level.INDEPENDENT, "Only a held check"),
    ],
)
def test_there_is_a_way_out_for_every_check(check: Check, needed: Level, told: str) -> None:
    assert told in way_out(needed, check)
