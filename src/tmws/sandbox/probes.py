"""The self-test: what must be denied is tried from inside, and the findings judged here.

`quick` is one container and runs before the first check; `full` is what
`tmws sandbox check` shows.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from tmws.domain.errors import SandboxUnavailable
from tmws.domain.execution import (
    MEBIBYTE,
    ExecutionRequest,
    ExecutionResult,
    Limits,
    Outcome,
)
from tmws.domain.snapshots import SnapshotFile
from tmws.ports import Probe

Run = Callable[[ExecutionRequest], Awaitable[ExecutionResult]]

PYTHON = ("/opt/tmws/python", "-I", "-S")
_PACKAGE = "tmws/sandbox/inside"
_ATTEMPT = (
    "import runpy, sys; sys.path.insert(0, '/workspace'); "
    "runpy.run_module('tmws.sandbox.inside', run_name='__main__')"
)
_LIMITS = Limits(wall_seconds=30.0, memory_bytes=96 * MEBIBYTE, processes=32)
_SHORT = Limits(wall_seconds=1.0, memory_bytes=96 * MEBIBYTE, processes=32)
# What a run may take beyond its limit on a busy machine before the limit counts as broken.
_LATEST_END_SECONDS = 6.0


@dataclass(frozen=True, slots=True)
class Scenario:
    """A program that has to be ended from outside, and how."""

    name: str
    program: str
    outcome: Outcome


SCENARIOS = (
    Scenario("end: hangs", "import time; time.sleep(600)", Outcome.TIMED_OUT),
    Scenario(
        "end: ignores signals, stops itself",
        "import os, signal\n"
        "for n in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:\n"
        "    signal.signal(n, signal.SIG_IGN)\n"
        "os.kill(os.getpid(), signal.SIGSTOP)",
        Outcome.TIMED_OUT,
    ),
    Scenario(
        "end: fork bomb",
        "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass",
        Outcome.TIMED_OUT,
    ),
    Scenario(
        "end: output flood",
        "import os\nwhile True: os.write(1, bytes(65536))",
        Outcome.OUTPUT_EXCEEDED,
    ),
    Scenario(
        "end: report flood",
        "import os\nwhile True: os.write(3, bytes(65536))",
        Outcome.OUTPUT_EXCEEDED,
    ),
    Scenario(
        "end: memory", "hoard = []\nwhile True: hoard.append(b'x' * 2**20)", Outcome.OUT_OF_MEMORY
    ),
)


async def quick(run: Run) -> tuple[Probe, ...]:
    """Make every attempt from inside one container.

    Raises:
        SandboxUnavailable: the container could not be started.
    """
    arguments = (str(_LIMITS.memory_bytes), str(_LIMITS.processes))
    argv = (*PYTHON, "-c", _ATTEMPT, *arguments)
    result = await run(ExecutionRequest(argv=argv, files=_attempts(), limits=_LIMITS))
    # A child of the attempts fell to the memory limit, so nothing else is plausible.
    ended = Probe(
        "resources: memory end is seen",
        result.outcome is Outcome.OUT_OF_MEMORY,
        f"{result.outcome}",
    )
    return (*findings(result.report or b""), ended)


async def full(run: Run) -> tuple[Probe, ...]:
    """Make every attempt, then let runs be ended by each of their limits."""
    found = list(await quick(run))
    for scenario in SCENARIOS:
        argv = (*PYTHON, "-c", scenario.program)
        result = await run(ExecutionRequest(argv=argv, files=(), limits=_SHORT))
        held = result.outcome is scenario.outcome and result.wall_seconds < _LATEST_END_SECONDS
        observed = f"{result.outcome} after {result.wall_seconds:.2f} s"
        found.append(Probe(scenario.name, held, observed))
    return tuple(found)


def findings(report: bytes) -> tuple[Probe, ...]:
    """Return what the attempts reported; silence and nonsense count as not held."""
    found = []
    try:
        for line in report.splitlines():
            name, held, observed = json.loads(line)
            found.append(Probe(str(name)[:80], held is True, str(observed)[:200]))
    except (ValueError, TypeError, RecursionError):
        found.append(Probe("self-test", False, "reported nonsense"))
    if not found or found[-1].name != "end":
        return (*found, Probe("self-test", False, "did not run to its end"))
    return tuple(found[:-1])


def require_held(found: tuple[Probe, ...]) -> None:
    """Refuse a sandbox in which anything was not denied.

    Raises:
        SandboxUnavailable: it names what was not.
    """
    broken = [f"{probe.name} ({probe.observed})" for probe in found if not probe.held]
    if broken:
        raise SandboxUnavailable(
            f"This engine does not isolate as it must: {', '.join(broken)[:160]}. Nothing runs in "
            "it. 'tmws sandbox check' shows all; cgroup limits and seccomp must be on.",
            retryable=False,
        )


def _attempts() -> tuple[SnapshotFile, ...]:
    """Return the modules below `inside`, in a package of the same name."""
    sources = {
        f"{_PACKAGE}/{path.name}": path.read_bytes()
        for path in sorted(Path(__file__).with_name("inside").glob("*.py"))
    }
    parents = {f"{parent}/__init__.py": b"" for parent in ("tmws", "tmws/sandbox")}
    return tuple(
        SnapshotFile(path, content, sha256(content).hexdigest(), executable=False)
        for path, content in (parents | sources).items()
    )
