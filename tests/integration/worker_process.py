"""One process among several on one store, driven by a test.

Started as `worker_process.py URL FOLDER learn NAME` or `… report PATTERN_ID NUMBER`. Each
thing that is acknowledged is one JSON line; at the end it waits to be killed.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

from tests.integration.services import Installation, learned
from tmws.app import App
from tmws.domain.usage import UseOutcome
from tmws.services.outcomes import OutcomeReport

PATTERNS = 50
REPORTS = 25


def acknowledge(**fields: object) -> None:
    print(json.dumps(fields), flush=True)


async def learn(app: App, name: str) -> None:
    me = await app.agents.local()
    for number in range(PATTERNS):
        kept = await learned(app, me, f"{name} {number}", summary=f"{name} dwells on topic{number}")
        acknowledge(id=kept.id)


async def report(app: App, pattern_id: str, number: str) -> None:
    me = await app.agents.local()

    async def one(step: int) -> None:
        outcome = list(UseOutcome)[step % 3]
        seconds = float(1 + step + 100 * int(number))
        usage = await app.outcomes.report(me, OutcomeReport(pattern_id, outcome, seconds))
        acknowledge(
            place=usage.count, outcome=outcome, seconds=seconds, average=usage.duration_seconds
        )

    await asyncio.gather(*(one(step) for step in range(REPORTS)))


async def main(url: str, folder: str, task: str, *arguments: str) -> None:
    """Do the task, then wait for the end."""
    async with Installation(url, Path(folder)).open() as app:
        if task == "learn":
            await learn(app, *arguments)
        else:
            await report(app, *arguments)
        acknowledge(done=True)
        os.kill(os.getpid(), signal.SIGSTOP)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
