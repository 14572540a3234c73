"""Real servers in processes of their own, and real clients to talk to them."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client

from tests.integration.launch_server import EndlessSandbox
from tests.patience import ENOUGH_SECONDS
from tmws.app import App, open_app
from tmws.config import Settings

LAUNCHER = str(Path(__file__).with_name("launch_server.py"))

ERAS = {"legacy": "2025-11-25", "auto": "2026-07-28"}
"""Mode of the SDK's client, and the protocol version it then speaks."""

INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}
"""What a client of the earlier protocol says first."""


@dataclass(frozen=True)
class Store:
    """A data folder, and the environment of a server that works on it."""

    folder: Path

    @property
    def settings(self) -> Settings:
        return Settings(data_dir=self.folder)

    def environment(self, **more: str) -> dict[str, str]:
        return {"TMWS_DATA_DIR": str(self.folder), **more}

    def command(self, transport: str) -> list[str]:
        """A server whose sandbox only waits."""
        return [sys.executable, LAUNCHER, transport, str(self.folder)]

    def opened(self) -> AbstractAsyncContextManager[App]:
        """Open the store in this process too, as an administrator's command does."""
        return open_app(self.settings, sandbox=EndlessSandbox(self.folder / "admin.log"))

    async def agent(self, name: str) -> str:
        """Create an agent and return its secret."""
        async with self.opened() as app:
            return (await app.agents.create(name, by="test")).secret

    async def disable(self, tool: str, reason: str) -> None:
        async with self.opened() as app:
            await app.tools.disable(tool, reason=reason, by="test")

    async def enable(self, tool: str) -> None:
        async with self.opened() as app:
            await app.tools.enable(tool, reason="done", by="test")


@asynccontextmanager
async def over_stdio(
    store: Store, mode: str, *, env: Mapping[str, str] | None = None, **options: Any
) -> AsyncIterator[Client]:
    """Start a server on standard streams and connect to it."""
    command, *arguments = store.command("stdio")
    server = StdioServerParameters(
        command=command, args=arguments, env=store.environment(**(env or {}))
    )
    with (store.folder / "stderr.log").open("w") as log:
        async with Client(stdio_client(server, log), mode=mode, **options) as client:
            yield client


@dataclass(frozen=True)
class HttpServer:
    url: str
    process: asyncio.subprocess.Process

    @property
    def origin(self) -> str:
        return self.url.removesuffix("/mcp")

    async def stop(self) -> int:
        """Send SIGTERM and return the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return await asyncio.wait_for(self.process.wait(), ENOUGH_SECONDS)


@asynccontextmanager
async def http_server(
    store: Store, command: Sequence[str] | None = None
) -> AsyncIterator[HttpServer]:
    """Start a server on a free port of the loopback address."""
    process = await asyncio.create_subprocess_exec(
        *(command or store.command("http")),
        env=os.environ | store.environment(),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        url = await asyncio.wait_for(_announced(process), ENOUGH_SECONDS)
        yield HttpServer(url, process)
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


async def _announced(process: asyncio.subprocess.Process) -> str:
    assert process.stderr is not None
    seen = ""
    async for line in process.stderr:
        seen += line.decode()
        event = json.loads(line) if line.startswith(b"{") else {}
        if event.get("event") == "serving_http":
            return str(event["url"])
    raise AssertionError(f"The server ended before it served:\n{seen}")


@asynccontextmanager
async def over_http(
    url: str, token: str, mode: str, *, headers: Mapping[str, str] | None = None, **options: Any
) -> AsyncIterator[Client]:
    """Connect to a running server as the holder of a token."""
    sent = {"Authorization": f"Bearer {token}", **(headers or {})}
    async with create_mcp_http_client(headers=sent) as http:
        transport = streamable_http_client(url, http_client=http)
        async with Client(transport, mode=mode, **options) as client:
            yield client
