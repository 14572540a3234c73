"""A verdict, its trust, evidence and ledger entry: there together or not at all."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.patience import ENOUGH_SECONDS

ROOT = Path(__file__).parents[2]


pytestmark = pytest.mark.timeout(900)


def lines_of(program: str, url: str, folder: Path) -> list[dict[str, Any]]:
    """Let a program be killed again and again; return what it said meanwhile."""
    said = b""
    with subprocess.Popen(
        [sys.executable, str(ROOT / "tests" / "security" / program), url, str(folder)],
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"},
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as run:
        assert run.stdout is not None
        while select.select([run.stdout], [], [], ENOUGH_SECONDS)[0]:
            if not (some := os.read(run.stdout.fileno(), 65536)):
                break
            said += some
        else:
            os.killpg(run.pid, signal.SIGKILL)
            pytest.fail(f"{program} hangs after {said[-300:].decode()!r}")
    lines = [json.loads(line) for line in said.splitlines() if line.startswith(b"{")]
    assert lines
    return lines


def records(url: str, folder: Path) -> tuple[list[str], list[dict[str, Any]]]:
    """Kill a recorder at every point; return the points, and what each left behind."""
    lines = lines_of("dying_recorder.py", url, folder)
    assert "survived" in lines[-1], lines
    points = [line["killed_before"] for line in lines if "killed_before" in line]
    return points, [line for line in lines if "left" in line]


def test_killed_between_any_two_statements_a_verdict_is_whole_or_absent(
    database_url: str, tmp_path: Path
) -> None:
    points, left_behind = records(database_url, tmp_path / "data")

    assert len(left_behind) == len(points)
    assert len(points) > 10
    # Now and then a verdict draws the mix anew, by two statements more than the one before.
    assert {"COMMIT", "after COMMIT", "INSERT INTO trust_state"} <= set(points)
    for point, after in zip(points, left_behind, strict=True):
        whole = point == "after COMMIT"
        assert set(after["left"].values()) == {int(whole)}, (point, after["left"])
        assert after["problems"] == [], point
        assert after["repeated"] is whole, point
        assert set(after["later"].values()) == {1}, (point, after["later"])
        assert after["holds_later"], point


def test_killed_in_the_middle_a_fit_of_everything_leaves_the_scores_as_they_were(
    database_url: str, tmp_path: Path
) -> None:
    lines = lines_of("dying_fitter.py", database_url, tmp_path / "data")
    stored = [line["stored"] for line in lines if "stored" in line]

    assert [line["killed"] for line in lines if "killed" in line] == [True] * 5 + [False] * 2
    assert [line["fitted"] for line in lines if "fitted" in line] == [True, False]
    assert all(line["problems"] == [] for line in lines if "problems" in line)
    assert len(set(stored[:6])) == 1
    assert stored[6] != stored[0]
