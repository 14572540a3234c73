"""Clients over HTTP that send or read slowly, or never: the real server, its memory, the others."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest

from tests.integration.mcp_serving import Store, http_server
from tests.patience import ENOUGH_SECONDS
from tests.security import peaks

pytestmark = pytest.mark.anyio
MIB = 2**20

# The real command, whose patience is shorter than it usually is.
SERVER = """
from tmws.faces.http import connections
connections.REQUEST_SECONDS = connections.STALLED_SECONDS = 1.5
connections.MOST_CONNECTIONS = 100
from tmws.faces.mcp import shares
shares.MOST_SESSIONS_OF_ONE = 5
from tmws.faces.cli import main
main()
"""
LIST = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "slow", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {}}}}).encode()  # fmt: skip


INITIALIZE = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
    "protocolVersion": "2025-11-25", "capabilities": {},
    "clientInfo": {"name": "slow", "version": "1"}}}).encode()  # fmt: skip


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@dataclass
class Client:
    """A connection of which every byte is the test's own."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, content: bytes) -> None:
        self.writer.write(content)
        await self.writer.drain()

    async def ended(self) -> bool:
        """Whether the server ends the connection, whatever it answered before."""
        with contextlib.suppress(ConnectionError):
            while await asyncio.wait_for(self.reader.read(65536), ENOUGH_SECONDS):
                pass
        return True

    async def drip(self, content: bytes) -> bool:
        """Send a byte now and then until the server ends the connection."""
        with contextlib.suppress(ConnectionError):
            for byte in content:
                await self.send(bytes([byte]))
                with contextlib.suppress(TimeoutError):
                    if not await asyncio.wait_for(self.reader.read(65536), 0.1):
                        return True
        return await self.ended()


@dataclass
class Served:
    host: str
    port: int
    process: int
    tokens: Sequence[str]
    clients: list[Client] = field(default_factory=list)

    async def connect(self, *, unread: bool = False) -> Client:
        """Connect; what an unread one is sent stays with the server's side soon."""
        own = socket.socket()
        if unread:
            own.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        own.setblocking(False)
        await asyncio.get_running_loop().sock_connect(own, (self.host, self.port))
        limit = 1024 if unread else MIB
        self.clients.append(Client(*await asyncio.open_connection(sock=own, limit=limit)))
        return self.clients[-1]

    async def hang_up(self) -> None:
        """Close every connection of a test, in whatever state it is."""
        for client in self.clients:
            client.writer.transport.abort()
            with contextlib.suppress(ConnectionError):
                await client.writer.wait_closed()
        self.clients.clear()

    def head(self, size: int, *, agent: int = 0, token: str | None = None) -> bytes:
        return (
            f"POST /mcp HTTP/1.1\r\nHost: {self.host}:{self.port}\r\n"
            f"Authorization: Bearer {token or self.tokens[agent]}\r\n"
            "Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\n"
            "Mcp-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/list\r\n"
            f"Content-Length: {size}\r\n\r\n"
        ).encode()

    async def require_service(self, agent: int = 1) -> None:
        """Another client's request is answered, as if nobody else were there."""
        client = await self.connect()
        await client.send(self.head(len(LIST), agent=agent) + LIST)
        said = await asyncio.wait_for(client.reader.readuntil(b"verify_claim"), ENOUGH_SECONDS)
        assert said.startswith(b"HTTP/1.1 200")


@pytest.fixture(scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    """One server for all of this file."""
    store = Store(tmp_path_factory.mktemp("data"))
    tokens = [await store.agent("alice"), await store.agent("bob")]
    command = [sys.executable, "-c", SERVER, "serve", "--http", "--port", "0"]
    async with http_server(store, command) as server:
        address = urlsplit(server.url)
        assert address.hostname is not None
        assert address.port is not None
        yield Served(address.hostname, address.port, server.process.pid, tokens)


@pytest.fixture
async def served(server: Served) -> AsyncIterator[Served]:
    """The server, warm, and left by every client of a test."""
    await server.require_service(agent=0)
    yield server
    await server.hang_up()


async def test_who_sends_no_whole_request_is_let_go(served: Served) -> None:
    before = peaks.forget(served.process)
    body = b"{" * 4096
    ways = {
        "nothing": b"",
        "half a head": b"POST /mcp HTTP/1.1\r\nHost: ",
        "half a body": served.head(4 * MIB) + body,
        "half a body after a refusal": served.head(4 * MIB, token="nobody") + body,
        "half a second request": served.head(len(LIST)) + LIST + b"POST /mcp HT",
    }
    clients = [(await served.connect(), sent) for sent in ways.values() for _ in range(4)]
    for client, sent in clients:
        await client.send(sent)
    await served.require_service()
    assert all(await asyncio.gather(*(client.ended() for client, _ in clients)))
    assert peaks.peak(served.process) - before < 16 * MIB


async def test_a_byte_now_and_then_holds_no_place(served: Served) -> None:
    starts = (b"", served.head(4 * MIB), served.head(4 * MIB, token="nobody"))
    clients = [(await served.connect(), start) for start in starts for _ in range(5)]
    for client, start in clients:
        await client.send(start)
    dripping = asyncio.gather(
        *(client.drip((b"" if start else served.head(9)) + b"{" * 600) for client, start in clients)
    )
    await served.require_service()
    assert all(await asyncio.wait_for(dripping, ENOUGH_SECONDS))


async def test_who_does_not_read_is_let_go_and_costs_a_buffer(served: Served) -> None:
    before = peaks.forget(served.process)
    request = served.head(len(LIST)) + LIST  # is answered by 20 KB

    async def ask(client: Client) -> None:
        with contextlib.suppress(ConnectionError):
            while True:
                await client.send(request)
                await asyncio.sleep(0)

    clients = [await served.connect(unread=True) for _ in range(3)]
    asking = [asyncio.create_task(ask(client)) for client in clients]
    await served.require_service()
    _, waiting = await asyncio.wait(asking, timeout=ENOUGH_SECONDS)
    assert not waiting
    assert peaks.peak(served.process) - before < 32 * MIB


async def test_what_comes_before_its_turn_is_not_held(served: Served) -> None:
    before = peaks.forget(served.process)
    client = await served.connect(unread=True)
    with contextlib.suppress(ConnectionError):
        for _ in range(64):
            await client.send((served.head(len(LIST)) + LIST) * 2000)
    await served.require_service()
    assert peaks.peak(served.process) - before < 16 * MIB


async def test_more_clients_than_places_do_not_keep_others_out(served: Served) -> None:
    before = peaks.forget(served.process)
    clients = [await served.connect() for _ in range(300)]
    await served.require_service()
    assert all(await asyncio.gather(*(client.ended() for client in clients)))
    await served.require_service()
    assert peaks.peak(served.process) - before < 16 * MIB


async def test_an_agent_has_a_share_of_requests_and_bodies(served: Served) -> None:
    small = [await served.connect() for _ in range(70)]
    for client in small:
        await client.send(served.head(2) + b"{")
    firsts = [asyncio.ensure_future(client.reader.readline()) for client in small]
    done, waiting = await asyncio.wait(firsts, timeout=1.0)
    assert {task.result() for task in done} == {b"HTTP/1.1 429 Too Many Requests\r\n"}
    assert (len(done), len(waiting)) == (6, 64)
    await served.require_service(agent=1)
    for task in waiting:
        task.cancel()


async def test_bodies_of_one_agent_are_few_at_once(served: Served) -> None:
    before = peaks.forget(served.process)
    large = [await served.connect() for _ in range(20)]
    for client in large:
        client.writer.write(served.head(4 * MIB) + b"[" * (3 * MIB))
    await served.require_service(agent=1)
    assert all(await asyncio.gather(*(client.ended() for client in large)))
    assert peaks.peak(served.process) - before < 48 * MIB


async def initialized(served: Served, agent: int) -> tuple[bytes, bytes]:
    """Open a session of the older era; return the first line of the answer, and its name."""
    client = await served.connect()
    head = served.head(len(INITIALIZE), agent=agent)
    await client.send(head.replace(b"2026-07-28", b"2025-11-25") + INITIALIZE)
    answer = await asyncio.wait_for(client.reader.readuntil(b"\r\n\r\n"), ENOUGH_SECONDS)
    first, *lines = answer.split(b"\r\n")
    named = (line.partition(b": ")[2] for line in lines if line.startswith(b"mcp-session-id"))
    return first, next(named, b"")


async def test_an_agent_has_a_share_of_sessions_and_ends_one_to_open_another(
    served: Served,
) -> None:
    opened = [await initialized(served, agent=0) for _ in range(5)]
    assert {first for first, _ in opened} == {b"HTTP/1.1 200 OK"}
    assert len({name for _, name in opened}) == 5
    first, _ = await initialized(served, agent=0)
    assert first == b"HTTP/1.1 429 Too Many Requests"
    assert (await initialized(served, agent=1))[0] == b"HTTP/1.1 200 OK"
    await served.require_service(agent=0)  # the newer era has no sessions
    client = await served.connect()
    head = served.head(0).replace(b"POST", b"DELETE").replace(b"2026-07-28", b"2025-11-25")
    named = b"Mcp-Session-Id: " + opened[0][1] + b"\r\n\r\n"
    await client.send(head.removesuffix(b"\r\n") + named)
    assert await client.reader.readline() == b"HTTP/1.1 200 OK\r\n"
    assert (await initialized(served, agent=0))[0] == b"HTTP/1.1 200 OK"
