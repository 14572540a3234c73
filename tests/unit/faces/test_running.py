"""How a call is stopped, and what a client that does not listen can hold up."""

from __future__ import annotations

import asyncio
from typing import cast

import anyio
import pytest
from mcp.server.session import ServerSession
from structlog.testing import capture_logs

from tests.patience import ENOUGH_SECONDS
from tmws.faces.mcp.running import carried_through, progress_to

pytestmark = pytest.mark.anyio


async def test_what_the_work_returns_or_raises_comes_through() -> None:
    async def good() -> int:
        return 7

    async def bad() -> int:
        raise ValueError("no")

    assert await carried_through(good()) == 7
    with pytest.raises(ValueError, match="no"):
        await carried_through(bad())


async def test_a_client_that_gives_up_interrupts_the_work_once() -> None:
    interruptions = 0
    steps_after = 0
    started = asyncio.Event()

    async def work() -> None:
        nonlocal interruptions, steps_after
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            interruptions += 1
            for _step in range(5):
                await asyncio.sleep(0)
                steps_after += 1
            raise

    async with anyio.create_task_group() as group:
        group.start_soon(carried_through, work())
        await started.wait()
        group.cancel_scope.cancel()
    assert (interruptions, steps_after) == (1, 5)


async def test_a_cleanup_that_fails_is_logged() -> None:
    started = asyncio.Event()

    async def work() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            raise OSError("the engine is gone")

    with capture_logs() as log:
        async with anyio.create_task_group() as group:
            group.start_soon(carried_through, work())
            await started.wait()
            group.cancel_scope.cancel()
    assert [entry["event"] for entry in log] == ["cancelled_tool_failed"]


class Deaf:
    """A session whose client never reads."""

    async def report_progress(self, _step: float, *, message: str) -> None:
        assert message
        await asyncio.Event().wait()


async def test_a_client_that_does_not_read_holds_nothing_up() -> None:
    tell = progress_to(cast(ServerSession, Deaf()))
    with anyio.fail_after(ENOUGH_SECONDS):
        await tell("working")
