"""One run in the sandbox, beside the same program as a bare process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from hashlib import sha256

from tests.performance.bench import Bench, Row
from tests.performance.measure import Figure, measure
from tmws.domain.claims import PytestCheck
from tmws.domain.commands import build_request
from tmws.domain.execution import ExecutionRequest, Limits
from tmws.domain.snapshots import Snapshot, SnapshotFile
from tmws.sandbox.docker import DockerSandbox

LIMITS = Limits(wall_seconds=30)
SECONDS_TO_REFILL = 1.0
TEST = b"""
def double(number):
    return 2 * number

def test_doubling_adds_a_number_to_itself():
    assert double(21) == 21 + 21
"""


MANY_TESTS = b"".join(
    b"def test_%d():\n    assert %d + 1 == %d\n\n" % (number, number, number + 1)
    for number in range(3000)
)
# As every check of Python is started, and as another program, for which nothing waits.
NOTHING = ("/opt/tmws/python", "-I", "/workspace/nothing.py")
NOTHING_ELSE = ("/opt/tmws/python", "-I", "-S", "/workspace/nothing.py")
BARE_PYTEST = (
    "/opt/tmws/python",
    "-I",
    "-B",
    "-c",
    "import os, sys; os.chdir('/workspace'); sys.path.insert(0, '/opt/tools'); import pytest; "
    "sys.exit(pytest.main(['-q', '-p', 'no:cacheprovider']))",
)


def _file(path: str, content: bytes) -> SnapshotFile:
    return SnapshotFile(path, content, sha256(content).hexdigest(), executable=False)


def _nothing(argv: tuple[str, ...] = NOTHING) -> ExecutionRequest:
    script = (_file("nothing.py", b"pass"),)
    return ExecutionRequest(argv=argv, files=script, limits=LIMITS)


def _pytest(test: bytes = TEST) -> ExecutionRequest:
    files = (_file("test_double.py", test),)
    return build_request(PytestCheck(), Snapshot("0" * 64, files), LIMITS)


async def _quietly(_: str) -> None:
    return None


async def rows(bench: Bench) -> AsyncIterator[Row]:
    """A warm slot and a cold start, for a program that does nothing and for one test."""
    container = await bench.floors.docker_run()
    nothing = await bench.floors.bare("nothing", NOTHING, {"nothing.py": b"pass"})
    another = await bench.floors.bare("another program", NOTHING_ELSE, {"nothing.py": b"pass"})
    pytest = await bench.floors.bare("pytest", BARE_PYTEST, {"test_double.py": TEST})
    yield Row(
        await _runs("nothing, warm slot", _nothing, pool_size=1),
        floor=nothing,
        promised_p95=0.015,
    )
    yield Row(
        await _runs("another program, warm slot", lambda: _nothing(NOTHING_ELSE), pool_size=1),
        floor=another,
    )
    yield Row(
        await _runs("pytest, one test, warm slot", _pytest, pool_size=1),
        floor=pytest,
        promised_ratio=1.4,
    )
    many = await bench.floors.bare("3,000 tests", BARE_PYTEST, {"test_double.py": MANY_TESTS})
    yield Row(
        await _runs("pytest, 3,000 tests, warm slot", lambda: _pytest(MANY_TESTS), pool_size=1),
        floor=many,
        promised_ratio=1.4,
    )
    yield Row(await _runs("nothing, cold start", _nothing, pool_size=0), floor=container)
    yield Row(await _runs("pytest, one test, cold start", _pytest, pool_size=0), floor=container)


async def _runs(name: str, request: Callable[[], ExecutionRequest], *, pool_size: int) -> Figure:
    async with aclosing(DockerSandbox(owner="benchmark", pool_size=pool_size)) as sandbox:

        async def run() -> None:
            await sandbox.run(request(), progress=_quietly)

        async def refill() -> None:
            await asyncio.sleep(SECONDS_TO_REFILL if pool_size else 0)

        return await measure(name, run, repeats=15, warm_up=2, between=refill)
