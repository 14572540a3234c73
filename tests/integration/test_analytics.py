"""Figures over patterns: they add up, follow every use, and stand on indexes."""

from __future__ import annotations

import sys
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from tests.integration.command import tmws
from tests.integration.services import Installation, agent, learned
from tmws.app import App
from tmws.domain.agents import Administrator, Agent
from tmws.domain.analytics import Cause, Outcomes, Tally, Windows, over_time, span_of, week_of
from tmws.domain.errors import BackendUnavailable, InvalidInput, NotFound
from tmws.domain.usage import UseOutcome
from tmws.faces.cli import stats_picture
from tmws.services.analytics import PatternStats, StatsQuery
from tmws.services.learning import PatternQuery
from tmws.services.outcomes import OutcomeReport
from tmws.storage import analytics, trends
from tmws.storage.analytics import Scope
from tmws.storage.database import Database
from tmws.storage.tables import class_weeks, patterns, use_spans, use_weeks, uses
from tmws.testing.clock import START

GOOD, BAD, HALF = UseOutcome.SUCCESS, UseOutcome.FAILURE, UseOutcome.PARTIAL


async def used(app: App, who: Agent, pattern_id: str, *outcomes: UseOutcome) -> None:
    for outcome in outcomes:
        await app.outcomes.report(who, OutcomeReport(pattern_id, outcome))


async def figures(app: App, who: Agent, **query: object) -> PatternStats:
    return await app.analytics.stats(who, StatsQuery(**query))  # type: ignore[arg-type]


async def test_every_distribution_adds_up_to_the_total(app: App) -> None:
    alice, bob = await agent(app, "alice"), await agent(app, "bob")
    first = await learned(app, alice, "a", level="public")
    second = await learned(app, bob, "b", level="public", category="test")
    await learned(app, alice, "c")
    await used(app, bob, first.id, GOOD, GOOD, HALF)
    await used(app, alice, second.id, BAD)
    found = await figures(app, alice)
    assert found.total == Tally(2, 1, 1, proven=0, patterns=3, never_used=1)
    assert dict(found.categories)["test"] == Tally(0, 0, 1, patterns=1)
    assert {name: tally.patterns for name, tally in found.authors} == {"alice": 2, "bob": 1}
    assert {name: tally.patterns for name, tally in found.levels} == {"public": 2, "private": 1}
    for groups in (found.categories, found.levels, found.authors):
        assert sum((tally for _, tally in groups), Tally()) == found.total
    assert found.over_time[-1].outcomes == Outcomes(2, 1, 1)
    assert [each.name for each in found.never_used] == ["c"]
    success = found.total.success
    assert success is not None
    assert success.low < success.value == 0.625 < success.high


async def test_time_is_told_week_by_week(app: App, installation: Installation) -> None:
    alice = await agent(app, "alice")
    kept = await learned(app, alice)
    for _ in range(3):
        await used(app, alice, kept.id, GOOD, BAD)
        installation.clock.advance(14 * 86400)
    found = await figures(app, alice)
    told = [bucket.outcomes.uses for bucket in found.over_time]
    assert sum(told) == 6
    assert [count for count in told if count] == [2, 2, 2]
    assert len(told) == 13
    short = await figures(app, alice, since=timedelta(days=20))
    assert sum(bucket.outcomes.uses for bucket in short.over_time) == 2


async def test_what_is_used_ever_more_rises_and_what_fails_ever_more_decays(
    app: App, installation: Installation
) -> None:
    alice = await agent(app, "alice")
    users = [await agent(app, f"user{number}") for number in range(4)]
    names = ("rising", "failing", "steady", "fading")
    kept = {name: (await learned(app, alice, name, level="public")).id for name in names}
    for day in range(56):
        late, weekly = day >= 28, day % 7 == 3
        for who in users:
            if weekly:
                await used(app, who, kept["steady"], GOOD)
                await used(app, who, kept["failing"], BAD if late else GOOD)
            if late and weekly:
                await used(app, who, kept["rising"], GOOD)
            if not late and weekly:
                await used(app, who, kept["fading"], GOOD)
        installation.clock.advance(86400)
    found = await figures(app, alice)
    assert [(each.name, each.trend.cause) for each in found.rising] == [("rising", Cause.USE)]
    assert [(each.name, each.trend.cause) for each in found.decaying] == [
        ("failing", Cause.SUCCESS),
        ("fading", Cause.USE),
    ]
    assert found.rising[0].trend.windows == Windows(recent=16, recent_good=16)


async def test_an_owner_cannot_make_its_own_pattern_rise(app: App) -> None:
    """Neither by its own reports, nor by a friend who reports in a loop."""
    alice, friend = await agent(app, "alice"), await agent(app, "friend")
    kept = await learned(app, alice, level="public")
    await used(app, alice, kept.id, *[GOOD] * 30)
    await used(app, friend, kept.id, *[GOOD] * 30)
    assert (await figures(app, alice)).rising == ()


async def test_a_day_is_good_where_half_of_its_reports_are(
    app: App, installation: Installation
) -> None:
    alice, bob = await agent(app, "alice"), await agent(app, "bob")
    kept = await learned(app, alice, level="public")
    for outcomes in ((GOOD, BAD), (GOOD, BAD, BAD), (GOOD, GOOD, BAD)):
        installation.clock.advance(86400)
        await used(app, bob, kept.id, *outcomes)
    now = installation.clock.now()
    async with installation.database() as database, database.read() as connection:
        seen, tested = await trends.changed(connection, Scope(alice), at=now)
    assert (seen, tested) == ({kept.id: Windows(recent=3, recent_good=2)}, 1)


async def test_uses_are_counted_for_whoever_may_read_the_pattern_now(
    app: App, installation: Installation
) -> None:
    """Sums of whole classes follow every change of what lies in them, and grants are added."""
    alice, bob = await agent(app, "alice"), await agent(app, "bob")
    carol = await agent(app, "carol", "elsewhere")
    kept = (await learned(app, alice, level="public")).id
    await used(app, alice, kept, GOOD, BAD)
    installation.clock.advance(9 * 86400)
    await used(app, alice, kept, HALF)

    async def told() -> list[int]:
        found = [
            await figures(app, alice),
            await figures(app, bob),
            await figures(app, bob, agent="alice"),
            await figures(app, carol),
            await app.analytics.of_all(Administrator("ann"), StatsQuery()),
        ]
        for each in found:
            over_time = sum((bucket.outcomes for bucket in each.over_time), Outcomes())
            assert over_time.uses == each.total.uses
        return [each.total.uses for each in found]

    async def opened(level: str) -> None:
        async with installation.database() as database, database.write() as tx:
            await tx.execute(patterns.update().values(level=level))

    assert await told() == [3, 3, 3, 0, 3]
    await opened("shared")
    await app.sharing.change(alice, kept, grant=["carol"])
    assert await told() == [3, 0, 0, 3, 3]
    await app.removal.remove(alice, kept)
    assert await told() == [0, 0, 0, 0, 0]
    await app.removal.restore(alice, kept)
    await app.sharing.change(alice, kept, grant=["alice"])
    assert await told() == [3, 0, 0, 3, 3]
    await opened("private")
    assert await told() == [3, 0, 0, 0, 3]
    await opened("public")
    await used(app, alice, kept, GOOD)
    assert await told() == [4, 4, 4, 0, 4]
    await app.removal.remove(alice, kept)
    assert await told() == [0, 0, 0, 0, 0]
    await app.removal.restore(alice, kept)
    assert await told() == [4, 4, 4, 0, 4]


async def test_figures_of_one_agent_are_of_what_it_wrote_and_what_it_reported(app: App) -> None:
    alice, bob = await agent(app, "alice"), await agent(app, "bob")
    hers = await learned(app, alice, "hers", level="public")
    his = await learned(app, bob, "his", level="public")
    await used(app, bob, hers.id, GOOD)
    await used(app, alice, his.id, BAD, HALF)
    found = await figures(app, bob, agent="alice")
    assert found.total == Tally(successes=1, patterns=1)
    assert found.reported == Outcomes(partials=1, failures=1)
    assert (await figures(app, bob)).reported is None


async def test_an_agent_of_other_namespaces_looks_absent(app: App) -> None:
    alice = await agent(app, "alice", "here")
    await agent(app, "bob", "elsewhere")
    refusals = []
    for name in ("bob", "nobody"):
        with pytest.raises(NotFound) as refused:
            await figures(app, alice, agent=name)
        refusals.append(refused.value.message.replace(name, "…"))
    assert (
        refusals[0] == refusals[1] == "No agent '…' in your namespaces. Leave it out to count all."
    )
    with pytest.raises(NotFound, match="No namespace 'elsewhere' holds anything that you may"):
        await figures(app, alice, namespace="elsewhere")


async def test_what_others_opened_of_their_namespace_is_counted_there(app: App) -> None:
    alice, bob = await agent(app, "alice", "here"), await agent(app, "bob", "elsewhere")
    for level, readers in (("private", ()), ("public", ()), ("shared", ("alice",))):
        await learned(app, bob, level, level=level, shared_with=readers)
    found = await app.learning.find(alice, PatternQuery(namespace="elsewhere"))
    assert [item.pattern.name for item in found.items] == ["shared"]
    assert (await figures(app, alice, namespace="elsewhere")).total.patterns == 1


async def test_the_administrator_counts_everything(app: App) -> None:
    await learned(app, await agent(app, "alice", "here"), "a")
    await learned(app, await agent(app, "bob", "there"), "b")
    assert (await app.analytics.of_all(Administrator("ann"), StatsQuery())).total.patterns == 2
    assert (
        await app.analytics.of_all(Administrator("ann"), StatsQuery("here"))
    ).total.patterns == 1
    assert (
        await app.analytics.of_all(Administrator("ann"), StatsQuery(agent="bob"))
    ).total.patterns == 1
    with pytest.raises(NotFound, match=r"'eve' here\. Leave"):
        await app.analytics.of_all(Administrator("ann"), StatsQuery(agent="eve"))


async def test_what_was_removed_counts_no_more(app: App) -> None:
    alice, bob = await agent(app, "alice"), await agent(app, "bob")
    kept = await learned(app, alice, level="public")
    await used(app, bob, kept.id, GOOD)
    await app.removal.remove(alice, kept.id)
    for found in (
        await figures(app, alice),
        await app.analytics.of_all(Administrator("ann"), StatsQuery()),
    ):
        assert found.total == Tally()
        assert sum(bucket.outcomes.uses for bucket in found.over_time) == 0


async def test_weeks_follow_every_change_of_a_use(app: App, installation: Installation) -> None:
    alice = await agent(app, "alice")
    kept, other = await learned(app, alice, "a"), await learned(app, alice, "b")
    for _ in range(3):
        await used(app, alice, kept.id, GOOD, BAD, HALF)
        installation.clock.advance(5 * 86400)
    async with installation.database() as database:
        assert await by_week(database) == await by_use(database)
        async with database.write() as tx:
            moved = uses.update().where(uses.c.outcome == BAD.value)
            await tx.execute(moved.values(pattern_id=other.id, outcome=GOOD.value))
        assert await by_week(database) == await by_use(database)
        async with database.write() as tx:
            await tx.execute(uses.update().where(uses.c.outcome == HALF.value).values(share=0.5))
        assert await by_week(database) == await by_use(database)
        async with database.write() as tx:
            await tx.execute(uses.delete().where(uses.c.pattern_id == kept.id))
        assert await by_week(database) == await by_use(database) == {(other.id, "successes"): 3}
        async with database.write() as tx:
            await tx.execute(use_weeks.delete())
        assert await added_up(database) == ({}, {})


async def test_sums_that_no_trend_will_end_with_are_forgotten_and_trends_are_the_same(
    app: App, installation: Installation
) -> None:
    alice, bob = await agent(app, "alice"), await agent(app, "bob")
    kept = await learned(app, alice, "kept", level="public")
    for use in range(40):
        await used(app, bob, kept.id, GOOD if use < 30 else BAD)
        installation.clock.advance(2 * 86400 + 43200)
    before = await figures(app, alice)
    await app.upkeep.fill()
    assert await figures(app, alice) == before
    assert [each.name for each in before.decaying] == ["kept"]
    async with installation.database() as database, database.read() as connection:
        weeks = await connection.scalars(sa.select(use_spans.c.week).order_by(use_spans.c.week))
        now = week_of(installation.clock.now())
        assert next(iter(weeks)) == now


async def by_week(database: Database) -> dict[tuple[str, str], int]:
    """Return the sums of each pattern; those that follow from them must agree."""
    async with database.read() as connection:
        weeks = (await connection.execute(sa.select(use_weeks))).all()
    classes: Counter[int] = Counter()
    spans: Counter[tuple[str, int]] = Counter()
    for row in weeks:
        count = row.successes + row.partials + row.failures
        classes[row.week] += count
        for age in range(9):
            spans[row.pattern_id, row.week + age] += 10 * count + (count if age < 4 else 0)
            spans[row.pattern_id, row.week + age] += 1000 * row.successes * (10 + (age < 4))
    assert await added_up(database) == (+classes, +spans)
    found: Counter[tuple[str, str]] = Counter()
    for row in weeks:
        for name in ("successes", "partials", "failures"):
            found[row.pattern_id, name] += row._mapping[name]
    return +found


async def added_up(database: Database) -> tuple[dict[int, int], dict[tuple[str, int], int]]:
    """Return uses by week, and what the spans of each pattern hold as one number."""
    async with database.read() as connection:
        classes = (await connection.execute(sa.select(class_weeks))).all()
        spans = (await connection.execute(sa.select(use_spans))).all()
    uses_of: Counter[int] = Counter()
    for row in classes:
        uses_of[row.week] += row.successes + row.partials + row.failures
    held = Counter(
        {
            (row.pattern_id, row.week): 10 * row.uses
            + row.late
            + 1000 * (10 * row.good + row.late_good)
            for row in spans
        }
    )
    return +uses_of, +held


async def by_use(database: Database) -> dict[tuple[str, str], int]:
    names = {GOOD.value: "successes", HALF.value: "partials", BAD.value: "failures"}
    wanted = sa.select(uses.c.pattern_id, uses.c.outcome, sa.func.count()).where(uses.c.share == 1)
    async with database.read() as connection:
        rows = await connection.execute(wanted.group_by(uses.c.pattern_id, uses.c.outcome))
        return {(pattern_id, names[outcome]): count for pattern_id, outcome, count in rows}


async def test_figures_are_read_from_indexes_alone(sqlite_url: str, tmp_path: Path) -> None:
    """However large the patterns' data and the uses' contexts are, they are not touched."""
    place = Installation(sqlite_url, tmp_path)
    async with place.open() as app, place.database() as database:
        alice = await agent(app, "alice")
        asked: list[tuple[str, Any]] = []

        def note(_c: object, _k: object, statement: str, values: object, *_: object) -> None:
            asked.append((statement, values))

        now, scope = place.clock.now(), Scope(alice)
        plans = []
        async with database.read() as connection:
            sa.event.listen(database.engine.sync_engine, "before_cursor_execute", note)
            await analytics.groups(connection, scope)
            await analytics.over_time(connection, scope, span_of(None, at=now))
            await trends.changed(connection, scope, at=now)
            await analytics.never_used(connection, scope, limit=10)
            sa.event.remove(database.engine.sync_engine, "before_cursor_execute", note)
            for statement, values in asked:
                rows = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
                plans.append("\n".join(str(row.detail) for row in rows))
    groups, classes, shared, moved, unused = plans
    assert "SCAN patterns USING COVERING INDEX ix_patterns_figures" in groups
    assert "SEARCH class_weeks USING PRIMARY KEY (week>?)" in classes
    assert "SEARCH use_weeks USING PRIMARY KEY (pattern_id=? AND week>?)" in shared
    assert "SEARCH use_spans USING PRIMARY KEY (week=?)" in moved
    assert "GROUP BY" not in groups
    assert "ix_patterns_last_used_at_created_at (last_used_at=?)" in unused
    for plan in plans:
        assert "SCAN patterns\n" not in plan
        assert "SCAN uses" not in plan


def some_figures() -> PatternStats:
    groups = (("build", Tally(3, 1, 1, patterns=2)), ("test", Tally(patterns=1, never_used=1)))
    span = span_of(None, at=START)
    return PatternStats(
        span=span,
        total=Tally(3, 1, 1, patterns=3, never_used=1),
        categories=groups,
        levels=groups,
        authors=groups,
        over_time=over_time(span, {2: Outcomes(3, 1, 1)}),
        rising=(),
        decaying=(),
        never_used=(),
        reported=None,
    )


@pytest.mark.parametrize("kind", stats_picture.FORMATS)
def test_a_picture_is_drawn_the_same_each_time(tmp_path: Path, kind: str) -> None:
    files = [tmp_path / f"{number}.{kind}" for number in range(2)]
    for file in files:
        stats_picture.draw(some_figures(), file)
    first, second = (file.read_bytes() for file in files)
    assert first == second
    assert first.startswith(b"\x89PNG" if kind == "png" else b"<?xml")
    if kind == "svg":
        assert b"3 patterns, 5 uses, 1 never used" in first


def test_a_picture_without_the_plots_says_how_to_get_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InvalidInput, match=r"\.svg or \.png"):
        stats_picture.draw(some_figures(), tmp_path / "a.pdf")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(BackendUnavailable, match=r"pip install 'tmws\[plots\]'"):
        stats_picture.draw(some_figures(), tmp_path / "a.svg")
    assert list(tmp_path.glob("a.*")) == []


def test_the_command_shows_draws_and_counts(tmp_path: Path) -> None:
    shown = tmws("patterns", "stats", "--since", "2026-01-01", data=tmp_path)
    counted = tmws("patterns", "stats", "--json", data=tmp_path)
    picture = tmp_path / "stats.svg"
    nowhere = tmws("patterns", "stats", "--picture", str(tmp_path / "no" / "a.svg"), data=tmp_path)
    drawn = tmws("patterns", "stats", "--picture", str(picture), data=tmp_path)
    assert "0 patterns, 0 never used; no uses" in shown.output
    assert counted.document()["total"]["patterns"] == 0
    assert (nowhere.status, "Name a file in a folder that is there" in nowhere.errors) == (2, True)
    assert drawn.status == 0, drawn.errors
    assert "0 patterns" in picture.read_text()
