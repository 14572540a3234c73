"""The process that a module runs in: what it may still do, and how it ends."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from textwrap import dedent

import pytest

from tests.integration.docker_sandboxes import eventually
from tests.modules import asked, binary, decided, quiet, text
from tmws.domain.checkers import read_computed
from tmws.domain.claims import Reason, Verdict
from tmws.domain.execution import ExecutionResult, Limits, Outcome
from tmws.sandbox import wasm
from tmws.sandbox.wasm import WasmSandbox

pytestmark = pytest.mark.anyio
ENDLESS = binary(text("(loop $l br $l) unreachable"))
LONG = Limits(wall_seconds=20.0)
MANY = 60


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def sandbox(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[WasmSandbox]:
    """A sandbox that has proven itself, so that one run is one child."""
    sandbox = WasmSandbox()
    monkeypatch.setattr(sandbox, "_tested_at", 0.0)
    yield sandbox
    await sandbox.aclose()


def children() -> set[int]:
    """The processes that this one started and that have not been reaped."""
    listed = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text()
    return {int(word) for word in listed.split()}


def told(process: int, what: str) -> list[str]:
    """What the kernel says of a process."""
    return Path(f"/proc/{process}/{what}").read_text().splitlines()


def computes(process: int) -> bool:
    """Whether it has its engine, and opens nothing any more."""
    files = next(line for line in told(process, "limits") if line.startswith("Max open files"))
    return files.split()[3] == "3"


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def at_work(sandbox: WasmSandbox) -> tuple[asyncio.Task[ExecutionResult], int]:
    """Start a module without end; return its run and its process."""
    before = children()
    run = asyncio.create_task(sandbox.run(asked(ENDLESS, limits=LONG), progress=quiet))
    assert await eventually(lambda: any(computes(child) for child in children() - before))
    [child] = children() - before
    return run, child


async def test_a_process_that_is_killed_says_nothing_about_the_claim(sandbox: WasmSandbox) -> None:
    run, child = await at_work(sandbox)
    os.kill(child, signal.SIGKILL)
    result = await run
    assert (result.outcome, result.signal) == (Outcome.SIGNALED, signal.SIGKILL)
    assert read_computed(result) == "its process was killed"
    assert child not in children()


async def test_a_cancelled_run_leaves_no_process(sandbox: WasmSandbox) -> None:
    run, child = await at_work(sandbox)
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert child not in children()
    assert sandbox.state().running == 0


async def test_a_closed_sandbox_leaves_no_process(sandbox: WasmSandbox) -> None:
    run, child = await at_work(sandbox)
    await sandbox.aclose()
    assert (await run).outcome is Outcome.TIMED_OUT
    assert child not in children()


async def test_the_kernel_bounds_what_the_process_may_take(sandbox: WasmSandbox) -> None:
    run, child = await at_work(sandbox)
    hard = {line[:26].strip(): line[26:].split()[1] for line in told(child, "limits")[1:]}
    assert hard["Max core file size"] == "0"
    assert hard["Max file size"] == "0"
    assert hard["Max processes"] == "0"
    assert hard["Max open files"] == "3"
    assert hard["Max cpu time"] == "22"
    assert hard["Max address space"] == str(2**30)
    status = told(child, "status")
    assert "NoNewPrivs:\t1" in status
    assert "Threads:\t1" in status
    assert os.getsid(child) == child
    run.cancel()
    await asyncio.wait([run])


def test_the_process_ends_with_its_server() -> None:
    server = """
        import asyncio
        from tests.modules import asked, binary, quiet, text
        from tests.security.test_wasm_child import ENDLESS, LONG
        from tmws.sandbox.wasm import WasmSandbox
        async def main():
            sandbox = WasmSandbox()
            sandbox._tested_at = 0.0
            await sandbox.run(asked(ENDLESS, limits=LONG), progress=quiet)
        asyncio.run(main())
    """
    process = subprocess.Popen([sys.executable, "-c", dedent(server)])
    listed = Path(f"/proc/{process.pid}/task/{process.pid}/children")

    def computing() -> list[int]:
        return [child for child in map(int, listed.read_text().split()) if computes(child)]

    assert asyncio.run(eventually(lambda: bool(computing())))
    [child] = computing()
    process.kill()
    process.wait()
    assert asyncio.run(eventually(lambda: not Path(f"/proc/{child}").exists()))


async def answered_by(
    source: str, sandbox: WasmSandbox, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> ExecutionResult:
    """Run a program in the child's place, as a module that broke out of it might."""
    program = folder / "child.py"
    program.write_text(dedent(source))
    monkeypatch.setattr(wasm, "_COMMAND", (sys.executable, "-I", "-B", str(program)))
    limits = Limits(wall_seconds=1.5)
    return await sandbox.run(asked(binary(), data=bytes(2**20), limits=limits), progress=quiet)


async def test_the_process_gets_nothing_but_two_pipes(
    sandbox: WasmSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMWS_SECRET_OF_THE_SERVER", "here")
    result = await answered_by(
        """
        import json, os, sys
        sys.stdin.buffer.read()
        files = {int(name): os.readlink(f"/proc/self/fd/{name}").partition(":")[0]
                 for name in sorted(os.listdir("/proc/self/fd"))[:3]}
        print(json.dumps({"environment": sorted(set(os.environ) - {"LC_CTYPE"}), "files": files,
                          "open": len(os.listdir("/proc/self/fd")), "folder": os.getcwd()}))
        """,
        sandbox,
        tmp_path,
        monkeypatch,
    )
    assert json.loads(result.report or b"") == {
        "environment": [],
        "files": {"0": "pipe", "1": "pipe", "2": "/dev/null"},
        "open": 4,  # the folder that is being listed, too
        "folder": "/",
    }


TAKEN_OVER = {
    "a flood": (
        "import os, sys\nsys.stdin.buffer.read()\nwhile True: os.write(1, bytes(65536))",
        Outcome.OUTPUT_EXCEEDED,
    ),
    "a flood before it listened": (
        "import os\nwhile True: os.write(1, bytes(65536))",
        Outcome.TIMED_OUT,
    ),
    "silence": ("import time; time.sleep(60)", Outcome.TIMED_OUT),
    "a byte at a time": (
        "import os, time\nwhile True: os.write(1, b' '); time.sleep(0.01)",
        Outcome.TIMED_OUT,
    ),
    "an end before it listened": ("raise SystemExit(0)", Outcome.EXITED),
    "no JSON": ("print('value: 9')", Outcome.EXITED),
    "half an answer": ('print(\'{"value": "9.0"}\')', Outcome.EXITED),
    "a number that is none": (
        'print(\'{"engine":"e","value":"9e999","fuel_used":1,"memory_bytes":1}\')',
        Outcome.EXITED,
    ),
    "a signal to itself": ("import os; os.kill(os.getpid(), 11)", Outcome.SIGNALED),
}


@pytest.mark.parametrize("name", TAKEN_OVER)
async def test_whatever_the_process_does_it_is_bounded_and_no_verdict(
    name: str, sandbox: WasmSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, outcome = TAKEN_OVER[name]
    before, began = children(), time.monotonic()
    result = await answered_by(source, sandbox, tmp_path, monkeypatch)
    assert result.outcome is outcome
    assert isinstance(read_computed(result), str)
    assert time.monotonic() - began < 30
    assert children() == before


async def test_many_runs_leave_no_process_and_no_descriptor(sandbox: WasmSandbox) -> None:
    before = children()
    judged = await asyncio.gather(*(decided(sandbox, binary()) for _ in range(4)))
    files = open_files()
    for _ in range(MANY // 10):
        judged += await asyncio.gather(*(decided(sandbox, binary()) for _ in range(10)))
    assert {judgement.verdict for judgement in judged} == {Verdict.SUPPORTED}
    assert children() == before
    assert open_files() == files


async def test_an_engine_that_lets_a_module_out_runs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tmws.domain.errors import SandboxUnavailable

    said = {"engine": "wasmtime 0", "value": "3.0", "fuel_used": 1, "memory_bytes": 1}
    with pytest.raises(SandboxUnavailable, match="does not hold a module in: a loop") as refused:
        await answered_by(f"print({json.dumps(said)!r})", WasmSandbox(), tmp_path, monkeypatch)
    assert len(refused.value.message) <= 300


async def test_a_killed_computation_is_open_and_names_its_reason(sandbox: WasmSandbox) -> None:
    deciding = asyncio.create_task(decided(sandbox, ENDLESS, limits=LONG))
    before: set[int] = set()
    assert await eventually(lambda: any(computes(child) for child in children() - before))
    for child in children():
        if computes(child):
            os.kill(child, signal.SIGKILL)
    judgement = await deciding
    assert (judgement.verdict, judgement.reason) == (Verdict.INCONCLUSIVE, Reason.SIGNALED)
