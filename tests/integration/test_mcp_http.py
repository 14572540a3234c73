"""What only holds over HTTP: who is let in, what is refused before MCP, how it ends."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest

from tests.integration.mcp_serving import INITIALIZE, HttpServer, Store, http_server, over_http
from tests.patience import ENOUGH_SECONDS
from tmws.domain.errors import Conflict, InvalidInput
from tmws.faces.http.server import serve_http

MODERN = {
    "MCP-Protocol-Version": "2026-07-28",
    "Mcp-Method": "tools/list",
    "Accept": "application/json, text/event-stream",
}
LIST = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "tools/list",
    "params": {
        "_meta": {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
        }
    },
}


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="module")
async def token(store: Store) -> str:
    return await store.agent("alice")


@pytest.fixture(scope="module")
async def server(store: Store, token: str) -> AsyncIterator[HttpServer]:
    assert token  # the agent exists before the server does
    async with http_server(store) as running:
        yield running


@pytest.fixture
async def http(server: HttpServer) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(base_url=server.origin) as client:
        yield client


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def test_a_listed_tool_comes_back_to_the_holder_of_a_token(
    http: httpx2.AsyncClient, token: str
) -> None:
    answer = await http.post("/mcp", json=LIST, headers=MODERN | bearer(token))
    assert answer.status_code == 200
    result = answer.json()["result"]
    assert result["cacheScope"] == "private"
    assert result["ttlMs"] == 0


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer tmws_wrong"},
        {"Authorization": "Bearer"},
        {"Authorization": "Basic YWxpY2U6c2VjcmV0"},
        {"Authorization": "Bearer \x7f\u00ff"},
    ],
)
async def test_nobody_known_gets_401_and_is_told_the_scheme(
    http: httpx2.AsyncClient, headers: dict[str, str]
) -> None:
    sent = [(name.encode(), value.encode("latin-1")) for name, value in (MODERN | headers).items()]
    answer = await http.post("/mcp", json=LIST, headers=sent)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer ")


async def test_a_token_anywhere_else_is_no_token(http: httpx2.AsyncClient, token: str) -> None:
    for path, headers in {
        f"/mcp?token={token}": {},
        f"/mcp?access_token={token}": {},
        "/mcp": {"Cookie": f"token={token}", "X-Api-Key": token},
    }.items():
        answer = await http.post(path, json=LIST, headers=MODERN | headers)
        assert answer.status_code == 401


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 421),
        ({"Host": "127.0.0.1.evil.example:80"}, 421),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Content-Type": "text/plain"}, 400),
        ({"Mcp-Method": "tools/call"}, 400),
    ],
)
@pytest.mark.parametrize("body", [LIST, INITIALIZE], ids=["2026-07-28", "2025-11-25"])
async def test_forged_headers_are_refused(
    http: httpx2.AsyncClient,
    token: str,
    headers: dict[str, str],
    status: int,
    body: dict[str, Any],
) -> None:
    era = MODERN if body is LIST else {"Accept": MODERN["Accept"]}
    if body is INITIALIZE and "Mcp-Method" in headers:
        status = 200  # a header of the newer era means nothing to the older
    sent = {"Content-Type": "application/json"} | era | bearer(token) | headers
    answer = await http.post("/mcp", content=json.dumps(body), headers=sent)
    assert answer.status_code == status


async def test_malformed_bodies_are_refused_and_the_server_lives_on(
    http: httpx2.AsyncClient, token: str
) -> None:
    sent = {"Content-Type": "application/json"} | MODERN | bearer(token)
    for body, status in {
        b"not json": 400,
        b"[" * 100_000: 400,
        json.dumps([LIST]).encode(): 400,
        b" " * (5 * 1024 * 1024): 413,
    }.items():
        assert (await http.post("/mcp", content=body, headers=sent)).status_code == status
    assert (await http.post("/mcp", json=LIST, headers=sent)).status_code == 200


async def test_a_session_answers_only_to_the_agent_who_opened_it(
    http: httpx2.AsyncClient, store: Store, token: str
) -> None:
    mallory = await store.agent("mallory")
    accept = {"Accept": MODERN["Accept"]}
    opened = await http.post("/mcp", json=INITIALIZE, headers=accept | bearer(token))
    session = accept | {"Mcp-Session-Id": opened.headers["mcp-session-id"]}
    hers, foreign = session | bearer(token), session | bearer(mallory)
    ping = {"jsonrpc": "2.0", "id": 2, "method": "ping"}
    assert (await http.post("/mcp", json=ping, headers=foreign)).status_code == 404
    assert (await http.delete("/mcp", headers=foreign)).status_code == 404
    assert (await http.post("/mcp", json=ping, headers=hers)).status_code == 200


async def test_a_replaced_token_stops_working_at_once(
    http: httpx2.AsyncClient, store: Store
) -> None:
    old = await store.agent("carol")
    assert (await http.post("/mcp", json=LIST, headers=MODERN | bearer(old))).status_code == 200
    async with store.opened() as app:
        new = (await app.agents.rotate("carol", by="test")).secret
    assert (await http.post("/mcp", json=LIST, headers=MODERN | bearer(old))).status_code == 401
    assert (await http.post("/mcp", json=LIST, headers=MODERN | bearer(new))).status_code == 200


async def test_life_and_readiness_need_no_token(http: httpx2.AsyncClient) -> None:
    assert (await http.get("/livez")).text == "live\n"
    assert (await http.get("/readyz")).text == "ready\n"
    assert (await http.get("/")).status_code == 404


async def test_sigterm_ends_the_server_though_a_client_listens(tmp_path: Path) -> None:
    store = Store(tmp_path)
    token = await store.agent("alice")
    async with (
        http_server(store) as server,
        over_http(server.url, token, "auto") as client,
        client.listen(tools_list_changed=True) as changes,
    ):
        assert await server.stop() == 0
        async for _ in changes:
            pytest.fail("nothing had changed")
    assert (tmp_path / "sandbox.log").read_text() == "closed\n"


@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_sigterm_kills_a_running_check_and_closes_everything(
    tmp_path: Path, mode: str
) -> None:
    store = Store(tmp_path)
    token = await store.agent("alice")
    project = tmp_path / "project"
    project.mkdir()
    async with store.opened() as app:
        await app.workspaces.add("project", str(project), by="test")
    claim = {"statement": "It holds.", "workspace": "project", "check": {"profile": "pytest"}}
    async with http_server(store) as server, anyio.create_task_group() as group:
        running = anyio.Event()

        async def note(progress: float, total: float | None, message: str | None) -> None:
            if (progress, total, message) == (3, None, "waiting for the end of time"):
                running.set()

        async def claims() -> None:
            # How a client takes the loss of its server is its own affair.
            with suppress(Exception):
                async with over_http(server.url, token, mode) as client:
                    await client.call_tool("verify_claim", claim, progress_callback=note)

        group.start_soon(claims)
        with anyio.fail_after(ENOUGH_SECONDS):
            await running.wait()
        assert await server.stop() == 0
        group.cancel_scope.cancel()
    assert (tmp_path / "sandbox.log").read_text() == "started 0\nkilled\nclosed\n"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "tmws.example"])  # noqa: S104
async def test_an_address_others_reach_needs_named_hosts(tmp_path: Path, host: str) -> None:
    async with Store(tmp_path).opened() as app:
        with pytest.raises(InvalidInput, match="refused without allowed hosts"):
            await serve_http(app, host, 0)


async def test_a_taken_port_is_a_clear_refusal(tmp_path: Path, server: HttpServer) -> None:
    port = int(server.origin.rpartition(":")[2])
    async with Store(tmp_path).opened() as app:
        with pytest.raises(Conflict, match=f"Port {port} on 127.0.0.1 cannot be bound"):
            await serve_http(app, "127.0.0.1", port)
