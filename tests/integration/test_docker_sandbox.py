"""The sandbox on a real Docker engine: its contract, its slots, and what it leaves."""

from __future__ import annotations

import asyncio
import re
import resource
import subprocess
import sys
from dataclasses import replace

import pytest

from tests.integration.docker_sandboxes import TRUE, containers_of, eventually, opened, sandbox
from tests.patience import ENOUGH_SECONDS
from tmws.domain.errors import LimitExceeded, SandboxUnavailable
from tmws.domain.execution import MEBIBYTE, Limits, Outcome
from tmws.sandbox.assets import image_folder
from tmws.sandbox.docker import MAX_WAITING, DockerSandbox
from tmws.sandbox.engine import Engine
from tmws.sandbox.frames import encode_request
from tmws.sandbox.hardening import STRICT, SlotClass, container_config
from tmws.sandbox.image import default_name
from tmws.sandbox.owners import Owner
from tmws.sandbox.slots import Slot
from tmws.testing.sandbox_suite import (
    LIMITS,
    SHORT,
    SUITE,
    Check,
    binary_file,
    program,
    run,
    silent,
    text_file,
)

__all__ = ["sandbox"]


pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("check", SUITE, ids=lambda check: check.__name__)
async def test_the_contract_holds(check: Check, sandbox: DockerSandbox) -> None:
    await check(sandbox)


@pytest.mark.parametrize("check", SUITE[:4], ids=lambda check: check.__name__)
async def test_the_contract_holds_in_warm_slots(check: Check) -> None:
    async with opened(pool_size=2) as warm:
        await warm.warm(LIMITS)
        assert len(containers_of(warm)) == 2
        await check(warm)


async def test_a_hang_leaves_no_container(sandbox: DockerSandbox) -> None:
    result = await run(sandbox, "import time; time.sleep(600)", limits=SHORT)
    assert result.outcome is Outcome.TIMED_OUT
    assert await eventually(lambda: not containers_of(sandbox))


async def test_cancelling_removes_the_container_before_it_returns(sandbox: DockerSandbox) -> None:
    assert await eventually(lambda: not containers_of(sandbox))
    started = asyncio.Event()

    async def progress(words: str) -> None:
        if "running" in words:
            started.set()

    request = program("import time; time.sleep(600)", limits=Limits(wall_seconds=600.0))
    task = asyncio.create_task(sandbox.run(request, progress=progress))
    await started.wait()
    assert containers_of(sandbox)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not containers_of(sandbox)


async def test_closing_ends_what_still_runs() -> None:
    running = asyncio.Event()

    async def progress(words: str) -> None:
        if "running" in words:
            running.set()

    async with opened() as closing:
        request = program("import time; time.sleep(600)", limits=Limits(wall_seconds=600.0))
        task = asyncio.create_task(closing.run(request, progress=progress))
        await running.wait()
    with pytest.raises(SandboxUnavailable, match="closed"):
        await task
    assert not containers_of(closing)


async def test_cancelling_while_the_container_is_made_leaves_none(sandbox: DockerSandbox) -> None:
    starting = asyncio.Event()

    async def progress(words: str) -> None:
        if "starting" in words:
            starting.set()

    task = asyncio.create_task(sandbox.run(TRUE, progress=progress))
    await starting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await eventually(lambda: not containers_of(sandbox))


async def test_a_gibibyte_of_output_does_not_fill_this_process(sandbox: DockerSandbox) -> None:
    flood = """
        import os
        for _ in range(1024): os.write(1, bytes(2**20))
    """
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    generous = replace(LIMITS, output_bytes=2**31)
    result = await run(sandbox, flood, limits=generous)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert result.stdout_bytes == 2**30
    assert len(result.stdout) == 64 * 1024
    assert grown * 1024 < 32 * MEBIBYTE


async def test_a_large_workspace_arrives_whole(sandbox: DockerSandbox) -> None:
    files = tuple(binary_file(f"d{n % 50}/f{n}.bin", bytes([n % 256]) * 6000) for n in range(5000))
    result = await run(
        sandbox,
        """
        import os
        sizes = [os.path.getsize(os.path.join(folder, name))
                 for folder, _, names in os.walk("/workspace/") for name in names]
        print(len(sizes), sum(size for size in sizes if size == 6000))
        """,
        files=files,
        limits=Limits(),
    )
    assert result.stdout == b"5001 30000000\n"


async def test_a_workspace_that_does_not_fit_is_no_result(sandbox: DockerSandbox) -> None:
    files = tuple(binary_file(f"f{n}.bin", bytes(16 * MEBIBYTE)) for n in range(5))
    with pytest.raises(SandboxUnavailable, match="No space left"):
        await run(sandbox, "pass", files=files, limits=Limits())


async def test_a_killed_container_is_no_result_and_the_next_run_works(
    sandbox: DockerSandbox,
) -> None:
    assert await eventually(lambda: not containers_of(sandbox))
    running = asyncio.Event()

    async def progress(words: str) -> None:
        if "running" in words:
            running.set()

    request = program("import time; time.sleep(600)", limits=Limits(wall_seconds=600.0))
    task = asyncio.create_task(sandbox.run(request, progress=progress))
    await running.wait()
    engine = Engine()
    engine.remove(containers_of(sandbox)[0])
    engine.close()
    with pytest.raises(SandboxUnavailable, match="Nothing was judged"):
        await task
    assert (await sandbox.run(TRUE, progress=silent)).exit_code == 0


async def test_progress_is_told_in_a_few_words(sandbox: DockerSandbox) -> None:
    told: list[str] = []

    async def progress(words: str) -> None:
        told.append(words)

    await sandbox.run(TRUE, progress=progress)
    assert told == ["starting a fresh container", "running the check"]


async def test_a_full_line_is_told_when_to_come_back() -> None:
    async with opened(max_concurrent=1) as narrow:
        await narrow.run(TRUE, progress=silent)
        hang = program("import time; time.sleep(600)", limits=Limits(wall_seconds=600.0))
        tasks = [
            asyncio.create_task(narrow.run(hang, progress=silent)) for _ in range(MAX_WAITING + 3)
        ]
        refused, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        with pytest.raises(LimitExceeded, match=r"busy.*Retry after \d+ s"):
            await refused.pop()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert await eventually(lambda: not containers_of(narrow))


async def test_a_warm_slot_is_used_once_and_replaced() -> None:
    async with opened(pool_size=1) as warm:
        seen: set[str] = set()
        for _ in range(3):
            await warm.warm(LIMITS)
            assert await eventually(lambda: len(containers_of(warm)) == 1)
            seen.update(containers_of(warm))
            told: list[str] = []

            async def progress(words: str, told: list[str] = told) -> None:
                told.append(words)

            assert (await warm.run(TRUE, progress=progress)).exit_code == 0
            assert told == ["running the check"]
        assert len(seen) == 3
    assert not containers_of(warm)


async def test_a_slot_that_is_told_of_its_owner_still_takes_its_request() -> None:
    engine = Engine()
    labels = Owner.this_process("test").labels()
    slot_class = SlotClass.of(LIMITS)
    slot = Slot(engine, container_config(default_name(), slot_class, STRICT, labels))
    try:
        await asyncio.to_thread(slot.boot)
        for _ in range(3):
            slot.keep()
        answer = await asyncio.to_thread(
            slot.exchange, encode_request(TRUE), seconds=ENOUGH_SECONDS
        )
        assert answer.exit_code == 0
    finally:
        await asyncio.to_thread(slot.destroy)
        engine.close()


def test_pid_1_ends_when_its_owner_falls_silent() -> None:
    code = (image_folder() / "init.py").read_text()
    hasty = re.sub(r"(?m)^PATIENCE_SECONDS = .*", "PATIENCE_SECONDS = 0.2", code)
    assert hasty != code
    words = (sys.executable, "-I", "-S", "-c", hasty)
    # Its channel stays open, as one does that an engine left behind.
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.wait(ENOUGH_SECONDS) == 0
        assert process.stdout is not None
        assert process.stdout.read() == b"R"


async def test_a_slot_that_died_while_it_waited_is_not_used() -> None:
    async with opened(pool_size=1) as warm:
        await warm.warm(LIMITS)
        engine = Engine()
        engine.remove(containers_of(warm)[0])
        engine.close()
        assert (await warm.run(TRUE, progress=silent)).exit_code == 0


async def test_files_of_text_with_any_name_arrive(sandbox: DockerSandbox) -> None:
    names = ("-p", "@args", "a b", "ünïcode", "x" * 200, "new\nline")
    result = await run(
        sandbox,
        "import os, json; print(json.dumps(sorted(os.listdir('/workspace'))))",
        files=tuple(text_file(name, "x") for name in names),
    )
    assert result.exit_code == 0
    assert result.stdout.count(b",") == len(names)
