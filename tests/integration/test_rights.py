"""A data folder with wrong rights: every command says what may not be read or written."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.command import tmws
from tests.patience import ENOUGH_SECONDS

_RIGHTS = "-dac_override,-dac_read_search"


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    """A store with one agent, whose rights a test may take away."""
    folder = tmp_path / "data"
    assert tmws("agents", "create", "builder", data=folder).status == 0
    yield folder
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o700)


def bound(*words: str, data: Path) -> tuple[int, str]:
    """Run a command for which rights count, whoever runs the tests."""
    root = ["setpriv", f"--bounding-set={_RIGHTS}", f"--inh-caps={_RIGHTS}"]
    clean = {key: value for key, value in os.environ.items() if not key.startswith("TMWS_")}
    done = subprocess.run(
        [*(root if os.geteuid() == 0 else []), sys.executable, "-m", "tmws", *words],
        env={**clean, "TMWS_DATA_DIR": str(data), "COLUMNS": "500"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=ENOUGH_SECONDS,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_a_folder_of_somebody_else_is_told(data: Path) -> None:
    data.chmod(0o000)
    for command in (("agents", "list"), ("ledger", "verify")):
        status, told = bound(*command, data=data)
        assert status == 7
        assert told == (
            f"BACKEND_UNAVAILABLE: The data folder {data} may not be read by this user. Run tmws "
            "as its owner, or choose another folder by TMWS_DATA_DIR.\n"
        )


@pytest.mark.parametrize("path", ["tmws.db", "."])
def test_a_database_that_may_not_be_written_is_told_with_what_to_look_at(
    data: Path, path: str
) -> None:
    (data / path).chmod(0o500)
    status, told = bound("agents", "create", "reviewer", data=data)
    assert status == 7
    assert "(may this user write the file and its folder?)" in told


def test_a_checkpoint_that_may_not_be_read_is_told_and_nothing_is_recorded(data: Path) -> None:
    checkpoint = data / "ledger" / "checkpoint"
    checkpoint.chmod(0o000)
    told = [
        bound(*words, data=data)
        for words in (("ledger", "verify"), ("agents", "create", "reviewer"))
    ]
    assert {status for status, _ in told} == {7}
    for _, words in told:
        assert f"The ledger's checkpoint {checkpoint} cannot be read: Permission denied" in words
    checkpoint.chmod(0o600)
    assert tmws("ledger", "verify", "--json", data=data).document()["entries"] == 1


@pytest.mark.parametrize("path", ["tmws.db", "ledger"])
def test_the_doctor_names_what_may_not_be_written(data: Path, path: str) -> None:
    (data / path).chmod(0o500)
    status, told = bound("doctor", data=data)
    assert status == 1
    assert f"{data / path} may not be written by this user" in told
