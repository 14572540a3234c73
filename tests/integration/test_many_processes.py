"""Several processes on one store: nothing acknowledged is lost, nothing counted twice."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.services import Installation, learned
from tests.integration.worker_process import PATTERNS, REPORTS
from tests.patience import ENOUGH_SECONDS
from tmws.app import App
from tmws.domain.agents import Agent
from tmws.domain.usage import Usage, UseOutcome
from tmws.services.learning import PatternQuery
from tmws.testing.clock import START

ROOT = Path(__file__).parents[2]
WORKER = ROOT / "tests" / "integration" / "worker_process.py"


@contextlib.asynccontextmanager
async def worker(place: Installation, *task: str) -> AsyncIterator[Process]:
    """Start a process; it is killed without warning when the block ends."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(WORKER), place.url, str(place.folder), *task),
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"},
        stdout=PIPE,
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):  # it was killed before
            process.kill()
        await process.communicate()


async def acknowledged(process: Process) -> list[dict[str, Any]]:
    """Read what the process acknowledged until it says that it is done."""
    assert process.stdout is not None
    lines: list[dict[str, Any]] = []
    async with asyncio.timeout(ENOUGH_SECONDS):
        async for line in process.stdout:
            if not line.startswith(b"{"):
                continue
            lines.append(json.loads(line))
            if lines[-1].get("done"):
                return lines[:-1]
    pytest.fail(f"a worker ended early after {len(lines)} acknowledgements")


async def everything(app: App, who: Agent) -> list[str]:
    found: list[str] = []
    cursor = None
    while True:
        page = await app.learning.find(who, PatternQuery(limit=50, cursor=cursor))
        found += [item.pattern.id for item in page.items]
        if (cursor := page.next_cursor) is None:
            return found


async def test_four_first_starts_lose_nothing_to_each_other_or_to_a_kill(
    installation: Installation,
) -> None:
    names = ["north", "east", "south", "west"]
    async with contextlib.AsyncExitStack() as workers:
        processes = [
            await workers.enter_async_context(worker(installation, "learn", name)) for name in names
        ]
        # The fifth opens among them and has looked before they are done.
        fifth = await workers.enter_async_context(installation.open())
        me = await fifth.agents.local()
        await fifth.learning.find(me, PatternQuery("dwells on topic"))
        written = await asyncio.gather(*(acknowledged(process) for process in processes))
        for process in processes:
            process.kill()
        for process in processes:
            await process.wait()

        told = [line["id"] for lines in written for line in lines]
        assert len(told) == 4 * PATTERNS
        assert sorted(await everything(fifth, me)) == sorted(told)
        for name in names:
            found = await fifth.learning.find(me, PatternQuery(f"{name} dwells on topic49"))
            assert found.items[0].pattern.name == f"{name} 49"
            assert set(found.items[0].parts or {}) > {"words"}, "no vector had a part in it"
    async with installation.open() as later:
        assert sorted(await everything(later, me)) == sorted(told)
        assert [each.name for each in await later.agents.every()] == ["local"]
        report = await later.audit.verify()
        assert report.holds, report.problems


async def test_reports_from_two_processes_count_as_if_one_came_after_the_other(
    installation: Installation,
) -> None:
    async with installation.open() as app:
        me = await app.agents.local()
        kept = await learned(app, me)
        async with (
            worker(installation, "report", kept.id, "0") as one,
            worker(installation, "report", kept.id, "1") as other,
        ):
            ends = await asyncio.gather(acknowledged(one), acknowledged(other))
        reports = sorted((line for lines in ends for line in lines), key=lambda line: line["place"])
        final = (await app.learning.get(me, kept.id)).usage

    assert [line["place"] for line in reports] == list(range(1, 2 * REPORTS + 1))
    oracle = Usage()
    for line in reports:
        oracle = oracle.after(
            UseOutcome(line["outcome"]), duration_seconds=line["seconds"], proven=False, at=START
        )
        assert line["average"] == pytest.approx(oracle.duration_seconds)
    assert (final.successes, final.partials, final.failures) == (
        oracle.successes,
        oracle.partials,
        oracle.failures,
    )
    assert final.duration_seconds == pytest.approx(oracle.duration_seconds)
