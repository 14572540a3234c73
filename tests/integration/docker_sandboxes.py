"""Docker sandboxes for tests, and what they leave behind."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from tests.patience import ENOUGH_SECONDS
from tmws.domain.execution import ExecutionRequest, ExecutionResult
from tmws.ports import Probe
from tmws.sandbox.docker import DockerSandbox
from tmws.sandbox.engine import Engine
from tmws.sandbox.owners import PRODUCT, PRODUCT_LABEL
from tmws.sandbox.probes import quick
from tmws.testing.sandbox_suite import LIMITS, silent

TRUE = ExecutionRequest(argv=("/bin/true",), files=(), limits=LIMITS)


@pytest.fixture(scope="module")
async def sandbox() -> AsyncIterator[DockerSandbox]:
    """A sandbox whose self-test has passed."""
    async with opened() as sandbox:
        yield sandbox


@asynccontextmanager
async def opened(**arguments: object) -> AsyncIterator[DockerSandbox]:
    """A sandbox that is closed again, with a name of its own among the containers."""
    sandbox = DockerSandbox(owner=f"test-{time.monotonic_ns()}", **arguments)  # type: ignore[arg-type]
    try:
        yield sandbox
    finally:
        await sandbox.aclose()


async def attempts(sandbox: DockerSandbox) -> dict[str, Probe]:
    """What was tried from inside, by name."""

    async def run(request: ExecutionRequest) -> ExecutionResult:
        return await sandbox.run(request, progress=silent)

    return {probe.name: probe for probe in await quick(run)}


def containers_of(sandbox: DockerSandbox) -> list[str]:
    """The containers of this sandbox that the engine still knows."""
    engine = Engine()
    try:
        found = engine.containers(f"{PRODUCT_LABEL}={PRODUCT}")
        return [one.id for one in found if one.labels["tmws.owner"] == sandbox.owner.id]
    finally:
        engine.close()


async def eventually(holds: Callable[[], bool]) -> bool:
    """Whether it becomes so before patience ends."""
    deadline = time.monotonic() + ENOUGH_SECONDS
    while not await asyncio.to_thread(holds):
        if time.monotonic() > deadline:
            return False
    return True
