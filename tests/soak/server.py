"""A server on standard streams that may be killed at any moment, and its client."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any

_LINE_BYTES = 4 * 2**20


class Gone(Exception):
    """The server ended before it answered."""


class Server:
    """One process of `tmws serve`, spoken to in plain JSON-RPC.

    Args:
        environment: its settings.
    """

    def __init__(self, environment: dict[str, str]) -> None:
        self._environment = environment
        self._process: asyncio.subprocess.Process | None = None
        self._number = 0

    async def start(self) -> None:
        """Start it and shake hands."""
        clean = {key: value for key, value in os.environ.items() if not key.startswith("TMWS_")}
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tmws", "serve"),
            env={**clean, **self._environment},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            limit=_LINE_BYTES,
        )
        client = {"name": "soak", "version": "1"}
        opening = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client}
        await self._asked("initialize", opening)

    def kill(self) -> None:
        """End it without a word of warning."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()

    async def stop(self) -> None:
        """End it as a client does, by closing its input."""
        if self._process is not None:
            assert self._process.stdin is not None
            self._process.stdin.close()
            await self._process.wait()

    async def call(self, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Return the result of a tool, starting the server again if it is dead.

        Raises:
            Gone: it died meanwhile.
        """
        if self._process is None or self._process.returncode is not None:
            await self.start()
        return await self._asked("tools/call", {"name": tool, "arguments": arguments})

    async def _asked(self, method: str, parameters: dict[str, Any]) -> dict[str, Any]:
        assert self._process is not None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._number += 1
        message = {"jsonrpc": "2.0", "id": self._number, "method": method, "params": parameters}
        try:
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
            await self._process.stdin.drain()
            while line := await self._process.stdout.readline():
                answer = json.loads(line)
                if answer.get("id") == self._number:
                    return dict(answer["result"])
        except ConnectionError as error:
            raise Gone from error
        await self._process.wait()
        raise Gone
