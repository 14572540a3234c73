"""One run in a sandbox: what is asked for, what is allowed, what came back."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tmws.domain.environments import Environment
from tmws.domain.snapshots import SnapshotFile

MEBIBYTE = 1024 * 1024


class Outcome(StrEnum):
    """How a run ended. Only `EXITED` says anything about the claim."""

    EXITED = "exited"
    SIGNALED = "signaled"
    TIMED_OUT = "timed_out"
    OUT_OF_MEMORY = "out_of_memory"
    OUTPUT_EXCEEDED = "output_exceeded"


@dataclass(frozen=True, slots=True)
class Limits:
    """What one run may use; every limit ends the run, none is advisory.

    Attributes:
        wall_seconds: time from the first instruction to the last.
        memory_bytes: all processes and temporary files of the run together.
        processes: processes and threads alive at once.
        output_bytes: per stream; a run that prints more is killed.
        cpus: processors' worth of time, at least 1.0 (less throttles badly).
    """

    wall_seconds: float = 60.0
    memory_bytes: int = 512 * MEBIBYTE
    processes: int = 128
    output_bytes: int = MEBIBYTE
    cpus: float = 1.0


class Runtime(StrEnum):
    """What a command is run by: Python, Node beside it, or a WebAssembly engine alone."""

    PYTHON = "python"
    NODE = "node"
    WASM = "wasm"


@dataclass(frozen=True, slots=True)
class ExecutionRequest:
    """A command of ours on a snapshot of theirs.

    Attributes:
        argv: absolute executable in the image first; built by `domain.commands`,
            never by a caller.
        files: the snapshot, laid out below `/workspace`.
        environment: the packages that lie beside the tools, None for the tools alone.
    """

    argv: tuple[str, ...]
    files: tuple[SnapshotFile, ...]
    limits: Limits
    runtime: Runtime = Runtime.PYTHON
    environment: Environment | None = None


@dataclass(frozen=True, slots=True)
class ExecutionResult:
    """What the sandbox saw from outside the tested program.

    Attributes:
        exit_code: status of the command when `outcome` is `EXITED`, else None.
        signal: number of the signal when `outcome` is `SIGNALED`, else None.
        stdout, stderr: the first 64 KiB of each stream, as evidence for people;
            never read for the verdict.
        stdout_bytes, stderr_bytes: how much was printed in all.
        report: what our runner wrote to its report channel (file descriptor 3),
            None when it wrote nothing. Bytes from the run: untrusted until parsed.
        image_digest: identity of the image the run happened in.
    """

    outcome: Outcome
    exit_code: int | None
    signal: int | None
    wall_seconds: float
    cpu_seconds: float
    peak_memory_bytes: int
    stdout: bytes
    stderr: bytes
    stdout_bytes: int
    stderr_bytes: int
    report: bytes | None
    image_digest: str
