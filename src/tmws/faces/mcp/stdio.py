"""Serve one client over this process's standard streams."""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import cast

import anyio
from anyio.streams.memory import MemoryObjectSendStream
from mcp.server.stdio import stdio_server

from tmws.app import App
from tmws.faces.mcp import identity
from tmws.faces.mcp.lines import Cutter, TooLong, Unread
from tmws.faces.mcp.server import McpServer

_READ_BYTES = 65_536
_STOPPING = (signal.SIGTERM, signal.SIGINT)

Lines = AsyncIterator[bytes | TooLong]


async def serve_stdio(app: App) -> None:
    """Answer the client until it closes its end, or until SIGTERM or SIGINT.

    Raises:
        InvalidInput, PermissionDenied: the environment names no valid agent.
    """
    server = McpServer(app, await identity.launched_as(app))
    await server.refreshed()  # the options for the handshake are fixed before the lifespan begins
    with anyio.CancelScope() as serving, _stopped_by_signal(serving):
        async with _lines_of_stdin() as lines:
            unread = Unread()
            # The SDK only iterates over what it is given as standard input.
            stdin = cast("anyio.AsyncFile[str]", unread.paced(lines))
            async with stdio_server(stdin) as (read, write):
                options = server.create_initialization_options()
                await server.run(read, unread.before(write), options)


@contextmanager
def _stopped_by_signal(serving: anyio.CancelScope) -> Iterator[None]:
    loop = asyncio.get_running_loop()

    def stop() -> None:
        release()  # a second signal does what it always does
        serving.cancel()

    def release() -> None:
        for number in _STOPPING:
            loop.remove_signal_handler(number)

    for number in _STOPPING:
        loop.add_signal_handler(number, stop)
    try:
        yield
    finally:
        release()


@asynccontextmanager
async def _lines_of_stdin() -> AsyncIterator[Lines]:
    """Read standard input in a thread that nothing waits for.

    The SDK's own reader blocks in a thread that is joined at the end, so a server
    that was told to stop would wait for one more line from its client.
    """
    with _taken_stdin() as descriptor:
        send, receive = anyio.create_memory_object_stream[bytes | TooLong](0)
        loop = asyncio.get_running_loop()
        threading.Thread(target=_pump, args=(descriptor, send, loop), daemon=True).start()
        async with receive:
            yield receive


@contextmanager
def _taken_stdin() -> Iterator[int]:
    """Yield a private descriptor for standard input; children and code read EOF instead."""
    private = fcntl.fcntl(0, fcntl.F_DUPFD_CLOEXEC, 3)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    try:
        yield private
    finally:
        # The descriptor stays open: the thread may still be blocked on it.
        os.dup2(private, 0)


def _pump(
    descriptor: int,
    lines: MemoryObjectSendStream[bytes | TooLong],
    loop: asyncio.AbstractEventLoop,
) -> None:
    # The loop or the receiver is gone once the server has stopped.
    with suppress(RuntimeError, anyio.ClosedResourceError, anyio.BrokenResourceError):
        cutter = Cutter()
        while chunk := os.read(descriptor, _READ_BYTES):
            for line in cutter.feed(chunk):
                asyncio.run_coroutine_threadsafe(lines.send(line), loop).result()
        loop.call_soon_threadsafe(lines.close)
