"""The one way in, over the SDK's in-memory client in both eras."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import anyio
import mcp_types as wire
import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError
from structlog.testing import capture_logs

from tests.answers import text_of
from tests.patience import ENOUGH_SECONDS
from tests.unit.faces.toys import FakeApp, Trace
from tmws.faces.mcp import server
from tmws.faces.mcp.server import McpServer

pytestmark = pytest.mark.anyio

Serve = Callable[[], McpServer]

ERAS = [("legacy", "2025-11-25"), ("auto", "2026-07-28")]


@pytest.fixture(params=ERAS, ids=[version for _, version in ERAS])
def mode(request: pytest.FixtureRequest) -> str:
    chosen: str = request.param[0]
    return chosen


@pytest.mark.parametrize(("mode", "version"), ERAS)
async def test_each_era_is_served_and_promises_list_changes(
    serve: Serve, mode: str, version: str
) -> None:
    async with Client(serve(), mode=mode) as client:
        assert client.protocol_version == version
        tools = client.server_capabilities.tools
        assert tools is not None
        assert tools.list_changed
        assert client.instructions


async def test_a_result_is_the_same_compact_json_twice(serve: Serve, mode: str) -> None:
    async with Client(serve(), mode=mode) as client:
        result = await client.call_tool("echo", {"text": "äh", "times": 2})
    assert text_of(result) == '{"text":"ähäh","caller":"alice"}'
    assert result.structured_content == json.loads(text_of(result))


async def test_the_list_is_private_and_never_cached(serve: Serve, mode: str) -> None:
    async with Client(serve(), mode=mode) as client:
        listed = await client.list_tools()
    assert [tool.name for tool in listed.tools] == ["echo", "linger", "crash", "refuse"]
    assert (listed.ttl_ms, listed.cache_scope) == (0, "private")
    assert listed.next_cursor is None


async def test_a_refusal_is_a_tool_error_with_everything_in_its_text(
    serve: Serve, mode: str
) -> None:
    async with Client(serve(), mode=mode) as client:
        result = await client.call_tool("refuse", {})
    assert result.is_error
    assert text_of(result) == "NOT_FOUND: No such thing. Look for another."


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"text": "hi", "agent_id": "bob"}, "agent_id: there is no such argument"),
        ({}, "text: is required"),
        ({"text": 5}, "text: Input should be a valid string"),
        ({"text": "hi", "times": "2"}, "times: Input should be a valid integer"),
        ({"text": "hi", "times": True}, "times: Input should be a valid integer"),
        ({"text": "hi", "times": 4}, "times: Input should be less than or equal to 3"),
    ],
)
async def test_arguments_are_strict_and_the_answer_lists_those_that_exist(
    serve: Serve, mode: str, arguments: dict[str, Any], said: str
) -> None:
    async with Client(serve(), mode=mode) as client:
        result = await client.call_tool("echo", arguments)
    assert result.is_error
    assert text_of(result) == f"INVALID_INPUT: {said}. echo takes: text, times."


async def test_a_lone_surrogate_is_refused(serve: Serve, mode: str) -> None:
    async with Client(serve(), mode=mode) as client:
        result = await client.call_tool("echo", {"text": "\ud800"})
    assert text_of(result).startswith("INVALID_INPUT: arguments: hold text that is not Unicode")


async def test_an_unknown_tool_is_a_protocol_error(serve: Serve, mode: str) -> None:
    async with Client(serve(), mode=mode) as client:
        with pytest.raises(MCPError) as refused:
            await client.call_tool("no_such_tool", {})
    assert refused.value.code == wire.INVALID_PARAMS


async def test_an_unknown_cursor_is_a_protocol_error(serve: Serve, mode: str) -> None:
    async with Client(serve(), mode=mode) as client:
        with pytest.raises(MCPError) as refused:
            await client.list_tools(cursor="ZWNobw")
    assert refused.value.code == wire.INVALID_PARAMS


async def test_a_crash_says_nothing_to_the_client_and_all_to_the_log(
    serve: Serve, mode: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async with Client(serve(), mode=mode) as client:
        with pytest.raises(MCPError) as refused:
            await client.call_tool("crash", {})
    assert refused.value.code == wire.INTERNAL_ERROR
    assert "secret" not in str(refused.value)
    assert "disk on fire at /secret/path" in capsys.readouterr().out


async def test_progress_reaches_the_client_while_the_tool_runs(serve: Serve, mode: str) -> None:
    told: list[tuple[float, float | None, str | None]] = []

    async def note(progress: float, total: float | None, message: str | None) -> None:
        told.append((progress, total, message))

    async with Client(serve(), mode=mode) as client:
        await client.call_tool("echo", {"text": "hi"}, progress_callback=note)
    assert told == [(1.0, None, "saying it")]


async def test_a_cancelled_tool_cleans_up_to_its_end(serve: Serve, mode: str, trace: Trace) -> None:
    async with Client(serve(), mode=mode) as client, anyio.create_task_group() as group:
        group.start_soon(client.call_tool, "linger", {})
        with anyio.fail_after(ENOUGH_SECONDS):
            await trace.started.wait()
            group.cancel_scope.cancel()
    with anyio.fail_after(ENOUGH_SECONDS):
        await trace.cleaned.wait()


async def test_a_disabled_tool_leaves_the_list_and_answers_with_the_reason(
    serve: Serve, mode: str, app: FakeApp
) -> None:
    app.tools.off["echo"] = "drill on Tuesday"
    async with Client(serve(), mode=mode) as client:
        listed = await client.list_tools()
        result = await client.call_tool("echo", {"text": "hi"})
    assert "echo" not in [tool.name for tool in listed.tools]
    assert text_of(result).startswith(
        "TOOL_DISABLED: echo was switched off by an administrator: drill on Tuesday."
    )


async def test_the_switch_is_asked_at_each_call_not_remembered(
    serve: Serve, mode: str, app: FakeApp
) -> None:
    async with Client(serve(), mode=mode) as client:
        assert not (await client.call_tool("echo", {"text": "hi"})).is_error
        app.tools.off["echo"] = "now"
        assert (await client.call_tool("echo", {"text": "hi"})).is_error
        del app.tools.off["echo"]
        assert not (await client.call_tool("echo", {"text": "hi"})).is_error


async def test_no_tool_runs_while_the_switches_cannot_be_read(
    serve: Serve, mode: str, app: FakeApp
) -> None:
    async with Client(serve(), mode=mode) as client:
        app.tools.broken = True
        with pytest.raises(MCPError) as refused:
            await client.call_tool("echo", {"text": "hi"})
    assert refused.value.code == wire.INTERNAL_ERROR


async def test_an_older_client_hears_of_a_change_on_its_connection(
    serve: Serve, app: FakeApp
) -> None:
    changed = anyio.Event()

    async def note(message: object) -> None:
        if isinstance(message, wire.ToolListChangedNotification):
            changed.set()

    async with Client(serve(), mode="legacy", message_handler=note) as client:
        await client.list_tools()
        app.tools.off["echo"] = "now"
        with anyio.fail_after(ENOUGH_SECONDS):
            await changed.wait()


async def test_a_newer_client_hears_of_a_change_on_the_stream_it_opened(
    serve: Serve, app: FakeApp
) -> None:
    async with (
        Client(serve()) as client,
        client.listen(tools_list_changed=True) as changes,
    ):
        app.tools.off["echo"] = "now"
        with anyio.fail_after(ENOUGH_SECONDS):
            await anext(aiter(changes))
        del app.tools.off["echo"]
        with anyio.fail_after(ENOUGH_SECONDS):
            await anext(aiter(changes))


async def test_the_watcher_outlives_a_store_that_is_away_for_a_while(
    serve: Serve, app: FakeApp
) -> None:
    with capture_logs() as log:
        async with Client(serve()) as client, client.listen(tools_list_changed=True) as changes:
            app.tools.broken = True
            with anyio.fail_after(ENOUGH_SECONDS):
                while "tool_switches_unreadable" not in [entry["event"] for entry in log]:
                    await anyio.lowlevel.checkpoint()
            app.tools.broken = False
            app.tools.off["echo"] = "now"
            with anyio.fail_after(ENOUGH_SECONDS):
                await anext(aiter(changes))


async def test_a_call_beyond_the_most_at_once_is_told_when_to_come_back(
    serve: Serve, trace: Trace, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "MOST_CALLS_AT_ONCE", 1)
    async with Client(serve(), mode=mode) as client:
        async with anyio.create_task_group() as group:
            group.start_soon(client.call_tool, "linger", {})
            await trace.started.wait()
            refused = await client.call_tool("echo", {"text": "a"})
            group.cancel_scope.cancel()
        await trace.cleaned.wait()
        taken = await client.call_tool("echo", {"text": "a"})
    assert text_of(refused).startswith("LIMIT_EXCEEDED")
    assert "Retry after 1 s" in text_of(refused)
    assert not taken.is_error
