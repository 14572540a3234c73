"""What of a workspace a trusted ref replaces, and what it leaves to the claimant."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tmws.domain.canonical import sha256_hex
from tmws.domain.claims import MypyCheck, PytestCheck, PythonCheck, RuffCheck
from tmws.domain.errors import InvalidInput
from tmws.domain.snapshots import Snapshot, SnapshotFile
from tmws.domain.trusted_refs import (
    DEFAULT_PATHS,
    TrustedRef,
    digests_in,
    document,
    modules_tested_by,
    pinned,
    read_document,
    silencing_comments,
    trusted_files,
    validated_paths,
)

TRUSTED = {
    "pyproject.toml": "[tool.pytest.ini_options]\n",
    "src/app.py": "def add(a, b): return a + b\n",
    "tests/conftest.py": "",
    "tests/data.json": "{}",
    "tests/test_app.py": "from app import add\n",
}


def snapshot(files: dict[str, str]) -> Snapshot:
    return Snapshot.of(SnapshotFile.of(path, text.encode()) for path, text in files.items())


def ref(files: dict[str, str] | None = None, paths: tuple[str, ...] = DEFAULT_PATHS) -> TrustedRef:
    source = snapshot(files or TRUSTED)
    return TrustedRef("main", "shop", "here", "ab" * 32, paths, trusted_files(source, paths), 0)


def texts(of: Snapshot) -> dict[str, str]:
    return {file.path: file.content.decode() for file in of.files}


def test_tests_and_settings_are_the_refs_and_the_code_is_the_workspaces() -> None:
    theirs = {path: f"{text}# theirs" for path, text in TRUSTED.items()}
    result = texts(pinned(snapshot(theirs), ref()))
    assert result.pop("src/app.py") == theirs["src/app.py"]
    assert result == {path: text for path, text in TRUSTED.items() if path != "src/app.py"}


@pytest.mark.parametrize(
    "path",
    [
        "conftest.py",
        "src/conftest.py",
        "src/test_more.py",
        "src/more_test.py",
        "tests/helper.py",
        "tests/data.txt",
        "pytest.ini",
        ".pytest.toml",
        "tox.ini",
        "setup.cfg",
        "mypy.ini",
        "src/ruff.toml",
        "sitecustomize.py",
        "src/usercustomize/__init__.py",
        "src/evil.pth",
        "evil.dist-info/entry_points.txt",
        "src/evil.egg-info/entry_points.txt",
        "src/tests/__init__.py",
        "src/tests.py",
        "tests.py",
        "pyproject.toml/deeper",
    ],
)
def test_what_could_bend_the_trusted_tests_is_left_out_and_said_to_be(path: str) -> None:
    result = pinned(snapshot({"src/app.py": "", path: "evil"}), ref())
    assert result.file(path) is None
    assert path in dict(result.left_out)


def test_a_file_in_the_place_of_a_trusted_folder_is_in_the_way() -> None:
    result = pinned(snapshot({"tests": "a file", "src/app.py": ""}), ref())
    assert result.file("tests/test_app.py") is not None
    assert result.file("tests") is None


@pytest.mark.parametrize("path", ["app.py", "src/shop/model.py", "README", "src/shop/tests.py"])
def test_other_code_is_kept(path: str) -> None:
    assert pinned(snapshot({path: "x = 1"}), ref()).file(path) is not None


PATHS = st.from_regex(r"(src/|tests/|a/)?(test_)?[ab](/b)?\.(py|toml|pth)", fullmatch=True)


@given(st.dictionaries(PATHS, st.sampled_from(["", "x"]), max_size=8))
def test_no_workspace_changes_a_byte_of_what_is_trusted(files: dict[str, str]) -> None:
    try:
        theirs = snapshot(files)
    except InvalidInput:  # no tree of files
        return
    result = pinned(theirs, ref())
    for file in ref().files:
        assert result.file(file.path) == file
    answered = {file.path for file in result.files if ref().covers(file.path)}
    assert answered == ref().file_paths


def test_a_ref_is_named_by_its_content_and_read_back_from_it() -> None:
    files = ref().files
    stored = document(("tests/",), files, 3)
    contents = {file.digest: file.content for file in files}
    assert set(digests_in(stored)) == set(contents)
    assert read_document(stored, contents) == (("tests/",), files, 3)
    assert sha256_hex(stored) != sha256_hex(document(("tests/",), files[:-1], 3))


def test_more_may_be_trusted_by_folder_file_and_pattern() -> None:
    files = {"data/a.json": "", "data/b.txt": "", "Makefile": "", "src/app.py": ""}
    found = trusted_files(snapshot(files), ("data/*.json", "Makefile", "src"))
    assert {file.path for file in found} == {"data/a.json", "Makefile", "src/app.py"}


def test_a_source_without_anything_to_trust_is_refused() -> None:
    with pytest.raises(InvalidInput, match="Name what is to be trusted"):
        trusted_files(snapshot({"src/app.py": ""}), DEFAULT_PATHS)


@pytest.mark.parametrize("pattern", ["", "/etc", "../x", "a//b", "a/./b", "x" * 201, "a\nb"])
def test_paths_stay_below_the_workspace(pattern: str) -> None:
    with pytest.raises(InvalidInput, match="is refused"):
        validated_paths([pattern])


def test_a_ref_serves_what_it_has_the_files_for() -> None:
    settings_only = ref({"pyproject.toml": ""})
    assert ref().serves(PytestCheck())
    assert not settings_only.serves(PytestCheck())
    assert settings_only.serves(RuffCheck())
    assert settings_only.serves(MypyCheck())
    assert not ref().serves(PythonCheck("a.py"))


def test_what_the_tests_import_from_elsewhere_is_named() -> None:
    files = {
        "tests/helper.py": "import os\n",
        "tests/test_app.py": "import json, app.model\nfrom tests import helper\nimport pytest\n",
    }
    assert modules_tested_by(snapshot(files).files) == ("app",)


def test_silencing_comments_are_counted() -> None:
    text = "a = 1  # noqa: F401\nb = 2  # type: ignore[misc]\n# ruff: noqa\nc = 3  # fine\n"
    assert silencing_comments(snapshot({"a.py": text}).files) == 3
