"""Scripts that would like to look fast, on real containers."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.checked import decided
from tests.integration.docker_sandboxes import opened
from tmws.domain.claims import Reason, TimingCheck, Verdict
from tmws.domain.timing import RUNS
from tmws.sandbox.docker import DockerSandbox

pytestmark = pytest.mark.anyio

WORK = "x = 0\nfor i in range(600_000):\n    x += i\n"  # some tens of milliseconds
MUCH_WORK = WORK.replace("600_000", "6_000_000")  # some hundreds of milliseconds
IN_THE_PIPE = f"""
import os, stat
pipe = next(f"/proc/self/fd/{{n}}" for n in range(3, 64)
            if os.path.exists(f"/proc/self/fd/{{n}}") and stat.S_ISFIFO(os.fstat(n).st_mode))
reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
writer = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
try:
    os.read(reader, 1)
except BlockingIOError:
    exec({MUCH_WORK!r})
os.write(writer, b"x")
"""
IN_A_QUEUE = f"""
import ctypes, os
libc = ctypes.CDLL(None)
queue = libc.mq_open(b"/kept", os.O_RDWR | os.O_CREAT | os.O_NONBLOCK, 0o600, None)
if queue < 0:
    raise SystemExit(1)
if libc.mq_receive(queue, ctypes.create_string_buffer(8192), 8192, None) <= 0:
    exec({MUCH_WORK!r})
libc.mq_send(queue, b"x", 1, 0)
"""
UNTIL_THE_LAST_RUN = f"""
import os
kept = "/tmp/runs"
if not os.path.exists(kept):
    exec({MUCH_WORK!r})
    open(kept, "w").close()
open(kept, "a").write("x")
if os.path.getsize(kept) == {RUNS[0.5] + 2}:
    os.unlink(kept)
"""
NOT_WAITED_FOR = f"""
import os, signal, time
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
reader, writer = os.pipe()
if os.fork() == 0:
    exec({MUCH_WORK!r})
    os._exit(0)
os.close(writer)
os.read(reader, 1)
time.sleep(0.02)  # until it is gone
"""
SAVED = {
    "in a pipe of ours": (IN_THE_PIPE, Reason.CHECK_FAILED),
    "in a queue of the kernel": (IN_A_QUEUE, Reason.USAGE_ERROR),
    "in a file that the last run takes away": (UNTIL_THE_LAST_RUN, Reason.OBSERVED_ONLY),
    "by a child whose time nobody asks for": (NOT_WAITED_FOR, Reason.CHECK_FAILED),
}
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


@pytest.mark.parametrize("name", SAVED)
async def test_work_that_only_the_first_run_shows_is_not_saved(
    sandbox: DockerSandbox, name: str
) -> None:
    script, reason = SAVED[name]
    judgement = await decided(sandbox, TimingCheck("work.py", 0.1), {"work.py": script})
    assert judgement.verdict is not Verdict.SUPPORTED
    assert judgement.reason is reason, judgement.detail


async def test_a_file_that_each_run_takes_away_again_is_no_lie(sandbox: DockerSandbox) -> None:
    script = "import tempfile\nwith tempfile.TemporaryFile() as file:\n    file.write(b'x')\n"
    judgement = await decided(sandbox, TimingCheck("work.py", 30.0), {"work.py": script})
    assert judgement.verdict is Verdict.SUPPORTED, judgement.detail
