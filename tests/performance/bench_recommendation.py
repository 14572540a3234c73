"""Recommendations among 10,000 patterns that were used, beside a search for the same request."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from tests.performance.bench import Bench, Row
from tests.performance.measure import measure
from tmws.app import App, SystemClock, open_app
from tmws.config import Settings
from tmws.domain.agents import AccessLevel, Agent
from tmws.domain.patterns import PatternDraft
from tmws.domain.situations import Severity, Situation
from tmws.domain.usage import UseOutcome
from tmws.services.learning import PatternQuery
from tmws.services.outcomes import OutcomeReport
from tmws.storage.database import Database
from tmws.storage.tables import claims, evidence, uses, workspaces

PATTERNS, BATCH, AGENTS, REPORTS, PROOFS = 10_000, 500, 10, 1_500, 1_000
SUBJECTS = ("parser", "cache", "queue", "index", "lock", "socket", "schema", "retry", "token")
VERBS = ("fails", "hangs", "leaks", "drifts", "blocks", "repeats", "overflows", "expires")
TASK = "the cache leaks under load"
ERROR = "MemoryError: cache of 4096 tokens is full\n  in token_cache.py, line 41, in put"


async def rows(bench: Bench) -> AsyncIterator[Row]:
    """With exploration, with a hold-out, and in a severe case; everything warm."""
    settings = Settings(data_dir=bench.folder / "recommendation")
    async with open_app(settings) as app:
        agents = [
            (await app.agents.create(f"agent{number}", by="benchmark")).agent
            for number in range(AGENTS)
        ]
        await _filled(app, settings, agents)
    situation = Situation(TASK, ERROR, ("token_cache.py",))
    asker = agents[0]
    async with open_app(settings) as app:
        floor = await measure(
            "a search for the task",
            lambda: app.learning.find(asker, PatternQuery(TASK, limit=3)),
            repeats=200,
        )
        severe = Situation(TASK, ERROR, ("token_cache.py",), severity=Severity.HIGH)
        assert (await app.recommendation.recommend(asker, severe)).items
        for name, each in (
            ("recommend for a task", Situation(TASK)),
            ("with an error and a file", situation),
            ("the same, severe", severe),
        ):
            yield Row(
                await measure(
                    name, partial(app.recommendation.recommend, asker, each), repeats=200
                ),
                floor=floor,
                promised_p95=15e-3,
            )
    async with open_app(settings.model_copy(update={"holdout_share": 0.1})) as app:
        yield Row(
            await measure(
                "the same with a hold-out",
                lambda: app.recommendation.recommend(asker, situation),
                repeats=200,
            ),
            floor=floor,
            promised_p95=15e-3,
        )


async def _filled(app: App, settings: Settings, agents: Sequence[Agent]) -> None:
    ids: list[str] = []
    for start in range(0, PATTERNS, BATCH):
        drafts = [_draft(number) for number in range(start, start + BATCH)]
        author = agents[start // BATCH % AGENTS]
        ids += (await app.batches.learn(author, drafts, key=None, progress=_silent)).ids
    outcomes = list(UseOutcome)
    for number in range(REPORTS):
        # Half of them of what is asked for, so that the records that are weighed are long.
        place = _asked_for(number) if number % 2 else number * 7 % PATTERNS
        report = OutcomeReport(
            ids[place], outcomes[number % 3], 1.0 + number % 50, f"{_summary(place)} {number}"
        )
        await app.outcomes.report(agents[number % AGENTS], report)
    await _proven(settings, agents, [ids[_asked_for(number)] for number in range(PROOFS)])


def _asked_for(number: int) -> int:
    """Return the place of one of the patterns that are about leaking caches."""
    per_verb = len(SUBJECTS)
    block = per_verb * len(VERBS)
    return block * (number % 20) + per_verb * VERBS.index("leaks") + SUBJECTS.index("cache")


def _summary(number: int) -> str:
    subject = SUBJECTS[number % len(SUBJECTS)]
    verb = VERBS[number // len(SUBJECTS) % len(VERBS)]
    return f"the {subject} {verb} under load"


def _draft(number: int) -> PatternDraft:
    return PatternDraft(
        name=f"When {_summary(number)} ({number})",
        category="case",
        summary=f"Case {number}: {_summary(number)}; bound it and measure again.",
        data={"steps": ["look", "see why", "write the test first"]},
        level=AccessLevel.PUBLIC,
    )


async def _proven(settings: Settings, agents: Sequence[Agent], ids: Sequence[str]) -> None:
    """Add uses that verdicts prove, as rows: nothing here measures how they come to be."""
    now = SystemClock().now()
    told = [(number, key, agents[number % AGENTS]) for number, key in enumerate(ids)]
    shop = {"name": "shop", "root": "/nowhere", "created_at": now}
    database = Database(settings.url)
    async with database.write() as tx:
        await tx.execute(workspaces.insert().values(shop))
        await tx.execute(claims.insert(), [_claim(n, who, now) for n, _, who in told])
        await tx.execute(evidence.insert(), [_evidence(n, who, now) for n, _, who in told])
        await tx.execute(uses.insert(), [_use(n, key, who, now) for n, key, who in told])
    await database.aclose()


def _claim(number: int, who: Agent, now: datetime) -> dict[str, Any]:
    return {
        "id": f"claim_{number}",
        "agent_id": who.id,
        "namespace": who.home,
        "statement": "The script ends well.",
        "workspace": "shop",
        "check": "{}",
        "applied": "[]",
        "state": "closed",
        "attempt": 1,
        "created_at": now,
        "snapshot_digest": f"{number:064x}",
    }


def _evidence(number: int, who: Agent, now: datetime) -> dict[str, Any]:
    step = {"probability": 0.1 + number % 80 / 100, "difficulty": 0.0, "skill": [0.0, 1.0]}
    return {
        "id": f"claim_{number}",
        "ledger_index": 1_000_000 + number,
        "agent_id": who.id,
        "owner_id": who.id,
        "at": now,
        "verdict": "SUPPORTED",
        "type": "python",
        "relied_on": False,
        "weight": 1.0,
        "severity": 1.0,
        "step": json.dumps({**step, "affinity": None, "alarmed": False}),
    }


def _use(number: int, pattern_id: str, who: Agent, now: datetime) -> dict[str, Any]:
    return {
        "id": f"use_{number}",
        "pattern_id": pattern_id,
        "agent_id": who.id,
        "claim_id": f"claim_{number}",
        "outcome": UseOutcome.SUCCESS.value,
        "context": "",
        "at": now - timedelta(hours=number),
        "version": 1,
    }


async def _silent(_: str) -> None:
    pass
