"""What a computed number says about a claim, and what the words of a claim may be."""

from __future__ import annotations

import json
import math
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.domain.written_reports import ran
from tmws.domain import checkers
from tmws.domain.checkers import judge_computed, read_computed
from tmws.domain.claims import ComputedCheck, Judgement, Level, Reason, Verdict
from tmws.domain.commands import build_request
from tmws.domain.errors import InvalidInput
from tmws.domain.execution import Limits, Outcome, Runtime
from tmws.domain.levels import COMPUTED_CANNOT_EXCLUDE, held_to, way_out
from tmws.domain.notation import parse
from tmws.domain.snapshots import Snapshot, SnapshotFile
from tmws.domain.verifications import check_from_json, check_to_json

CLAIM = ComputedCheck("accuracy", "out/data.csv", ">=", 0.9)
SNAPSHOT = Snapshot.of([SnapshotFile.of("out/data.csv", b"1"), SnapshotFile.of("a.py", b"")])


def report(**fields: Any) -> bytes:
    said = {"engine": "wasmtime 50", "fuel_used": 7, "memory_bytes": 65536}
    return json.dumps(said | fields).encode()


def judged(check: ComputedCheck = CLAIM, **fields: Any) -> Judgement:
    result = ran(report(**fields))
    return judge_computed(check, result, read_computed(result))


@given(st.sampled_from(["<=", ">=", "=="]), st.sampled_from(["nan", "inf", "-inf"]))
def test_what_is_no_number_never_holds(operator: str, value: str) -> None:
    check = ComputedCheck("a", "d", operator, 0.0, absolute=1e300, relative=1e300)
    assert judged(check, value=value).verdict is Verdict.REFUTED


@given(st.floats(allow_nan=False, allow_infinity=False), st.floats(-1e300, 1e300))
def test_numbers_are_compared_exactly(value: float, claimed: float) -> None:
    for operator, holds in (
        ("<=", Decimal(repr(value)) <= Decimal(repr(claimed))),
        (">=", Decimal(repr(value)) >= Decimal(repr(claimed))),
        ("==", Decimal(repr(value)) == Decimal(repr(claimed))),
    ):
        judgement = judged(ComputedCheck("a", "d", operator, claimed), value=repr(value))
        assert judgement.verdict.accurate is holds


@given(st.integers(-(2**63), 2**63 - 1))
def test_whole_numbers_keep_every_digit(value: int) -> None:
    found = read_computed(ran(report(value=str(value))))
    assert not isinstance(found, str)
    assert found.value is not None
    assert int(Decimal(found.value)) == value


@pytest.mark.parametrize(
    ("ended", "reason"),
    [
        ("fuel", Reason.TIMED_OUT),
        ("memory", Reason.OUT_OF_MEMORY),
        ("trap", Reason.CHECKER_FAILED),
        ("unfit", Reason.CHECKER_FAILED),
        ("anything", Reason.CHECKER_FAILED),
        (None, Reason.CHECKER_FAILED),
    ],
)
def test_what_came_to_no_number_is_open(ended: str | None, reason: Reason) -> None:
    judgement = judged(ended=ended, why="unreachable")
    assert (judgement.verdict, judgement.reason) == (Verdict.INCONCLUSIVE, reason)


@pytest.mark.parametrize("outcome", [each for each in Outcome if each is not Outcome.EXITED])
def test_a_process_that_did_not_end_by_itself_is_open(outcome: Outcome) -> None:
    result = ran(report(value="1.0"), outcome=outcome, exit_code=None)
    judgement = judge_computed(CLAIM, result, read_computed(result))
    assert judgement.verdict is Verdict.INCONCLUSIVE
    assert judgement.reason.value == outcome.value


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
NAMES = ("engine", "value", "ended", "why", "fuel_used", "memory_bytes")


@given(st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
def test_a_strangers_report_never_holds(content: bytes) -> None:
    result = ran(content)
    assert judge_computed(CLAIM, result, read_computed(result)).verdict is Verdict.INCONCLUSIVE


@given(st.dictionaries(st.sampled_from(NAMES), JSON))
def test_a_report_with_strange_parts_is_read_or_refused(fields: dict[str, Any]) -> None:
    judgement = judged(**fields)
    value = fields.get("value")
    if judgement.verdict is not Verdict.INCONCLUSIVE:
        assert isinstance(value, str)
        assert repr(float(value)) == value or str(int(value)) == value


@given(
    st.sampled_from(["<=", ">=", "=="]),
    st.floats(-1e300, 1e300),
    st.none() | st.floats(0, 1e300),
    st.none() | st.floats(0, 1e300),
)
def test_a_line_is_read_as_the_claim_that_it_stands_for(
    operator: str, value: float, absolute: float | None, relative: float | None
) -> None:
    words = [f"checker accuracy out/data.csv {operator} {value!r}"]
    words += [f"--absolute={absolute!r}"] if absolute is not None else []
    words += [f"--relative={relative!r}"] if relative is not None else []
    check = parse(" ".join(words))
    assert check == ComputedCheck(
        "accuracy", "out/data.csv", operator, value, absolute or 0.0, relative or 0.0
    )
    assert check_from_json(check_to_json(check)) == check


@pytest.mark.parametrize(
    "line",
    [
        "checker",
        "checker accuracy",
        "checker accuracy data.csv",
        "checker accuracy data.csv >=",
        "checker accuracy data.csv >= nan",
        "checker accuracy data.csv >= inf",
        "checker accuracy data.csv >= 1e999",
        "checker accuracy data.csv >= 0x10",
        "checker accuracy data.csv >= 1_000",
        "checker accuracy data.csv >= ٣",
        "checker accuracy data.csv => 1",
        "checker accuracy data.csv != 1",
        "checker accuracy ../data.csv >= 1",
        "checker accuracy /etc/passwd >= 1",
        "checker accuracy -data.csv >= 1",
        "checker ../accuracy data.csv >= 1",
        "checker Accuracy! data.csv >= 1",
        "checker accuracy data.csv >= 1 --absolute=-1",
        "checker accuracy data.csv >= 1 --absolute=nan",
        "checker accuracy data.csv >= 1 --absolute=1 --absolute=2",
        "checker accuracy data.csv >= 1 --fuel=99999999999999",
        "checker accuracy data.csv >= 1 more.csv",
    ],
)
def test_other_lines_are_refused_with_the_form(line: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse(line)
    assert len(refused.value.message) <= 300


def test_the_run_gets_the_one_file_and_limits_of_its_own() -> None:
    request = build_request(CLAIM, SNAPSHOT, Limits(wall_seconds=3600))
    assert request.argv == (
        "checker.wasm",
        f"--fuel={checkers.FUEL}",
        "/workspace/out/data.csv",
    )
    assert [file.path for file in request.files] == ["out/data.csv"]
    assert request.runtime is Runtime.WASM
    assert request.limits.wall_seconds == checkers.LONGEST_SECONDS
    short = build_request(CLAIM, SNAPSHOT, Limits(wall_seconds=2))
    assert short.limits.wall_seconds == 2
    with pytest.raises(InvalidInput, match=r"has no 'out'"):
        build_request(ComputedCheck("accuracy", "out", ">=", math.pi), SNAPSHOT, Limits())


def test_a_verdict_that_holds_says_that_the_file_may_be_made_up() -> None:
    judgement = judged(value="0.95")
    held = held_to(Level.REPRODUCED, judgement, "", check=CLAIM)
    assert held.verdict is Verdict.SUPPORTED
    assert held.detail.endswith(COMPUTED_CANNOT_EXCLUDE)
    for needed in (Level.PINNED, Level.INDEPENDENT):
        more = held_to(needed, judgement, way_out(needed, CLAIM), check=CLAIM)
        assert more.reason is Reason.LEVEL_NOT_REACHED
        assert "held check" in more.detail
