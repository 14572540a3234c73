"""The use-cases on an embedded store with 10,000 patterns: learn, find, report, record."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

from tests.performance.bench import Bench, Row
from tests.performance.measure import measure
from tmws.app import App, SystemClock, open_app
from tmws.config import Settings
from tmws.domain import events
from tmws.domain.agents import AccessLevel, Agent
from tmws.domain.claims import Verdict
from tmws.domain.patterns import PatternDraft
from tmws.domain.usage import UseOutcome
from tmws.services.learning import OutcomeReport, PatternQuery
from tmws.services.notary import Notary
from tmws.signing.checkpoint_file import CheckpointFile
from tmws.signing.keys import FileSigner
from tmws.storage import agents, trust
from tmws.storage.database import Database

PATTERNS = 10_000
SUBJECTS = ("parser", "cache", "queue", "index", "lock", "socket", "schema", "retry", "token")
VERBS = ("fails", "hangs", "leaks", "drifts", "blocks", "repeats", "overflows", "expires")


async def rows(bench: Bench) -> AsyncIterator[Row]:
    """Learning with 10,000 patterns in the store, then a verdict's writes."""
    settings = Settings(data_dir=bench.folder / "services")
    commit = await bench.floors.sqlite_commit()
    async with open_app(settings) as app:
        agent = (await app.agents.create("author", by="benchmark")).agent
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
                lambda: app.learning.report(
                    agent, OutcomeReport(known, UseOutcome.SUCCESS, duration_seconds=1.5)
                ),
                repeats=300,
            ),
            floor=commit,
        )
    async for row in _recording(bench, settings.data_dir, agent):
        yield row


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


async def _recording(bench: Bench, folder: Path, agent: Agent) -> AsyncIterator[Row]:
    commit = await bench.floors.sqlite_commit()
    database, clock = Database(f"sqlite:///{folder / 'tmws.db'}"), SystemClock()
    notary = Notary(
        FileSigner(folder / "keys" / "ed25519"),
        CheckpointFile(folder / "ledger" / "checkpoint"),
        secrets.token_bytes,
    )

    async def append() -> None:
        event = events.secret_rotated(agent, by="benchmark", at=clock.now())
        async with database.write() as tx:
            receipt = await notary.append(tx, event)
        notary.publish(receipt)

    async def update() -> None:
        event = events.secret_rotated(agent, by="benchmark", at=clock.now())
        async with database.write() as tx:
            before = await trust.load_for_update(tx, agent.id)
            await trust.save(tx, agent.id, before.after(Verdict.SUPPORTED), at=clock.now())
            receipt = await notary.append(tx, event)
        notary.publish(receipt)

    async def read() -> None:
        async with database.read() as connection:
            await agents.named(connection, agent.name)

    yield Row(await measure("read one row", read, repeats=200))
    yield Row(await measure("append to the ledger", append, repeats=300), floor=commit)
    yield Row(
        await measure("trust update with its ledger entry", update, repeats=300), floor=commit
    )
    await database.aclose()
