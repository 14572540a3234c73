"""The same story in both eras and over both transports, on a real store."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

import anyio
import mcp_types as wire
import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError

from tests.answers import text_of
from tests.integration.mcp_serving import (
    ERAS,
    Store,
    http_server,
    over_http,
    over_stdio,
)
from tests.patience import ENOUGH_SECONDS
from tmws.faces.mcp.tools import REGISTRY

PATTERN = {
    "name": "Bound every wait",
    "category": "testing",
    "summary": "A wait without an end hides a hang; give each one a limit.",
    "data": {"steps": ["find waits", "add limits"], "nested": {"a": [1, None, True, 0.5]}},
    "tags": ["async", "tests"],
}


class Connect(Protocol):
    def __call__(self, **options: Any) -> AbstractAsyncContextManager[Client]: ...


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


@pytest.fixture(params=ERAS)
def mode(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=["stdio", "http"])
async def connect(
    request: pytest.FixtureRequest, store: Store, mode: str
) -> AsyncIterator[Connect]:
    """Connect to a server that runs for the length of the test, as the same agent."""
    if request.param == "stdio":
        yield lambda **options: over_stdio(store, mode, **options)
        return
    token = await store.agent("alice")
    async with http_server(store) as server:
        yield lambda **options: over_http(server.url, token, mode, **options)


async def result_of(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, text_of(result)
    assert json.loads(text_of(result)) == result.structured_content
    answer: dict[str, Any] = result.structured_content
    return answer


async def test_a_pattern_is_learned_found_read_and_reported(connect: Connect, mode: str) -> None:
    async with connect() as client:
        assert client.protocol_version == ERAS[mode]
        learned = await result_of(client, "learn_pattern", **PATTERN)
        found = await result_of(client, "find_patterns", query="my test hangs while waiting")
        assert [item["id"] for item in found["items"]] == [learned["id"]]
        assert found["items"][0]["why"]
        read = await result_of(client, "get_pattern", pattern_id=learned["id"])
        assert read["data"] == PATTERN["data"]
        part = await result_of(client, "get_pattern", pattern_id=learned["id"], keys=["steps"])
        assert part["data"] == {"steps": ["find waits", "add limits"]}
        assert part["keys"] == ["nested", "steps"]
        counted = await result_of(
            client,
            "report_outcome",
            pattern_id=learned["id"],
            outcome="success",
            duration_seconds=12.5,
        )
        assert counted["usage"]["count"] == 1
        assert counted["usage"]["success_rate"] == 1.0


async def test_a_note_is_remembered_and_recalled(connect: Connect) -> None:
    async with connect() as client:
        kept = await result_of(client, "remember", text="The build needs make.", tags=["build"])
        recalled = await result_of(client, "recall", query="what does the build need")
        assert [item["id"] for item in recalled["items"]] == [kept["id"]]
        assert recalled["items"][0]["text"] == "The build needs make."


async def test_a_listing_goes_on_behind_its_cursor(connect: Connect) -> None:
    async with connect() as client:
        for number in range(3):
            await result_of(client, "remember", text=f"note {number}")
        first = await result_of(client, "recall", limit=2)
        rest = await result_of(client, "recall", limit=2, cursor=first["next_cursor"])
        texts = [item["text"] for item in first["items"] + rest["items"]]
        assert texts == ["note 2", "note 1", "note 0"]
        assert rest["next_cursor"] is None
        crossed = await client.call_tool(
            "recall", {"query": "other", "cursor": first["next_cursor"]}
        )
        assert text_of(crossed).startswith("INVALID_INPUT: The cursor belongs to another query.")


async def test_trust_matches_its_published_shape(connect: Connect) -> None:
    async with connect() as client:
        await client.list_tools()  # from here on the client validates results by schema
        shown = await result_of(client, "get_trust")
        assert shown["decided"] == 0
        assert shown["unknown"] is True
        assert "Unknown" in shown["summary"]
        explained = await result_of(client, "get_trust", explain=True)
        assert explained["explanation"]["largest"] == []
        assert (await result_of(client, "get_trust", history=5))["history"] == []


async def test_what_does_not_exist_is_refused_with_the_next_step(connect: Connect) -> None:
    async with connect() as client:
        for tool, arguments in {
            "get_pattern": {"pattern_id": "pattern_0"},
            "get_verification": {"claim_id": "claim_0"},
            "get_trust": {"agent": "nobody"},
        }.items():
            result = await client.call_tool(tool, arguments)
            assert result.is_error
            assert text_of(result).startswith("NOT_FOUND: ")
            assert len(text_of(result)) <= 300
        with pytest.raises(MCPError) as refused:
            await client.call_tool("drop_tables", {})
        assert refused.value.code == wire.INVALID_PARAMS


async def test_a_switch_holds_for_connected_clients_within_a_second(
    connect: Connect, store: Store, mode: str
) -> None:
    changed = anyio.Event()

    async def note(message: object) -> None:
        if isinstance(message, wire.ToolListChangedNotification):
            changed.set()

    @asynccontextmanager
    async def listening(client: Client) -> AsyncIterator[None]:
        if mode == "legacy":
            yield
        else:
            async with client.listen(tools_list_changed=True):
                yield

    async with connect(message_handler=note) as client, listening(client):
        assert "recall" in await names(client)
        await store.disable("recall", "a drill")
        refused = await client.call_tool("recall", {})
        assert text_of(refused).startswith("TOOL_DISABLED: recall was switched off")
        assert "a drill" in text_of(refused)
        with anyio.fail_after(ENOUGH_SECONDS):
            await changed.wait()
        assert await names(client) == [name for name in REGISTRY.names if name != "recall"]
        changed = anyio.Event()
        await store.enable("recall")
        assert not (await client.call_tool("recall", {})).is_error
        with anyio.fail_after(ENOUGH_SECONDS):
            await changed.wait()
        assert await names(client) == list(REGISTRY.names)


async def names(client: Client) -> list[str]:
    return [tool.name for tool in (await client.list_tools()).tools]


async def test_a_running_check_tells_its_progress_and_dies_with_its_caller(
    connect: Connect, store: Store
) -> None:
    project = store.folder / "project"
    project.mkdir()
    (project / "test_it.py").write_text("def test_it() -> None: ...\n")
    async with store.opened() as app:
        await app.workspaces.add("project", str(project), by="test")
    told: list[tuple[float, float | None, str | None]] = []
    waiting = anyio.Event()

    async def note(progress: float, total: float | None, message: str | None) -> None:
        told.append((progress, total, message))
        if message == "waiting for the end of time":
            waiting.set()

    claim = {"statement": "It holds.", "workspace": "project", "check": {"profile": "pytest"}}
    log = store.folder / "sandbox.log"
    async with connect() as client:
        async with anyio.create_task_group() as group:

            async def claims() -> None:
                await client.call_tool("verify_claim", claim, progress_callback=note)

            group.start_soon(claims)
            with anyio.fail_after(ENOUGH_SECONDS):
                await waiting.wait()
            group.cancel_scope.cancel()
        with anyio.fail_after(ENOUGH_SECONDS):
            while "killed" not in log.read_text():
                await client.call_tool("get_trust", {})
    assert [step for step, _, _ in told] == [1, 2, 3]
    assert next(message for _, _, message in told) == "copying workspace project"
    assert log.read_text().split("\n")[:2] == ["started 1", "killed"]
