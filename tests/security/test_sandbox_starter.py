"""What waits in a slot ahead of its request changes nothing about the program that runs.

The waiting interpreter is there before anything untrusted is; from the first line of the
program on nothing may tell it from one that was started for it alone.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.docker_sandboxes import eventually, opened
from tmws.domain.errors import SandboxUnavailable
from tmws.domain.execution import ExecutionRequest, Outcome
from tmws.sandbox.docker import DockerSandbox
from tmws.sandbox.engine import Engine
from tmws.sandbox.frames import encode_request
from tmws.sandbox.hardening import STRICT, SlotClass, container_config
from tmws.sandbox.image import default_name
from tmws.sandbox.owners import SLOT_LABEL
from tmws.sandbox.slots import Slot
from tmws.testing.sandbox_suite import LIMITS, PROGRAM, program, run, silent, text_file

pytestmark = pytest.mark.anyio

# Prints what a program can see of how it came to be, then does so again once it was started
# in the ordinary way.
WITNESS = """
import sys
modules, names = sorted(sys.modules), {k: str(v) for k, v in globals().items()}
import json, os, resource, signal
facts = {
    "argv": sys.argv, "orig_argv": sys.orig_argv, "flags": str(sys.flags), "path": sys.path,
    "modules": modules, "names": {k: v.split(" at 0x")[0] for k, v in names.items()},
    "executable": sys.executable, "environment": dict(os.environ), "folder": os.getcwd(),
    "descriptors": sorted(os.listdir("/proc/self/fd"), key=int)[:4],
    "open": len(os.listdir("/proc/self/fd")),
    "signals": [str(signal.getsignal(n)) for n in sorted(signal.valid_signals())],
    "mask": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ())),
    "limits": [resource.getrlimit(n) for n in range(16)],
    "niceness": os.nice(0), "session": os.getsid(0) == os.getpid(),
    "file": __file__, "threads": len(os.listdir("/proc/self/task")),
    "standing": [line for line in open("/proc/self/status")
                 if line.startswith(("Cap", "Sec", "NoNew", "Uid", "Gid", "Groups"))],
    "score": open("/proc/self/oom_score_adj").read(),
}
print(json.dumps(facts), flush=True)
if "again" in sys.argv:
    last = [word for word in sys.orig_argv if word != "again"]
    os.execv(last[0], last)
"""


@pytest.fixture(scope="module")
async def sandbox() -> AsyncIterator[DockerSandbox]:
    async with opened() as sandbox:
        yield sandbox


async def test_a_script_sees_what_a_fresh_interpreter_would_show_it(sandbox: DockerSandbox) -> None:
    words = ("", "two words", "-S", "größer\n", "x" * 4000)
    result = await run(sandbox, WITNESS, *words, "again")
    waited, fresh = map(json.loads, result.stdout.splitlines())
    for facts in (waited, fresh):
        facts["argv"] = [word for word in facts["argv"] if word != "again"]
        facts["orig_argv"] = [word for word in facts["orig_argv"] if word != "again"]
    assert waited == fresh
    assert waited["argv"] == ["/workspace/program.py", *words]
    assert waited["descriptors"] == ["0", "1", "2", "3"]


@pytest.mark.parametrize(
    ("source", "status"),
    [
        ("import sys; sys.exit(7)", 7),
        ("1 / 0", 1),
        ("not Python", 1),
        ("import os; os.abort()", None),
    ],
)
async def test_a_script_ends_as_it_would_alone(
    source: str, status: int | None, sandbox: DockerSandbox
) -> None:
    result = await run(sandbox, source)
    assert result.exit_code == status
    assert (result.outcome is Outcome.SIGNALED) == (status is None)


async def test_a_script_that_is_not_there_is_the_interpreters_own_error(
    sandbox: DockerSandbox,
) -> None:
    argv = ("/opt/tmws/python", "-I", "/workspace/absent.py")
    result = await sandbox.run(ExecutionRequest(argv, (), LIMITS), progress=silent)
    assert result.exit_code == 2
    assert b"can't open file" in result.stderr


async def test_any_other_command_takes_the_place_of_what_waited(sandbox: DockerSandbox) -> None:
    script = text_file("flags.py", "import sys; print(sys.flags.no_site, len(sys.argv))")
    for words, said in (
        (("/opt/tmws/python", "-I", "-S", "/workspace/flags.py", ""), b"1 2\n"),
        (("/opt/tmws/python", "-I", "-c", "print('told')"), b"told\n"),
        (("/bin/echo", "-I", "/workspace/flags.py"), b"-I /workspace/flags.py\n"),
    ):
        request = ExecutionRequest(words, (script,), LIMITS)
        assert (await sandbox.run(request, progress=silent)).stdout == said


@pytest.mark.parametrize("words", [("/bin/absent",), ("/workspace",), ("/bin/echo", "a\0b")])
async def test_what_cannot_be_executed_is_refused_with_the_reason(
    words: tuple[str, ...], sandbox: DockerSandbox
) -> None:
    with pytest.raises(SandboxUnavailable, match=r"cannot execute|cannot hold NUL") as refused:
        await sandbox.run(ExecutionRequest(words, (), LIMITS), progress=silent)
    assert not refused.value.retryable


@pytest.mark.parametrize("stopped", [False, True], ids=["before the request", "deaf to it"])
async def test_what_waited_and_was_killed_is_a_lost_run_and_no_outcome(
    sandbox: DockerSandbox, stopped: bool
) -> None:
    """As the kernel may do, from outside, where the machine is short of memory.

    One that is killed with the command in its pipe has not begun it either.
    """
    engine = Engine()
    name = f"killed-{time.monotonic_ns()}"
    labels = sandbox.owner.labels() | {SLOT_LABEL: name}
    slot = Slot(engine, container_config(default_name(), SlotClass.of(LIMITS), STRICT, labels))

    def waiting() -> list[int]:
        """The waiting interpreter, once it is one."""
        (container,) = engine.containers(f"{SLOT_LABEL}={name}")
        rows = engine.api.top(container.id)["Processes"]
        return [int(row[1]) for row in rows if "starter.py" in row[-1]]

    try:
        await asyncio.to_thread(slot.boot)
        assert await eventually(lambda: bool(waiting()))
        (pid,) = waiting()
        laid_out = Path(f"/proc/{pid}/root/workspace/{PROGRAM}")
        os.kill(pid, signal.SIGSTOP if stopped else signal.SIGKILL)
        request = encode_request(program("pass"))
        asked = asyncio.create_task(asyncio.to_thread(slot.exchange, request, seconds=10))
        if stopped:
            assert await eventually(laid_out.exists)
            os.kill(pid, signal.SIGKILL)
        with pytest.raises(SandboxUnavailable, match="waiting interpreter is gone") as lost:
            await asked
        assert lost.value.retryable
    finally:
        await asyncio.to_thread(slot.destroy)
        engine.close()
