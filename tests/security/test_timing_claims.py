"""Scripts that would like to look fast, on real containers."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.checked import decided
from tests.integration.docker_sandboxes import opened
from tmws.domain.claims import Reason, TimingCheck, Verdict
from tmws.sandbox.docker import DockerSandbox

pytestmark = pytest.mark.anyio

WORK = "x = 0\nfor i in range(600_000):\n    x += i\n"  # some tens of milliseconds
LIES = {
    "a clock that stands still": (
        "import time\ntime.perf_counter = time.time = time.process_time = lambda: 0\n" + WORK,
        Reason.CHECK_FAILED,
    ),
    "a result kept on disk": (
        "import os\nif not os.path.exists('/tmp/done'):\n"
        f"    exec({WORK!r})\n    open('/tmp/done', 'w').close()\n",
        Reason.OBSERVED_ONLY,
    ),
    "work done by a process that stays": (
        f"import os\nif os.fork() == 0:\n    os.setsid()\n    exec({WORK!r})\n    os._exit(0)\n"
        "os._exit(0)\n",
        Reason.OBSERVED_ONLY,
    ),
    "the timing process pinned to one processor": (
        "import os\nos.sched_setaffinity(os.getppid(), {min(os.sched_getaffinity(0))})\n",
        Reason.OBSERVED_ONLY,
    ),
    "the timing process killed": (
        "import os, signal\nos.kill(os.getppid(), signal.SIGKILL)\n",
        Reason.SIGNALED,
    ),
    "an end before the work": ("raise SystemExit(1)\n" + WORK, Reason.USAGE_ERROR),
}


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def sandbox() -> AsyncIterator[DockerSandbox]:
    async with opened() as sandbox:
        yield sandbox


async def test_honest_times_come_out_right(sandbox: DockerSandbox) -> None:
    slow = await decided(sandbox, TimingCheck("work.py", 0.002), {"work.py": WORK})
    fast = await decided(sandbox, TimingCheck("work.py", 30.0), {"work.py": WORK})
    assert (slow.verdict, fast.verdict) == (Verdict.REFUTED, Verdict.SUPPORTED), slow.detail
    assert fast.counts["runs"] == 15


@pytest.mark.parametrize("name", LIES)
async def test_a_script_cannot_look_faster_than_it_is(sandbox: DockerSandbox, name: str) -> None:
    script, reason = LIES[name]
    seconds = 0.002 if reason is Reason.CHECK_FAILED else 5.0
    judgement = await decided(sandbox, TimingCheck("work.py", seconds), {"work.py": script})
    assert judgement.verdict is not Verdict.SUPPORTED
    assert judgement.reason is reason, judgement.detail
