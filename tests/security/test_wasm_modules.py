"""Modules that would like more than to compute a number, on the real engine."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import AsyncIterator

import pytest

from tests.modules import CLAIM, asked, binary, decided, quiet, text
from tmws.domain.checkers import inspecting, require_fit, require_module
from tmws.domain.claims import Level, Reason, Verdict
from tmws.domain.errors import InvalidInput, SandboxUnavailable
from tmws.domain.execution import Limits, Outcome
from tmws.sandbox.wasm import WasmSandbox

pytestmark = pytest.mark.anyio
SHORT = Limits(wall_seconds=1.0)


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def sandbox() -> AsyncIterator[WasmSandbox]:
    """One sandbox for all of this file; it proves itself once."""
    sandbox = WasmSandbox()
    yield sandbox
    await sandbox.aclose()


NUMBERS = {
    "a count": (text(), Verdict.SUPPORTED, Reason.CHECK_PASSED),
    "a smaller number": (text("f64.const 2.5"), Verdict.REFUTED, Reason.CHECK_FAILED),
    "a whole number": (text("i64.const 3", gives="i64"), Verdict.SUPPORTED, Reason.CHECK_PASSED),
    "a short one": (text("i32.const -3", gives="i32"), Verdict.REFUTED, Reason.CHECK_FAILED),
    "no number": (text("f64.const nan"), Verdict.REFUTED, Reason.NOTHING_CHECKED),
    "no number of another kind": (
        text("f64.const -nan:0x4000000000001"),
        Verdict.REFUTED,
        Reason.NOTHING_CHECKED,
    ),
    "more than any number": (text("f64.const inf"), Verdict.REFUTED, Reason.NOTHING_CHECKED),
}


@pytest.mark.parametrize("name", NUMBERS)
async def test_a_number_decides_and_what_is_none_never_holds(
    sandbox: WasmSandbox, name: str
) -> None:
    source, verdict, reason = NUMBERS[name]
    judgement = await decided(sandbox, binary(source))
    assert (judgement.verdict, judgement.reason) == (verdict, reason)
    assert judgement.level is Level.REPRODUCED


ENDLESS = "(loop $l br $l) unreachable"
GROW = "(loop $l (br_if $l (i32.ne (memory.grow (i32.const 64)) (i32.const -1)))) unreachable"
FILL = """(drop (memory.grow (i32.const 1000)))
    (loop $l (memory.fill (i32.const 0) (i32.const 1) (i32.const 60000000)) (br $l)) unreachable"""
ENDS = {
    "an endless loop": (text(ENDLESS), Reason.TIMED_OUT),
    "an endless loop in the start function": (
        text(before="(func $s (loop $l br $l)) (start $s)"),
        Reason.TIMED_OUT,
    ),
    "an endless loop in allocate": (text(allocate=ENDLESS), Reason.TIMED_OUT),
    "bytes filled for ever, which costs no steps": (text(FILL), Reason.TIMED_OUT),
    "memory without end": (text(GROW), Reason.OUT_OF_MEMORY),
    "more memory than there is from the start": (text(pages="65535"), Reason.CHECKER_FAILED),
    "a table without end": (
        text("(loop $l (br_if $l (i32.ne (table.grow $t (ref.null func) (i32.const 10000))"
             " (i32.const -1)))) unreachable"),
        Reason.CHECKER_FAILED,
    ),
    "a large table from the start": (text(before="(table 2000000 funcref)"), Reason.CHECKER_FAILED),
    "recursion without end": (
        text("(call $metric (local.get 0) (local.get 1))"),
        Reason.CHECKER_FAILED,
    ),
    "a trap": (text("unreachable"), Reason.CHECKER_FAILED),
    "a division by zero": (
        text("(i64.div_s (i64.const 1) (i64.const 0))", gives="i64"),
        Reason.CHECKER_FAILED,
    ),
    "bytes before its memory": (text("(f64.load (i32.const -8))"), Reason.CHECKER_FAILED),
    "bytes behind its memory": (text("(f64.load (i32.const 65530))"), Reason.CHECKER_FAILED),
    "an address outside of its memory": (text(allocate="i32.const -16"), Reason.CHECKER_FAILED),
    "an address near its memory's end": (text(allocate="i32.const 65530"), Reason.CHECKER_FAILED),
    "a pointer to nothing called": (
        text("(call_indirect (result f64) (i32.const 0))"),
        Reason.CHECKER_FAILED,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ENDS)
async def test_what_comes_to_no_number_decides_nothing(sandbox: WasmSandbox, name: str) -> None:
    source, reason = ENDS[name]
    limits = SHORT if reason is Reason.TIMED_OUT else None
    judgement = await decided(sandbox, binary(source), limits=limits)
    assert (judgement.verdict, judgement.reason) == (Verdict.INCONCLUSIVE, reason)
    assert judgement.level is Level.OBSERVED
    assert "counts for nobody" in judgement.detail


def bare(*parts: str) -> str:
    return f"(module {' '.join(parts)})"


MEMORY = '(memory (export "memory") 1)'
ALLOCATE = '(func (export "allocate") (param i32) (result i32) i32.const 0)'
METRIC = '(func (export "metric") (param i32 i32) (result f64) f64.const 9)'
REFUSED = {
    "a clock": (
        text(before='(import "wasi_snapshot_preview1" "poll_oneoff" (func))'),
        "imports wasi_snapshot_preview1.poll_oneoff",
    ),
    "a sleep": (text(before='(import "env" "sleep" (func (param i64)))'), "imports env.sleep"),
    "a memory of the host": (bare('(import "env" "memory" (memory 1))', ALLOCATE, METRIC), "env.m"),
    "a table of the host": (text(before='(import "e" "t" (table 1 funcref))'), "imports e.t"),
    "a global of the host": (text(before='(import "e" "g" (global i32))'), "imports e.g"),
    "no memory": (bare(ALLOCATE, METRIC), "exports no memory"),
    "a memory that is a function": (
        bare('(func (export "memory"))', ALLOCATE, METRIC),
        "exports no memory",
    ),
    "a metric that is a number": (
        bare(MEMORY, ALLOCATE, '(global (export "metric") f64 (f64.const 9))'),
        "exports no function of the name metric",
    ),
    "a metric that is a memory": (bare('(memory (export "memory") (export "metric") 1)', ALLOCATE),
                                  "no function of the name metric"),
    "a metric of nothing": (
        bare(MEMORY, ALLOCATE, '(func (export "metric") (result f64) f64.const 9)'),
        "metric takes () and gives (f64)",
    ),
    "a metric that gives two": (
        bare(
            MEMORY,
            ALLOCATE,
            '(func (export "metric") (param i32 i32) (result f64 f64) f64.const 1 f64.const 2)',
        ),
        "gives (f64, f64)",
    ),
    "a metric that gives a function": (
        bare(
            MEMORY,
            ALLOCATE,
            '(func (export "metric") (param i32 i32) (result funcref) ref.null func)',
        ),
        "gives (funcref)",
    ),
    "no allocate": (bare(MEMORY, METRIC), "exports no function of the name allocate"),
    "two memories": (text(before="(memory 1)"), "multi"),
    "a shared memory": (bare('(memory (export "memory") 1 2 shared)', ALLOCATE, METRIC), "threads"),
    "a memory of 64 bits": (bare('(memory (export "memory") i64 1)', ALLOCATE, METRIC), "memory64"),
    "a start function without end": (
        text(before="(func $s (loop $l br $l)) (start $s)"),
        "used up its",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
async def test_what_is_no_checker_is_refused_when_it_is_registered(
    sandbox: WasmSandbox, name: str
) -> None:
    source, told = REFUSED[name]
    request = inspecting(binary(source))
    if "without end" in name:
        request = dataclasses.replace(request, argv=("checker.wasm", "--fuel=1000000"))
    with pytest.raises(InvalidInput) as refused:
        require_fit(await sandbox.run(request, progress=quiet))
    assert told in refused.value.message
    assert "imports nothing" in refused.value.message
    assert len(refused.value.message) <= 300


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "no WebAssembly module"),
        (text().encode(), "wat2wasm"),
        (b"\0asm\x0d\0\x01\0", "a component as a plain module"),
        (binary() + bytes(2 * 2**20), "at most 2097152"),
    ],
    ids=["nothing", "text", "a component", "a huge one"],
)
def test_other_files_are_refused_before_anything_reads_them(content: bytes, told: str) -> None:
    with pytest.raises(InvalidInput, match=told):
        require_module(content)


@pytest.mark.parametrize(
    "content",
    [binary()[:-20], binary()[:8] + os.urandom(2000), binary()[:8] + b"\xff" * 50],
    ids=["cut off", "chance", "lengths that lie"],
)
async def test_damaged_modules_are_refused_by_the_engine(
    sandbox: WasmSandbox, content: bytes
) -> None:
    require_module(content)
    with pytest.raises(InvalidInput, match="The module is refused"):
        require_fit(await sandbox.run(inspecting(content), progress=quiet))


async def test_a_module_that_takes_long_to_compile_is_ended(sandbox: WasmSandbox) -> None:
    large = "(f64.add (f64.const 1) " * 3000 + "(f64.const 1)" + ")" * 3000
    functions = " ".join(f"(func (result f64) {large})" for _ in range(40))
    result = await sandbox.run(asked(binary(text(before=functions)), limits=SHORT), progress=quiet)
    assert result.outcome in {Outcome.EXITED, Outcome.TIMED_OUT}
    assert result.wall_seconds < 10


async def test_the_largest_file_is_computed_within_the_steps(sandbox: WasmSandbox) -> None:
    data = b"0123456\n" * (4 * 2**20)
    room = "(drop (memory.grow (i32.const 513))) i32.const 1024"
    check = dataclasses.replace(CLAIM, operator="==", value=float(4 * 2**20))
    judgement = await decided(sandbox, binary(text(allocate=room)), check=check, data=data)
    assert judgement.verdict is Verdict.SUPPORTED
    assert 0 < judgement.counts["fuel_used"] < 10**9


async def test_the_same_bytes_cost_the_same_steps(sandbox: WasmSandbox) -> None:
    first, second = [await decided(sandbox, binary()) for _ in range(2)]
    assert first == second


async def test_no_engine_means_that_nothing_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    from tmws.sandbox import wasm

    monkeypatch.setattr(wasm, "_PACKAGE", "no_such_engine")
    wasm._engine_digest.cache_clear()
    try:
        with pytest.raises(SandboxUnavailable, match=r"pip install 'tmws\[wasm\]'") as missing:
            await decided(WasmSandbox(), binary())
        assert not missing.value.retryable
    finally:
        wasm._engine_digest.cache_clear()


async def test_commands_are_no_modules(sandbox: WasmSandbox) -> None:
    from tmws.testing.sandbox_suite import program

    with pytest.raises(SandboxUnavailable, match="modules only"):
        await sandbox.run(program("print()"), progress=quiet)
