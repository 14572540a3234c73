"""What a verdict leaves in memory is gone on from only where it is what the store holds."""

from __future__ import annotations

import random
import secrets
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import ProgrammingError

from tests.integration.services import Installation, agent
from tests.integration.trust_seen import decided, require_sound
from tests.unit.domain.claims_made import SUPPORTED, open_claim
from tmws.app import App
from tmws.domain.agents import Agent
from tmws.domain.errors import BackendUnavailable
from tmws.services.notary import Notary
from tmws.services.recording import enter
from tmws.signing.checkpoint_file import CheckpointFile
from tmws.signing.keys import FileSigner
from tmws.storage.database import Database
from tmws.storage.last_state import LastState
from tmws.storage.prepared import Execute, Prepared, Values

STEPS = 24
LOOKED_UP = "SELECT (SELECT trust_state.value"


class Verdicts:
    """Records verdicts of one process, and notes what they ask of the model's numbers."""

    def __init__(self, database: Database, folder: Path) -> None:
        self._database = database
        self._notary = Notary(
            FileSigner(folder / "key"), CheckpointFile(folder / "checkpoint"), secrets.token_bytes
        )
        self._last = LastState()
        self.asked: list[str] = []

    async def record(self, who: Agent, number: int) -> int:
        """Record one more verdict; return how often it read numbers of the model."""
        self.asked.clear()
        claim = replace(
            open_claim(), id=f"claim_{number}", agent_id=who.id, snapshot_digest=f"{number:064x}"
        )
        at = claim.created_at + timedelta(days=number)

        def step(run: Execute) -> None:
            enter(
                self._noted(run),
                self._notary,
                claim,
                SUPPORTED,
                last=self._last,
                evidence_digest="ab" * 32,
                at=at,
            )

        await self._database.at_once(step)
        return len([each for each in self.asked if each.startswith(LOOKED_UP)])

    def _noted(self, run: Execute) -> Execute:
        def noted(prepared: Prepared, values: Values) -> Sequence[Any]:
            self.asked.append(prepared.on_sqlite)
            return run(prepared, values)

        return noted


async def test_the_next_verdict_on_a_task_reads_no_number_back(
    app: App, installation: Installation
) -> None:
    """Unless anybody recorded anything in between, here or in another process."""
    alice, bob = await agent(app, "alice"), await agent(app, "bob")
    async with installation.database() as database:
        here = Verdicts(database, installation.folder)
        there = Verdicts(database, installation.folder)
        assert await here.record(alice, 0) == 1
        assert await here.record(alice, 1) == 0
        assert await here.record(alice, 2) == 0
        assert await there.record(alice, 3) == 1
        assert await here.record(alice, 4) == 1
        assert await here.record(alice, 5) == 0
        assert await here.record(bob, 6) == 1
        assert await here.record(alice, 7) == 1
        await agent(app, "carol")
        assert await here.record(alice, 8) == 1


async def test_however_verdicts_processes_failures_and_fits_mix_the_store_follows_the_ledger(
    app: App, installation: Installation
) -> None:
    chance = random.Random(4)  # noqa: S311  # repeatable, no secret
    await app.workspaces.add("shop", installation.workspace(), by="test")
    agents = [await agent(app, "alice"), await agent(app, "bob")]
    async with installation.open() as other:
        for _ in range(STEPS):
            installation.clock.advance(3600)
            here, who = chance.choice((app, app, other)), chance.choice(agents)
            act, held = chance.random(), chance.random() < 0.6
            if act < 0.1:
                await app.corrections.refit(by="test")
            elif act < 0.25:
                await _taken_back(here, installation, who)
            else:
                await decided(here, installation, who, held=held)
    await require_sound(app)


async def _taken_back(app: App, place: Installation, who: Agent) -> None:
    """Have a verdict fail after its numbers were written: there is no room for its memory."""
    async with place.database() as database:
        async with database.write() as tx:
            await tx.execute(sa.text("ALTER TABLE memories RENAME TO elsewhere"))
        with pytest.raises((BackendUnavailable, ProgrammingError)):
            await decided(app, place, who, held=True)
        async with database.write() as tx:
            await tx.execute(sa.text("ALTER TABLE elsewhere RENAME TO memories"))
