"""Who is let in: by what a transport proves, looked at anew with every request and every call.

The servers of other tests are processes of their own. Here all runs in the process of the
tests, where a fault in the rules can be tried.
"""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import httpx2
import pytest
from anyio import to_thread
from mcp import MCPError
from pydantic import SecretStr
from sqlalchemy.engine import make_url
from structlog.testing import capture_logs

from tests.integration.mcp_serving import INITIALIZE
from tests.integration.services import Installation
from tests.patience import ENOUGH_SECONDS
from tests.postgres import PostgresServer
from tmws.app import App
from tmws.domain.errors import InvalidInput, PermissionDenied
from tmws.faces.http.server import _allowed
from tmws.faces.mcp import identity
from tmws.faces.mcp.endpoint import McpEndpoint
from tmws.faces.mcp.identity import Context, launched_as

ACCEPT = {"Accept": "application/json, text/event-stream"}
CALL = ACCEPT | {
    "MCP-Protocol-Version": "2026-07-28",
    "Mcp-Method": "tools/call",
    "Mcp-Name": "get_trust",
}
WHO_AM_I = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "tools/call",
    "params": {
        "name": "get_trust",
        "arguments": {},
        "_meta": {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
        },
    },
}
PING = {"jsonrpc": "2.0", "id": 2, "method": "ping"}
NO_REQUEST = cast(Context, None)
"""On stdio nothing of a call is looked at to learn whose it is."""


@pytest.fixture(autouse=True)
async def _cut_off() -> AsyncIterator[None]:
    """Wait for statements that were cut off when the endpoint closed: they answer to this loop."""
    before = set(threading.enumerate())
    yield
    for thread in set(threading.enumerate()) - before:
        if "_connection_worker" in thread.name:
            await to_thread.run_sync(thread.join, ENOUGH_SECONDS)


@asynccontextmanager
async def door(app: App) -> AsyncIterator[httpx2.AsyncClient]:
    """Open the HTTP endpoint in this process."""
    endpoint = McpEndpoint(app, allowed_hosts=["tmws"], allowed_origins=["http://tmws"])
    transport = httpx2.ASGITransport(app=endpoint)
    client = httpx2.AsyncClient(transport=transport, base_url="http://tmws")
    async with endpoint.running(), client:
        yield client


async def asked(client: httpx2.AsyncClient, said: str, **more: str) -> httpx2.Response:
    """Ask who is calling, as whoever the Authorization header says."""
    sent = CALL | {"Authorization": said} | more
    return await client.post("/mcp", json=WHO_AM_I, headers=sent)


def called(answer: httpx2.Response) -> Any:
    """Return the name of the agent that was let in."""
    assert answer.status_code == 200, answer.text
    return answer.json()["result"]["structuredContent"]["agent"]


async def secret_of(app: App, name: str) -> str:
    return (await app.agents.create(name, by="test")).secret


class TestHttp:
    async def test_the_holder_of_a_secret_is_its_agent_whatever_the_scheme_looks_like(
        self, app: App
    ) -> None:
        erin, bob = await secret_of(app, "erin"), await secret_of(app, "bob")
        async with door(app) as client:
            for said in (f"Bearer {erin}", f"bearer {erin}", f"BEARER  {erin} "):
                assert called(await asked(client, said)) == "erin"
            assert called(await asked(client, f"Bearer {bob}")) == "bob"

    async def test_while_the_store_is_silent_nobody_is_let_in_and_all_are_told(
        self, postgres_url: str, postgres: PostgresServer, tmp_path: Path
    ) -> None:
        async with Installation(postgres_url, tmp_path / "data").open() as app:
            said = f"Bearer {await secret_of(app, 'erin')}"
            async with door(app) as client:
                assert called(await asked(client, said)) == "erin"
                name = str(make_url(postgres_url).database)
                await to_thread.run_sync(postgres.drop_database, name)
                answer = await asked(client, said)
                assert answer.status_code == 503
                told = answer.json()["error"]["message"]
                assert told.startswith("BACKEND_UNAVAILABLE: The database did not answer")

    async def test_nobody_else_is_let_in(self, app: App) -> None:
        erin = await secret_of(app, "erin")
        guesses = ("", "Bearer", "Bearer ", f"Basic {erin}", erin, f"Bearer x{erin}", "Bearer x")
        async with door(app) as client:
            for said in guesses:
                answer = await asked(client, said)
                assert answer.status_code == 401, said
                assert answer.headers["www-authenticate"].startswith("Bearer ")

    async def test_a_host_or_origin_that_was_not_named_is_refused_with_the_right_secret(
        self, app: App
    ) -> None:
        said = f"Bearer {await secret_of(app, 'erin')}"
        async with door(app) as client:
            assert called(await asked(client, said, Origin="http://tmws")) == "erin"
            assert (await asked(client, said, Host="evil.example")).status_code == 421
            assert (await asked(client, said, Origin="http://evil.example")).status_code == 403

    async def test_who_is_disabled_gets_403_until_it_is_enabled_and_never_the_reason(
        self, app: App
    ) -> None:
        said = f"Bearer {await secret_of(app, 'erin')}"
        async with door(app) as client:
            assert called(await asked(client, said)) == "erin"
            await app.agents.disable("erin", reason="hostile takeover", by="ann")
            refused = await asked(client, said)
            assert refused.status_code == 403
            told = refused.json()
            assert (told["jsonrpc"], told["id"], told["error"]["code"]) == ("2.0", None, -32600)
            assert told["error"]["message"].startswith(
                "PERMISSION_DENIED: Agent 'erin' was disabled by an administrator."
            )
            assert "hostile" not in refused.text
            assert (await asked(client, said + "x")).status_code == 401
            await app.agents.enable("erin", reason="mended", by="ann")
            assert called(await asked(client, said)) == "erin"

    async def test_a_replaced_secret_opens_nothing_any_more(self, app: App) -> None:
        old = await secret_of(app, "erin")
        async with door(app) as client:
            new = (await app.agents.rotate("erin", by="ann")).secret
            assert (await asked(client, f"Bearer {old}")).status_code == 401
            assert called(await asked(client, f"Bearer {new}")) == "erin"

    async def test_a_session_answers_to_nobody_but_the_agent_that_opened_it(self, app: App) -> None:
        hers = {"Authorization": f"Bearer {await secret_of(app, 'erin')}"}
        other = {"Authorization": f"Bearer {await secret_of(app, 'mallory')}"}
        async with door(app) as client:
            opened = await client.post("/mcp", json=INITIALIZE, headers=ACCEPT | hers)
            session = ACCEPT | {"Mcp-Session-Id": opened.headers["mcp-session-id"]}
            foreign = await client.post("/mcp", json=PING, headers=session | other)
            assert foreign.status_code == 404
            own = await client.post("/mcp", json=PING, headers=session | hers)
            assert own.status_code == 200
            await app.agents.disable("erin", reason="x", by="ann")
            shut = await client.post("/mcp", json=PING, headers=session | hers)
            assert shut.status_code == 403

    async def test_a_request_that_came_past_the_guard_is_nobodys(self) -> None:
        unguarded = SimpleNamespace(scope={"user": "erin"})
        for request in (unguarded, SimpleNamespace(scope={}), None):
            stray = cast(Context, SimpleNamespace(request=request))
            with pytest.raises(MCPError, match="Internal error"):
                await identity.by_bearer(stray)


class TestStdio:
    async def test_without_an_environment_every_call_is_the_local_users(self, app: App) -> None:
        with capture_logs() as log:
            caller_of = await launched_as(app)
        assert (await caller_of(NO_REQUEST)).name == "local"
        [told] = log
        assert (told["event"], told["name"]) == ("acting_as_local_agent", "local")
        assert told["hint"] == "set TMWS_AGENT_ID and TMWS_AGENT_SECRET to be another"

    async def test_the_local_user_is_refused_while_disabled_and_at_the_next_start(
        self, app: App
    ) -> None:
        caller_of = await launched_as(app)
        await app.agents.disable("local", reason="x", by="ann")
        with pytest.raises(PermissionDenied, match="Agent 'local' was disabled"):
            await caller_of(NO_REQUEST)
        with pytest.raises(PermissionDenied, match="Agent 'local' was disabled"):
            await launched_as(app)
        await app.agents.enable("local", reason="y", by="ann")
        assert (await caller_of(NO_REQUEST)).name == "local"

    async def test_half_of_name_and_secret_is_no_way_in(self, installation: Installation) -> None:
        for given, missing in (
            ({"agent_id": "erin"}, "TMWS_AGENT_SECRET is not set"),
            ({"agent_secret": SecretStr("tmws_x")}, "TMWS_AGENT_ID is not set"),
        ):
            async with installation.open(**given) as app:
                with pytest.raises(InvalidInput, match=missing):
                    await launched_as(app)

    async def test_a_name_with_anothers_secret_is_no_way_in(
        self, installation: Installation
    ) -> None:
        async with installation.open() as office:
            await secret_of(office, "erin")
            bobs = await secret_of(office, "bob")
        given = {"agent_id": "erin", "agent_secret": SecretStr(bobs)}
        async with installation.open(**given) as app:
            with pytest.raises(PermissionDenied, match="do not belong together"):
                await launched_as(app)

    async def test_every_call_is_the_named_agents_until_it_is_disabled_or_its_secret_replaced(
        self, installation: Installation
    ) -> None:
        async with installation.open() as office:
            erins = await secret_of(office, "erin")
            given = {"agent_id": "erin", "agent_secret": SecretStr(erins)}
            async with installation.open(**given) as app:
                caller_of = await launched_as(app)
                assert (await caller_of(NO_REQUEST)).name == "erin"
                await office.agents.disable("erin", reason="x", by="ann")
                with pytest.raises(PermissionDenied, match="Agent 'erin' was disabled"):
                    await caller_of(NO_REQUEST)
                with pytest.raises(PermissionDenied, match="Agent 'erin' was disabled"):
                    await launched_as(app)
                await office.agents.enable("erin", reason="y", by="ann")
                assert (await caller_of(NO_REQUEST)).name == "erin"
                await office.agents.rotate("erin", by="ann")
                with pytest.raises(PermissionDenied, match="do not belong together"):
                    await caller_of(NO_REQUEST)


async def test_only_loopback_is_served_without_naming_hosts() -> None:
    for loopback in ("127.0.0.1", "127.8.0.1", "::1", "localhost"):
        hosts, origins = _allowed(loopback, ["tmws.example:443"], ["https://tmws.example"])
        assert {"127.0.0.1", "localhost:*", "[::1]:*", "tmws.example:443"} <= set(hosts)
        assert {"http://localhost", "http://127.0.0.1:*", "https://tmws.example"} <= set(origins)
    for reachable in ("0.0.0.0", "::", "192.0.2.7", "tmws.example", "localhost.example"):  # noqa: S104
        with pytest.raises(InvalidInput, match="refused without allowed hosts"):
            _allowed(reachable, [], [])
        named = _allowed(reachable, ["tmws.example:443"], ["https://tmws.example"])
        assert named == (["tmws.example:443"], ["https://tmws.example"])
