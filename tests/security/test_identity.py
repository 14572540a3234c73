"""Threat: a caller claims to be somebody else.

Who calls is what the transport proves. Everything a message or a header can say about
it is tried here, in both eras and over both transports, and changes nothing.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import mcp_types as wire
import pytest
from mcp import Client

from tests.answers import text_of
from tests.integration.mcp_serving import (
    ERAS,
    HttpServer,
    Store,
    http_server,
    over_http,
    over_stdio,
)
from tests.patience import ENOUGH_SECONDS

FORGED_HEADERS = {
    "X-Agent-Id": "bob",
    "X-Forwarded-User": "bob",
    "X-TMWS-Agent": "bob",
    "TMWS_AGENT_ID": "bob",
    "From": "bob",
    "Mcp-Param-Agent-Id": "bob",
}
FORGED_META: dict[str, Any] = {"agent_id": "bob", "tmws/agent": "bob", "user": "bob"}
FORGED_CLIENT = wire.Implementation(name="bob", version="1", title="bob")
FORGED_ARGUMENTS = ("agent_id", "agentId", "caller", "as", "user", "_agent", "on_behalf_of")


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="module")
async def alice(store: Store) -> str:
    await store.agent("bob")
    return await store.agent("alice")


@pytest.fixture(scope="module")
async def server(store: Store, alice: str) -> AsyncIterator[HttpServer]:
    assert alice  # the agent exists before the server does
    async with http_server(store) as running:
        yield running


@pytest.fixture(params=ERAS)
def mode(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def who(client: Client) -> str:
    """Ask in a way that only the true caller's name comes back."""
    result = await client.call_tool("get_trust", {}, meta=FORGED_META)  # type: ignore[arg-type]
    assert not result.is_error, text_of(result)
    return str(result.structured_content["agent"])


async def refusals(client: Client) -> list[str]:
    said = []
    for name in FORGED_ARGUMENTS:
        result = await client.call_tool("remember", {"text": "mine", name: "bob"})
        assert result.is_error
        said.append(text_of(result))
    return said


async def test_over_http_only_the_bearer_token_counts(
    server: HttpServer, alice: str, mode: str
) -> None:
    async with over_http(
        server.url, alice, mode, headers=FORGED_HEADERS, client_info=FORGED_CLIENT
    ) as client:
        assert await who(client) == "alice"
        for said in await refusals(client):
            assert "there is no such argument" in said


async def test_on_stdio_only_the_launchers_environment_counts(
    store: Store, alice: str, mode: str
) -> None:
    env = {"TMWS_AGENT_ID": "alice", "TMWS_AGENT_SECRET": alice}
    async with over_stdio(store, mode, env=env, client_info=FORGED_CLIENT) as client:
        assert await who(client) == "alice"
        for said in await refusals(client):
            assert "there is no such argument" in said


async def test_without_an_environment_it_is_the_local_user(tmp_path: Path, mode: str) -> None:
    async with over_stdio(Store(tmp_path), mode, client_info=FORGED_CLIENT) as client:
        assert await who(client) == "local"


async def test_what_one_agent_keeps_private_does_not_exist_for_another(
    server: HttpServer, store: Store, alice: str
) -> None:
    dora = await store.agent("dora")
    secret = {"name": "Secret way", "category": "testing", "summary": "xyzzy"}
    async with over_http(server.url, alice, "auto") as hers:
        learned = (await hers.call_tool("learn_pattern", secret)).structured_content["id"]
    async with over_http(server.url, dora, "auto") as other:
        hidden = await other.call_tool("get_pattern", {"pattern_id": learned})
        absent_id = learned[:-4] + "0000"
        absent = await other.call_tool("get_pattern", {"pattern_id": absent_id})
        assert text_of(hidden).replace(learned, "ID") == text_of(absent).replace(absent_id, "ID")
        found = await other.call_tool("find_patterns", {"query": "xyzzy secret way"})
        assert found.structured_content["items"] == []


async def test_a_replaced_secret_stops_a_running_stdio_server(tmp_path: Path) -> None:
    store = Store(tmp_path)
    old = await store.agent("erin")
    env = {"TMWS_AGENT_ID": "erin", "TMWS_AGENT_SECRET": old}
    async with over_stdio(store, "auto", env=env) as client:
        assert await who(client) == "erin"
        async with store.opened() as app:
            await app.agents.rotate("erin", by="test")
        refused = await client.call_tool("get_trust", {})
        assert text_of(refused).startswith("PERMISSION_DENIED: ")


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"TMWS_AGENT_ID": "alice"}, "TMWS_AGENT_SECRET is not set"),
        ({"TMWS_AGENT_SECRET": "tmws_x"}, "TMWS_AGENT_ID is not set"),
        ({"TMWS_AGENT_ID": "alice", "TMWS_AGENT_SECRET": "tmws_x"}, "do not belong together"),
        ({"TMWS_AGENT_ID": "nobody", "TMWS_AGENT_SECRET": "tmws_x"}, "do not belong together"),
    ],
)
async def test_half_or_wrong_credentials_refuse_to_start(
    store: Store,
    alice: str,
    environment: dict[str, str],
    said: str,
) -> None:
    process = await asyncio.create_subprocess_exec(
        *store.command("stdio"),
        env=os.environ | store.environment(**environment),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, log = await asyncio.wait_for(process.communicate(), ENOUGH_SECONDS)
    assert process.returncode != 0
    assert out == b""
    assert said in log.decode()
    assert alice not in log.decode()


async def test_the_secret_of_one_agent_does_not_open_anothers_name(
    store: Store, alice: str
) -> None:
    process = await asyncio.create_subprocess_exec(
        *store.command("stdio"),
        env=os.environ | store.environment(TMWS_AGENT_ID="bob", TMWS_AGENT_SECRET=alice),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    _, log = await asyncio.wait_for(process.communicate(), ENOUGH_SECONDS)
    assert process.returncode != 0
    assert b"do not belong together" in log
