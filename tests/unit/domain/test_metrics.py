"""A number in a file: read exactly or not at all, compared as claimed."""

from __future__ import annotations

import json
from decimal import Decimal
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.domain.written_reports import ran, written
from tmws.domain.claims import Judgement, Level, MetricCheck, Reason, Verdict
from tmws.domain.commands import build_request, validate
from tmws.domain.errors import InvalidInput
from tmws.domain.execution import Limits
from tmws.domain.judging import judge
from tmws.domain.metrics import NoNumber, holds, read_number
from tmws.domain.snapshots import Snapshot, SnapshotFile
from tmws.domain.verifications import check_from_json, check_to_json

NUMBERS = st.floats(min_value=-1e6, max_value=1e6, allow_nan=False)


def metric(operator: str = "==", value: float = 0.5, **fields: Any) -> MetricCheck:
    fields = {"script": "train.py", "pointer": "/accuracy", **fields}
    return MetricCheck("metrics.json", operator, value, **fields)


def file(path: str, content: bytes) -> SnapshotFile:
    return SnapshotFile(path, content, sha256(content).hexdigest(), executable=False)


def judged(check: MetricCheck, output: bytes | None, *files: SnapshotFile) -> Judgement:
    snapshot = Snapshot("0" * 64, (file("train.py", b"train()"), *files))
    digits = "" if output is None else output.hex()
    lines = [("output", {"hex": digits[at : at + 4000]}) for at in range(0, len(digits), 4000)]
    report = written("python", *lines, ("finished", {"status": 0}))
    return judge(check, snapshot, ran(report))


@pytest.mark.parametrize(
    "content",
    [
        b'{"accuracy": NaN}', b'{"accuracy": Infinity}', b'{"accuracy": -Infinity}',
        b'{"accuracy": "0.5"}', b'{"accuracy": true}', b'{"accuracy": null}', b'{"accuracy": [1]}',
        b'{"accuracy": 0.1, "accuracy": 0.5}', b'{"other": 0.5}', b"[0.5]", b"0.5", b"", b"{",
        b'{"accuracy": 1e999}', b'{"accuracy": 1e-999999999}', b'{"accuracy": 1e301}',
        b"\xff\xfe", b'{"a":' * 5000 + b"1" + b"}" * 5000, b'{"accuracy": ' + b"1" * 5000 + b"}",
    ],
)  # fmt: skip
def test_what_is_no_number_there_never_matches(content: bytes) -> None:
    with pytest.raises(NoNumber):
        read_number(content, "/accuracy")
    for operator in ("<=", ">=", "=="):
        assert judged(metric(operator), content).verdict is Verdict.REFUTED


@pytest.mark.parametrize(
    ("pointer", "number"),
    [
        ("/a/0/b", "1.50"),
        ("/a/1", "2"),
        ("/x~1y", "3"),
        ("/m~0n", "4"),
        ("/", "5"),
        ("/0", "6"),
    ],
)
def test_a_pointer_names_one_place(pointer: str, number: str) -> None:
    content = b'{"a": [{"b": 1.50}, 2], "x/y": 3, "m~n": 4, "": 5, "0": 6}'
    assert str(read_number(content, pointer)) == number


@pytest.mark.parametrize(
    "pointer", ["/a/2", "/a/-1", "/a/01", "/a/-", "/a/0/b/c", "/A", "/a/\u0660"]
)
def test_a_pointer_to_nothing_is_no_number(pointer: str) -> None:
    with pytest.raises(NoNumber):
        read_number(b'{"a": [{"b": 1}, 2]}', pointer)


@given(NUMBERS, NUMBERS, st.floats(0, 100), st.floats(0, 1))
def test_the_three_directions_agree(
    found: float, claimed: float, absolute: float, relative: float
) -> None:
    number = Decimal(repr(found))
    said = {
        operator: holds(metric(operator, claimed, absolute=absolute, relative=relative), number)
        for operator in ("<=", ">=", "==")
    }
    assert said["=="] == (said["<="] and said[">="])
    assert said["<="] or said[">="]


@given(NUMBERS, st.sampled_from(["<=", ">=", "=="]))
def test_a_number_is_what_it_is_without_any_tolerance(found: float, operator: str) -> None:
    assert holds(metric(operator, found), read_number(json.dumps(found).encode(), ""))


@given(st.binary(max_size=200), st.text(max_size=20))
def test_no_file_makes_the_reader_fail_in_another_way(content: bytes, pointer: str) -> None:
    try:
        read_number(content, pointer)
    except NoNumber:
        return


def test_tolerance_is_exact_where_floats_are_not() -> None:
    assert holds(metric("==", 0.3, absolute=0.1), Decimal("0.4"))
    assert not holds(metric("==", 0.3, absolute=0.1), Decimal("0.40000000000000000001"))
    assert holds(metric("==", -200, relative=0.01), Decimal("-202"))
    assert not holds(metric("<=", 10), Decimal("10.000000000000000001"))


def test_a_number_that_a_run_came_to_is_reproduced() -> None:
    judgement = judged(metric(">=", 0.9), b'{"accuracy": 0.93125}')
    assert (judgement.verdict, judgement.level) == (Verdict.SUPPORTED, Level.REPRODUCED)
    assert "computed by train.py" in judgement.detail


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("answers.json", b"[0.93125]"),
        ("train.py", b"print(0.93125)"),
        ("lib/model.py", b'ACCURACY = "0.93125"'),
        ("lib/model.py", b"ACCURACY = .93_1250"),
        ("model.bin", b"\0 9.3125e-1 \0"),
        ("model.py", b"ACCURACY = 93125e-5"),
    ],
)
def test_a_number_that_stands_in_the_workspace_is_only_observed(path: str, content: bytes) -> None:
    judgement = judged(metric(">=", 0.9), b'{"accuracy": 0.93125}', file(path, content))
    assert (judgement.verdict, judgement.reason) == (Verdict.INCONCLUSIVE, Reason.OBSERVED_ONLY)
    assert judgement.flags == (f"{path}: holds the very number that the run came to",)


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("README.md", b"We reach 0.93125."),
        ("a.py", b"x = 10.931254"),
        ("a.py", b"x = 93125"),
        ("a.py", b"1.0.93125, 9.3.125, x0.93125, 0_._9, 0.93e125, 9_3_1_2_5e9999"),
        ("metrics.json", b'{"accuracy": 0.93125}'),
    ],
)
def test_a_number_in_the_prose_or_in_part_is_no_reason_for_doubt(path: str, content: bytes) -> None:
    judgement = judged(metric(">=", 0.9), b'{"accuracy": 0.93125}', file(path, content))
    assert judgement.verdict is Verdict.SUPPORTED


@pytest.mark.parametrize(
    ("written", "path", "doubted"),
    [
        (b"0.95", "train.py", True),
        (b"0.95", "lib/model.py", False),
        (b"0.5", "train.py", False),
        (b"250", "train.py", False),
        (b"0", "train.py", False),
    ],
)
def test_a_number_of_few_digits_is_looked_for_in_the_script(
    written: bytes, path: str, doubted: bool
) -> None:
    output = b'{"accuracy": ' + written + b"}"
    judgement = judged(metric(">=", 0.0), output, file(path, b"x = " + written))
    assert (judgement.verdict is Verdict.INCONCLUSIVE) is doubted


def test_a_file_that_was_there_before_supports_nothing_and_may_refute() -> None:
    before = metric(">=", 0.9, script=None)
    assert judged(before, b'{"accuracy": 0.95}').reason is Reason.OBSERVED_ONLY
    assert judged(before, b'{"accuracy": 0.85}').verdict is Verdict.REFUTED


def test_a_run_that_wrote_nothing_or_failed_supports_nothing() -> None:
    assert judged(metric(), None).reason is Reason.NOTHING_CHECKED
    output = ("output", {"hex": b'{"accuracy": 0.5}'.hex()})
    failed = written("python", output, ("finished", {"status": 1}))
    snapshot = Snapshot("0" * 64, (file("train.py", b""),))
    judgement = judge(metric(), snapshot, ran(failed, exit_code=1))
    assert (judgement.verdict, judgement.reason) == (Verdict.INCONCLUSIVE, Reason.USAGE_ERROR)


@pytest.mark.parametrize(
    "fields",
    [
        {"script": "../x.py"}, {"script": "x.sh"}, {"pointer": "accuracy"}, {"pointer": "/a~2"},
        {"pointer": "/\u202ea"}, {"pointer": "/" + "a" * 300}, {"operator": "<"},
        {"operator": "!="}, {"value": float("nan")}, {"value": float("inf")},
        {"absolute": -1.0}, {"relative": float("nan")}, {"absolute": float("inf")},
    ],
)  # fmt: skip
def test_what_breaks_the_grammar_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        validate(metric(**fields))


def test_the_command_comes_from_the_table() -> None:
    snapshot = Snapshot("0" * 64, (file("train.py", b""), file("metrics.json", b"{}")))
    request = build_request(metric(), snapshot, Limits())
    assert request.argv[2:] == (
        "/opt/tmws/run_python.py", "--output=/workspace/metrics.json", "/workspace/train.py",
    )  # fmt: skip
    request = build_request(metric(script=None), snapshot, Limits())
    assert request.argv[3:] == ("--output=/workspace/metrics.json",)


def test_a_check_is_read_back_as_it_was_written() -> None:
    check = metric("<=", 1.5, relative=0.1)
    assert check_from_json(json.loads(json.dumps(check_to_json(check)))) == check
