"""What a runner reported, read as the bytes of a stranger.

A report is lines of `<seal> <json>`. The first line carries a random key and no seal;
each later one is sealed with that key and its number, so that code which finds the
channel but not the key cannot write, drop or repeat a line unnoticed. The key lives in
the tested process, so a seal raises the price of a forgery; it does not exclude one.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import operator
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import cast

from tmws.domain import records as read
from tmws.domain.answers import Answer, AnswersReport, read_answer
from tmws.domain.measured import Executed, Measured
from tmws.domain.records import MAX_TEXT, Record, ReportInvalid

MAX_REPORT_BYTES = 16 * 1024 * 1024
MAX_RECORDS = 100_000
SEAL_HEX = 32


class RanOutcome(StrEnum):
    """How one test, module or canary ended, after all its phases."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"
    XFAILED = "xfailed"
    XPASSED = "xpassed"
    UNFINISHED = "unfinished"

    @property
    def passed(self) -> bool:
        return self in {RanOutcome.PASSED, RanOutcome.XPASSED}


@dataclass(frozen=True, slots=True)
class Ran:
    """One test, collected module or canary.

    Attributes:
        id: node id; for a canary the module it was put into.
        missing: name of the import or fixture that was not there, if that is why.
        changed: a hook reported something else than what happened.
        kept: a test that the project's own options would run, too.
    """

    id: str
    outcome: RanOutcome
    missing: str | None = None
    message: str = ""
    changed: bool = False
    kept: bool = False


@dataclass(frozen=True, slots=True)
class PytestReport:
    """What our plugin saw inside the test process.

    Attributes:
        collected: ids as collected, before any selection.
        tests: every selected test, `UNFINISHED` when its end was never reported.
        deselected: tests that the claim's own keyword left out.
        unruly: ids that vanished from or were added to the selection by other hands.
        hooks: foreign implementations of hooks that decide outcomes.
        patched: functions of pytest, pluggy, unittest or builtins that were replaced.
        overruled: options of the project's `addopts` that could hide tests or load code.
        status: pytest's exit status, None when the run never came to its end.
        unread: Python files that nobody read while the tests ran.
    """

    modules: tuple[Ran, ...]
    collected: tuple[str, ...]
    tests: tuple[Ran, ...]
    canaries: tuple[Ran, ...]
    deselected: int
    unruly: tuple[str, ...]
    hooks: tuple[str, ...]
    patched: tuple[str, ...]
    status: int | None
    overruled: tuple[str, ...] = ()
    unread: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class LintReport:
    """What ruff or mypy found; no code of the workspace ran.

    Attributes:
        files: paths that were really checked.
        findings: the first of them, as `path:line code`.
        found: how many there are in all.
        suppressed: findings that a comment in the source silences.
        missing: modules that could not be found.
        neutralised: settings of the workspace that were not obeyed.
        status: the tool's exit status, None when it never came to its end.
        message: what the tool said when it could not work.
    """

    files: tuple[str, ...]
    findings: tuple[str, ...]
    found: int
    suppressed: int
    missing: tuple[str, ...]
    neutralised: tuple[str, ...]
    status: int | None
    message: str


@dataclass(frozen=True, slots=True)
class TimingReport:
    """How long each run of a script took, by the clock of the process that started it.

    Attributes:
        empty_wall, empty_cpu: seconds of runs without the script.
        wall, cpu: seconds of its runs.
        status: exit status of the last run.
        left_processes, left_files: what runs left behind; unknown counts as left.
        disturbed: the process that took the time was changed.
    """

    empty_wall: tuple[float, ...]
    empty_cpu: tuple[float, ...]
    wall: tuple[float, ...]
    cpu: tuple[float, ...]
    status: int | None
    missing: str | None
    left_processes: int
    left_files: bool
    disturbed: bool


@dataclass(frozen=True, slots=True)
class ScriptReport:
    """How a script ended, seen by its parent process.

    Attributes:
        status: exit status, None when the script never came to its end.
        missing: module whose absence ended it, if that is why.
        output: the file that was asked for, None if there is none that is plain and small.
    """

    status: int | None
    missing: str | None
    output: bytes | None = None


@dataclass(frozen=True, slots=True)
class CoverageReport:
    """What the tests executed, beside how they ended.

    Attributes:
        foreign: files in whose name other code was executed.
        beyond: settings of the project that measure more than this one process.
    """

    tests: PytestReport
    files: tuple[Measured, ...]
    foreign: tuple[str, ...]
    beyond: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NodeReport:
    """What Node's test runner said: files are the modules, the rest is as with pytest."""

    tests: PytestReport


Report = (
    PytestReport
    | LintReport
    | ScriptReport
    | TimingReport
    | CoverageReport
    | AnswersReport
    | NodeReport
)


def parse_report(raw: bytes) -> Report:
    """Read what a runner wrote.

    A last line without its end is dropped: a run that was killed may leave one.

    Raises:
        ReportInvalid: anything is not as our runners write it.
    """
    if len(raw) > MAX_REPORT_BYTES:
        raise ReportInvalid("the report is too long")
    records = _unseal(raw.split(b"\n")[:-1])
    started = records[0]
    if started.get("kind") != "started":
        raise ReportInvalid("the report does not begin with a start")
    match started.get("tool"):
        case "pytest" | "node_test" as tool:
            tests = _pytest_report(records)
            return tests if tool == "pytest" else NodeReport(tests)
        case "coverage":
            return _coverage_report(records)
        case "ruff" | "mypy":
            return _lint_report(records)
        case "timing":
            return _timing_report(records)
        case "python":
            finished = read.finished(records)
            return ScriptReport(
                read.status(finished), read.optional_text(finished, "missing"), _output(records)
            )
        case "held":
            answers = tuple(_answer(record) for record in read.of(records, "answer"))
            return AnswersReport(answers, read.status(read.finished(records)))
    raise ReportInvalid("the report names no known tool")


def _unseal(lines: list[bytes]) -> list[Record]:
    if not lines or len(lines) > MAX_RECORDS:
        raise ReportInvalid("the report is empty or has too many lines")
    seal, _, body = lines[0].partition(b" ")
    started = _record(body)
    if seal != b"-":
        raise ReportInvalid("the first line is sealed")
    key = _key(started)
    records = [started]
    for number, line in enumerate(lines[1:], start=1):
        seal, _, body = line.partition(b" ")
        if not hmac.compare_digest(seal, seal_of(key, number, body)):
            raise ReportInvalid(f"line {number} does not carry our seal")
        records.append(_record(body))
    return records


def seal_of(key: bytes, number: int, body: bytes) -> bytes:
    """Return the seal of line `number`, as the runner computes it."""
    mac = hashlib.blake2b(number.to_bytes(8, "big") + body, key=key, digest_size=SEAL_HEX // 2)
    return mac.hexdigest().encode()


def _key(started: Record) -> bytes:
    try:
        key = bytes.fromhex(read.text(started, "key"))
    except ValueError as error:
        raise ReportInvalid("the key is not hexadecimal") from error
    if len(key) != 32:
        raise ReportInvalid("the key has not 32 bytes")
    return key


def _record(body: bytes) -> Record:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ReportInvalid("a line is not JSON") from error
    if not isinstance(value, dict):
        raise ReportInvalid("a line is not an object")
    return cast("Record", value)


def _pytest_report(records: list[Record]) -> PytestReport:
    collected = tuple(
        node_id for record in read.of(records, "collected") for node_id in read.texts(record, "ids")
    )
    selection = read.only(records, "selected") or {}
    selected = read.indices(selection, "indices", len(collected))
    allowed = frozenset(selected)
    ended: dict[int, Ran] = {}
    for index, outcome in _endings(records, collected):
        if index in ended or index not in allowed:
            raise ReportInvalid("a test ended twice, or was never selected")
        ended[index] = outcome
    finished = read.finished(records)
    return PytestReport(
        modules=tuple(
            _ran(record, read.text(record, "path")) for record in read.of(records, "module")
        ),
        collected=collected,
        tests=tuple(
            ended.get(index, Ran(collected[index], RanOutcome.UNFINISHED)) for index in selected
        ),
        canaries=tuple(
            _ran(record, read.text(record, "path")) for record in read.of(records, "canary")
        ),
        deselected=read.whole(selection, "deselected", default=0),
        unruly=read.texts(selection, "unruly"),
        hooks=read.texts(finished, "hooks"),
        patched=read.texts(finished, "patched"),
        status=read.status(finished),
        overruled=read.texts(finished, "overruled"),
        unread=frozenset(
            path for record in read.of(records, "unread") for path in read.texts(record, "paths")
        ),
    )


def _endings(records: list[Record], collected: tuple[str, ...]) -> Iterator[tuple[int, Ran]]:
    """Return how each test ended: passed ones come in bundles, others one by one."""
    for record in records:
        if record.get("kind") == "passed":
            for index in read.indices(record, "indices", len(collected)):
                yield index, Ran(collected[index], RanOutcome.PASSED)
        elif record.get("kind") == "test":
            (index,) = read.indices({"index": [record.get("index")]}, "index", len(collected))
            yield index, _ran(record, collected[index])


def _coverage_report(records: list[Record]) -> CoverageReport:
    measured = read.only(records, "coverage") or {}
    rows = [row for record in read.of(records, "measured") for row in _rows(record)]
    if len({row[0] for row in rows}) != len(rows):
        raise ReportInvalid("a file was measured twice")
    return CoverageReport(
        tests=_pytest_report(records),
        files=tuple(Measured(path, Executed(*ours), Executed(*own)) for path, ours, own in rows),
        foreign=read.texts(measured, "foreign"),
        beyond=read.texts(measured, "beyond"),
    )


def _rows(record: Record) -> Iterator[tuple[str, list[int], list[int]]]:
    """Return path and twice four counts of each file: of all, the executed are a part."""
    rows = record.get("files")
    for row in rows if isinstance(rows, list) else [None]:
        match row:
            case [str(path), *counts] if len(counts) == 8:
                numbers = [number for number in counts if type(number) is int and number >= 0]
                wholes, parts = numbers[::2], numbers[1::2]
                if len(numbers) == 8 and all(map(operator.le, parts, wholes)):
                    yield read.plain(path[:MAX_TEXT]), numbers[:4], numbers[4:]
                    continue
        raise ReportInvalid("what was measured of a file is not eight counts")


def _timing_report(records: list[Record]) -> TimingReport:
    finished = read.finished(records)
    empty, timed = read.only(records, "empty") or {}, read.only(records, "timed") or {}
    return TimingReport(
        empty_wall=read.seconds(empty, "wall"),
        empty_cpu=read.seconds(empty, "cpu"),
        wall=read.seconds(timed, "wall"),
        cpu=read.seconds(timed, "cpu"),
        status=read.status(finished),
        missing=read.optional_text(finished, "missing"),
        left_processes=read.whole(finished, "left_processes", default=0),
        left_files=finished.get("left_files") is not False,
        disturbed=finished.get("disturbed") is not False,
    )


def _output(records: list[Record]) -> bytes | None:
    parts = [read.text(record, "hex") for record in read.of(records, "output")]
    try:
        return bytes.fromhex("".join(parts)) if parts else None
    except ValueError as error:
        raise ReportInvalid("the output is not hexadecimal") from error


def _lint_report(records: list[Record]) -> LintReport:
    finished = read.finished(records)
    return LintReport(
        files=tuple(
            path for record in read.of(records, "files") for path in read.texts(record, "paths")
        ),
        findings=read.texts(finished, "findings"),
        found=read.whole(finished, "found", default=0),
        suppressed=read.whole(finished, "suppressed", default=0),
        missing=read.texts(finished, "missing"),
        neutralised=read.texts(finished, "neutralised"),
        status=read.status(finished),
        message=read.optional_text(finished, "message") or "",
    )


def _answer(record: Record) -> Answer:
    try:
        return read_answer(record)
    except ValueError as error:
        raise ReportInvalid(str(error)) from error


def _ran(record: Record, node_id: str) -> Ran:
    try:
        outcome = RanOutcome(read.text(record, "outcome"))
    except ValueError as error:
        raise ReportInvalid("an outcome is unknown") from error
    return Ran(
        node_id,
        outcome,
        missing=read.optional_text(record, "missing"),
        message=read.optional_text(record, "message") or "",
        changed=record.get("changed") is True,
        kept=record.get("kept") is True,
    )
