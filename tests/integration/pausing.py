"""Checks that end when a test wants them to, and waits for whoever looks after them."""

from __future__ import annotations

import asyncio

from tmws.app import App
from tmws.domain.agents import Agent
from tmws.domain.execution import ExecutionResult

PATIENCE = 20.0


class Pausing:
    """A sandbox's answer that begins and ends when the test wants it to."""

    def __init__(self, result: ExecutionResult) -> None:
        self.started, self.release = asyncio.Event(), asyncio.Event()
        self._result = result

    async def __call__(self) -> ExecutionResult:
        self.started.set()
        await self.release.wait()
        return self._result


async def taken_up(app: App, who: Agent, claim_id: str) -> None:
    """Wait until somebody has looked after the claim."""
    async with asyncio.timeout(PATIENCE):
        while (await app.verification.get(who, claim_id)).stalled:  # noqa: ASYNC110  # by a server
            await asyncio.sleep(0.01)
