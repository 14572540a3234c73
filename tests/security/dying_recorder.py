"""Record verdicts and be killed at every point of the transaction, one point after another.

Started as `dying_recorder.py URL FOLDER`. A child is forked for each point: it says what
the one before left behind, has a new claim checked, and is killed at its point. One JSON
line for each; the last child finds no point left and ends by itself.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from tests.integration.services import Installation, agent, ended, learned, verified
from tmws.app import App
from tmws.domain import evidence
from tmws.domain.execution import ExecutionResult
from tmws.services.learning import PatternQuery
from tmws.storage import tables
from tmws.testing.clock import START, StillClock

COUNTED = (
    tables.ledger_entries,
    tables.ledger_payloads,
    tables.memories,
    tables.documents,
    tables.uses,
    tables.evidence,
)


class Deadline:
    """Kills this very process, uncaught and unwarned, at one of the points it is shown."""

    def __init__(self, point: int, *, named: str | None = None) -> None:
        self._left: int | None = None
        self._point = point
        self._named = named
        self._wrote = False
        self.last = ""

    def listen(self) -> None:
        """Be shown every statement, commit and returned connection of every engine.

        SQLite shows its statements itself: some never pass SQLAlchemy.
        """
        sa.event.listen(sa.Pool, "connect", self._on_connect)
        sa.event.listen(sa.Engine, "before_cursor_execute", self._on_statement)
        sa.event.listen(sa.Engine, "commit", lambda _: self._reached("COMMIT"))
        sa.event.listen(sa.Pool, "checkin", lambda *_: self._reached(self._after()))

    async def arm(self) -> ExecutionResult:
        """Begin to count: as the answer of a sandbox, so just before the recording."""
        self._left = self._point if self._named is None else -1
        self._wrote = False
        return ended(0)

    def disarm(self) -> None:
        self._left = None

    def _after(self) -> str:
        return "after COMMIT" if self._wrote else "after a look"

    def _on_connect(self, adapted: Any, _record: object) -> None:
        if hasattr(adapted, "on_thread"):
            adapted.run_async(lambda driver: driver.set_trace_callback(self._on_text))

    def _on_statement(
        self, connection: sa.Connection, _cursor: object, text: str, *_: object
    ) -> None:
        if connection.dialect.name != "sqlite":
            self._on_text(text)

    def _on_text(self, text: str) -> None:
        self._wrote |= text.startswith(("INSERT", "UPDATE"))
        self._reached(" ".join(text.split()[:3]))

    def _reached(self, point: str) -> None:
        if self._left is None:
            return
        if self._left == 0 or point == self._named:
            print(json.dumps({"killed_before": point}), flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
        self._left -= 1


async def counts(place: Installation, app: App) -> dict[str, int]:
    """Count what one verdict adds one of."""
    async with place.database() as database, database.read() as connection:
        found = {
            table.name: await connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0
            for table in COUNTED
        }
        # Equal reports are kept once, so only envelopes are one for each verdict.
        envelopes = sa.select(sa.func.count()).where(
            tables.artifacts.c.media_type == evidence.ENVELOPE_MEDIA_TYPE
        )
        found["envelopes"] = await connection.scalar(envelopes) or 0
    [alice] = [each for each in await app.agents.every() if each.name == "alice"]
    tally = (await app.trust.show(alice)).standing.tally
    closed = [each for each in await app.verification.newest(limit=1000) if each.judgement]
    return {**found, "trust": tally.supported, "verdicts": len(closed)}


async def live(
    place: Installation, point: int, *, named: str | None = None, after_a_kill: bool = True
) -> None:
    notes = place.folder / "before.json"
    deadline = Deadline(point, named=named)
    deadline.listen()
    async with place.open() as app:
        alice, pattern = await known(app, place)
        if point and after_a_kill:
            before = json.loads(notes.read_text())
            await examine(app, place, before, point - 1)
        place.workspace(content=f"print({point})\n")
        notes.write_text(json.dumps(await counts(place, app)))
        place.sandbox.will(deadline.arm)
        await verified(app, alice, applied=(pattern,))
        deadline.disarm()
    print(json.dumps({"survived": point}), flush=True)


async def known(app: App, place: Installation) -> tuple[Any, str]:
    agents = [each for each in await app.agents.every() if each.name == "alice"]
    if not agents:
        await app.workspaces.add("shop", place.workspace(), by="test")
        alice = await agent(app, "alice")
        return alice, (await learned(app, alice)).id
    found = await app.learning.find(agents[0], PatternQuery())
    return agents[0], found.items[0].pattern.id


async def examine(app: App, place: Installation, before: dict[str, int], point: int) -> None:
    """Say what the killed one left, and whether its claim can be sent again."""
    left = await counts(place, app)
    report = await app.audit.verify()
    alice, pattern = await known(app, place)
    place.workspace(content=f"print({point})\n")
    again = await verified(app, alice, applied=(pattern,))
    later = await counts(place, app)
    line = {
        "left": {name: left[name] - before[name] for name in left},
        "problems": [problem.what for problem in report.problems],
        "repeated": again.repeated,
        "later": {name: later[name] - before[name] for name in later},
        "holds_later": (await app.audit.verify()).holds,
    }
    print(json.dumps(line), flush=True)


def forked(work: Callable[[], None]) -> int:
    """Run this in a child and return its wait status."""
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1]
    try:
        work()
    finally:
        sys.stdout.flush()
        os._exit(0)


def main(url: str, folder: str) -> None:
    """Kill a child at each point until one survives, then one more when all is written.

    Verdicts differ by a few statements, so that the last point may have been missed.
    """
    for point in range(200):
        status = forked(partial(run, url, folder, point))
        if not os.WIFSIGNALED(status):
            forked(partial(run, url, folder, point + 1, named="after COMMIT", after_a_kill=False))
            forked(partial(run, url, folder, point + 2, named="never"))
            return


def run(url: str, folder: str, point: int, **how: Any) -> None:
    place = Installation(url, Path(folder), clock=StillClock(START + timedelta(days=point)))
    asyncio.run(live(place, point, **how))


if __name__ == "__main__":
    main(*sys.argv[1:])
