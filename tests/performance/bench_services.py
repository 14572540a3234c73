"""The use-cases on an embedded store with 10,000 patterns: learn, find, report, record."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

from tests.performance.bench import Bench, Row
from tests.performance.measure import measure
from tmws.app import App, SystemClock, embedder_maker, open_app
from tmws.config import Settings
from tmws.domain import events
from tmws.domain.agents import AccessLevel, Agent
from tmws.domain.claims import Judgement, Level, PythonCheck, Reason, Verdict
from tmws.domain.patterns import PatternDraft
from tmws.domain.usage import UseOutcome
from tmws.domain.verifications import Claim, ClaimState
from tmws.services.learning import PatternQuery
from tmws.services.models import Models
from tmws.services.nearest import Nearest
from tmws.services.notary import Notary
from tmws.services.outcomes import OutcomeReport
from tmws.services.recording import enter
from tmws.services.search import Search
from tmws.services.storing import Storing
from tmws.signing.checkpoint_file import CheckpointFile
from tmws.signing.keys import FileSigner
from tmws.storage import agents
from tmws.storage.database import Database
from tmws.storage.last_state import LastState
from tmws.vectors.exact import ExactIndex

PATTERNS = 10_000
VERDICTS = 500
SUBJECTS = ("parser", "cache", "queue", "index", "lock", "socket", "schema", "retry", "token")
VERBS = ("fails", "hangs", "leaks", "drifts", "blocks", "repeats", "overflows", "expires")


async def rows(bench: Bench) -> AsyncIterator[Row]:
    """Learning with 10,000 patterns in the store, then a verdict's writes."""
    settings = Settings(data_dir=bench.folder / "services")
    commit = await bench.floors.sqlite_commit()
    async with open_app(settings) as app:
        agent = (await app.agents.create("author", by="benchmark")).agent
        other = (await app.agents.create("other", by="benchmark")).agent
        known = await _filled(app, agent)
        numbers = itertools.count(PATTERNS)

        yield Row(
            await measure(
                "create a pattern",
                lambda: app.learning.learn(agent, _draft(next(numbers))),
                repeats=300,
            ),
            floor=commit,
            promised_p95=10e-3,
        )
        yield Row(
            await measure(
                "find by filters",
                lambda: app.learning.find(agent, PatternQuery(category="cache", limit=10)),
                repeats=200,
            ),
            promised_p95=5e-3,
        )
        yield Row(
            await measure(
                "find by words and meaning",
                lambda: app.learning.find(
                    agent, PatternQuery("the token cache leaks and then expires", limit=10)
                ),
                repeats=200,
            ),
            promised_p95=15e-3,
        )
        yield Row(
            await measure(
                "report an outcome",
                lambda: app.outcomes.report(
                    agent, OutcomeReport(known, UseOutcome.SUCCESS, duration_seconds=1.5)
                ),
                repeats=300,
            ),
            floor=commit,
        )
        # Last: what no model has read makes every search look for it.
        bare = _without_embedding(app)
        yield Row(
            await measure(
                "create a pattern, no embedding",
                lambda: bare.one(agent, _draft(next(numbers))),
                repeats=300,
            ),
            floor=commit,
            promised_p95=3e-3,
        )
    async for row in _recording(bench, settings.data_dir, agent, other):
        yield row


def _without_embedding(app: App) -> Storing:
    """The step that stores patterns, in a store that no model reads."""
    database, clock = Database(app.settings.url), SystemClock()
    models = Models(database, {}, embedder_maker(app.settings), clock)
    search = Search(models, Nearest(ExactIndex))
    return Storing(database, search, app.quotas, clock, secrets.token_bytes)


async def _filled(app: App, agent: Agent) -> str:
    known = ""
    for number in range(PATTERNS):
        known = (await app.learning.learn(agent, _draft(number))).id
    return known


def _draft(number: int) -> PatternDraft:
    subject = SUBJECTS[number % len(SUBJECTS)]
    verb = VERBS[number // len(SUBJECTS) % len(VERBS)]
    return PatternDraft(
        name=f"When the {subject} {verb} ({number})",
        category=subject,
        summary=f"Case {number}: the {subject} {verb} under load; bound it and measure again.",
        data={"steps": [f"look at the {subject}", f"see why it {verb}", "write the test first"]},
        tags=(subject,),
        level=AccessLevel.PUBLIC,
    )


def _claim(agent: Agent, number: int, now: datetime) -> Claim:
    return Claim(
        id=f"claim_{number}",
        agent_id=agent.id,
        agent=agent.name,
        namespace=agent.home,
        statement="The script ends well.",
        workspace="shop",
        check=PythonCheck("check.py"),
        applied=(),
        confidence=0.9,
        effort_minutes=30.0,
        state=ClaimState.OPEN,
        attempt=1,
        lease_until=None,
        created_at=now,
        snapshot_digest=f"{number:064x}",
    )


async def _recording(bench: Bench, folder: Path, agent: Agent, other: Agent) -> AsyncIterator[Row]:
    commit = await bench.floors.sqlite_commit()
    database, clock = Database(f"sqlite:///{folder / 'tmws.db'}"), SystemClock()
    notary = Notary(
        FileSigner(folder / "keys" / "ed25519"),
        CheckpointFile(folder / "ledger" / "checkpoint"),
        secrets.token_bytes,
    )

    async def append() -> None:
        event = events.secret_rotated(
            agent, secret_sha256="ab" * 32, by="benchmark", at=clock.now()
        )
        async with database.write() as tx:
            receipt = await notary.append(tx, event)
        notary.publish(receipt)

    numbers, last = itertools.count(), LastState()

    async def update(by: Agent) -> None:
        number = next(numbers)
        now = clock.now() + timedelta(days=number)  # a day counts only so much
        verdict = Verdict.SUPPORTED if number % 3 else Verdict.REFUTED
        claim = _claim(by, number, now)
        judgement = Judgement(verdict, Reason.CHECK_PASSED, Level.REPRODUCED, "", {})
        await database.at_once(
            lambda run: enter(
                run, notary, claim, judgement, last=last, evidence_digest="ab" * 32, at=now
            )
        )

    async def read() -> None:
        async with database.read() as connection:
            await agents.named(connection, agent.name)

    yield Row(await measure("read one row", read, repeats=200))
    yield Row(await measure("append to the ledger", append, repeats=300), floor=commit)
    yield Row(
        # The first few hundred draw the reference mix every few verdicts.
        await measure(
            "trust update and ledger entry, committed",
            lambda: update(agent),
            repeats=300,
            warm_up=VERDICTS,
        ),
        floor=commit,
        promised_p95=1e-3,
        promised_ratio=4,
    )
    takers = itertools.cycle((other, agent))
    yield Row(
        # Nobody goes on from what the verdict before left in memory.
        await measure(
            "the same, another agent each time", lambda: update(next(takers)), repeats=300
        ),
        floor=commit,
    )
    await database.aclose()
