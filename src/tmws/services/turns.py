"""Whose check is next where not all can run at once: agents take turns, not requests."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections import deque
from collections.abc import AsyncIterator


class Turns:
    """Lets `places` run at once, and calls the agent that was called least recently.

    So one check waits for what runs and at most one more of each other agent, however many
    those have sent. An agent's own are called in the order in which they came.
    """

    def __init__(self, places: int) -> None:
        self._free = places
        self._lines: dict[str, deque[asyncio.Future[None]]] = {}
        self._calls = itertools.count()
        self._called: dict[str, int] = {}

    @property
    def waiting(self) -> int:
        """How many wait to be called."""
        return sum(len(line) for line in self._lines.values())

    @contextlib.asynccontextmanager
    async def turn(self, agent_id: str) -> AsyncIterator[None]:
        """Wait for the agent's turn and hold a place while the block runs."""
        if self._free:
            self._free -= 1
            self._called[agent_id] = next(self._calls)
        else:
            await self._stand_in_line(agent_id)
        try:
            yield
        finally:
            self._pass_on()

    async def _stand_in_line(self, agent_id: str) -> None:
        mine = asyncio.get_running_loop().create_future()
        self._lines.setdefault(agent_id, deque()).append(mine)
        try:
            await mine
        except asyncio.CancelledError:
            if mine.cancelled():
                self._leave(agent_id, mine)
            else:
                self._pass_on()  # called, and cancelled before it heard of it
            raise

    def _leave(self, agent_id: str, mine: asyncio.Future[None]) -> None:
        line = self._lines.get(agent_id, deque())
        if mine in line:  # else somebody was called meanwhile, and passed it over
            line.remove(mine)
            if not line:
                del self._lines[agent_id]

    def _pass_on(self) -> None:
        while self._lines:
            agent_id = min(self._lines, key=lambda each: self._called.get(each, -1))
            line = self._lines[agent_id]
            first = line.popleft()
            if not line:
                del self._lines[agent_id]
            if not first.cancelled():
                self._called[agent_id] = next(self._calls)
                first.set_result(None)
                return
        self._free += 1
