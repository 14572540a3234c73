"""An agent that is shut out is refused by every way in, and the command line by none."""

from __future__ import annotations

from pathlib import Path

import pytest
from mcp.shared._httpx_utils import create_mcp_http_client
from mcp.shared.exceptions import MCPError

from tests.answers import text_of
from tests.integration.command import tmws
from tests.integration.mcp_serving import ERAS, Store, http_server, over_http, over_stdio

HANDSHAKE = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {}}
SHUT_OUT = "PERMISSION_DENIED: Agent 'erin' was disabled by an administrator."


@pytest.mark.parametrize("mode", ERAS)
async def test_over_http_an_open_session_is_refused_and_no_new_one_opens(
    tmp_path: Path, mode: str
) -> None:
    store = Store(tmp_path)
    secret, other = await store.agent("erin"), await store.agent("bob")
    async with http_server(store) as server, over_http(server.url, secret, mode) as client:
        assert not (await client.call_tool("get_trust", {})).is_error
        async with store.opened() as app:
            await app.agents.disable("erin", reason="hostile takeover", by="ann")
        with pytest.raises(MCPError) as told:
            await client.call_tool("get_trust", {})
        assert told.value.message.startswith(SHUT_OUT)
        assert "hostile" not in told.value.message
        async with create_mcp_http_client() as http:
            for token, status in ((secret, 403), (other + "x", 401)):
                sent = {"Authorization": f"Bearer {token}"}
                answer = await http.post(server.url, json=HANDSHAKE, headers=sent)
                assert answer.status_code == status
                assert ("disabled" in answer.text) is (token == secret)
        async with over_http(server.url, other, mode) as beside:
            assert not (await beside.call_tool("get_trust", {})).is_error
        async with store.opened() as app:
            await app.agents.enable("erin", reason="mended", by="ann")
        assert not (await client.call_tool("get_trust", {})).is_error


@pytest.mark.parametrize("named", [True, False], ids=["by its secret", "the local user"])
@pytest.mark.parametrize("mode", ERAS)
async def test_on_stdio_an_open_connection_is_refused_until_it_is_enabled(
    tmp_path: Path, mode: str, named: bool
) -> None:
    store, name, env = Store(tmp_path), "local", {}
    if named:
        name = "erin"
        env = {"TMWS_AGENT_ID": name, "TMWS_AGENT_SECRET": await store.agent(name)}
    async with over_stdio(store, mode, env=env) as client:
        assert not (await client.call_tool("get_trust", {})).is_error
        async with store.opened() as app:
            await app.agents.disable(name, reason="hostile takeover", by="ann")
        refused = await client.call_tool("get_trust", {})
        assert refused.is_error
        assert text_of(refused).startswith(SHUT_OUT.replace("erin", name))
        assert "hostile" not in text_of(refused)
        async with store.opened() as app:
            await app.agents.enable(name, reason="mended", by="ann")
        assert not (await client.call_tool("get_trust", {})).is_error


def test_the_command_line_shuts_out_everybody_and_is_never_shut_out(tmp_path: Path) -> None:
    secret = tmws("agents", "create", "boss", "--admin", "--json", data=tmp_path).document()[
        "secret"
    ]
    assert tmws("serve", data=tmp_path).status == 0  # makes the local user
    for name in ("boss", "local"):
        done = tmws("agents", "disable", name, "--reason", "3 a.m.", "--json", data=tmp_path)
        assert done.document() == {
            "name": name,
            "enabled": False,
            "reason": "3 a.m.",
            "changed": True,
            "claims_given_up": [],
        }
    listed = tmws("agents", "list", "--json", data=tmp_path).document()
    refused = [
        tmws("serve", data=tmp_path),
        tmws("serve", data=tmp_path, TMWS_AGENT_ID="boss", TMWS_AGENT_SECRET=secret),
    ]
    enabled = tmws("agents", "enable", "boss", "--reason", "cleared", "--json", data=tmp_path)

    assert {each["name"]: each["reason"] for each in listed if not each["enabled"]} == {
        "boss": "3 a.m.",
        "local": "3 a.m.",
    }
    assert [each.status for each in refused] == [5, 5]
    assert all("disabled by an administrator" in each.errors for each in refused)
    assert enabled.document() == {"name": "boss", "enabled": True, "changed": True}
    served = tmws("serve", data=tmp_path, TMWS_AGENT_ID="boss", TMWS_AGENT_SECRET=secret)
    assert served.status == 0
