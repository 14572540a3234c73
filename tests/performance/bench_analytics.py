"""Figures over 10,000 patterns and 100,000 uses on an embedded store."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from tests.performance.bench import Bench, Row
from tests.performance.measure import Figure, measure
from tmws.app import App, SystemClock, open_app
from tmws.config import Settings
from tmws.domain.agents import Agent
from tmws.domain.usage import UseOutcome
from tmws.services.analytics import StatsQuery
from tmws.storage.database import Database
from tmws.storage.tables import patterns, uses

PATTERNS, USES, CATEGORIES, AGENTS = 10_000, 100_000, 30, 20
OUTCOMES = [each.value for each in UseOutcome]
COUNTERS = {"success": "successes", "partial": "partials", "failure": "failures"}
ROWS_AT_ONCE = 500


async def rows(bench: Bench) -> AsyncIterator[Row]:
    """All figures at once: of a year's uses, and of as many in the last twelve weeks."""
    for name, days in (("a year", 365), ("twelve weeks", 84)):
        settings = Settings(data_dir=bench.folder / name)
        async with open_app(settings) as app:
            agents = await _agents(app)
            await _filled(settings, agents, SystemClock().now(), days)
            scan = await _scan(settings.data_dir / "tmws.db")
            asker = agents[0]
            yield Row(
                await measure(
                    f"figures, uses of {name}",
                    partial(app.analytics.stats, asker, StatsQuery()),
                    repeats=60,
                ),
                floor=scan,
                promised_p95=30e-3,
            )
            yield Row(
                await measure(
                    f"figures of one agent, uses of {name}",
                    partial(app.analytics.stats, asker, StatsQuery(agent=asker.name)),
                    repeats=60,
                ),
                floor=scan,
            )


async def _agents(app: App) -> list[Agent]:
    return [
        (await app.agents.create(f"agent{number}", by="benchmark")).agent
        for number in range(AGENTS)
    ]


async def _filled(settings: Settings, agents: list[Agent], now: datetime, days: int) -> None:
    chance = random.Random(1)  # noqa: S311  # repeatable, no secret
    database = Database(settings.url)
    kept = [_pattern(number, agents, now) for number in range(PATTERNS)]
    used = [_use(number, kept, agents, now, days, chance) for number in range(USES)]
    by_id = {each["id"]: each for each in kept}
    for use in used:
        pattern = by_id[use["pattern_id"]]
        pattern[COUNTERS[use["outcome"]]] += 1
        pattern["last_used_at"] = now
    async with database.write() as tx:
        for table, many in ((patterns, kept), (uses, used)):
            for start in range(0, len(many), ROWS_AT_ONCE):
                await tx.execute(table.insert(), many[start : start + ROWS_AT_ONCE])
    await database.aclose()


def _pattern(number: int, agents: list[Agent], now: datetime) -> dict[str, Any]:
    return {
        "id": f"pattern_01benchmark{number:012}",
        "namespace": agents[0].home,
        "owner_id": agents[number % AGENTS].id,
        "name": f"pattern {number}",
        "category": f"category{number % CATEGORIES}",
        "summary": "When it applies and why it works. " * 8,
        "data": '{"steps":["look","measure","write the test first"]}' + " " * 300,
        # A quarter is private, and the asker's own among it.
        "level": ("private", "public", "public", "system")[number % 4],
        "version": 1,
        "learning_weight": 1.0,
        "origin": "own",
        "source": "",
        "author_id": agents[number % AGENTS].id,
        "written_at": now - timedelta(minutes=number),
        "created_at": now - timedelta(minutes=number),
        "successes": 0,
        "partials": 0,
        "failures": 0,
        "last_used_at": None,
    }


def _use(
    number: int,
    kept: list[dict[str, Any]],
    agents: list[Agent],
    now: datetime,
    days: int,
    chance: random.Random,
) -> dict[str, Any]:
    return {
        "id": f"use_01benchmark{number:012}",
        # Few patterns are used often and many seldom.
        "pattern_id": kept[int(PATTERNS * chance.random() ** 2)]["id"],
        "agent_id": chance.choice(agents).id,
        "version": 1,
        "outcome": chance.choice(OUTCOMES),
        "context": "a request in a few words " * 3,
        "at": now - chance.random() * timedelta(days=days),
    }


async def _scan(path: Path) -> Figure:
    """Every use counted by outcome, asking nobody what may be read."""
    with closing(sqlite3.connect(path)) as connection:
        query = "SELECT outcome, count(*) FROM uses GROUP BY outcome"
        return await measure(
            "bare count of all uses", lambda: connection.execute(query).fetchall(), repeats=30
        )
