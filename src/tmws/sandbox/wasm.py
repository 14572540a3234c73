"""A sandbox for pure functions: one WebAssembly module, in a process that can be killed.

An engine's own limits end loops and refuse memory; they do not see everything (a filled
memory costs one step, a fault of the engine none), so each run has a process of its own,
bounded by the kernel and killed at its deadline. Nothing ever runs in the server.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import importlib.util
import json
import os
import resource
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO

from tmws.domain.errors import SandboxUnavailable
from tmws.domain.execution import ExecutionRequest, ExecutionResult, Limits, Outcome, Runtime
from tmws.ports import Probe, Progress, SandboxState
from tmws.sandbox import wasm_probes

MOST_AT_ONCE = 2
_COMMAND = (sys.executable, "-I", "-B", "-m", "tmws.sandbox.wasm_child")
_PACKAGE = "wasmtime"
_CHUNK = 1024 * 1024


@dataclass(frozen=True, slots=True)
class _Seen:
    """How a child ended, and what the kernel counted of it."""

    status: int
    written: bytes
    usage: resource.struct_rusage


class _Child:
    """One child, from its start until it is reaped; killed by a handle that no other gets."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(  # noqa: S603  # our own module, by our own interpreter
            _COMMAND,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env={},
            start_new_session=True,
            bufsize=0,
        )
        self._handle = os.pidfd_open(self._process.pid)
        self.killed = False

    def kill(self) -> None:
        """End it, whatever it does; a second time changes nothing."""
        self.killed = True
        with contextlib.suppress(ProcessLookupError):  # it ended by itself just now
            signal.pidfd_send_signal(self._handle, signal.SIGKILL)

    def exchange(self, request: ExecutionRequest) -> _Seen:
        """Hand over the request, take at most so much of an answer, and see it end."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._process.stdin as told, self._process.stdout as said:
            _tell(told, request)
            written = _read(said, request.limits.output_bytes + 1)
            if len(written) > request.limits.output_bytes:
                self.kill()
        _, status, usage = os.wait4(self._process.pid, 0)
        self._process.returncode = os.waitstatus_to_exitcode(status)
        return _Seen(self._process.returncode, written, usage)

    def close(self) -> None:
        os.close(self._handle)


class WasmSandbox:
    """Computes numbers by modules that import nothing, each in a process of its own."""

    def __init__(self) -> None:
        self._room = asyncio.Semaphore(MOST_AT_ONCE)
        self._proving = asyncio.Lock()
        self._children: set[_Child] = set()
        self._tested_at: float | None = None
        self._fault: str | None = None
        self._waiting = 0

    async def run(self, request: ExecutionRequest, *, progress: Progress) -> ExecutionResult:
        """Run the module in the first file, on the second if there is one."""
        if request.runtime is not Runtime.WASM:
            raise SandboxUnavailable("This sandbox runs modules only.", retryable=False)
        await self._prove(progress)
        return await self._run(request)

    async def check(self) -> tuple[Probe, ...]:
        """Try what a module must not be able to do."""
        return await wasm_probes.tried(self._run)

    async def _prove(self, progress: Progress) -> None:
        """Let nothing run before this engine has refused what it must refuse."""
        async with self._proving:
            if self._tested_at is not None:
                return
            await progress("testing the engine before its first run")
            self._fault = "The self-test did not hold, or could not be run."
            wasm_probes.require_held(await self.check())
            self._fault = None
            self._tested_at = time.monotonic()

    async def warm(self, limits: Limits) -> None:
        """A process starts as fast as one could be kept."""

    def state(self) -> SandboxState:
        """Return how it stands."""
        running = len(self._children)
        return SandboxState(self._tested_at, self._fault, False, 0, running, self._waiting)

    async def sweep(self) -> int:
        """Return 0: a child dies with whoever started it."""
        return 0

    async def aclose(self) -> None:
        """End what still runs; whoever waits for it sees it end."""
        for child in tuple(self._children):
            child.kill()

    async def _run(self, request: ExecutionRequest) -> ExecutionResult:
        engine = _engine_digest()
        self._waiting += 1
        try:
            await self._room.acquire()
        finally:
            self._waiting -= 1
        try:
            return await self._alone(request, engine)
        finally:
            self._room.release()

    async def _alone(self, request: ExecutionRequest, engine: str) -> ExecutionResult:
        loop = asyncio.get_running_loop()
        began = time.monotonic()
        try:
            child = _Child()
        except OSError as error:
            raise SandboxUnavailable(
                f"No process could be started for the module: {error.strerror}."
            ) from error
        self._children.add(child)
        deadline = loop.call_later(request.limits.wall_seconds, child.kill)
        exchange = asyncio.ensure_future(asyncio.to_thread(child.exchange, request))
        try:
            seen = await asyncio.shield(exchange)
        except asyncio.CancelledError:
            child.kill()
            await asyncio.wait([exchange])
            raise
        finally:
            deadline.cancel()
            self._children.discard(child)
            child.close()
        return _result(request, seen, engine, time.monotonic() - began, killed=child.killed)


def _tell(told: IO[bytes], request: ExecutionRequest) -> None:
    """Write the request; a child that reads no more has ended or is about to."""
    module, *inputs = request.files
    head = {
        "parent": os.getpid(),
        "fuel": _fuel(request),
        "memory_bytes": request.limits.memory_bytes,
        "seconds": int(request.limits.wall_seconds) + 1,
        "module_bytes": len(module.content),
    }
    if inputs:
        head["input_bytes"] = len(inputs[0].content)
    try:
        for part in (json.dumps(head).encode() + b"\n", *(file.content for file in request.files)):
            for start in range(0, len(part), _CHUNK):
                _write(told, memoryview(part)[start : start + _CHUNK])
        told.close()
    except BrokenPipeError:
        pass


def _write(told: IO[bytes], part: memoryview) -> None:
    while part:
        part = part[told.write(part) :]


def _read(said: IO[bytes], most: int) -> bytes:
    parts: list[bytes] = []
    left = most
    while left and (part := said.read(left)):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def _fuel(request: ExecutionRequest) -> int:
    return next(int(word[7:]) for word in request.argv if word.startswith("--fuel="))


def _result(
    request: ExecutionRequest, seen: _Seen, engine: str, seconds: float, *, killed: bool
) -> ExecutionResult:
    most = request.limits.output_bytes
    if len(seen.written) > most:
        outcome = Outcome.OUTPUT_EXCEEDED
    elif seen.status >= 0:
        outcome = Outcome.EXITED
    else:
        outcome = Outcome.TIMED_OUT if killed else Outcome.SIGNALED
    exited = outcome is Outcome.EXITED
    return ExecutionResult(
        outcome=outcome,
        exit_code=seen.status if exited else None,
        signal=-seen.status if outcome is Outcome.SIGNALED else None,
        wall_seconds=seconds,
        cpu_seconds=seen.usage.ru_utime + seen.usage.ru_stime,
        peak_memory_bytes=seen.usage.ru_maxrss * 1024,
        stdout=b"",
        stderr=b"",
        stdout_bytes=len(seen.written),
        stderr_bytes=0,
        report=seen.written if exited and seen.written else None,
        image_digest=engine,
    )


@cache
def _engine_digest() -> str:
    """Return the SHA-256 of the engine: the library, which is asked for once a process."""
    found = importlib.util.find_spec(_PACKAGE)
    if found is None or found.submodule_search_locations is None:
        raise SandboxUnavailable(
            "Checkers need the package wasmtime, which is not installed; nothing runs without it. "
            "An administrator runs: pip install 'tmws[wasm]'.",
            retryable=False,
        )
    [folder] = found.submodule_search_locations
    [library] = Path(folder).glob("*/_libwasmtime.*")
    with library.open("rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
