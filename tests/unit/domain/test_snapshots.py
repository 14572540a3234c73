from __future__ import annotations

import hashlib
import json
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tmws.domain.errors import InvalidInput
from tmws.domain.snapshots import Snapshot, SnapshotFile, manifest

NAMES = st.text("abcdefgh", min_size=1, max_size=3)
TREES = st.dictionaries(
    st.lists(NAMES, min_size=1, max_size=3).map(lambda parts: "/".join(parts) + ".py"),
    st.tuples(st.binary(max_size=8), st.booleans()),
    max_size=8,
)


Tree = dict[str, tuple[bytes, bool]]


def files_of(tree: Tree) -> list[SnapshotFile]:
    return [
        SnapshotFile.of(path, content, executable=executable)
        for path, (content, executable) in tree.items()
    ]


@given(TREES, st.randoms(use_true_random=False))
def test_the_digest_does_not_depend_on_the_order_of_files(tree: Tree, random: Random) -> None:
    files = files_of(tree)
    shuffled = list(files)
    random.shuffle(shuffled)

    assert Snapshot.of(files) == Snapshot.of(shuffled)


@given(TREES, TREES)
def test_two_snapshots_share_a_digest_only_if_they_hold_the_same(one: Tree, other: Tree) -> None:
    same = Snapshot.of(files_of(one)).digest == Snapshot.of(files_of(other)).digest

    assert same == (one == other)


@given(TREES)
def test_the_digest_is_that_of_the_manifest_as_written_in_the_documents(tree: Tree) -> None:
    """Anyone can compute it again from the files: RFC 8785 JSON, SHA-256."""
    snapshot = Snapshot.of(files_of(tree))
    read_again = json.loads(json.dumps(manifest(snapshot.files)))
    text = json.dumps(read_again, sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    assert snapshot.digest == hashlib.sha256(text.encode()).hexdigest()
    assert [entry["path"] for entry in read_again] == sorted(tree)


def test_left_out_paths_do_not_change_the_digest() -> None:
    file = SnapshotFile.of("a.py", b"")

    assert Snapshot.of([file], [("b", "link")]).digest == Snapshot.of([file]).digest


@pytest.mark.parametrize("paths", [("a.py", "a.py"), ("a", "a/b.py")])
def test_a_tree_that_no_folder_can_hold_is_refused(paths: tuple[str, ...]) -> None:
    with pytest.raises(InvalidInput):
        Snapshot.of(SnapshotFile.of(path, b"") for path in paths)


def test_a_target_finds_its_file_or_the_files_of_its_folder_and_no_namesake() -> None:
    snapshot = Snapshot.of(
        SnapshotFile.of(path, b"") for path in ("src/a.py", "src/b.txt", "src2/c.py", "top.pyi")
    )

    assert [file.path for file in snapshot.below("src")] == ["src/a.py", "src/b.txt"]
    assert [file.path for file in snapshot.below("src/a.py")] == ["src/a.py"]
    assert [file.path for file in snapshot.python_files()] == ["src/a.py", "src2/c.py", "top.pyi"]
    assert [file.path for file in snapshot.python_files(("src", "src/a.py"))] == ["src/a.py"]
    assert snapshot.below("absent") == ()
    assert snapshot.file("src") is None
