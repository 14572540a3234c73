"""Run one server from the settings in the environment, with a sandbox that only waits.

Started as `launch_server.py stdio|http FOLDER`. Each check appends `started` to
FOLDER/sandbox.log, waits until it is cancelled, and appends `killed`; closing the server
appends `closed`. What a client sees of a long run needs no container.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from tmws.app import open_app
from tmws.config import Settings
from tmws.domain.execution import ExecutionRequest, ExecutionResult, Limits
from tmws.faces.http.server import serve_http
from tmws.faces.mcp.stdio import serve_stdio
from tmws.ports import Probe, Progress, SandboxState
from tmws.telemetry import logging


class EndlessSandbox:
    """A sandbox in which every program runs for ever."""

    def __init__(self, log: Path) -> None:
        self._log = log

    async def run(self, request: ExecutionRequest, *, progress: Progress) -> ExecutionResult:
        self._note(f"started {len(request.files)}")
        await progress("waiting for the end of time")
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)  # as a real one, it has to await while it cleans up
            self._note("killed")
        raise AssertionError("time ended")

    async def check(self) -> tuple[Probe, ...]:
        return ()

    async def warm(self, limits: Limits) -> None:
        pass

    def state(self) -> SandboxState:
        return SandboxState(waiting=3)

    async def sweep(self) -> int:
        return 0

    async def aclose(self) -> None:
        self._note("closed")

    def _note(self, event: str) -> None:
        with self._log.open("a") as log:
            log.write(event + "\n")


async def main(transport: str, folder: Path) -> None:
    logging.configure("info")
    async with open_app(Settings(), sandbox=EndlessSandbox(folder / "sandbox.log")) as app:
        if transport == "stdio":
            await serve_stdio(app)
        else:
            await serve_http(app, "127.0.0.1", 0)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
