"""`tmws patterns stats`: figures over all patterns, as a table, as JSON, as a picture."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from tmws.app import App
from tmws.domain.agents import Administrator
from tmws.domain.analytics import Outcomes, Tally
from tmws.domain.uplift import Uplift
from tmws.faces.cli import stats_picture
from tmws.faces.cli.printing import Printer
from tmws.faces.cli.running import operator, with_app
from tmws.services.analytics import NamedTrend, PatternStats, StatsQuery

_MOST_GROUPS = 12


@click.command()
@click.option("--agent", help="Only what this agent wrote, and how its own uses went.")
@click.option("--namespace", help="Only this one.")
@click.option(
    "--since",
    type=click.DateTime(["%Y-%m-%d"]),
    help="Where the look at time begins; twelve weeks ago if left out.",
)
@click.option(
    "--picture",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Draw the figures into this .svg or .png file; needs the extra 'plots'.",
)
@with_app
async def stats(
    app: App,
    printer: Printer,
    *,
    agent: str | None,
    namespace: str | None,
    since: datetime | None,
    picture: Path | None,
) -> None:
    """Count all patterns and their uses: what they are, how they do, where they go."""
    found = await app.analytics.of_all(
        Administrator(operator()),
        StatsQuery(namespace, agent, since.replace(tzinfo=UTC) if since else None),
    )
    if picture is not None:
        stats_picture.draw(found, picture)
        printer.say(f"Drawn: {picture}")
        return
    printer.record(_figures(found) if printer.as_json else lines(found))


def _figures(found: PatternStats) -> dict[str, Any]:
    return {
        "since": found.span.start,
        "total": _tally(found.total),
        "by_category": {name: _tally(tally) for name, tally in found.categories},
        "by_level": {name: _tally(tally) for name, tally in found.levels},
        "by_author": {name: _tally(tally) for name, tally in found.authors},
        "over_time": [
            {"start": bucket.start, **_outcomes(bucket.outcomes)} for bucket in found.over_time
        ],
        "rising": [_trend(each) for each in found.rising],
        "decaying": [_trend(each) for each in found.decaying],
        "never_used": [
            {"id": each.id, "name": each.name, "created_at": each.created_at}
            for each in found.never_used
        ],
        "reported": _outcomes(found.reported) if found.reported else None,
        "uplift": _uplift(found.uplift),
        "uplift_by_pattern": [
            {"id": each.id, "name": each.name, **_uplift(each.uplift)} for each in found.uplifts
        ],
    }


def lines(found: PatternStats) -> dict[str, Any]:
    """Return the figures as they are printed, by what stands before each.

    Patterns of several owners may have one name; their ids tell them apart then.
    """
    told: dict[str, Any] = {"total": _line(found.total)}

    def tell(label: str, key: str, value: str) -> None:
        told[f"{label} ({key})" if label in told else label] = value

    for what, groups in (
        ("category", found.categories),
        ("level", found.levels),
        ("author", found.authors),
    ):
        told |= {f"{what} {name}": _line(tally) for name, tally in groups[:_MOST_GROUPS]}
    for bucket in found.over_time:
        if bucket.outcomes.uses:
            told[f"since {bucket.start:%Y-%m-%d}"] = _went(bucket.outcomes)
    for each in (*found.rising, *found.decaying):
        windows = each.trend.windows
        tell(
            f"{each.trend.direction.value} in {each.trend.cause.value}: {each.name}",
            each.trend.pattern_id,
            f"{windows.before} uses, {windows.before_good} well, then {windows.recent}, "
            f"{windows.recent_good} well; by chance {each.trend.chance:.2g}",
        )
    told["never used"] = [each.name for each in found.never_used]
    if found.reported:
        told["reported"] = _went(found.reported)
    if found.uplifts:
        told["uplift"] = _lift(found.uplift)
        for lifted in found.uplifts:
            tell(f"uplift {lifted.name}", lifted.id, _lift(lifted.uplift))
    return told


def _line(tally: Tally) -> str:
    return f"{tally.patterns} patterns, {tally.never_used} never used; {_went(tally)}"


def _went(seen: Outcomes) -> str:
    if seen.success is None:
        return "no uses"
    rate, low, high = seen.success
    return f"{seen.uses} uses, success {rate:.2f} ({low:.2f} to {high:.2f})"


def _lift(seen: Uplift) -> str:
    sides = ", ".join(
        f"{name} on {side.count} days, {side.reported} reported, {side.good:g} well"
        for name, side in (("shown", seen.shown), ("withheld", seen.withheld))
    )
    found = seen.difference
    if found is None:
        return f"not known yet; {sides}"
    return f"{found.value:+.2f} ({found.low:+.2f} to {found.high:+.2f}); {sides}"


def _uplift(seen: Uplift) -> dict[str, Any]:
    found = seen.difference
    return {
        "difference": found._asdict() if found else None,
        "shown": asdict(seen.shown),
        "withheld": asdict(seen.withheld),
    }


def _tally(tally: Tally) -> dict[str, Any]:
    return {
        "patterns": tally.patterns,
        "never_used": tally.never_used,
        **_outcomes(tally),
        "proven": tally.proven,
    }


def _outcomes(seen: Outcomes) -> dict[str, Any]:
    return {
        "uses": seen.uses,
        "successes": seen.successes,
        "partials": seen.partials,
        "failures": seen.failures,
        "success": seen.success._asdict() if seen.success else None,
    }


def _trend(each: NamedTrend) -> dict[str, Any]:
    return {
        "id": each.trend.pattern_id,
        "name": each.name,
        "cause": each.trend.cause.value,
        "chance": each.trend.chance,
        **asdict(each.trend.windows),
    }
