"""The tool that counts patterns and their uses."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from pydantic import Field

from tmws.domain.analytics import LONGEST_SPAN, Outcomes, Tally
from tmws.domain.uplift import Uplift
from tmws.faces.mcp.fields import AgentName
from tmws.faces.mcp.registry import Arguments, Call, tool
from tmws.faces.mcp.views import rounded
from tmws.services.analytics import NamedTrend, StatsQuery

_MOST_GROUPS = 8


class PatternStats(Arguments):
    """What is counted."""

    agent: Annotated[AgentName | None, Field(description="Only what it wrote.")] = None
    days: Annotated[int, Field(ge=1, le=LONGEST_SPAN.days)] = 84


@tool(
    title="Pattern statistics",
    read_only=True,
    destructive=False,
    idempotent=True,
    narrow="Name an `agent`.",
)
async def pattern_stats(call: Call, wanted: PatternStats) -> dict[str, Any]:
    """Count the patterns you may read: by category, level and author, uses over time, what rises
    or decays beyond chance, what was never used. Rates come with a 90 % interval, low to high.
    """
    found = await call.app.analytics.stats(
        call.caller, StatsQuery(agent=wanted.agent, since=timedelta(days=wanted.days))
    )
    seen: dict[str, Any] = {
        "total": _tally(found.total),
        "by_category": _groups(found.categories),
        "by_level": _groups(found.levels),
        "by_author": _groups(found.authors),
        "over_time": {
            f"{bucket.start:%Y-%m-%d}": _outcomes(bucket.outcomes)
            for bucket in found.over_time
            if bucket.outcomes.uses
        },
        "rising": [_trend(each) for each in found.rising],
        "decaying": [_trend(each) for each in found.decaying],
        "never_used": [{"id": each.id, "name": each.name} for each in found.never_used],
    }
    if found.reported:
        seen["reported"] = _outcomes(found.reported)
    if found.uplifts:
        seen["uplift"] = _uplift(found.uplift)
        seen["uplift_by_pattern"] = [
            {"id": each.id, "name": each.name, **_uplift(each.uplift)} for each in found.uplifts
        ]
    return seen


def _uplift(seen: Uplift) -> dict[str, Any]:
    """Return what recommending was worth: days, reported ones and good ones on each side."""
    found = seen.difference
    ends = {end: rounded(value) for end, value in found._asdict().items()} if found else {}
    return ends | {
        side: [trials.count, trials.reported, rounded(trials.good)]
        for side, trials in (("shown", seen.shown), ("withheld", seen.withheld))
    }


def _groups(groups: tuple[tuple[str, Tally], ...]) -> dict[str, Any]:
    shown: dict[str, Any] = {name: _tally(tally) for name, tally in groups[:_MOST_GROUPS]}
    rest = groups[_MOST_GROUPS:]
    # A capital letter, which no category and no agent has.
    return shown | ({"Others": _tally(sum((t for _, t in rest), Tally()))} if rest else {})


def _tally(tally: Tally) -> dict[str, Any]:
    return {
        "patterns": tally.patterns,
        "never_used": tally.never_used,
        **_outcomes(tally),
        "proven": tally.proven,
    }


def _outcomes(seen: Outcomes) -> dict[str, Any]:
    if seen.success is None:
        return {"uses": 0}
    return {
        "uses": seen.uses,
        "success_rate": rounded(seen.success.value),
        "low": rounded(seen.success.low),
        "high": rounded(seen.success.high),
    }


def _trend(each: NamedTrend) -> dict[str, Any]:
    trend, windows = each.trend, each.trend.windows
    return {
        "id": trend.pattern_id,
        "name": each.name,
        "cause": trend.cause,
        "recent": [windows.recent, windows.recent_good],
        "before": [windows.before, windows.before_good],
        "chance": rounded(trend.chance),
    }
