"""What only holds on standard streams: the process, its descriptors, its end."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.integration.mcp_serving import INITIALIZE, Store, over_stdio
from tests.patience import ENOUGH_SECONDS
from tmws.domain.actions import Action

MODULES_OF_AN_OPEN_SERVER = """
import asyncio, json, sys
from tmws.app import open_app
from tmws.config import Settings
from tmws.faces.mcp import stdio

async def main():
    async with open_app(Settings()) as app:
        await app.tools.disabled()
        print(json.dumps(sorted(sys.modules)))

asyncio.run(main())
"""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


async def started(store: Store, **environment: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *store.command("stdio"),
        env=os.environ | store.environment(**environment),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def ask(process: asyncio.subprocess.Process, message: dict[str, Any]) -> dict[str, Any]:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(message).encode() + b"\n")
    await process.stdin.drain()
    answer: dict[str, Any] = json.loads(await process.stdout.readline())
    return answer


async def end(process: asyncio.subprocess.Process) -> tuple[bytes, bytes]:
    assert process.stdin is not None
    process.stdin.close()
    return await asyncio.wait_for(process.communicate(), ENOUGH_SECONDS)


async def test_a_closed_standard_input_ends_the_server_cleanly(store: Store) -> None:
    process = await started(store)
    assert (await ask(process, INITIALIZE))["result"]["serverInfo"]["name"] == "tmws"
    rest, said = await end(process)
    assert process.returncode == 0
    assert rest == b""
    assert json.loads(said)["event"] == "acting_as_local_agent"
    assert (store.folder / "sandbox.log").read_text() == "closed\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_closes_the_application_though_the_client_stays(
    store: Store, number: signal.Signals
) -> None:
    process = await started(store)
    await ask(process, INITIALIZE)
    process.send_signal(number)
    assert await asyncio.wait_for(process.wait(), ENOUGH_SECONDS) == 0
    assert (store.folder / "sandbox.log").read_text() == "closed\n"
    await end(process)


async def test_a_running_check_is_killed_when_the_client_goes(store: Store) -> None:
    project = store.folder / "project"
    project.mkdir()
    async with store.opened() as app:
        await app.workspaces.add("project", str(project), by="test")
    process = await started(store)
    assert process.stdin is not None
    assert process.stdout is not None
    await ask(process, INITIALIZE)
    claim = {"statement": "It holds.", "workspace": "project", "check": {"profile": "pytest"}}
    call = {
        "jsonrpc": "2.0",
        "id": 2,
        "method": "tools/call",
        "params": {
            "name": "verify_claim",
            "arguments": claim,
            "_meta": {"progressToken": 1},
        },
    }
    process.stdin.write(json.dumps(call).encode() + b"\n")
    while "waiting" not in (line := await process.stdout.readline()).decode():
        assert line
    await end(process)
    log = (store.folder / "sandbox.log").read_text()
    assert log == "started 0\nkilled\nclosed\n"


async def test_no_engine_and_no_migrations_are_loaded_before_they_are_needed(store: Store) -> None:
    async with store.opened():
        pass
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", MODULES_OF_AN_OPEN_SERVER),
        env=os.environ | store.environment(),
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await asyncio.wait_for(process.communicate(), ENOUGH_SECONDS)
    loaded = set(json.loads(out))
    assert "tmws.faces.mcp.server" in loaded
    assert not loaded & {"docker", "requests", "alembic", "asyncpg", "onnxruntime"}


async def test_malformed_lines_do_not_end_the_session(store: Store) -> None:
    process = await started(store)
    assert process.stdin is not None
    await ask(process, INITIALIZE)
    half = b'{"jsonrpc":"2.0","id":8,"method":"tools/call","params":{"name":"\\ud83d"}}'
    lines = (half, b"not json", b"[]", b'{"jsonrpc":"2.0"}', b"\xff\xfe", b"{" * 100_000)
    for line in lines:
        process.stdin.write(line + b"\n")
    assert process.stdout is not None
    told = [json.loads(await process.stdout.readline()) for _ in lines]
    assert [(each["id"], each["error"]["code"]) for each in told] == [
        (8, -32700),
        *[(None, -32700)] * 5,
    ]
    ping = {"jsonrpc": "2.0", "id": 9, "method": "ping"}
    assert (await ask(process, ping))["id"] == 9
    await end(process)


async def test_two_servers_on_a_new_store_at_once_both_come_up(store: Store) -> None:
    async def first_list(number: int) -> int:
        log = store.folder / str(number)
        log.mkdir()
        async with over_stdio(store, "auto") as client:
            return len((await client.list_tools()).tools)

    assert await asyncio.gather(*(first_list(number) for number in range(2))) == 2 * [len(Action)]
