"""One tool call while it runs: how it reports, and how it is stopped."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio
import structlog
from mcp.server.session import ServerSession

_log = structlog.get_logger()

CLEANUP_SECONDS = 10.0
"""How long a cancelled tool may take to leave nothing behind."""

_PROGRESS_SECONDS = 1.0
_LONGEST_MESSAGE = 200

T = TypeVar("T")


async def carried_through(work: Awaitable[T]) -> T:
    """Await the work in a task of its own; when the client gives up, cancel it once.

    The SDK cancels by anyio's rules: every later `await` is interrupted as well, so
    the work could not clean up behind itself. A task of its own is interrupted once
    and then gets `CLEANUP_SECONDS` to finish.
    """
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        task.cancel()
        with anyio.move_on_after(CLEANUP_SECONDS, shield=True):
            await asyncio.wait([task])
        _note_end(task)
        raise
    finally:
        # A failed task holds its exception, that its frames, and one of them is this one: what
        # the tool held, a whole workspace perhaps, would stay until the collector comes by.
        del task


def _note_end(task: asyncio.Future[T]) -> None:
    if not task.done():
        _log.error("cancelled_tool_still_running", after_seconds=CLEANUP_SECONDS)
    elif not task.cancelled() and (failed := task.exception()) is not None:
        _log.error("cancelled_tool_failed", exc_info=failed)


def progress_to(session: ServerSession) -> Callable[[str], Awaitable[None]]:
    """Return a function that tells this request's client what is happening.

    Progress is courtesy: a client that does not read holds nothing up for long.
    """
    step = 0

    async def tell(message: str) -> None:
        nonlocal step
        step += 1
        with anyio.move_on_after(_PROGRESS_SECONDS):
            await session.report_progress(step, message=message[:_LONGEST_MESSAGE])

    return tell
