"""An OpenAI-compatible endpoint: a real HTTP server that can also misbehave."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

Writer = asyncio.StreamWriter
Answer = Callable[[dict[str, Any], Writer], Awaitable[None]]


@dataclass
class Endpoint:
    """A server on a free port; `answer` says how it answers the next requests."""

    answer: Answer
    url: str = ""
    requests: list[tuple[str, dict[str, str], dict[str, Any]]] = field(default_factory=list)

    serving: list[asyncio.Task[None] | None] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: Writer) -> None:
        self.serving.append(asyncio.current_task())
        try:
            await self._serve(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: Writer) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
        body = json.loads(await reader.readexactly(int(headers["content-length"])))
        self.requests.append((head[0], headers, body))
        await self.answer(body, writer)


def reply(body: bytes | str, status: str = "200 OK") -> bytes:
    raw = body.encode() if isinstance(body, str) else body
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(raw)}\r\nConnection: close\r\n\r\n"
    return head.encode() + raw


def vectors(texts: list[str], dimension: int) -> list[dict[str, Any]]:
    return [
        {"index": place, "embedding": [float(len(text) + step) for step in range(dimension)]}
        for place, text in enumerate(texts)
    ]


def saying(make: Callable[[list[str]], Any], status: str = "200 OK") -> Answer:
    async def answer(request: dict[str, Any], writer: Writer) -> None:
        writer.write(reply(json.dumps(make(request["input"])), status))
        await writer.drain()

    return answer


@contextlib.asynccontextmanager
async def played(answer: Answer) -> AsyncIterator[Endpoint]:
    """Serve on a free port until the block ends."""
    endpoint = Endpoint(answer)
    server = await asyncio.start_server(endpoint.serve, "127.0.0.1", 0)
    endpoint.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    try:
        yield endpoint
    finally:
        server.close()
        tasks = [task for task in endpoint.serving if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks)
