"""Checks wait for their turn, and nobody takes the turns of others."""

from __future__ import annotations

import asyncio
import os

import pytest

from tests.integration.pausing import PATIENCE, Pausing
from tests.integration.services import (
    Installation,
    agent,
    claim,
    ended,
    silent,
    verified,
)
from tmws.app import App
from tmws.domain.agents import Agent
from tmws.domain.claims import Verdict
from tmws.domain.errors import (
    LimitExceeded,
)
from tmws.services import running


async def test_too_many_claims_at_once_are_told_when_to_come_back(
    app: App, installation: Installation, alice: Agent
) -> None:
    slow = [Pausing(ended(0)) for _ in range(running.MOST_OF_ONE)]
    installation.sandbox.will(*slow)
    for number in range(running.MOST_OF_ONE):
        installation.workspace(content=f"print({number})\n")
        await app.verification.verify(alice, claim(), progress=silent, wait_seconds=0)
    installation.workspace(content="print('one more')\n")
    with pytest.raises(LimitExceeded, match=r"Retry after \d+ s") as refused:
        await verified(app, alice)
    assert refused.value.retry_after_seconds
    for each in slow:
        each.release.set()


async def test_one_agent_takes_neither_the_places_nor_the_turns_of_the_others(
    app: App, installation: Installation, alice: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The attack: as many slow checks as are taken, and again whenever one has ended."""
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    mallory, first, second = await agent(app, "mallory"), Pausing(ended(0)), Pausing(ended(0))
    installation.sandbox.will(first, ended(0), second)
    in_line = asyncio.Event()

    async def tell(what: str) -> None:
        if what.startswith("running python"):
            in_line.set()

    async with installation.open() as server:
        for number in range(running.MOST_OF_ONE):
            installation.workspace(content=f"print({number})\n")
            await server.verification.verify(mallory, claim(), progress=silent, wait_seconds=0)
        with pytest.raises(LimitExceeded, match="16 of your checks are running or waiting"):
            await verified(server, mallory, exit_code=3)
        honest = asyncio.create_task(server.verification.verify(alice, claim(), progress=tell))
        await asyncio.wait_for(in_line.wait(), PATIENCE)
        first.release.set()
        report = await asyncio.wait_for(honest, PATIENCE)
        assert report.claim.judgement is not None
        assert report.claim.judgement.verdict is Verdict.SUPPORTED
        await asyncio.wait_for(second.started.wait(), PATIENCE)
        assert server.verification.waiting == running.MOST_OF_ONE - 2
        second.release.set()


async def test_all_agents_together_are_told_when_to_come_back(
    app: App, installation: Installation, alice: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "MOST_AT_ONCE", 1)
    slow = Pausing(ended(0))
    installation.sandbox.will(slow)
    await app.verification.verify(alice, claim(), progress=silent, wait_seconds=0)
    with pytest.raises(LimitExceeded, match="1 checks are running or waiting"):
        await verified(app, await agent(app, "bob"))
    slow.release.set()


async def test_snapshots_of_waiting_claims_take_bounded_memory(
    app: App, installation: Installation, alice: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "MOST_BYTES_AT_ONCE", 1000)
    slow = Pausing(ended(0))
    installation.sandbox.will(slow)
    installation.workspace(content=f"# {'long' * 200}\n")
    await app.verification.verify(alice, claim(), progress=silent, wait_seconds=0)
    installation.workspace(content=f"# {'other' * 200}\n")
    with pytest.raises(LimitExceeded, match="MiB of files"):
        await verified(app, alice)
    slow.release.set()
