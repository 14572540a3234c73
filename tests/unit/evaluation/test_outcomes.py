from __future__ import annotations

import gzip
import tracemalloc
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tmws.domain.errors import InvalidInput
from tmws.evaluation.outcomes import read, unshared


def write(folder: Path, text: str, name: str = "file.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_long_file_is_read_with_all_its_columns(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "agent,claim,outcome,type,effort,time,confidence\n"
        "ann,c1,1,pytest,12,2026-02-01,0.9\n"
        "bob,c1,REFUTED,ruff,,2026-02-01T10:00:00+00:00,\n"
        "bob,c2,inconclusive,ruff,,,\n",
    )
    first, second = read(path).decided
    assert (first.agent, first.task.claim, first.supported) == ("ann", "c1", True)
    assert (first.task.type, first.task.effort_minutes, first.confidence) == ("pytest", 12.0, 0.9)
    assert first.at == datetime(2026, 2, 1, tzinfo=UTC)
    assert (second.supported, second.task.effort_minutes, second.confidence) == (False, None, None)


def test_the_usual_names_of_columns_and_gzip_are_understood(tmp_path: Path) -> None:
    path = tmp_path / "file.csv.gz"
    path.write_bytes(gzip.compress(b"bench,agent,instance,resolved\ngso,a,i,0\ngso,b,i,1\n"))
    outcomes = read(path).decided
    assert [o.supported for o in outcomes] == [False, True]
    assert {o.task.type for o in outcomes} == {""}


def test_a_wide_file_has_a_column_per_claim(tmp_path: Path) -> None:
    outcomes = read(write(tmp_path, "who,c1,c2\nann,1,0\nbob,,1.0\n")).decided
    assert [(o.agent, o.task.claim, o.supported) for o in outcomes] == [
        ("ann", "c1", True),
        ("ann", "c2", False),
        ("bob", "c2", True),
    ]


def test_a_claim_that_is_called_as_a_column_of_claims_is_a_claim(tmp_path: Path) -> None:
    outcomes = read(write(tmp_path, "who,item,c2\nann,1,0\n")).decided
    assert [(o.agent, o.task.claim) for o in outcomes] == [("ann", "item"), ("ann", "c2")]


def test_trials_become_one_outcome_each(tmp_path: Path) -> None:
    outcomes = read(write(tmp_path, "agent,task,successes,trials\nann,t,2,3\n")).decided
    assert [o.supported for o in outcomes] == [True, True, False]


def test_types_come_from_a_file_beside(tmp_path: Path) -> None:
    path = write(tmp_path, "agent,claim,outcome\nann,c1,1\nann,c2,0\n")
    types = write(tmp_path, "instance,repo,time\nc1,django,short\n", "types.csv")
    assert [o.task.type for o in read(path, types=types).decided] == ["django | short", ""]
    types = write(tmp_path, "repo,instance,time\ndjango,c1,short\n", "types.csv")
    assert [o.task.type for o in read(path, types=types).decided] == ["django | short", ""]
    types = write(tmp_path, "name,repo\nc1,django\n", "types.csv")
    assert [o.task.type for o in read(path, types=types).decided] == ["django", ""]


def test_unshared_claims_are_nobody_elses(tmp_path: Path) -> None:
    path = write(tmp_path, "agent,claim,outcome,type\nann,c1,1,x\nann,c2,0,y\n")
    assert [(o.task.claim, o.task.type) for o in unshared(read(path).decided)] == [
        (None, "x"),
        (None, "y"),
    ]


def test_seconds_since_the_epoch_are_a_time(tmp_path: Path) -> None:
    (outcome,) = read(write(tmp_path, "agent,claim,outcome,time\nann,c1,1,1767225600\n")).decided
    assert outcome.at == datetime(2026, 1, 1, tzinfo=UTC)


def test_claims_may_stand_in_rows_and_agents_in_columns(tmp_path: Path) -> None:
    outcomes = read(write(tmp_path, "instance_id,ann,bob\nc1,1,0\nc2,,1\n")).decided
    assert [(o.agent, o.task.claim, o.supported) for o in outcomes] == [
        ("ann", "c1", True),
        ("bob", "c1", False),
        ("bob", "c2", True),
    ]


@pytest.mark.parametrize("separator", [";", "\t"])
def test_other_separators_blank_rows_and_an_index_are_understood(
    tmp_path: Path, separator: str
) -> None:
    text = ",agent,claim,outcome\r\n0,ann,c1,yes\r\n,,,\r\n1,bob,c1,n/a\r\n".replace(",", separator)
    (outcome,) = read(write(tmp_path, text)).decided
    assert (outcome.agent, outcome.task.claim, outcome.supported) == ("ann", "c1", True)


def test_repetitions_that_agree_are_left_out_and_said(tmp_path: Path) -> None:
    found = read(write(tmp_path, "agent,claim,outcome\nann,c1,1\nbob,c1,0\nann,c1,1\n"))
    assert [(o.agent, o.supported) for o in found.decided] == [("ann", True), ("bob", False)]
    assert found.notes == ("1 repetitions of the same agent, claim and outcome are left out",)


def test_attempts_that_differ_all_count_and_are_said(tmp_path: Path) -> None:
    found = read(write(tmp_path, "agent,claim,outcome\nann,c1,1\nann,c1,1\nann,c1,0\n"))
    assert [o.supported for o in found.decided] == [True, True, False]
    assert "2 outcomes are further attempts" in found.notes[0]


def test_times_count_only_where_every_outcome_has_one(tmp_path: Path) -> None:
    found = read(write(tmp_path, "agent,claim,outcome,time\nann,c1,1,2026-01-01\nann,c2,1,\n"))
    assert [o.at for o in found.decided] == [None, None]
    assert found.notes == ("1 outcomes have no time, so no time is read",)


def test_numbers_that_say_nothing_are_none(tmp_path: Path) -> None:
    text = "agent,claim,outcome,effort,confidence,time\nann,c1,1,nan,NaN,1767225600000\n"
    (outcome,) = read(write(tmp_path, text)).decided
    assert (outcome.task.effort_minutes, outcome.confidence) == (None, None)
    assert outcome.at == datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("agent,claim,outcome\nann,c1,perhaps\n", "line 2: outcome 'perhaps'"),
        ("agent,claim,outcome,time\nann,c1,1,soon\n", "line 2: time 'soon'"),
        ("agent,claim,outcome,time\nann,c1,1,99999999999999999\n", "line 2: time"),
        ("agent,claim,outcome,effort\nann,c1,1,much\n", "line 2: effort 'much'"),
        ("agent,claim,outcome,effort\nann,c1,1,inf\n", "line 2: effort 'inf'"),
        ("agent,claim,outcome,effort\nann,c1,1,-3\n", "line 2: effort_minutes -3"),
        ("agent,claim,outcome,confidence\nann,c1,1,80\n", "divided by 100"),
        ("agent,claim,outcome\n,c1,1\n", "line 2, has an outcome and no agent"),
        ("agent,claim,outcome\nann,,1\n", "line 2, has an outcome and no claim"),
        ("agent,claim,outcome\nann,c1,1,0\n", "line 2, has 4 cells, the header 3"),
        ('agent,claim,outcome\n"ann,c1,1\n', "no CSV"),
        ("agent,claim,claim,outcome\n", "more than one column 'claim'"),
        ("agent,outcome\nann,1\n", "none of them is the claim"),
        ("agent,claim\nann,c1\n", "none of them is the outcome"),
        ("claim,outcome\nc1,1\n", "none of them is the agent"),
        ("agent,claim,trials\nann,c1,1\n", "none named successes"),
        ("agent,claim,successes,trials\nann,c1,3,2\n", "3 successes of 2"),
        ("agent,claim,successes,trials\nann,c1,1,99999\n", "count '99999'"),
        ("agent\nann\n", "single column"),
        ("agent,c1\n,1\n", "without a name"),
        ("agent,claim,outcome\nann,c1,nan\n", "no outcome"),
        ("agent,claim,outcome\n", "no outcome"),
        ("", "no outcome"),
    ],
)
def test_what_is_no_outcome_file_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        read(write(tmp_path, text))


def test_a_file_of_types_for_other_claims_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "agent,claim,outcome\nann,c1,1\n")
    types = write(tmp_path, "claim,type\nc2,x\n", "types.csv")
    with pytest.raises(InvalidInput, match="file of types"):
        read(path, types=types)


def test_an_absent_or_broken_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"absent\.csv"):
        read(tmp_path / "absent.csv")
    cut = tmp_path / "cut.csv.gz"
    cut.write_bytes(gzip.compress(b"agent,claim,outcome\n" * 100)[:30])
    with pytest.raises(InvalidInput, match=r"cut\.csv\.gz"):
        read(cut)
    cut.write_bytes(b"\x1f\x8b\x08\x00" + b"x" * 100)
    with pytest.raises(InvalidInput, match=r"cut\.csv\.gz"):
        read(cut)
    cut.write_bytes("agent,claim,outcome\nanné,c,1\n".encode("latin-1"))
    with pytest.raises(InvalidInput, match="byte 23 is 0xe9"):
        read(cut)


def test_a_file_that_is_too_large_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tmws.evaluation.files.LARGEST_BYTES", 100)
    path = tmp_path / "bomb.csv.gz"
    path.write_bytes(gzip.compress(b"agent,claim,outcome\n" * 10))
    with pytest.raises(InvalidInput, match="larger than"):
        read(path)


def test_more_outcomes_than_can_be_replayed_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tmws.evaluation.outcomes.MOST_OUTCOMES", 1)
    with pytest.raises(InvalidInput, match="more than 1 outcomes"):
        read(write(tmp_path, "agent,c1,c2\nann,1,0\n"))


def test_a_small_file_that_unpacks_to_very_many_rows_fills_no_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tmws.evaluation.outcomes.MOST_OUTCOMES", 10)
    path = tmp_path / "bomb.csv.gz"
    unpacked = b"agent,claim,outcome\n" + b"a,c,1\n" * 300_000
    # A buffer of this size is taken at once.
    monkeypatch.setattr("tmws.evaluation.files.LARGEST_BYTES", len(unpacked))
    path.write_bytes(gzip.compress(unpacked))
    tracemalloc.start()
    try:
        with pytest.raises(InvalidInput, match="more than 10 outcomes"):
            read(path)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 4 * len(unpacked)


def test_a_line_that_could_fill_the_memory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tmws.evaluation.table._LONGEST_LINE", 20)
    with pytest.raises(InvalidInput, match="line 2, is longer than"):
        read(write(tmp_path, "agent,claim,outcome\nann,a claim with a long name,1\n"))


def test_a_file_of_many_claims_is_read_in_time_that_grows_with_their_number(
    tmp_path: Path,
) -> None:
    claims = [f"c{n}" for n in range(50_000)]
    rows = ",".join(["ann"] + ["1"] * len(claims))
    found = read(write(tmp_path, f"agent,{','.join(claims)}\n{rows}\n")).decided
    assert [o.task.claim for o in found] == claims
