from __future__ import annotations

import gzip
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
    first, second = read(path)
    assert (first.agent, first.task.claim, first.supported) == ("ann", "c1", True)
    assert (first.task.type, first.task.effort_minutes, first.confidence) == ("pytest", 12.0, 0.9)
    assert first.at == datetime(2026, 2, 1, tzinfo=UTC)
    assert (second.supported, second.task.effort_minutes, second.confidence) == (False, None, None)


def test_the_usual_names_of_columns_and_gzip_are_understood(tmp_path: Path) -> None:
    path = tmp_path / "file.csv.gz"
    path.write_bytes(gzip.compress(b"bench,agent,instance,resolved\ngso,a,i,0\ngso,b,i,1\n"))
    outcomes = read(path)
    assert [o.supported for o in outcomes] == [False, True]
    assert {o.task.type for o in outcomes} == {""}


def test_a_wide_file_has_a_column_per_claim(tmp_path: Path) -> None:
    outcomes = read(write(tmp_path, "who,c1,c2\nann,1,0\nbob,,1.0\n"))
    assert [(o.agent, o.task.claim, o.supported) for o in outcomes] == [
        ("ann", "c1", True),
        ("ann", "c2", False),
        ("bob", "c2", True),
    ]


def test_trials_become_one_outcome_each(tmp_path: Path) -> None:
    outcomes = read(write(tmp_path, "agent,task,successes,trials\nann,t,2,3\n"))
    assert [o.supported for o in outcomes] == [True, True, False]


def test_types_come_from_a_file_beside(tmp_path: Path) -> None:
    path = write(tmp_path, "agent,claim,outcome\nann,c1,1\nann,c2,0\n")
    types = write(tmp_path, "instance,repo,time\nc1,django,short\n", "types.csv")
    assert [o.task.type for o in read(path, types=types)] == ["django | short", ""]


def test_unshared_claims_are_nobody_elses(tmp_path: Path) -> None:
    path = write(tmp_path, "agent,claim,outcome,type\nann,c1,1,x\nann,c2,0,y\n")
    assert [(o.task.claim, o.task.type) for o in unshared(read(path))] == [(None, "x"), (None, "y")]


def test_seconds_since_the_epoch_are_a_time(tmp_path: Path) -> None:
    (outcome,) = read(write(tmp_path, "agent,claim,outcome,time\nann,c1,1,1767225600\n"))
    assert outcome.at == datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("agent,claim,outcome\nann,c1,perhaps\n", "perhaps"),
        ("agent,claim,outcome,time\nann,c1,1,soon\n", "soon"),
        ("agent,claim,outcome,effort\nann,c1,1,much\n", "much"),
        ("agent,claim,outcome\n", "no outcome"),
        ("", "no outcome"),
    ],
)
def test_what_is_no_outcome_file_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        read(write(tmp_path, text))


def test_an_absent_or_broken_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"absent\.csv"):
        read(tmp_path / "absent.csv")
    cut = tmp_path / "cut.csv.gz"
    cut.write_bytes(gzip.compress(b"agent,claim,outcome\n" * 100)[:30])
    with pytest.raises(InvalidInput, match=r"cut\.csv\.gz"):
        read(cut)
