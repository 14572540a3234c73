"""The process that runs one WebAssembly module, once: a pure function from bytes to a number.

It reads a line that says what follows, the module and the bytes; it answers one line of
JSON and ends. Before the engine is even loaded it gives away what it does not need: it may
start nothing, open and write nothing, and its time and memory are bounded by the kernel.
Whoever started it kills it at the deadline, and it dies with whoever started it.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import sys
from collections.abc import Mapping
from typing import BinaryIO

MEBIBYTE = 1024 * 1024
TABLE_ELEMENTS = 100_000
STACK_BYTES = MEBIBYTE // 2
# Beside the module's memory: interpreter, engine (a library of 30 MiB), compiler, the bytes.
OWN_ADDRESS_BYTES = 768 * MEBIBYTE
DESCRIPTORS = 16  # until the engine's library is loaded
STANDARD_FILES = 3

_SET_DEATH_SIGNAL = 1  # <linux/prctl.h>
_SET_DUMPABLE = 4
_SET_NO_NEW_PRIVILEGES = 38
_LONGEST_WORDS = 200

Request = Mapping[str, int]


def main() -> None:
    """Answer the request on the standard input."""
    request = json.loads(sys.stdin.buffer.readline(4096))
    confine(request)
    module = _exactly(sys.stdin.buffer, request["module_bytes"])
    given = request.get("input_bytes")
    content = None if given is None else _exactly(sys.stdin.buffer, given)
    said = answer(module, content, request)
    sys.stdout.write(json.dumps(said) + "\n")


def confine(request: Request) -> None:
    """Give away what a computation does not need."""
    libc = ctypes.CDLL(None, use_errno=True)
    for option, value in (
        (_SET_DEATH_SIGNAL, signal.SIGKILL),
        (_SET_NO_NEW_PRIVILEGES, 1),
        (_SET_DUMPABLE, 0),
    ):
        if libc.prctl(option, value, 0, 0, 0):
            raise OSError(ctypes.get_errno(), f"prctl {option}")
    if os.getppid() != request["parent"]:
        sys.exit("Whoever asked is gone.")
    for limit, most in limits(request).items():
        resource.setrlimit(limit, (most, most))


def limits(request: Request) -> dict[int, int]:
    """Return what the kernel bounds, and to how much."""
    return {
        resource.RLIMIT_AS: OWN_ADDRESS_BYTES + request["memory_bytes"],
        resource.RLIMIT_CPU: request["seconds"] + 1,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_MEMLOCK: 0,
        resource.RLIMIT_NOFILE: DESCRIPTORS,
        resource.RLIMIT_NPROC: 0,
    }


def answer(module: bytes, content: bytes | None, request: Request) -> dict[str, str | int | None]:
    """Return what came of it: a number as text, or what ended it before."""
    from tmws.sandbox.wasm_engine import Machine  # noqa: PLC0415  # after the limits are set

    machine = Machine(
        fuel=request["fuel"],
        memory_bytes=request["memory_bytes"],
        table_elements=TABLE_ELEMENTS,
        stack_bytes=STACK_BYTES,
    )
    seal()
    value, ended, why = machine.run(module, content)
    return {
        "engine": machine.engine,
        "value": value,
        "ended": ended,
        "why": why[:_LONGEST_WORDS],
        "fuel_used": machine.fuel_used,
        "memory_bytes": machine.memory_used,
    }


def seal() -> None:
    """Open nothing from here on: who breaks out of the engine finds three files and no more."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (STANDARD_FILES, STANDARD_FILES))


def _exactly(stream: BinaryIO, size: int) -> bytes:
    content = stream.read(size)
    if len(content) != size:
        sys.exit("The request was cut off.")
    return content


if __name__ == "__main__":
    main()
