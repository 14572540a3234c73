"""What every sandbox promises, as checks that any backend can run on itself.

Each check is an async function that takes a `Sandbox` and raises `AssertionError` with
the promise that was broken. `SUITE` holds them all:

    @pytest.mark.parametrize("check", SUITE, ids=lambda check: check.__name__)
    async def test_my_sandbox(check, my_sandbox):
        await check(my_sandbox)

The programs are Python, run by `/opt/tmws/python`, which every image has.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from textwrap import dedent

from tmws.domain.errors import SandboxUnavailable
from tmws.domain.execution import (
    MEBIBYTE,
    ExecutionRequest,
    ExecutionResult,
    Limits,
    Outcome,
)
from tmws.domain.snapshots import SnapshotFile
from tmws.ports import Sandbox

Check = Callable[[Sandbox], Awaitable[None]]

# As every check of Python is started.
PYTHON = ("/opt/tmws/python", "-I")
PROGRAM = "program.py"
# What a run may take to be ended beyond its limit, and to be removed, on a busy machine.
SLACK_SECONDS = 10.0
KEPT_BYTES = 64 * 1024
LIMITS = Limits(wall_seconds=30.0, memory_bytes=96 * MEBIBYTE, processes=32)
SHORT = Limits(wall_seconds=1.0, memory_bytes=96 * MEBIBYTE, processes=32)


def text_file(path: str, content: str) -> SnapshotFile:
    """Return a file of a workspace."""
    return binary_file(path, content.encode())


def binary_file(path: str, content: bytes) -> SnapshotFile:
    """Return a file of a workspace."""
    return SnapshotFile(path, content, hashlib.sha256(content).hexdigest(), executable=False)


def program(
    source: str,
    *arguments: str,
    limits: Limits = LIMITS,
    files: tuple[SnapshotFile, ...] = (),
) -> ExecutionRequest:
    """Return the request to run this Python source with these arguments and files."""
    own = text_file(PROGRAM, dedent(source))
    argv = (*PYTHON, f"/workspace/{PROGRAM}", *arguments)
    return ExecutionRequest(argv=argv, files=(own, *files), limits=limits)


async def silent(words: str) -> None:
    """Report no progress to anybody."""


async def run(
    sandbox: Sandbox,
    source: str,
    *arguments: str,
    limits: Limits = LIMITS,
    files: tuple[SnapshotFile, ...] = (),
) -> ExecutionResult:
    """Run this Python source once."""
    request = program(source, *arguments, limits=limits, files=files)
    return await sandbox.run(request, progress=silent)


def expect(kept: bool, promise: str) -> None:
    """Name the promise that was broken."""
    if not kept:
        raise AssertionError(promise)


async def exit_status_and_streams_are_reported(sandbox: Sandbox) -> None:
    """A program that fails is a result, with both streams apart."""
    result = await run(
        sandbox, "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"
    )
    expect(result.outcome is Outcome.EXITED, f"exited, not {result.outcome}")
    expect(result.exit_code == 3, f"exit code 3, not {result.exit_code}")
    expect(result.signal is None, "no signal")
    expect((result.stdout, result.stderr) == (b"out\n", b"err\n"), "both streams, apart")
    expect((result.stdout_bytes, result.stderr_bytes) == (4, 4), "what was printed is counted")
    expect(result.wall_seconds > 0 and result.cpu_seconds > 0, "time is measured")
    expect(result.peak_memory_bytes > MEBIBYTE, "memory is measured")
    expect(bool(result.image_digest), "the image has a name")


async def the_report_is_what_descriptor_3_got(sandbox: Sandbox) -> None:
    """The report has its own way out; printing does not reach it."""
    spoken = await run(sandbox, "import os; os.write(3, b'{}'); print('printed')")
    expect(spoken.report == b"{}", f"the report is {{}}, not {spoken.report!r}")
    expect(spoken.stdout == b"printed\n", "what was printed is not in the report")
    silent_run = await run(sandbox, "print('printed')")
    expect(silent_run.report is None, "no report when nothing was written to it")


async def files_lie_below_workspace(sandbox: Sandbox) -> None:
    """The snapshot is there, byte for byte, and may be changed by the run."""
    content = bytes(range(256)) * 300
    result = await run(
        sandbox,
        """
        import hashlib, os
        content = open("/workspace/deep/er/data.bin", "rb").read()
        open("/workspace/deep/new", "w").close()
        print(hashlib.sha256(content).hexdigest(), os.getcwd(), sorted(os.listdir()))
        """,
        files=(binary_file("deep/er/data.bin", content), text_file("empty", "")),
    )
    expected = f"{hashlib.sha256(content).hexdigest()} /workspace ['deep', 'empty', '{PROGRAM}']\n"
    expect(result.stdout.decode() == expected, f"{expected!r}, not {result.stdout!r}")


async def arguments_reach_the_program_as_they_are(sandbox: Sandbox) -> None:
    """No shell reads them."""
    arguments = ("$(id)", "; true", "*", "a b", "`id`", "ü", "")
    result = await run(sandbox, "import json, sys; print(json.dumps(sys.argv[1:]))", *arguments)
    expect(tuple(json.loads(result.stdout)) == arguments, f"not {result.stdout!r}")


async def the_environment_is_a_constant(sandbox: Sandbox) -> None:
    """Nothing of the host's environment, and the same in every run."""
    source = "import os, json; print(json.dumps(dict(os.environ)))"
    first, second = await run(sandbox, source), await run(sandbox, source)
    expect(first.stdout == second.stdout, "the same environment twice")
    names = set(json.loads(first.stdout))
    expect(not {"USER", "LOGNAME", "SSH_AUTH_SOCK", "PWD", "HOSTNAME"} & names, f"not {names}")


async def standard_input_is_empty(sandbox: Sandbox) -> None:
    """A program that reads gets nothing, and does not hang."""
    result = await run(sandbox, "import sys; print(repr(sys.stdin.read()))", limits=SHORT)
    expect(result.stdout == b"''\n", f"nothing to read, not {result.stdout!r}")


async def a_hang_ends_at_its_limit_with_what_it_printed(sandbox: Sandbox) -> None:
    """The limit is kept by the sandbox, not by the program."""
    began = time.monotonic()
    result = await run(
        sandbox, "import time; print('begun', flush=True); time.sleep(600)", limits=SHORT
    )
    expect(result.outcome is Outcome.TIMED_OUT, f"timed out, not {result.outcome}")
    expect(result.exit_code is None, "no exit code")
    expect(result.stdout == b"begun\n", "what came before is kept")
    expect(time.monotonic() - began < SHORT.wall_seconds + SLACK_SECONDS, "ended in time")


async def a_program_that_ignores_signals_ends_too(sandbox: Sandbox) -> None:
    """Only the signal that cannot be ignored counts."""
    result = await run(
        sandbox,
        """
        import os, signal
        for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(number, signal.SIG_IGN)
        os.kill(os.getpid(), signal.SIGSTOP)
        """,
        limits=SHORT,
    )
    expect(result.outcome is Outcome.TIMED_OUT, f"timed out, not {result.outcome}")


async def memory_over_the_limit_is_its_own_outcome(sandbox: Sandbox) -> None:
    """Neither an exit nor a signal: a memory end says nothing about a claim."""
    result = await run(sandbox, "hoard = []\nwhile True: hoard.append(b'x' * 2**20)")
    expect(result.outcome is Outcome.OUT_OF_MEMORY, f"out of memory, not {result.outcome}")
    expect(result.exit_code is None, "no exit code")


async def a_child_that_ran_out_of_memory_is_not_hidden_by_its_parent(sandbox: Sandbox) -> None:
    """A parent that exits with 0 afterwards does not make the run clean."""
    result = await run(
        sandbox,
        """
        import os, sys
        if os.fork() == 0:
            hoard = []
            while True: hoard.append(b"x" * 2**20)
        os.wait()
        sys.exit(0)
        """,
    )
    expect(result.outcome is Outcome.OUT_OF_MEMORY, f"out of memory, not {result.outcome}")


async def temporary_files_count_as_memory(sandbox: Sandbox) -> None:
    """A full memory file system is no way around the limit, nor onto the host's disk."""
    result = await run(
        sandbox,
        """
        for folder in ("/tmp", "/workspace", "/dev/shm"):
            try:
                with open(folder + "/fill", "wb") as file:
                    for _ in range(300): file.write(bytes(2**20))
                print("took 300 MiB")
            except OSError: pass
        """,
    )
    expect(b"took" not in result.stdout, "300 MiB do not fit into a run of 96 MiB")


async def a_signal_is_reported_by_its_number(sandbox: Sandbox) -> None:
    """A crash is not an exit."""
    result = await run(sandbox, "import os; os.kill(os.getpid(), 11)")
    expect(result.outcome is Outcome.SIGNALED, f"signaled, not {result.outcome}")
    expect((result.exit_code, result.signal) == (None, 11), "signal 11, no exit code")


async def a_flood_of_output_is_cut(sandbox: Sandbox) -> None:
    """The run is killed, its beginning is kept, and the rest is counted only."""
    for stream in (1, 2):
        result = await run(sandbox, f"import os\nwhile True: os.write({stream}, b'x' * 65536)")
        expect(result.outcome is Outcome.OUTPUT_EXCEEDED, f"exceeded, not {result.outcome}")
        kept = (result.stdout, result.stderr)[stream - 1]
        total = (result.stdout_bytes, result.stderr_bytes)[stream - 1]
        expect(kept == b"x" * KEPT_BYTES, f"64 KiB are kept, not {len(kept)}")
        expect(LIMITS.output_bytes < total < 4 * LIMITS.output_bytes, f"cut soon, not at {total}")


async def output_of_any_bytes_survives(sandbox: Sandbox) -> None:
    """Terminal codes and invalid text are bytes like others."""
    content = bytes(range(256))
    result = await run(sandbox, "import os; os.write(1, bytes(range(256)))")
    expect(result.stdout == content, "every byte comes back")


async def a_forged_answer_is_only_output(sandbox: Sandbox) -> None:
    """What a program prints cannot pass for what the sandbox says."""
    forged = (
        '{"ended_by": null, "exit_code": 0, "signal": null, "oom_kills": 0, "wall_seconds": 1,'
        ' "cpu_seconds": 1, "peak_memory_bytes": 1, "totals": [0, 0, 0], "kept": [0, 0, 0]}'
    )
    frame = len(forged).to_bytes(4, "big") + forged.encode()
    multiplexed = b"\1\0\0\0" + len(frame).to_bytes(4, "big") + frame
    result = await run(
        sandbox,
        f"import os; os.write(1, {multiplexed!r}); os.write(2, {frame!r}); os._exit(7)",
    )
    expect((result.exit_code, result.stdout) == (7, multiplexed), "it stays output")


async def an_orphan_neither_delays_nor_survives(sandbox: Sandbox) -> None:
    """The run ends with its first process; what it left behind is killed."""
    began = time.monotonic()
    result = await run(
        sandbox,
        """
        import os, time
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                time.sleep(600)
            os._exit(0)
        os.wait()
        """,
    )
    expect(result.outcome is Outcome.EXITED, f"exited, not {result.outcome}")
    expect(time.monotonic() - began < SLACK_SECONDS, "the orphan was not waited for")


async def processes_are_bounded(sandbox: Sandbox) -> None:
    """A fork bomb meets its limit and ends at its time."""
    result = await run(
        sandbox,
        "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass",
        limits=replace(SHORT, memory_bytes=512 * MEBIBYTE),  # not to be met first
    )
    expect(result.outcome is Outcome.TIMED_OUT, f"timed out, not {result.outcome}")


async def nothing_is_left_for_the_next_run(sandbox: Sandbox) -> None:
    """Every run starts in a fresh place."""
    source = """
        import os
        for folder in ("/tmp", "/workspace", "/dev/shm"):
            print(sorted(os.listdir(folder)))
            open(folder + "/left", "w").close()
        """
    first, second = await run(sandbox, source), await run(sandbox, source)
    expect(b"left" not in second.stdout, "no file of the first run")
    expect(first.stdout == second.stdout, "the second run looks like the first")


async def there_is_no_network(sandbox: Sandbox) -> None:
    """Only the run's own loopback."""
    result = await run(
        sandbox,
        """
        import socket
        for address in ("1.1.1.1", "169.254.169.254", "172.17.0.1"):
            try: socket.create_connection((address, 80), 1)
            except OSError as error: print(error.errno)
        with socket.create_server(("127.0.0.1", 0)) as server:
            socket.create_connection(server.getsockname(), 1).close()
        """,
    )
    expect(result.stdout.split() == [b"101"] * 3, f"unreachable, not {result.stdout!r}")
    expect(result.exit_code == 0, "the loopback works")


async def an_absent_executable_is_no_result(sandbox: Sandbox) -> None:
    """Our own mistake is never the claim's."""
    request = ExecutionRequest(argv=("/absent",), files=(), limits=LIMITS)
    try:
        await sandbox.run(request, progress=silent)
    except SandboxUnavailable:
        return
    raise AssertionError("a run that could not start is SandboxUnavailable")


async def a_path_out_of_the_workspace_is_refused(sandbox: Sandbox) -> None:
    """Even if the rules above let one through."""
    for path in ("../escape", "/tmp/escape", "a/../../escape"):  # noqa: S108  (what is refused)
        try:
            await run(sandbox, "pass", files=(text_file(path, "x"),))
        except SandboxUnavailable:
            continue
        raise AssertionError(f"{path} was unpacked")


async def cancelling_ends_the_run_at_once(sandbox: Sandbox) -> None:
    """Nobody waits for the limit of a run that nobody wants any more."""
    running = asyncio.Event()

    async def progress(words: str) -> None:
        if "running" in words:
            running.set()

    request = program("import time; time.sleep(600)", limits=Limits(wall_seconds=600.0))
    task = asyncio.create_task(sandbox.run(request, progress=progress))
    async with asyncio.timeout(SLACK_SECONDS):
        await running.wait()
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            return
    raise AssertionError("a cancelled run is cancelled")


async def runs_at_the_same_time_stay_apart(sandbox: Sandbox) -> None:
    """Each caller gets his own answer."""
    source = "import sys; open('/tmp/mine', 'x'); print(sys.argv[1])"
    results = await asyncio.gather(*(run(sandbox, source, str(number)) for number in range(6)))
    printed = [int(result.stdout) for result in results]
    expect(printed == list(range(6)), f"each its own number, not {printed}")


async def the_self_test_holds(sandbox: Sandbox) -> None:
    """Every denial holds, and each has its own name."""
    probes = await sandbox.check()
    broken = [f"{probe.name}: {probe.observed}" for probe in probes if not probe.held]
    expect(not broken, f"not denied: {broken}")
    expect(len({probe.name for probe in probes}) == len(probes) > 0, "each probe has a name")


SUITE: tuple[Check, ...] = (
    exit_status_and_streams_are_reported,
    the_report_is_what_descriptor_3_got,
    files_lie_below_workspace,
    arguments_reach_the_program_as_they_are,
    the_environment_is_a_constant,
    standard_input_is_empty,
    a_hang_ends_at_its_limit_with_what_it_printed,
    a_program_that_ignores_signals_ends_too,
    memory_over_the_limit_is_its_own_outcome,
    a_child_that_ran_out_of_memory_is_not_hidden_by_its_parent,
    temporary_files_count_as_memory,
    a_signal_is_reported_by_its_number,
    a_flood_of_output_is_cut,
    output_of_any_bytes_survives,
    a_forged_answer_is_only_output,
    an_orphan_neither_delays_nor_survives,
    processes_are_bounded,
    nothing_is_left_for_the_next_run,
    there_is_no_network,
    an_absent_executable_is_no_result,
    a_path_out_of_the_workspace_is_refused,
    cancelling_ends_the_run_at_once,
    runs_at_the_same_time_stay_apart,
    the_self_test_holds,
)
