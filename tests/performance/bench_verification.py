"""A whole claim, from the client's call to the recorded verdict, and a server's start."""

from __future__ import annotations

import asyncio
import itertools
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from tests.performance.bench import Bench, Row
from tests.performance.bench_sandbox import SECONDS_TO_REFILL
from tests.performance.measure import Figure, measure
from tmws.app import open_app
from tmws.config import Settings

CLAIMS_A_SECOND = 2
OPEN_LOOP_CLAIMS = 60
TEST = "def test_sum():\n    assert 1 + 1 == 2\n\n\ndef test_product():\n    assert 2 * 3 == 6\n"


async def rows(bench: Bench) -> AsyncIterator[Row]:
    """Spawn to the first list; then claims over stdio, each about a fresh snapshot."""
    data, project = bench.folder / "data", bench.folder / "project"
    (project / "tests").mkdir(parents=True)
    (project / "tests" / "test_sums.py").write_text(TEST)
    async with open_app(Settings(data_dir=data)) as app:
        await app.workspaces.add("project", str(project), by="benchmark")

    async def start() -> None:
        async with Client(stdio_client(server(data), errlog=sys.stderr)) as client:
            await client.list_tools()

    yield Row(
        await measure("spawn to the first tools/list", start, repeats=10, warm_up=1),
        promised_p95=1.5,
    )
    floor = await bench.floors.docker_run()
    async with Client(stdio_client(server(data, TMWS_WARM_SLOTS="4"), errlog=sys.stderr)) as client:
        claims = Claims(client, project)
        for _ in range(3):
            await claims.next()
        yield Row(await _open_loop(claims), floor=floor, promised_p95=0.5)
    for warm in (0, 2):
        async with Client(
            stdio_client(server(data, TMWS_WARM_SLOTS=str(warm)), errlog=sys.stderr)
        ) as client:
            claims = Claims(client, project)
            yield Row(
                await measure(
                    f"verify_claim, pytest, {warm} warm slots", claims.next, repeats=20, warm_up=3
                ),
                floor=floor,
            )
            if warm:  # under the conditions of the slot alone, to be compared with it
                yield Row(
                    await measure(
                        "verify_claim, pytest, slots refilled before each",
                        claims.next,
                        repeats=15,
                        warm_up=1,
                        between=refilled,
                    ),
                    floor=floor,
                )


async def refilled() -> None:
    """Let the server replace the slot that was used."""
    await asyncio.sleep(SECONDS_TO_REFILL)


async def _open_loop(claims: Claims) -> Figure:
    """Two claims a second for half a minute, timed from when each was due, queue included."""
    loop = asyncio.get_running_loop()
    began = loop.time()

    async def one(number: int) -> float:
        due = began + number / CLAIMS_A_SECOND
        await asyncio.sleep(due - loop.time())
        await claims.next()
        return loop.time() - due

    seconds = await asyncio.gather(*(one(number) for number in range(OPEN_LOOP_CLAIMS)))
    return Figure(f"verify_claim, {CLAIMS_A_SECOND} a second, 4 warm slots", tuple(seconds))


class Claims:
    """Makes one claim after another, each about a workspace that is new by a comment."""

    _numbers = itertools.count()

    def __init__(self, client: Client, project: Path) -> None:
        self._client = client
        self._project = project

    async def next(self) -> None:
        """Change the workspace and have it checked."""
        (self._project / "notes.txt").write_text(f"revision {next(self._numbers)}\n")
        answer = await self._client.call_tool(
            "verify_claim",
            {
                "statement": "the tests pass",
                "workspace": "project",
                "check": {"profile": "pytest", "targets": ["tests"], "passed": 2},
            },
        )
        if answer.is_error or answer.structured_content["verdict"] != "SUPPORTED":
            raise RuntimeError(f"a true claim was not supported: {answer}")


def server(data: Path, **settings: str) -> StdioServerParameters:
    """Return how a client starts the server on this data folder."""
    return StdioServerParameters(
        command=sys.executable,
        args=["-m", "tmws", "serve"],
        env={"TMWS_DATA_DIR": str(data), "TMWS_LOG_LEVEL": "error", **settings},
    )
