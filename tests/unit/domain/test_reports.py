from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.domain.written_reports import KEY, Line, pytest_lines, written
from tmws.domain.records import ReportInvalid
from tmws.domain.reports import (
    LintReport,
    PytestReport,
    RanOutcome,
    ScriptReport,
    parse_report,
    seal_of,
)

RUNNER = Path(__file__).parents[3] / "sandbox_image" / "runner"
HONEST = written("pytest", *pytest_lines({"t.py::a": "passed", "t.py::b": "failed"}, status=1))


def test_a_report_of_tests_is_read_as_written() -> None:
    report = parse_report(HONEST)

    assert isinstance(report, PytestReport)
    assert [(ran.id, ran.outcome) for ran in report.tests] == [
        ("t.py::a", RanOutcome.PASSED),
        ("t.py::b", RanOutcome.FAILED),
    ]
    assert [ran.id for ran in report.canaries] == ["t.py"]
    assert report.status == 1


def test_passed_tests_may_come_in_bundles() -> None:
    ids = [f"t.py::test_{number}" for number in range(3)]
    report = parse_report(
        written(
            "pytest",
            ("collected", {"ids": ids}),
            ("selected", {"indices": [0, 1, 2]}),
            ("passed", {"indices": [2, 0]}),
        )
    )

    assert isinstance(report, PytestReport)
    assert [ran.outcome for ran in report.tests] == ["passed", "unfinished", "passed"]


def test_a_test_without_an_end_is_unfinished() -> None:
    report = parse_report(written("pytest", *pytest_lines({"t.py::a": "unfinished"}, status=None)))

    assert isinstance(report, PytestReport)
    assert [ran.outcome for ran in report.tests] == [RanOutcome.UNFINISHED]
    assert report.status is None


def test_a_report_of_findings_and_of_a_script_are_read_as_written() -> None:
    lint = parse_report(
        written(
            "ruff",
            ("files", {"paths": ["a.py"]}),
            ("finished", {"status": 1, "found": 1, "findings": ["a.py:1 F401"], "suppressed": 2}),
        )
    )
    script = parse_report(written("python", ("finished", {"status": 3, "missing": None})))

    assert lint == LintReport(("a.py",), ("a.py:1 F401",), 1, 2, (), (), 1, "")
    assert script == ScriptReport(3, None)


def test_what_the_runners_channel_writes_is_read_back(tmp_path: Path) -> None:
    """The two sides of the seal are separate programs; this holds them together."""
    program = (
        "import sys; sys.path.append(sys.argv[1])\n"
        "from tmws_channel import open_channel, send_files\n"
        "send = open_channel('ruff')\n"
        "send_files(send, [f'/workspace/f{n}.py' for n in range(120)])\n"
        "send('finished', status=0)\n"
    )
    written_to = tmp_path / "report"
    with written_to.open("wb") as report:
        saved = os.dup(3) if Path("/proc/self/fd/3").exists() else None
        try:
            os.dup2(report.fileno(), 3)
            subprocess.run([sys.executable, "-c", program, RUNNER], pass_fds=(3,), check=True)
        finally:
            os.close(3) if saved is None else os.dup2(saved, 3)

    read = parse_report(written_to.read_bytes())

    assert isinstance(read, LintReport)
    assert read.files == tuple(f"f{number}.py" for number in range(120))
    assert read.status == 0


@given(st.binary(max_size=200))
def test_any_bytes_are_a_report_or_refused(raw: bytes) -> None:
    with pytest.raises(ReportInvalid):
        parse_report(raw)


@given(st.integers(0, len(HONEST) - 1), st.integers(1, 255))
def test_a_flipped_byte_is_noticed_or_changes_nothing(position: int, flip: int) -> None:
    changed = bytearray(HONEST)
    changed[position] ^= flip
    try:
        report = parse_report(bytes(changed))
    except ReportInvalid:
        return
    # Only the opening line is unsealed, and only its free text may differ unnoticed;
    # the very last line end may be lost, which drops the last line.
    original = parse_report(HONEST)
    assert isinstance(report, PytestReport)
    assert isinstance(original, PytestReport)
    assert report == original or (report.status is None and position == len(HONEST) - 1)


@given(st.data())
def test_a_line_that_is_moved_dropped_or_repeated_is_noticed(data: st.DataObject) -> None:
    lines = HONEST.splitlines(keepends=True)
    index = data.draw(st.integers(1, len(lines) - 2))
    change = data.draw(st.sampled_from(["drop", "repeat", "swap"]))
    if change == "drop":
        del lines[index]
    elif change == "repeat":
        lines.insert(index, lines[index])
    else:
        lines[index], lines[index + 1] = lines[index + 1], lines[index]

    with pytest.raises(ReportInvalid):
        parse_report(b"".join(lines))


def test_a_line_of_another_key_is_noticed() -> None:
    body = json.dumps({"kind": "test", "index": 0, "outcome": "passed"}).encode()
    forged = seal_of(bytes(32), 7, body) + b" " + body + b"\n"

    with pytest.raises(ReportInvalid, match="seal"):
        parse_report(HONEST + forged)


def test_a_second_report_written_behind_the_first_is_noticed() -> None:
    with pytest.raises(ReportInvalid, match="seal"):
        parse_report(HONEST + HONEST)


TEST_A: Line = ("collected", {"ids": ["t.py::a"]})
SELECT_A: Line = ("selected", {"indices": [0], "deselected": 0, "unruly": []})


@pytest.mark.parametrize(
    "lines",
    [
        [TEST_A, SELECT_A, ("test", {"index": 0, "outcome": "splendid"})],
        [TEST_A, SELECT_A, ("test", {"index": 1, "outcome": "passed"})],
        [TEST_A, SELECT_A, ("test", {"index": True, "outcome": "passed"})],
        [TEST_A, ("selected", {"indices": [0, 0]})],
        [TEST_A, ("selected", {"indices": [1]})],
        [TEST_A, SELECT_A, SELECT_A],
        [TEST_A, SELECT_A, *[("test", {"index": 0, "outcome": "passed"})] * 2],
        [TEST_A, SELECT_A, ("passed", {"indices": [0, 0]})],
        [TEST_A, SELECT_A, ("passed", {"indices": [1]})],
        [TEST_A, SELECT_A, ("passed", {"indices": "0"})],
        [TEST_A, SELECT_A, *[("passed", {"indices": [0]})] * 2],
        [("finished", {"status": 0}), TEST_A],
        [("finished", {"status": 0}), ("finished", {"status": 0})],
        [("finished", {"status": -1})],
        [("finished", {"status": "0"})],
        [("finished", {"status": 0, "hooks": "x"})],
        [("collected", {"ids": ["x" * 5000]})],
        [("collected", {"ids": [7]})],
        [("module", {"path": None, "outcome": "passed"})],
    ],
)
def test_a_sealed_line_of_the_wrong_shape_is_refused(lines: list[Line]) -> None:
    with pytest.raises(ReportInvalid):
        parse_report(written("pytest", *lines))


@pytest.mark.parametrize(
    "first",
    [
        b"- {}\n",
        b"- []\n",
        b"x {}\n",
        b'- {"kind": "started", "tool": "pytest", "key": "00"}\n',
        b'- {"kind": "started", "tool": "pytest", "key": "zz"}\n',
        b'- {"kind": "started", "tool": "bash", "key": "' + KEY.hex().encode() + b'"}\n',
        b"- " + b"[" * 100_000 + b"\n",
    ],
)
def test_a_report_that_does_not_begin_as_ours_is_refused(first: bytes) -> None:
    with pytest.raises(ReportInvalid):
        parse_report(first)


def test_a_lone_surrogate_in_a_message_does_not_survive() -> None:
    failed: Line = ("test", {"index": 0, "outcome": "failed", "message": "\ud800"})
    lines = [TEST_A, SELECT_A, failed]
    report = parse_report(written("pytest", *lines))

    assert isinstance(report, PytestReport)
    assert report.tests[0].message == "?"


def test_a_report_without_end_is_refused_by_its_size() -> None:
    with pytest.raises(ReportInvalid, match="too long"):
        parse_report(bytes(17 * 2**20))
