"""A run takes what it was given and no more, and always ends.

Cases R1 to R14: forks, memory, processors, files, output, signals, orphans, zombies,
stops, slow readers, and more runs than places.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from tests.integration.docker_sandboxes import attempts, containers_of, eventually, opened
from tests.patience import ENOUGH_SECONDS
from tmws.domain.execution import MEBIBYTE, Outcome
from tmws.ports import Probe
from tmws.sandbox.docker import DockerSandbox
from tmws.testing.sandbox_suite import LIMITS, SHORT, run

pytestmark = pytest.mark.anyio

NAMES = ("processes", "open files", "fill /tmp", "fill /workspace", "fill /dev/shm", "memory")
FORK_BOMB = "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass"


@pytest.fixture(scope="module")
async def sandbox() -> AsyncIterator[DockerSandbox]:
    async with opened() as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
async def found(sandbox: DockerSandbox) -> dict[str, Probe]:
    return await attempts(sandbox)


@pytest.mark.parametrize("name", NAMES)
async def test_from_inside(name: str, found: dict[str, Probe]) -> None:
    probe = found[f"resources: {name}"]
    assert probe.held, probe.observed


async def test_a_fork_bomb_ends_in_time_and_leaves_no_process(sandbox: DockerSandbox) -> None:
    began = time.monotonic()
    result = await run(sandbox, FORK_BOMB, limits=SHORT)
    assert result.outcome is Outcome.TIMED_OUT
    assert time.monotonic() - began < ENOUGH_SECONDS
    assert await eventually(lambda: not containers_of(sandbox))


async def test_spinning_threads_get_one_processor_and_their_time(sandbox: DockerSandbox) -> None:
    result = await run(
        sandbox,
        "import os\nfor _ in range(3): os.fork()\nwhile True: pass",
        limits=replace(SHORT, wall_seconds=2.0),
    )
    assert result.outcome is Outcome.TIMED_OUT
    assert result.cpu_seconds < 2.0 * 1.5 + 0.5


async def test_a_swarm_of_small_processes_cannot_end_the_run_unseen(
    sandbox: DockerSandbox,
) -> None:
    """Each is smaller than PID 1, and together they are over the limit."""
    result = await run(
        sandbox,
        """
        import os, time
        with open("/proc/self/oom_score_adj", "w") as score: score.write("500")
        for _ in range(60):
            if os.fork() == 0:
                hoard = bytearray(b"x") * (3 << 20)
                time.sleep(600)
        time.sleep(600)
        """,
        limits=replace(LIMITS, processes=80, memory_bytes=64 * MEBIBYTE, wall_seconds=5.0),
    )
    assert result.outcome is Outcome.OUT_OF_MEMORY


async def test_a_slow_drip_is_kept_until_the_end_of_time(sandbox: DockerSandbox) -> None:
    result = await run(
        sandbox,
        "import time\nwhile True: print('drip', flush=True); time.sleep(0.1)",
        limits=SHORT,
    )
    assert result.outcome is Outcome.TIMED_OUT
    assert 3 <= result.stdout.count(b"drip\n") <= 15


async def test_a_flood_on_every_channel_ends_soon(sandbox: DockerSandbox) -> None:
    for channel in (1, 2, 3):
        result = await run(sandbox, f"import os\nwhile True: os.write({channel}, bytes(65536))")
        assert result.outcome is Outcome.OUTPUT_EXCEEDED
        assert result.wall_seconds < LIMITS.wall_seconds / 2


async def test_a_thousand_zombies_are_reaped(sandbox: DockerSandbox) -> None:
    result = await run(
        sandbox,
        """
        import os
        for _ in range(1000):
            child = os.fork()
            if child == 0:
                if os.fork() == 0: os._exit(0)
                os._exit(0)
            os.waitpid(child, 0)
        """,
    )
    assert (result.outcome, result.exit_code) == (Outcome.EXITED, 0)


async def test_a_daemon_that_holds_the_output_delays_nothing(sandbox: DockerSandbox) -> None:
    result = await run(
        sandbox,
        """
        import os, time
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0: time.sleep(600)
            os._exit(0)
        print("done")
        """,
    )
    assert (result.outcome, result.stdout) == (Outcome.EXITED, b"done\n")
    assert result.wall_seconds < ENOUGH_SECONDS


async def test_a_sparse_file_takes_no_room_and_meets_its_limit(sandbox: DockerSandbox) -> None:
    before = os.statvfs("/").f_bavail
    result = await run(
        sandbox,
        """
        import signal
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        try:
            with open("/workspace/sparse", "wb") as file: file.truncate(1 << 40)
        except OSError as error: print(error.errno)
        """,
    )
    assert result.stdout == b"27\n"
    assert before - os.statvfs("/").f_bavail < 256 * MEBIBYTE // os.statvfs("/").f_frsize


async def test_inodes_run_out_before_memory_does(sandbox: DockerSandbox) -> None:
    result = await run(
        sandbox,
        """
        import os
        try:
            for number in range(100_000): os.close(os.open(f"/tmp/{number}", os.O_CREAT))
        except OSError as error: print(error.errno, number < 20_000)
        """,
    )
    assert result.stdout == b"28 True\n"


async def test_more_runs_than_places_are_all_answered(sandbox: DockerSandbox) -> None:
    results = await asyncio.gather(*(run(sandbox, f"print({n})") for n in range(20)))
    assert [int(result.stdout) for result in results] == list(range(20))
    assert await eventually(lambda: not containers_of(sandbox))
