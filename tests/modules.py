"""WebAssembly modules as text: checkers, and what would like to pass for one."""

from __future__ import annotations

import wasmtime

from tmws.domain.checkers import MetricChecker, computing, judge_computed, read_computed
from tmws.domain.claims import ComputedCheck, Judgement
from tmws.domain.commands import build_request
from tmws.domain.execution import ExecutionRequest, Limits
from tmws.domain.snapshots import Snapshot, SnapshotFile
from tmws.ports import Sandbox

CLAIM = ComputedCheck("counter", "data.csv", ">=", 3)
DATA = b"a,b\n1,2\n3,4\n"

# The number of lines: what a real one does, byte by byte.
LINES = """
    (local $at i32) (local $found i32)
    (block $done (loop $next
      (br_if $done (i32.ge_u (local.get $at) (local.get 1)))
      (local.set $found (i32.add (local.get $found)
        (i32.eq (i32.load8_u (i32.add (local.get 0) (local.get $at))) (i32.const 10))))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (br $next)))
    (f64.convert_i32_u (local.get $found))
"""


def text(
    metric: str = LINES,
    *,
    gives: str = "f64",
    before: str = "",
    pages: str = "1",
    allocate: str = "i32.const 1024",
) -> str:
    """Return a module whose metric is this; `before` stands before everything else."""
    return f"""(module {before}
      (memory (export "memory") {pages})
      (table $t 1 funcref)
      (func (export "allocate") (param i32) (result i32) {allocate})
      (func $metric (export "metric") (param i32 i32) (result {gives}) {metric}))"""


def binary(source: str | None = None) -> bytes:
    """Return the module that this text stands for."""
    return bytes(wasmtime.wat2wasm(source or text()))


def asked(
    module: bytes, *, check: ComputedCheck = CLAIM, data: bytes = DATA, limits: Limits | None = None
) -> ExecutionRequest:
    """Return the run that decides the claim on a workspace that holds the data."""
    snapshot = Snapshot.of([SnapshotFile.of(check.file, data)])
    request = build_request(check, snapshot, limits or Limits())
    return computing(MetricChecker(check.checker, "shop", "0" * 64, module), request)


async def decided(
    sandbox: Sandbox,
    module: bytes,
    *,
    check: ComputedCheck = CLAIM,
    data: bytes = DATA,
    limits: Limits | None = None,
) -> Judgement:
    """Return what a run of the module says about the claim."""
    result = await sandbox.run(asked(module, check=check, data=data, limits=limits), progress=quiet)
    return judge_computed(check, result, read_computed(result))


async def quiet(_step: str) -> None:
    """Take progress and leave it."""
