"""The checkpoint beside the database: replaced only by one that promises as much."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tmws.domain.checkpoints import Checkpoint, note, parse
from tmws.domain.errors import BackendUnavailable
from tmws.signing.checkpoint_file import CheckpointFile


def promise(size: int) -> str:
    return note(Checkpoint("tmws/0123456789abcdef", size, bytes(32)), bytes(32), bytes(64))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger" / "checkpoint"


def test_before_the_first_there_is_none(path: Path) -> None:
    assert CheckpointFile(path).load() is None


def test_a_smaller_tree_never_replaces_a_larger_one(path: Path) -> None:
    kept = CheckpointFile(path)
    for size in (1, 3, 2, 3):
        kept.save(promise(size), size=size)
    assert kept.load() == promise(3)


def test_of_many_writers_the_largest_promise_remains(path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        for _ in pool.map(lambda s: CheckpointFile(path).save(promise(s), size=s), range(50)):
            pass
    text = CheckpointFile(path).load()
    assert text is not None
    assert parse(text)[0].size == 49


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\xff\xfe\x00"])
def test_what_is_no_checkpoint_is_handed_on_as_it_is_and_replaced(
    path: Path, content: bytes
) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    kept = CheckpointFile(path)
    assert kept.load() is not None
    kept.save(promise(1), size=1)
    assert kept.load() == promise(1)


def test_the_note_is_written_alike_whatever_the_locale(path: Path) -> None:
    program = (
        "import sys; from pathlib import Path\n"
        "from tmws.signing.checkpoint_file import CheckpointFile\n"
        "CheckpointFile(Path(sys.argv[1])).save('\\u2014 note', size=0)\n"
    )
    environment = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    subprocess.run([sys.executable, "-c", program, path], env=environment, check=True)
    assert path.read_bytes() == "\u2014 note".encode()


def test_a_place_that_cannot_be_written_says_that_the_entry_is_stored(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BackendUnavailable, match="entry itself is stored"):
        CheckpointFile(tmp_path / "file" / "checkpoint").save(promise(1), size=1)
