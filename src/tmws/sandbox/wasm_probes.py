"""The self-test of the WebAssembly sandbox: modules that try what must end or be refused.

They are written as text, which the engine in the child reads as well.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tmws.domain.errors import SandboxUnavailable
from tmws.domain.execution import (
    MEBIBYTE,
    ExecutionRequest,
    ExecutionResult,
    Limits,
    Outcome,
    Runtime,
)
from tmws.domain.snapshots import SnapshotFile
from tmws.ports import Probe

Run = Callable[[ExecutionRequest], Awaitable[ExecutionResult]]

_LIMITS = Limits(wall_seconds=20.0, memory_bytes=16 * MEBIBYTE, processes=1, output_bytes=4096)
_SHORT = Limits(wall_seconds=0.5, memory_bytes=16 * MEBIBYTE, processes=1, output_bytes=4096)
_FUEL = 50_000_000
_MUCH_FUEL = 10**12
_LATEST_END_SECONDS = 6.0


@dataclass(frozen=True, slots=True)
class _Attempt:
    """One module and what has to come of it."""

    name: str
    body: str
    says: str
    limits: Limits = _LIMITS
    fuel: int = _FUEL


_ATTEMPTS = (
    _Attempt("a number is computed from the bytes", "(f64.convert_i32_u (local.get 1))", "3.0"),
    _Attempt("a loop is ended by its steps", "(loop $l br $l) unreachable", "fuel"),
    _Attempt(
        "memory grows to its limit and no further",
        "(loop $l (br_if $l (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))) unreachable",
        "memory",
    ),
    _Attempt(
        "a table grows to its limit and no further",
        "(f64.convert_i32_s (table.grow $t (ref.null func) (i32.const 10000000)))",
        "-1.0",
    ),
    _Attempt(
        "recursion ends at the stack's limit",
        "(call $metric (i32.const 0) (i32.const 0))",
        "stack overflow",
    ),
    _Attempt(
        "memory outside of its own is not read", "(f64.load (i32.const -8))", "memory out of bounds"
    ),
    _Attempt("what is asked for is not given", "f64.const 1", "imports"),
    _Attempt(
        "what costs no steps is ended by the deadline",
        "(loop $l (memory.fill (i32.const 0) (i32.const 1) (i32.const 1000000)) (br $l))"
        " unreachable",
        "timed_out",
        _SHORT,
        _MUCH_FUEL,
    ),
)


def require_held(found: tuple[Probe, ...]) -> None:
    """Refuse an engine that let anything happen.

    Raises:
        SandboxUnavailable: it names what.
    """
    broken = [f"{probe.name} ({probe.observed})" for probe in found if not probe.held]
    if broken:
        raise SandboxUnavailable(
            f"The WebAssembly engine does not hold a module in: {', '.join(broken)[:140]}. No "
            "checker runs. 'tmws checkers test' shows all; install the locked wasmtime again.",
            retryable=False,
        )


async def tried(run: Run) -> tuple[Probe, ...]:
    """Return what came of every attempt."""
    return tuple(await asyncio.gather(*(_tried(attempt, run) for attempt in _ATTEMPTS)))


async def _tried(attempt: _Attempt, run: Run) -> Probe:
    module = SnapshotFile.of("probe.wat", _module(attempt).encode())
    request = ExecutionRequest(
        ("checker.wasm", f"--fuel={attempt.fuel}"),
        (module, SnapshotFile.of("input", b"abc")),
        attempt.limits,
        Runtime.WASM,
    )
    result = await run(request)
    said = _said(result)
    late = result.wall_seconds > attempt.limits.wall_seconds + _LATEST_END_SECONDS
    return Probe(attempt.name, attempt.says in said and not late, said)


def _module(attempt: _Attempt) -> str:
    asked = '(import "env" "sleep" (func))' if attempt.says == "imports" else ""
    return f"""(module {asked}
      (memory (export "memory") 16) (table $t 1 funcref)
      (func (export "allocate") (param i32) (result i32) i32.const 16)
      (func $metric (export "metric") (param i32 i32) (result f64) {attempt.body}))"""


def _said(result: ExecutionResult) -> str:
    if result.outcome is not Outcome.EXITED:
        return result.outcome.value
    said = json.loads(result.report or b"{}")
    return " ".join(str(said.get(name)) for name in ("value", "ended", "why") if said.get(name))
