"""Fit every score again, and be killed in the middle, at one point after another.

Started as `dying_fitter.py URL FOLDER`. A child is forked for each point; it says what is
stored before its fit begins, which is what the one before left. One JSON line for each.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from datetime import timedelta
from functools import partial
from pathlib import Path

from tests.integration.services import Installation, agent, ended, verified
from tests.security.dying_recorder import Deadline, forked
from tmws.domain.canonical import sha256_hex
from tmws.storage import trust
from tmws.testing.clock import START, StillClock

POINTS = (
    "DELETE FROM trust_state",
    "DELETE FROM evidence",
    "INSERT INTO evidence",
    "INSERT INTO ledger_entries",
    "COMMIT",
    "never",
    "never",
)


async def prepare(place: Installation) -> None:
    """Leave verdicts of two agents that no fit has seen."""
    async with place.open() as app:
        await app.workspaces.add("shop", place.workspace(), by="test")
        alice, bob = await agent(app, "alice"), await agent(app, "bob")
        for number in range(6):
            place.workspace(content=f"print({number})\n")
            place.sandbox.will(ended(number % 2), ended(number % 2))
            await verified(app, alice)
            await verified(app, bob)


async def fit(place: Installation, point: str) -> None:
    deadline = Deadline(0, named=point)
    deadline.listen()
    async with place.open() as app:
        async with place.database() as database, database.read() as connection:
            rows = sorted((await trust.rows(connection)).items())
        line = {
            "stored": sha256_hex(repr(rows).encode()),
            "problems": [problem.what for problem in (await app.audit.verify()).problems],
        }
        print(json.dumps(line), flush=True)
        await deadline.arm()
        done = await app.corrections.refit_if_due()
        deadline.disarm()
    print(json.dumps({"fitted": done}), flush=True)


def main(url: str, folder: str) -> None:
    """Kill a child at each point; the last two live on."""
    place = Installation(url, Path(folder))
    forked(lambda: asyncio.run(prepare(place)))
    later = Installation(url, Path(folder), clock=StillClock(START + timedelta(days=1)))
    for point in POINTS:
        status = forked(partial(_run, later, point))
        print(json.dumps({"killed": os.WIFSIGNALED(status)}), flush=True)


def _run(place: Installation, point: str) -> None:
    asyncio.run(fit(place, point))


if __name__ == "__main__":
    main(*sys.argv[1:])
