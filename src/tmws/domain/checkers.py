"""Numbers that an administrator's WebAssembly module computes from a file of the workspace.

The module is a pure function from bytes to a number: it may import nothing, so there is
nothing it could ask, tell or wait for. What the workspace can bend is the file alone.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tmws.domain import records
from tmws.domain.agents import require_name
from tmws.domain.canonical import Json, sha256_hex
from tmws.domain.cases import Case
from tmws.domain.claims import ComputedCheck, Judgement, Reason
from tmws.domain.errors import InvalidInput
from tmws.domain.execution import (
    MEBIBYTE,
    ExecutionRequest,
    ExecutionResult,
    Limits,
    Outcome,
    Runtime,
)
from tmws.domain.grammar import validate_path
from tmws.domain.metrics import holds, validate_number
from tmws.domain.records import ReportInvalid
from tmws.domain.snapshots import SnapshotFile

MEDIA_TYPE = "application/wasm"
MOST_MODULE_BYTES = 2 * MEBIBYTE
FUEL = 20_000_000_000
"""Steps of one computation, some 5 to 10 seconds of plain code: parsing 32 MiB takes a tenth."""

MEMORY_BYTES = 256 * MEBIBYTE
LONGEST_SECONDS = 30.0
MOST_REPORT_BYTES = 64 * 1024

# WebAssembly core 1.0 §5.5.16: magic and version. A component has another version.
_PREAMBLE = b"\0asm\x01\0\0\0"
_FORM = (
    "A checker exports memory, allocate (i32 length) -> i32 address, and metric (i32 address, "
    "i32 length) -> f64, i64 or i32, and imports nothing."
)


@dataclass(frozen=True, slots=True)
class MetricChecker:
    """A registered module; `digest` is the SHA-256 (hex) of its bytes."""

    name: str
    workspace: str
    digest: str
    module: bytes


@dataclass(frozen=True, slots=True)
class Computed:
    """What the engine said of one run, read from its report.

    Attributes:
        engine: its name and version.
        value: the number as text, None if there is none.
        ended: what ended it before: `fuel`, `memory`, `trap` or `unfit` (the module is none).
        why: the engine's word for it.
        memory_bytes: of the module at its end.
    """

    engine: str
    value: str | None
    ended: str | None
    why: str
    fuel_used: int
    memory_bytes: int


def validate_computed(check: ComputedCheck) -> None:
    """Refuse a claim about a computed number whose words break the grammar.

    Raises:
        InvalidInput: naming the part and the allowed form.
    """
    require_name(check.checker, what="Name of a checker")
    validate_path(check.file)
    validate_number(check)


def require_module(content: bytes) -> None:
    """Refuse what is no module that could be looked at.

    Raises:
        InvalidInput: it is too large, or another kind of file.
    """
    if len(content) > MOST_MODULE_BYTES:
        raise InvalidInput(
            f"The module has {len(content)} bytes, at most {MOST_MODULE_BYTES}. Build it without "
            "debug information and strip it: wasm-opt -Oz, or cargo's profile with strip = true."
        )
    if not content.startswith(_PREAMBLE):
        raise InvalidInput(
            "The file is no WebAssembly module (binary, version 1). Compile text by wat2wasm, and "
            f"a component as a plain module. {_FORM}"
        )


def limits_of(limits: Limits) -> Limits:
    """Return what one computation may use, no longer than a check of the installation."""
    seconds = min(limits.wall_seconds, LONGEST_SECONDS)
    return Limits(seconds, MEMORY_BYTES, processes=1, output_bytes=MOST_REPORT_BYTES)


def inspecting(module: bytes) -> ExecutionRequest:
    """Return the run that only looks whether the module is a checker."""
    argv = ("checker.wasm", f"--fuel={FUEL}")
    return ExecutionRequest(argv, (_file(module),), limits_of(Limits()), Runtime.WASM)


def computing(checker: MetricChecker, request: ExecutionRequest) -> ExecutionRequest:
    """Return the run with the module put before the file that it reads."""
    return dataclasses.replace(request, files=(_file(checker.module), *request.files))


def require_fit(result: ExecutionResult) -> Computed:
    """Return what the engine said of a module that is a checker.

    Raises:
        InvalidInput: it is none, with what is wrong and the form.
    """
    found = read_computed(result)
    if isinstance(found, str):
        raise InvalidInput(f"The module could not be looked at: {found}. Make it smaller.")
    if found.ended is not None:
        raise InvalidInput(f"The module is refused: {_words(found)[:110]}. {_FORM}")
    return found


def read_computed(result: ExecutionResult) -> Computed | str:
    """Return what the engine said, or in words why it said nothing."""
    if result.outcome is not Outcome.EXITED:
        return _UNFINISHED[result.outcome][1]
    try:
        return _read(result.report or b"")
    except ReportInvalid as error:
        return f"the engine reported nothing that can be read ({error})"


def judge_computed(
    check: ComputedCheck, result: ExecutionResult, found: Computed | str
) -> Judgement:
    """Decide what the computed number says about the claim; anything else decides nothing."""
    if isinstance(found, str):
        reason = Reason.CHECKER_FAILED
        if result.outcome is not Outcome.EXITED:
            reason = _UNFINISHED[result.outcome][0]
        return _open(Case({}, ()), reason, check, found)
    case = Case({"fuel_used": found.fuel_used}, ())
    if found.value is None:
        reason, _ = _ENDS.get(found.ended or "", _ENDS["trap"])
        return _open(case, reason, check, _words(found))
    number = Decimal(found.value)
    if not number.is_finite():
        return case.refuted(
            Reason.NOTHING_CHECKED,
            f"Checker {check.checker} finds no number in {check.file}: it says {found.value}.",
        )
    seen = f"checker {check.checker} computes {number:.12g} from {check.file}"
    if not holds(check, number):
        claimed = f"{check.operator} {check.value:.12g}"
        return case.refuted(Reason.CHECK_FAILED, f"{seen}, the claim says {claimed}.")
    return case.supported(f"{seen[0].upper()}{seen[1:]}.")


def told(
    checker: MetricChecker, request: ExecutionRequest, found: Computed | str
) -> dict[str, Json]:
    """Return what was done, for the evidence."""
    limits: dict[str, Json] = {
        "fuel": FUEL,
        "memory_bytes": request.limits.memory_bytes,
        "wall_seconds": request.limits.wall_seconds,
    }
    about: dict[str, Json] = {
        "name": checker.name,
        "sha256": checker.digest,
        "file_sha256": request.files[-1].digest,
        "limits": limits,
    }
    if isinstance(found, Computed):
        about |= {
            "engine": found.engine,
            "value": found.value,
            "ended": found.ended,
            "fuel_used": found.fuel_used,
            "memory_bytes": found.memory_bytes,
        }
    return {"checker": about}


_UNFINISHED = {
    Outcome.TIMED_OUT: (Reason.TIMED_OUT, "it was ended at its time limit"),
    Outcome.SIGNALED: (Reason.SIGNALED, "its process was killed"),
    Outcome.OUT_OF_MEMORY: (Reason.OUT_OF_MEMORY, "its process needed more memory than allowed"),
    Outcome.OUTPUT_EXCEEDED: (Reason.OUTPUT_EXCEEDED, "its process wrote more than a report"),
}
_ENDS = {
    "fuel": (Reason.TIMED_OUT, f"it used up its {FUEL} steps"),
    "memory": (Reason.OUT_OF_MEMORY, f"it needed more than {MEMORY_BYTES // MEBIBYTE} MiB"),
    "trap": (Reason.CHECKER_FAILED, "it ended with a trap ({why})"),
    "unfit": (Reason.CHECKER_FAILED, "{why}"),
}


def _words(found: Computed) -> str:
    _, words = _ENDS.get(found.ended or "", _ENDS["trap"])
    return words.format(why=found.why)


def _open(case: Case, reason: Reason, check: ComputedCheck, words: str) -> Judgement:
    return case.open(
        reason,
        f"Checker {check.checker} came to no number for {check.file}: {words}. That counts for "
        "nobody; its administrator should look, or claim about another file.",
    )


def _read(report: bytes) -> Computed:
    try:
        said: Any = json.loads(report)
    except (ValueError, RecursionError) as error:
        raise ReportInvalid("it is no JSON") from error
    if not isinstance(said, dict):
        raise ReportInvalid("it is no object")
    value = records.optional_text(said, "value")
    if value is not None and not _is_number(value):
        raise ReportInvalid("the value is no number")
    ended = records.optional_text(said, "ended")
    if (value is not None) and (ended is not None):
        raise ReportInvalid("it both ended and went wrong")
    return Computed(
        engine=records.text(said, "engine"),
        value=value,
        ended=ended,
        why=records.optional_text(said, "why") or "",
        fuel_used=records.whole(said, "fuel_used"),
        memory_bytes=records.whole(said, "memory_bytes"),
    )


def _is_number(text: str) -> bool:
    """Say whether Python wrote it of a double or of a whole number of 64 bits."""
    try:
        if str(whole := int(text)) == text:
            return -(2**63) <= whole < 2**63
    except ValueError:
        pass
    try:
        return repr(float(text)) == text
    except ValueError:
        return False


def _file(module: bytes) -> SnapshotFile:
    return SnapshotFile(f"{sha256_hex(module)}.wasm", module, sha256_hex(module), executable=False)
