"""Figures in words: everything that was counted is told, whatever it is called."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tmws.domain.analytics import Cause, Direction, Span, Tally, Trend, Windows
from tmws.domain.uplift import Trials, Uplift
from tmws.faces.cli.pattern_stats import lines
from tmws.faces.cli.printing import Printer
from tmws.services.analytics import NamedTrend, NamedUplift, PatternStats
from tmws.testing.clock import START


def trend(key: str, cause: Cause) -> NamedTrend:
    return NamedTrend("retry", Trend(key, Direction.DECAYING, cause, Windows(1, 0, 9, 9), 0.01))


def test_patterns_of_one_name_are_told_apart(capsys: pytest.CaptureFixture[str]) -> None:
    lifted = Uplift(Trials(3, 3, 2.0), Trials(2, 2, 1.0))
    found = PatternStats(
        span=Span(START, START + timedelta(weeks=1), timedelta(weeks=1)),
        total=Tally(patterns=2),
        categories=(("a_b", Tally(patterns=1)), ("a-b", Tally(patterns=1))),
        levels=(),
        authors=(),
        over_time=(),
        rising=(),
        decaying=(trend("p1", Cause.USE), trend("p2", Cause.USE), trend("p1", Cause.SUCCESS)),
        never_used=(),
        reported=None,
        uplifts=(NamedUplift("p1", "retry", lifted), NamedUplift("p2", "retry", lifted)),
        uplift=lifted + lifted,
    )
    told = lines(found)
    assert [label for label in told if "retry" in label] == [
        "decaying in use: retry",
        "decaying in use: retry (p2)",
        "decaying in success: retry",
        "uplift retry",
        "uplift retry (p2)",
    ]
    Printer(as_json=False).record(told)
    printed = capsys.readouterr().out
    assert "category a_b" in printed
    assert "category a-b" in printed
